"""Pooling and unfolding with a boundary mode."""

from __future__ import annotations

from collections.abc import Callable, Sequence

import torch
import torch.nn.functional as F
from torch import Tensor

from diff_conv2d.modes.base import Boundary
from diff_conv2d.modes.conditions import Constant
from diff_conv2d.operations.extended import check_mode, extended, is_torchs

__all__ = ["avg_pool", "max_pool", "unfold"]

_MAX: dict[int, Callable[..., Tensor]] = {1: F.max_pool1d, 2: F.max_pool2d, 3: F.max_pool3d}
_AVG: dict[int, Callable[..., Tensor]] = {1: F.avg_pool1d, 2: F.avg_pool2d, 3: F.avg_pool3d}


def max_pool(
    input: Tensor,
    kernel_size: Sequence[int],
    stride: Sequence[int],
    padding: Sequence[int],
    dilation: Sequence[int],
    ceil_mode: bool,
    mode: Boundary,
) -> Tensor:
    """The maximum of each window, over what the mode puts outside as well; torch has nothing there.

    Nor is there anything at a side whose mode is 'zeros', beside other modes at other sides.

    Arguments as in torch, one for each axis; images (N, C, ...).
    """
    axes = len(kernel_size)
    if is_torchs(mode):
        return _MAX[axes](input, kernel_size, stride, padding, dilation, ceil_mode)
    check_mode(mode, "pooling")
    if input.is_floating_point():
        mode = mode.with_zeros_as(Constant(torch.finfo(input.dtype).min))
    padded = _with_windows(input, kernel_size, stride, padding, dilation, ceil_mode, mode)
    return _MAX[axes](padded, kernel_size, stride, 0, dilation)


def avg_pool(
    input: Tensor,
    kernel_size: Sequence[int],
    stride: Sequence[int],
    padding: Sequence[int],
    ceil_mode: bool,
    count_include_pad: bool,
    divisor_override: int | None,
    mode: Boundary,
) -> Tensor:
    """The mean of each window; samples that the mode puts outside count like any other.

    Arguments as in torch, one for each axis; images (N, C, ...). `count_include_pad` says how torch's zeros count.
    """
    axes = len(kernel_size)
    override = () if axes == 1 else (divisor_override,)
    if is_torchs(mode):
        return _AVG[axes](input, kernel_size, stride, padding, ceil_mode, count_include_pad, *override)
    check_mode(mode, "pooling")
    padded = _with_windows(input, kernel_size, stride, padding, (1,) * axes, ceil_mode, mode)
    return _AVG[axes](padded, kernel_size, stride, 0, False, True, *override)


def _with_windows(
    input: Tensor,
    kernel_size: Sequence[int],
    stride: Sequence[int],
    padding: Sequence[int],
    dilation: Sequence[int],
    ceil_mode: bool,
    mode: Boundary,
) -> Tensor:
    """Return the image extended to what the windows of torch's outputs cover."""
    after = []
    for n, k, s, p, d in zip(input.shape[2:], kernel_size, stride, padding, dilation, strict=True):
        span = (k - 1) * d + 1
        count = (n + 2 * p - span) // s + 1
        # With ceil_mode one more window, if it begins within the image or the padding before it.
        if ceil_mode and (n + 2 * p - span) % s and count * s < n + p:
            count += 1
        # A compiler must know it, to know how far polynomials go.
        after.append(int(max(0, (count - 1) * s + span - p - n)))
    return extended(input, mode, padding, after, kernel_size, dilation, any_size=False)


def unfold(
    input: Tensor,
    kernel_size: Sequence[int],
    dilation: Sequence[int],
    padding: Sequence[int],
    stride: Sequence[int],
    mode: Boundary,
) -> Tensor:
    """The windows of images (N, C, H, W) as columns, extended by a mode. Arguments as in torch, one for each axis."""
    if is_torchs(mode):
        return F.unfold(input, tuple(kernel_size), tuple(dilation), tuple(padding), tuple(stride))
    check_mode(mode, "unfolding")
    padded = extended(input, mode, padding, padding, kernel_size, dilation)
    return F.unfold(padded, tuple(kernel_size), tuple(dilation), 0, tuple(stride))
