"""Filtering of dask arrays: one task for each chunk and its halo of samples from the neighbours."""

from __future__ import annotations

from collections.abc import Callable
from functools import partial
from math import prod
from typing import Any

import dask.array as da
import numpy as np
import torch

from diff_conv2d.algorithms.choice import convolve_batch
from diff_conv2d.arguments import widths_of_padding
from diff_conv2d.geometry import Geometry, Kernels
from diff_conv2d.modes.adaptive import Sizes
from diff_conv2d.modes.base import Boundary

__all__ = ["filtered", "filtered_by"]


def filtered(image: Any, kernel: Any, mode: Boundary) -> Any:
    """Filter the last axes of a dask array."""
    axes = kernel.ndim
    lengths = image.shape[-axes:]
    ones = (1,) * axes
    geometry = Geometry(kernel.shape, ones, ones, *widths_of_padding("same", kernel.shape, ones, ones))
    # With shapes alone, so that an image too small for its mode is rejected here and not in a task.
    weight = torch.from_numpy(kernel)[None, None].to("meta")
    shape = torch.empty(1, 1, *lengths, dtype=weight.dtype, device="meta")
    mode.check_image(shape, geometry)
    if not any(mode.sizes(length, geometry, axis) for axis, length in enumerate(lengths)):
        convolve_batch(shape, Kernels(weight, None, 1), geometry, mode)
    return filtered_by(partial(_convolved, kernel=kernel), image, geometry, mode, kernel.dtype)


def _convolved(images: torch.Tensor, geometry: Geometry, mode: Boundary, kernel: Any) -> torch.Tensor:
    return convolve_batch(images, Kernels(torch.from_numpy(kernel)[None, None], None, 1), geometry, mode)


def filtered_by(
    sums: Callable[[torch.Tensor, Geometry, Boundary], torch.Tensor],
    image: Any,
    geometry: Geometry,
    mode: Boundary,
    dtype: Any,
) -> Any:
    """Filter the last axes of a dask array by a function of images (N, 1, ...), their extension and the mode.

    Args:
        sums: is called with each chunk and its halo; the geometry has widths only where the chunk's image ends.
        image: of a dtype that the mode can extend.
        geometry: of the whole image.
        mode: how it is extended.
        dtype: what `sums` returns.
    """
    axes = len(geometry.kernel)
    leading, lengths = image.ndim - axes, image.shape[-axes:]
    sizes = [mode.sizes(length, geometry, axis) for axis, length in enumerate(lengths)]
    # What a chunk needs: as a halo of its neighbours, and, at the edge, for the mode.
    needed = [max(mode.reach(geometry, axis, n), geometry.after[axis]) for axis, n in enumerate(lengths)]
    chunks = [
        da.overlap.ensure_minimum_chunksize(min(need, length), image.chunks[leading + axis])
        for axis, (need, length) in enumerate(zip(needed, lengths, strict=True))
    ]
    image = image.rechunk((*image.chunks[:leading], *chunks))
    weights = [_weights(image, mode, size, geometry, axis) for axis, size in enumerate(sizes) if size is not None]
    blocks = _wrapped(image, mode, geometry)
    # A chunk without neighbours has no halo, and may be smaller than it.
    depth = {
        leading + axis: (geometry.before[axis], geometry.after[axis]) if len(chunks[axis]) > 1 else 0
        for axis in range(axes)
    }
    return da.map_blocks(
        _filter,
        da.overlap.overlap(blocks, depth, boundary="none", allow_rechunk=False),
        *weights,
        sums=sums,
        mode=mode,
        geometry=geometry,
        sizes=sizes,
        chunks=image.chunks,
        meta=np.empty((0,) * image.ndim, dtype),
    )


