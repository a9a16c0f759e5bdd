"""Steps of a filter, on tensors: an image is extended by a mode, then windows of it are summed with weights.

scipy computes every sum in float64, in one fixed order, and rounds or truncates it to the dtype of the output. Here
sums of float32 are computed in float32, all others in float64. Where the output holds integers the order is scipy's,
too, since a sum such as 0.1 * 7 + 0.9 * 7 may come out as 7 or just below it, which is truncated to 6.
"""

from __future__ import annotations

from contextlib import nullcontext
from dataclasses import dataclass
from math import prod
from typing import TYPE_CHECKING, Any

import torch
from torch import Tensor

from diff_conv2d.geometry import Geometry, Kernels
from diff_conv2d.ndimage.errors import FilterError
from diff_conv2d.ndimage.sums import by_convolution, fast_sums, in_order
from diff_conv2d.precision import fitting_dtype
from diff_conv2d.tracing import is_autocast, is_transformed

if TYPE_CHECKING:
    from diff_conv2d.modes.base import Boundary

__all__ = ["Step", "cast", "correlated", "geometry_of", "of_images", "working_dtype_of"]

_FLOATS = {torch.float16, torch.bfloat16, torch.float32}
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
    """

    kernel: Any
    images: tuple[int, ...]
    before: tuple[int, ...]
    modes: tuple[Boundary, ...]
    divisor: int = 1

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


def correlated(input: Tensor, step: Step, output: torch.dtype) -> Tensor:
    """Return the step's correlation of a tensor, in the dtype of the output."""
    images = input.movedim(step.images, tuple(range(-len(step.images), 0)))
    batch, space = images.shape[: -len(step.images)], images.shape[-len(step.images) :]
    if not input.numel():
        return input.to(output)
    result = of_images(images.reshape(-1, 1, *space), step, geometry_of(step), output)
    return result.reshape(*batch, *space).movedim(tuple(range(-len(step.images), 0)), step.images)


def of_images(images: Tensor, step: Step, geometry: Geometry, output: torch.dtype) -> Tensor:
    """Return the correlation of images (N, 1, ...), each extended as the geometry says."""
    dtype = working_dtype_of(images.dtype, output, images.device, step.is_complex)
    # What is asked for must suit the image, also where complex weights make it complex.
    seen = dtype if images.is_complex() else dtype.to_real() if dtype.is_complex else dtype
    check(step, torch.empty(images.shape, dtype=seen, device="meta"), geometry)
    exact = not (output.is_floating_point or output.is_complex)
    with torch.autocast(images.device.type, enabled=False) if is_autocast(images) else nullcontext():
        sums = _sums(images.to(dtype), step, geometry, exact)
        return cast(sums if step.divisor == 1 else sums / step.divisor, output)


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


def _sums(images: Tensor, step: Step, geometry: Geometry, exact: bool) -> Tensor:
    """Extend images of the working dtype, and sum their windows; exact if scipy's order matters."""
    mode, kernel = step.modes[0], step.kernel
    if len(step.modes) == 1 and not mode.extends:
        weight = torch.as_tensor(kernel, dtype=images.dtype, device=images.device)
        return mode.convolve(images, Kernels(weight[None, None], None, 1), geometry)
    padded = _extended(images, step, geometry)
    differentiated = torch.is_grad_enabled() and (padded.requires_grad or isinstance(kernel, Tensor))
    if differentiated or isinstance(kernel, Tensor) or is_transformed(padded):
        if kernel.ndim > 3:
            raise ValueError(
                f"weights must have at most 3 axes for an input that needs a gradient, got {kernel.ndim}"
            )
        return by_convolution(padded, torch.as_tensor(kernel, dtype=padded.dtype, device=padded.device))
    return in_order(padded, kernel) if exact else fast_sums(padded, kernel, geometry)


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
