"""Steps of a filter on dask arrays: chunk by chunk, each with a halo of its neighbours' samples."""

from __future__ import annotations

import dataclasses
from collections.abc import Sequence
from functools import partial
from typing import Any

import dask.array as da
import numpy as np
import torch
from torch import Tensor

from diff_conv2d.geometry import Geometry
from diff_conv2d.halos import filtered_by
from diff_conv2d.masks.boundary import MaskedBoundary
from diff_conv2d.modes.base import Boundary
from diff_conv2d.ndimage.correlation import Step, cast, check, geometry_of, of_images, working_dtype_of
from diff_conv2d.ndimage.errors import FilterError
from diff_conv2d.ndimage.outside import Fill, check_mask_dtype, floating

__all__ = ["filled_by_chunks", "filtered_by_chunks", "without_outside"]

# Samples of an image whose mask is prepared at once.
_MOST_SAMPLES = 1 << 19


def filtered_by_chunks(image: Any, steps: Sequence[Step], dtype: torch.dtype) -> Any:
    """Return the result of steps on a dask array, each rounded to a dtype.

    Raises:
        FilterError: a mode cannot work chunk by chunk, or sizes of chunks are unknown.
    """
    if type(image._meta) is not np.ndarray:
        raise TypeError(f"input must be a dask array of numpy blocks, got blocks of {type(image._meta).__name__}")
    _check_sizes(image)
    for step in steps:
        if image.size:
            image = _step(image, step, torch.uint8 if dtype is torch.bool else dtype)
    return _cast(image, dtype)


def filled_by_chunks(image: Any, mask: Any, fill: Fill) -> tuple[Any, Any]:
    """Return a dask array with what is outside filled, and which samples are valid; each chunk from its surroundings.

    With the method 'adaptive' each chunk chooses for itself.

    Raises:
        FilterError: the mask is prepared for a whole image, or its shape does not fit.
    """
    if isinstance(mask, MaskedBoundary):
        raise FilterError("mask must not be a prepared one where input is a dask array; give the mask itself")
    _check_sizes(image)
    valid = None if mask is None else mask if isinstance(mask, da.Array) else da.from_array(np.asarray(mask))
    if valid is not None:
        check_mask_dtype(valid)
    if valid is not None and valid.shape != image.shape:
        if valid.shape != tuple(image.shape[axis] for axis in fill.axes):
            raise FilterError(
                f"mask must have the shape of input, {image.shape}, or that of its filtered axes, got {valid.shape}"
            )
        others = tuple(axis for axis in range(image.ndim) if axis not in fill.axes)
        valid = da.broadcast_to(da.expand_dims(valid, others), image.shape)
    # Preparing a mask takes a hundred times the memory of the image: it is done in parts of chunks.
    most = {axis: max(1, round(_MOST_SAMPLES ** (1 / len(fill.axes)))) for axis in fill.axes}
    parts = image.rechunk({axis: _in_parts(image.chunks[axis], length) for axis, length in most.items()})
    arrays = [parts] if valid is None else [parts, valid.rechunk(parts.chunks)]
    # What a fill reads of a sample's neighbourhood, and where it takes the end of a chunk for the rim.
    rim = max((2 * width + 1 for width in fill.reach), default=0)
    depth = {axis: 2 * rim + 6 if axis in fill.axes else 0 for axis in range(image.ndim)}
    # An axis that is no longer than that is one chunk.
    short = [axis for axis, width in depth.items() if width >= image.shape[axis]]
    arrays = [array.rechunk(dict.fromkeys(short, -1)) for array in arrays]
    depth.update(dict.fromkeys(short, 0))
    known = da.map_blocks(partial(_known, nan=fill.nan), *arrays, dtype=bool, meta=np.empty(0, bool))
    if not fill.axes:
        return image, known
    dtype = floating(image.dtype)
    filled = da.map_overlap(
        partial(_filled, fill=fill), *arrays, depth=depth, boundary="none", dtype=dtype, meta=np.empty(0, dtype)
    )
    return filled.rechunk(image.chunks), known


def _check_sizes(image: Any) -> None:
    if any(np.isnan(image.shape)):
        raise FilterError("input must have chunks of known sizes: call input.compute_chunk_sizes() first")


def _in_parts(chunks: tuple[int, ...], most: int) -> tuple[int, ...]:
    """Cut chunks into parts of at most so many samples."""
    return tuple(min(most, size - start) for size in chunks for start in range(0, size, most))


def without_outside(result: Any, valid: Any) -> Any:
    """Return a result with NaN, or 0 among integers, at what is not valid."""
    missing = np.nan if result.dtype.kind in "fc" else 0
    return result.map_blocks(_replaced, valid.rechunk(result.chunks), missing, dtype=result.dtype)


def _replaced(block: Any, valid: Any, missing: float) -> Any:
    return np.where(valid, block, np.asarray(missing, block.dtype))


def _filled(block: Any, mask: Any = None, *, fill: Fill) -> Any:
    return fill(block, fill.boundary(block, mask))


def _known(block: Any, mask: Any = None, *, nan: bool) -> Any:
    known = np.ones(block.shape, bool) if mask is None else mask
    return known & ~np.isnan(block) if nan and block.dtype.kind in "fc" else known


def _step(image: Any, step: Step, dtype: torch.dtype) -> Any:
    if len(step.images) > 3:
        raise FilterError(
            f"input must have at most 3 axes of an image where it is a dask array, got {len(step.images)}: give "
            "axes, and the others are a batch"
        )
    (mode,) = step.modes
    if mode.why_not_chunked:
        raise FilterError(f"mode={mode.name!r} does not work chunk by chunk: it {mode.why_not_chunked}")
    geometry, last = geometry_of(step), tuple(range(image.ndim - len(step.images), image.ndim))
    shape = [image.shape[axis] for axis in step.images]
    one = torch.empty(1, 1, *shape, dtype=_torch_of(image.dtype), device="meta")
    working = working_dtype_of(one.dtype, dtype, torch.device("cpu"), step.is_complex)
    seen = working if one.is_complex() else working.to_real() if working.is_complex else working
    check(step, one.to(seen), geometry)
    mode.check_chunked(is_complex=working.is_complex)
    moved = da.moveaxis(_cast(image, working), step.images, last)
    sums = partial(_sums, step=step, dtype=dtype)
    return da.moveaxis(filtered_by(sums, moved, geometry, mode, _numpy_of(dtype)), last, step.images)


def _sums(images: Tensor, geometry: Geometry, mode: Boundary, step: Step, dtype: torch.dtype) -> Tensor:
    """Do one task: sum the windows of a chunk, extended where the image ends."""
    return of_images(images, dataclasses.replace(step, modes=(mode,)), geometry, dtype)


def _cast(image: Any, dtype: torch.dtype) -> Any:
    """Convert a dask array."""
    if _torch_of(image.dtype) is dtype:
        return image.astype(image.dtype.newbyteorder("="))
    return image.map_blocks(_cast_block, dtype, dtype=_numpy_of(dtype))


def _cast_block(block: Any, dtype: torch.dtype) -> Any:
    native = np.require(block, block.dtype.newbyteorder("="), ["C", "W"])
    return cast(torch.from_numpy(native), dtype).numpy()


def _numpy_of(dtype: torch.dtype) -> Any:
    return torch.empty(0, dtype=dtype).numpy().dtype


def _torch_of(dtype: Any) -> torch.dtype:
    return torch.from_numpy(np.empty(0, dtype.newbyteorder("="))).dtype