def _wrapped(image: Any, mode: Boundary, geometry: Geometry) -> Any:
    """Put the samples of the opposite edge before each end that wraps, as parts of the outermost chunks."""
    chunks = list(image.chunks)
    for axis, dim in enumerate(geometry.dims):
        before, after = (
            width if mode.wraps(axis, high_end) else 0
            for high_end, width in ((False, geometry.before[axis]), (True, geometry.after[axis]))
        )
        # An axis of a single chunk is wrapped by the mode itself.
        if len(chunks[dim]) == 1 or not (before or after):
            continue
        lines, size = (slice(None),) * (image.ndim + dim), image.shape[dim]
        places = np.arange(-before, 0) % size, np.arange(after) % size
        image = da.concatenate([image[(*lines, places[0])], image, image[(*lines, places[1])]], dim)
        widths = list(chunks[dim])
        widths[0] += before
        widths[-1] += after
        chunks[dim] = tuple(widths)
    return image.rechunk(tuple(chunks))


def _weights(image: Any, mode: Boundary, sizes: Sizes, geometry: Geometry, axis: int) -> Any:
    """Fit the weights v along an axis to the bands at its ends: (leading axes, 1, ..., 1, p (m - 1))."""
    dim, axes = geometry.dims[axis], len(geometry.dims)
    leading = image.chunks[:-axes]
    lines, length = (slice(None),) * (image.ndim + dim), image.shape[dim]
    bands = image
    if length > 2 * sizes.rows:
        ends = slice(sizes.rows), slice(length - sizes.rows, None)
        bands = da.concatenate([image[(*lines, end)] for end in ends], dim)
    count = sizes.p * (sizes.m - 1)
    return da.map_blocks(
        _fit,
        bands.rechunk((*leading, *bands.shape[-axes:])),
        mode=mode,
        sizes=sizes,
        geometry=geometry,
        axis=axis,
        chunks=(*leading, *((1,),) * (axes - 1), (count,)),
        meta=np.empty((0,) * image.ndim),
    )


def _fit(bands: Any, mode: Boundary, sizes: Sizes, geometry: Geometry, axis: int) -> Any:
    """Do one task of `_weights`."""
    axes = len(geometry.dims)
    v = mode.weights(_images(bands, axes), sizes, geometry, axis)
    # The shape is given in full: for a chunk without images numpy cannot infer a -1.
    return v.to(torch.float64).numpy().reshape(*bands.shape[:-axes], *(1,) * (axes - 1), sizes.p * (sizes.m - 1))


def _filter(
    block: Any,
    *fitted: Any,
    sums: Callable[[torch.Tensor, Geometry, Boundary], torch.Tensor],
    mode: Boundary,
    geometry: Geometry,
    sizes: list[Sizes | None],
    block_info: Any,
) -> Any:
    """Do one task: filter a chunk with its halo, extended where the image ends."""
    axes = len(geometry.kernel)
    place, counts = (block_info[0][name][-axes:] for name in ("chunk-location", "num-chunks"))
    # Ends that wrap have their samples already.
    low, high = (
        tuple(
            width
            if place[axis] == (counts[axis] - 1 if high_end else 0)
            and not (counts[axis] > 1 and mode.wraps(axis, high_end))
            else 0
            for axis, width in enumerate(widths)
        )
        for high_end, widths in ((False, geometry.before), (True, geometry.after))
    )
    here = geometry._replace(before=low, after=high)
    images = _images(block, axes)
    remaining = iter(fitted)
    weights: list[torch.Tensor | None] = []
    for axis, size in enumerate(sizes):
        v = None if size is None else torch.from_numpy(next(remaining)).view(len(images), 1, size.p, size.m - 1)
        weights.append(v if low[axis] or high[axis] else None)
    output = sums(images, here, mode.with_weights(weights))
    return output.numpy().reshape(*block.shape[:-axes], *output.shape[2:])


def _images(block: Any, axes: int) -> torch.Tensor:
    """View a block as images (N, 1, ...), without a copy where torch can share its memory."""
    native = np.require(block, block.dtype.newbyteorder("="), ["C", "W"])
    return torch.from_numpy(native).view(prod(block.shape[:-axes]), 1, *block.shape[-axes:])
