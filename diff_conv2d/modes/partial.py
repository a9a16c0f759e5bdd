"""The mode that scales outputs instead of extending the image."""

from __future__ import annotations

from dataclasses import dataclass

import torch
from torch import Tensor

from diff_conv2d.algorithms.blocks import zero_padded_convolution
from diff_conv2d.algorithms.frame import convolve_large_image, is_large_image
from diff_conv2d.geometry import Geometry, Kernels
from diff_conv2d.modes.base import Boundary
from diff_conv2d.modes.copying import Zeros

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
        large = is_large_image(input, weight, bias, geometry)
        if large:
            output = convolve_large_image(Zeros(), input, weight, None, geometry, groups)
        else:
            output = zero_padded_convolution(input, weight, None, geometry, groups)
        for axis, dim in enumerate(geometry.dims):
            ratio = self._ratio(geometry, axis, input.shape[dim], input.device).to(output.dtype)
            ratio = ratio.view((-1,) + (1,) * (-dim - 1))
            # Without gradients, which a large image has not here.
            output = output.mul_(ratio) if large else output * ratio
        return output if bias is None else output + bias.to(output.dtype).view((-1,) + (1,) * len(geometry.kernel))

    @staticmethod
    def _ratio(geometry: Geometry, axis: int, length: int, device: torch.device) -> Tensor:
        """Return taps over taps inside for each output of an axis; a window's ratio is the product over axes."""
        taps = geometry.kernel[axis]
        outputs = torch.arange(geometry.output_size(axis, length), device=device)
        positions = (outputs * geometry.stride[axis] - geometry.before[axis])[:, None]
        positions = positions + torch.arange(taps, device=device) * geometry.dilation[axis]
        inside = ((positions >= 0) & (positions < length)).sum(1)
        # Where no tap is inside, zero padding gives 0, whatever the ratio.
        return taps / inside.clamp(min=1).to(torch.float64)
