"""The mode that scales outputs instead of extending the image."""

from __future__ import annotations

from dataclasses import dataclass
from functools import lru_cache
from math import prod

import torch
from torch import Tensor

from diff_conv2d.algorithms.blocks import zero_padded_convolution
from diff_conv2d.geometry import Geometry, Kernels
from diff_conv2d.modes.base import Boundary
from diff_conv2d.tracing import is_traced, is_transformed

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
        output = zero_padded_convolution(input, weight, None, geometry, groups)
        sizes = tuple(input.shape[2:])
        kept = not is_traced() and prod(output.shape[2:]) <= _SMALL and not is_transformed()
        ratio: Tensor = (_kept_ratio if kept else _ratio)(geometry, sizes, output.dtype, input.device)
        if bias is None:
            return output * ratio
        return torch.addcmul(bias.to(output.dtype).view((-1,) + (1,) * len(sizes)), output, ratio)


# Outputs up to which their ratios are kept.
_SMALL = 1 << 16


@lru_cache(maxsize=256)
def _kept_ratio(geometry: Geometry, sizes: tuple[int, ...], dtype: torch.dtype, device: torch.device) -> Tensor:
    # Kept for other calls, which may want a gradient.
    with torch.inference_mode(False):
        return _ratio(geometry, sizes, dtype, device)


def _ratio(geometry: Geometry, sizes: tuple[int, ...], dtype: torch.dtype, device: torch.device) -> Tensor:
    """Return taps over taps inside for each output; a window's ratio is the product over axes."""
    result = torch.ones((), dtype=torch.float64, device=device)
    for axis, length in enumerate(sizes):
        taps = geometry.kernel[axis]
        outputs = torch.arange(geometry.output_size(axis, length), device=device)
        positions = (outputs * geometry.stride[axis] - geometry.before[axis])[:, None]
        positions = positions + torch.arange(taps, device=device) * geometry.dilation[axis]
        inside = ((positions >= 0) & (positions < length)).sum(1)
        # Where no tap is inside, zero padding gives 0, whatever the ratio.
        result = result.unsqueeze(-1) * (taps / inside.clamp(min=1).to(torch.float64))
    return result.to(dtype)
