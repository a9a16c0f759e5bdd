"""Steps of a filter, on tensors: an image is extended by a mode, then windows of it are summed with weights.

scipy computes every sum in float64, in one fixed order, and rounds or truncates it to the dtype of the output. Here
sums of float32 are computed in float32, all others in float64. Where the output holds integers the order is scipy's,
too, since a sum such as 0.1 * 7 + 0.9 * 7 may come out as 7 or just below it, which is truncated to 6.
"""

from __future__ import annotations

from contextlib import nullcontext
from dataclasses import dataclass, replace
from math import prod
from typing import TYPE_CHECKING, Any

import torch
from torch import Tensor

from diff_conv2d.geometry import Geometry, Kernels
from diff_conv2d.ndimage.errors import FilterError
from diff_conv2d.ndimage.sums import by_convolution, fast_sums, in_order, truncated_sums
from diff_conv2d.outputs import may_overlap
from diff_conv2d.precision import fitting_dtype
from diff_conv2d.tracing import is_autocast, is_transformed

if TYPE_CHECKING:
    from diff_conv2d.modes.base import Boundary

__all__ = ["Step", "cast", "correlated", "geometry_of", "of_images", "working_dtype_of"]

_FLOATS = {torch.float16, torch.bfloat16, torch.float32}
# Integers that float32 holds.
_SMALL = {torch.uint8, torch.int8, torch.int16, torch.uint16}
# Samples of a strip.
_STRIP = 1 << 20
# The integers through which others are converted: C truncates to 32 bits where they hold the result.
_THROUGH_LONG = {torch.uint32}
_CONVERTED_AT_ONCE = {torch.int32, torch.int64, torch.uint64}


@dataclass(frozen=True)
class Step:
    """One correlation of a filter.

    Attributes:
        kernel: weights, a real or complex float64 array or a tensor, with an axis for each of `images`.
        images: the axes that make an image, in their order; others are a batch of images.
        before: samples of a window before its output, along each of these axes.
        modes: how images are extended: one mode that knows all axes; for more than three axes one for each, which
            extends the middle one of three.
        divisor: by which every sum is divided.
        skips_zeros: samples that meet a weight of zero do not matter, should they be NaN or infinite: as in scipy's
            `correlate`, but not along one axis.
    """

    kernel: Any
    images: tuple[int, ...]
    before: tuple[int, ...]
    modes: tuple[Boundary, ...]
    divisor: int = 1
    skips_zeros: bool = False

    @property
    def is_complex(self) -> bool:
        """Whether the weights are."""
        return bool(self.kernel.is_complex() if isinstance(self.kernel, Tensor) else self.kernel.dtype.kind == "c")


def geometry_of(step: Step) -> Geometry:
    """Return what a step adds to the axes of an image."""
    kernel, ones = tuple(step.kernel.shape), (1,) * len(step.images)
    after = tuple(k - 1 - b for k, b in zip(kernel, step.before, strict=True))
    return Geometry(kernel, ones, ones, step.before, after, "fast")


def working_dtype_of(image: torch.dtype, output: torch.dtype, device: torch.device, is_complex: bool) -> torch.dtype:
    """Return the dtype in which the sums are done.

    Example:
        >>> working_dtype_of(torch.float16, torch.float32, torch.device("cpu"), False)
        torch.float32
        >>> working_dtype_of(torch.uint8, torch.uint8, torch.device("cpu"), False)
        torch.float64
    """
    single = output in _FLOATS | {torch.complex64} and image in _FLOATS | {torch.complex64}
    real = torch.float32 if single else fitting_dtype(torch.empty(0, device=device))
    return real.to_complex() if is_complex or output.is_complex or image.is_complex else real


def correlated(input: Tensor, step: Step, output: torch.dtype, into: Tensor | None = None) -> Tensor:
    """Return the step's correlation of a tensor, in the dtype of the output.

    Args:
        input: of any shape.
        step: see `Step`.
        output: the dtype.
        into: a tensor to write to, if that helps; it may be the input.
    """
    if not input.numel():
        return input.to(output)
    last = tuple(range(-len(step.images), 0))
    moved = input.movedim(step.images, last)
    batch, space = moved.shape[: -len(step.images)], moved.shape[-len(step.images) :]
    images, geometry = moved.reshape(-1, 1, *space), geometry_of(step)
    dtype = working_dtype_of(images.dtype, output, images.device, step.is_complex)
    # What is asked for must suit the image, also where complex weights make it complex.
    seen = dtype if images.is_complex() else dtype.to_real() if dtype.is_complex else dtype
    check(step, torch.empty(images.shape, dtype=seen, device="meta"), geometry)
    with torch.autocast(images.device.type, enabled=False) if is_autocast(images) else nullcontext():
        target = None if into is None else into.movedim(step.images, last)
        if target is not None and target.is_contiguous() and (rows := _rows_of_strips(images, step, geometry)):
            _in_strips(images, step, geometry, target.view(images.shape), rows)
            return target.movedim(last, step.images)
        result = of_images(images, step, geometry, output)
    return result.reshape(*batch, *space).movedim(last, step.images)


