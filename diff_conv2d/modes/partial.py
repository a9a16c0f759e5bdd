"""The mode that scales outputs instead of extending the image."""

from __future__ import annotations

from dataclasses import dataclass
from math import prod

import torch
from torch import Tensor

from diff_conv2d.algorithms.blocks import zero_padded_convolution
from diff_conv2d.algorithms.frame import convolve_large_image, is_large_image
from diff_conv2d.geometry import Geometry, Kernels
from diff_conv2d.modes.base import Boundary
from diff_conv2d.modes.copying import Zeros
from diff_conv2d.tracing import kept

__all__ = ["Partial"]


@dataclass(frozen=True)
class Partial(Boundary):
    """Zero padding, each output scaled by the window's size over its samples in the image.

    ``y = (w * x) * K / K_inside + b``; an output that sees no sample is b alone.
    Source: Liu et al. (2018, 2022), partial convolution.
    """

    name = "partial"
    same_for_all_sizes = True

    def convolve(self, input: Tensor, kernels: Kernels, geometry: Geometry) -> Tensor:
        """See `Boundary`."""
        weight, bias, groups, *_ = kernels
        if is_large_image(input, weight, bias, geometry):
            # Without gradients, and so in place.
            output = convolve_large_image(Zeros(), input, weight, None, geometry, groups)
            for axis, dim in enumerate(geometry.dims):
                output *= _ratio(geometry, axis, input.shape[dim], input.device).to(output.dtype)
            return output if bias is None else output.add_(_in_channels(bias, output))
        output = zero_padded_convolution(input, weight, None, geometry, groups)
        ratios = kept(_ratios, input) if prod(output.shape[2:]) <= _SMALL else _ratios
        ratio = ratios(geometry, tuple(input.shape[2:]), output.dtype, input.device)
        if bias is None:
            return output * ratio
        return torch.addcmul(_in_channels(bias, output), output, ratio)


# Outputs up to which their ratios are kept.
_SMALL = 1 << 16


def _ratios(geometry: Geometry, sizes: tuple[int, ...], dtype: torch.dtype, device: torch.device) -> Tensor:
    """Return a window's taps over its taps inside, the product over the axes, for each output."""
    result = torch.ones((), dtype=torch.float64, device=device)
    for axis, length in enumerate(sizes):
        result = result.unsqueeze(-1) * _ratio(geometry, axis, length, device).flatten()
    return result.to(dtype)


def _ratio(geometry: Geometry, axis: int, length: int, device: torch.device) -> Tensor:
    """Return taps over taps inside for each output of an axis, shaped as outputs are."""
    taps = geometry.kernel[axis]
    outputs = torch.arange(geometry.output_size(axis, length), device=device)
    positions = (outputs * geometry.stride[axis] - geometry.before[axis])[:, None]
    positions = positions + torch.arange(taps, device=device) * geometry.dilation[axis]
    inside = ((positions >= 0) & (positions < length)).sum(1)
    # Where no tap is inside, zero padding gives 0, whatever the ratio.
    return (taps / inside.clamp(min=1).to(torch.float64)).view((-1,) + (1,) * (-geometry.dims[axis] - 1))


def _in_channels(bias: Tensor, output: Tensor) -> Tensor:
    """Return a bias as outputs (N, C, ...) take it."""
    return bias.to(output.dtype).view((-1,) + (1,) * (output.ndim - 2))
