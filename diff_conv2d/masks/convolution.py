"""Convolution of images with a mask: fill the outside pixels, convolve, set the outputs at outside pixels to zero."""

from __future__ import annotations

from collections.abc import Callable
from math import prod
from typing import TYPE_CHECKING

import torch
from torch import Tensor

from diff_conv2d.algorithms.blocks import zero_padded_convolution
from diff_conv2d.arguments import check_tensor, check_tensors
from diff_conv2d.geometry import Geometry
from diff_conv2d.masks.beyond import looks_far
from diff_conv2d.masks.boundary import MaskedBoundary, MaskMethod

if TYPE_CHECKING:
    from diff_conv2d.modes.base import Boundary

__all__ = ["convolve_with_mask"]

_COUNTERPARTS: dict[str, MaskMethod] = {
    "zeros": "zeros",
    "replicate": "nearest",
    "diff": "polynomial",
    "extrapolate": "polynomial",
    "adaptive": "adaptive",
    "partial": "partial",
}
# The polynomial of 'diff' has degree k - 1 by default, which few masks carry, and whose weights amplify noise.
_MOST_BY_DEFAULT = 3


def convolve_with_mask(
    mask: Tensor | MaskedBoundary,
    input: Tensor,
    weight: Tensor,
    bias: Tensor | None,
    geometry: Geometry,
    groups: int,
    mode: Boundary,
    convolution: Callable[[Tensor], Tensor],
) -> Tensor:
    """Convolve an image with a mask.

    Args:
        mask: as `diff_conv2d.conv2d` takes it.
        input: images (N, C, ...) or one image (C, ...).
        weight: kernels.
        bias: one value for each output channel, or None.
        geometry: of the convolution.
        groups: of channels.
        mode: what rules beyond the rim.
        convolution: does the convolution of images without a mask.
    """
    axes = len(geometry.kernel)
    check_tensors(axes, input, weight, bias, groups, geometry)
    if isinstance(mask, MaskedBoundary):
        _check_prepared(mask, geometry, mode, tuple(input.shape[-axes:]))
    else:
        mask = _prepared(mask, input, geometry, mode)
    images = input if input.ndim > axes + 1 else input.unsqueeze(0)
    mask.check(images)
    if mask.complete:
        return convolution(input)
    filled = mask.fill(images, beyond=looks_far(mode, geometry, tuple(images.shape[-axes:])))
    if mask.method == "partial":
        output = _partial(mask, filled, weight, bias, geometry, groups)
    else:
        output = convolution(filled)
    output = mask.clear(output, geometry)
    return output if images is input else output.squeeze(0)


def _check_prepared(mask: MaskedBoundary, geometry: Geometry, mode: Boundary, sizes: tuple[int, ...]) -> None:
    """Reject a mask that was prepared for another convolution."""
    axes = len(geometry.kernel)
    if mask.axes != axes:
        raise ValueError(f"mask must have {axes} spatial axes, got one of {mask.axes}")
    _check_one_channel(mask.mask, axes)
    needed = tuple((geometry.span(axis)) // 2 for axis in range(axes))
    if mask.method not in ("zeros", "partial") and any(a < b for a, b in zip(mask.reach, needed, strict=True)):
        raise ValueError(f"mask must reach as far as the kernel, {needed}, got one prepared for reach={mask.reach}")
    if not mask.beyond and mask.method not in ("zeros", "partial") and looks_far(mode, geometry, sizes):
        raise ValueError(f"mask must be prepared with beyond=True for padding_mode={mode.name!r}, which looks far")
    if mask.method == "partial" and mode.name != "partial":
        raise ValueError(f"padding_mode must be 'partial' for a mask with method='partial', got {mode.name!r}")


def _check_one_channel(mask: Tensor, axes: int) -> None:
    if mask.ndim > axes and mask.shape[-axes - 1] != 1:
        raise ValueError(
            f"mask must be the same for all channels, of shape (N, 1, ...), got shape {tuple(mask.shape)}; "
            "diff_conv2d.masks.filled fills each channel by a mask of its own"
        )


def _prepared(mask: Tensor, input: Tensor, geometry: Geometry, mode: Boundary) -> MaskedBoundary:
    """Prepare a mask for one convolution, by the counterpart of its boundary mode."""
    check_tensor("mask", mask)
    axes = len(geometry.kernel)
    if mode.name not in _COUNTERPARTS:
        raise ValueError(
            f"padding_mode must be one of {', '.join(_COUNTERPARTS)} if mask is a tensor, got {mode.name!r}, which "
            "does not say how a mask is filled; give mask=diff_conv2d.masks.MaskedBoundary(mask, kernel_size, "
            "method=...)"
        )
    spatial = tuple(input.shape[-axes:])
    if tuple(mask.shape[-axes:]) != spatial:
        raise ValueError(f"mask must have the image's spatial shape {spatial}, got shape {tuple(mask.shape)}")
    batch = input.shape[0] if input.ndim > axes + 1 else 1
    try:
        full = mask.expand(spatial if mask.ndim <= axes else (batch, 1, *spatial))
    except RuntimeError as error:
        raise ValueError(
            f"mask must broadcast to {spatial} or {(batch, 1, *spatial)}, got shape {tuple(mask.shape)}"
        ) from error
    method, degree = _COUNTERPARTS[mode.name], None
    if method == "polynomial":
        degrees = set(mode.degrees(geometry))  # type: ignore[attr-defined]
        if len(degrees) > 1 and mode.degree is not None:  # type: ignore[attr-defined]
            raise ValueError(
                f"degree must be the same along all axes if mask is a tensor, got {mode.degree}; "  # type: ignore[attr-defined]
                "give mask=diff_conv2d.masks.MaskedBoundary(mask, kernel_size, method='polynomial', degree=...)"
            )
        degree = max(degrees)
        if mode.degree is None:  # type: ignore[attr-defined]
            degree = min(degree, _MOST_BY_DEFAULT)
    reach = [geometry.span(axis) // 2 for axis in range(axes)]
    # How many samples the mode reads: none where nothing is added, and no more than help.
    rim = [
        min(mode.reach(geometry, axis, spatial[axis]), geometry.kernel[axis] * geometry.dilation[axis])
        * (geometry.before[axis] + geometry.after[axis] > 0)
        for axis in range(axes)
    ]
    far = looks_far(mode, geometry, spatial)
    return MaskedBoundary(full, method=method, degree=degree, reach=reach, rim=rim, axes=axes, beyond=far)


def _partial(
    mask: MaskedBoundary, images: Tensor, weight: Tensor, bias: Tensor | None, geometry: Geometry, groups: int
) -> Tensor:
    """Convolve what is valid, each output scaled by the window's size over its valid pixels (Liu et al. 2018)."""
    axes = len(geometry.kernel)
    output = zero_padded_convolution(images, weight, None, geometry, groups)
    of_images = mask.mask if mask.mask.ndim > axes else mask.mask[None, None]
    ones = torch.ones(1, 1, *geometry.kernel, device=output.device)
    counts = zero_padded_convolution(of_images.to(output.device, ones.dtype), ones, None, geometry, 1)
    # Where no pixel is valid, the sum is 0, whatever the ratio. Rounding must not decide what is a whole number.
    output = output * (prod(geometry.kernel) / counts.round().clamp(min=1).double()).to(output.dtype.to_real())
    return output if bias is None else output + bias.to(output.dtype).view((-1,) + (1,) * axes)