def _rows_of_strips(images: Tensor, step: Step, geometry: Geometry) -> int:
    """Return how many rows a strip has; 0 if the images are to be extended, and filtered as they are."""
    mode, space = step.modes[0], images.shape[2:]
    if len(step.modes) > 1 or mode.why_not_chunked or images.device.type != "cpu" or isinstance(step.kernel, Tensor):
        return 0
    if (torch.is_grad_enabled() and images.requires_grad) or is_transformed(images) or prod(space) < _STRIP:
        return 0
    for axis, size in enumerate(space):
        if size < 2 * _margin(mode, geometry, axis, size) or (
            images.is_complex() and mode.sizes(size, geometry, axis)
        ):
            return 0
    return max(_STRIP // prod(space[1:]), 1)


def _margin(mode: Boundary, geometry: Geometry, axis: int, length: int) -> int:
    """Return how many samples the outputs at an end of an axis depend on."""
    return max(mode.reach(geometry, axis, length), geometry.kernel[axis]) if geometry.kernel[axis] > 1 else 0


def _in_strips(images: Tensor, step: Step, geometry: Geometry, into: Tensor, rows: int) -> None:
    """Filter images strip by strip, without a padded copy; the outputs whose windows reach outside by themselves.

    Memory that is new to a process is slower than arithmetic, so what lies between the operations is kept small.
    """
    for image, result in zip(torch.split(images, 1), torch.split(into, 1), strict=True):
        fitted = replace(step, modes=(_fitted_to(image, step, geometry, into.dtype),))
        # Before the image is written over, if that is where the result goes.
        frame = [
            (dim, high_end, _side(image, fitted, geometry, axis, high_end, into.dtype))
            for axis, dim in enumerate(geometry.dims)
            for high_end in (False, True)
            if (geometry.after if high_end else geometry.before)[axis]
        ]
        inside = result
        for axis, dim in enumerate(geometry.dims):
            inside = inside.narrow(dim, geometry.before[axis], result.shape[dim] - geometry.kernel[axis] + 1)
        _write_inside(image, step, geometry, inside, rows)
        for dim, high_end, values in frame:
            count = values.shape[dim]
            result.narrow(dim, result.shape[dim] - count if high_end else 0, count).copy_(values)


def _fitted_to(image: Tensor, step: Step, geometry: Geometry, output: torch.dtype) -> Boundary:
    """Return the mode of a step with its weights for an image, of which no more is converted than the fit reads."""
    mode, weights = step.modes[0], list[Tensor | None]()
    dtype = working_dtype_of(image.dtype, output, image.device, step.is_complex)
    for axis, dim in enumerate(geometry.dims):
        length = image.shape[dim]
        sizes = mode.sizes(length, geometry, axis)
        if sizes is None:
            weights.append(None)
            continue
        bands = image
        if length > 2 * sizes.rows:
            ends = image.narrow(dim, 0, sizes.rows), image.narrow(dim, length - sizes.rows, sizes.rows)
            bands = torch.cat(ends, dim)
        weights.append(mode.weights(bands.to(dtype), sizes, geometry, axis))
    return mode if all(v is None for v in weights) else mode.with_weights(weights)


def _side(image: Tensor, step: Step, geometry: Geometry, axis: int, high_end: bool, output: torch.dtype) -> Tensor:
    """Return the outputs at an end of an axis whose windows reach outside there."""
    mode, dim, length = step.modes[0], geometry.dims[axis], image.shape[geometry.dims[axis]]
    width = (geometry.after if high_end else geometry.before)[axis]
    count = _margin(mode, geometry, axis, length)
    near = image.narrow(dim, length - count if high_end else 0, count)
    own = width
    if mode.wraps(axis, high_end):
        other = image.narrow(dim, 0 if high_end else length - width, width)
        near, own = torch.cat([near, other] if high_end else [other, near], dim), 0
    before = tuple((0 if high_end else own) if n == axis else w for n, w in enumerate(geometry.before))
    after = tuple((own if high_end else 0) if n == axis else w for n, w in enumerate(geometry.after))
    values = of_images(near, step, geometry._replace(before=before, after=after), output)
    return values.narrow(dim, values.shape[dim] - width if high_end else 0, width)


def _write_inside(image: Tensor, step: Step, geometry: Geometry, inside: Tensor, rows: int) -> None:
    """Write the outputs whose windows lie inside, strip by strip; maybe over the image itself."""
    before, reach = geometry.before[0], geometry.kernel[0] - 1
    # The first rows that the next strip reads, as they were.
    kept = image[:, :, :0]
    for start in range(0, inside.shape[2], rows):
        stop = min(start + rows, inside.shape[2])
        strip = image[:, :, start + kept.shape[2] : stop + reach]
        if kept.shape[2]:
            strip = torch.cat([kept, strip], 2)
        target = inside[:, :, start:stop]
        if may_overlap(image, inside):
            kept = image[:, :, stop : stop + before].clone()
            sums = _valid_sums(strip, step, geometry, inside.dtype)
        else:
            sums = _valid_sums(strip, step, geometry, inside.dtype, target)
        result = _finished(sums, step, inside.dtype)
        if result is not target:
            target.copy_(result)


def of_images(images: Tensor, step: Step, geometry: Geometry, output: torch.dtype) -> Tensor:
    """Return the correlation of images (N, 1, ...), each extended as the geometry says."""
    dtype = working_dtype_of(images.dtype, output, images.device, step.is_complex)
    images, mode, kernel = images.to(dtype), step.modes[0], step.kernel
    if len(step.modes) == 1 and not mode.extends:
        weight = torch.as_tensor(kernel, dtype=dtype, device=images.device)
        sums = mode.convolve(images, Kernels(weight[None, None], None, 1), geometry)
    else:
        sums = _valid_sums(_extended(images, step, geometry), step, geometry, output)
    return _finished(sums, step, output)


def _finished(sums: Tensor, step: Step, output: torch.dtype) -> Tensor:
    return cast(sums if step.divisor == 1 else sums / step.divisor, output)


def _valid_sums(
    images: Tensor, step: Step, geometry: Geometry, output: torch.dtype, into: Tensor | None = None
) -> Tensor:
    """Sum the windows that lie inside images (N, 1, ...); as scipy does, where the output holds integers.

    The sums are written to `into`, a tensor of the output's dtype that does not overlap the images, if that helps.
    """
    kernel, exact = step.kernel, not (output.is_floating_point or output.is_complex)
    dtype = working_dtype_of(images.dtype, output, images.device, step.is_complex)
    as_tensor = isinstance(kernel, Tensor)
    if as_tensor or (torch.is_grad_enabled() and images.requires_grad) or is_transformed(images):
        if kernel.ndim > 3:
            raise FilterError(f"input must have at most 3 filtered axes where it needs a gradient, got {kernel.ndim}")
        # A GPU would round factors of float32 to TF32.
        wide = torch.float64 if images.device.type == "cuda" and dtype is torch.float32 else dtype
        sums = by_convolution(images.to(wide), torch.as_tensor(kernel, dtype=wide, device=images.device))
        return sums.to(dtype)
    if not exact and images.device.type == "cpu":
        target = into if into is not None and into.dtype is dtype else None
        return fast_sums(images.to(dtype), kernel, geometry, step.skips_zeros, target)
    if images.dtype in _SMALL and not step.is_complex and images.device.type == "cpu":
        return truncated_sums(images, kernel, geometry, output)
    return in_order(images.to(dtype), kernel, step.skips_zeros, fused=not exact)


def check(step: Step, images: Tensor, geometry: Geometry) -> None:
    """Reject images (N, 1, ...) that the modes of a step cannot extend."""
    if not any(geometry.before) and not any(geometry.after):
        return
    if len(step.modes) == 1:
        step.modes[0].check_image(images, geometry)
        return
    for mode in step.modes:
        if not mode.extends or mode.reads_across:
            raise FilterError(f"mode must be another one for more than three axes than {mode.name!r}")


def cast(values: Tensor, dtype: torch.dtype) -> Tensor:
    """Convert numbers as C does on common machines: truncated, and then wrapped around.

    Example:
        >>> cast(torch.tensor([-1.7, 257.5]), torch.uint8)
        tensor([255,   1], dtype=torch.uint8)
    """
    if dtype.is_floating_point or dtype.is_complex or dtype in _CONVERTED_AT_ONCE:
        return values.to(dtype)
    whole = values.to(torch.int64 if dtype in _THROUGH_LONG else torch.int32)
    return whole.to(torch.uint8).to(dtype) if dtype is torch.bool else whole.to(dtype)


def _extended(images: Tensor, step: Step, geometry: Geometry) -> Tensor:
    """Extend images along all axes at once, or, if there are more than three, one after the other."""
    if len(step.modes) == 1:
        return _extended_by(step.modes[0], images, geometry)
    for axis, mode in enumerate(step.modes):
        before, after = geometry.before[axis], geometry.after[axis]
        if not before and not after:
            continue
        shape = images.shape
        merged = images.reshape(len(images), 1, prod(shape[2 : 2 + axis]), shape[2 + axis], -1)
        along = Geometry((1, geometry.kernel[axis], 1), (1,) * 3, (1,) * 3, (0, before, 0), (0, after, 0))
        mode.check_image(merged, along)
        merged = _extended_by(mode, merged, along)
        images = merged.reshape(*shape[: 2 + axis], -1, *shape[3 + axis :])
    return images


def _extended_by(mode: Boundary, images: Tensor, geometry: Geometry) -> Tensor:
    if not any(geometry.before) and not any(geometry.after):
        return images
    return mode.extend_by_rules(images, geometry) if mode.wraps(0, False) else mode.extend(images, geometry)
