"""Small images with several kernels: one convolution with all of them, and a choice of one for each output.

The calls for a strip, or for a displacement, take longer than the sums of a small image. So the kernels become output
channels of one convolution, and one gather takes from each output's channels those of its own kernel.
"""

from __future__ import annotations

from cmath import isfinite
from collections.abc import Callable
from itertools import product
from math import prod

import torch
from torch import Tensor

from diff_conv2d.algorithms.blocks import CONVOLUTIONS, zero_padded_convolution
from diff_conv2d.algorithms.regions import cut_by_displacement, cut_by_validity, kernel_at
from diff_conv2d.geometry import Geometry, Kernels
from diff_conv2d.precision import is_on_cpu
from diff_conv2d.tracing import is_traced, is_transformed, kept

__all__ = ["better_by_choice", "convolve_by_choice"]

# Samples of images, and products of the convolution, that take less time than the calls that they spare, on a CPU:
# with two kernels, and with one for each displacement.
_SMALL = 1 << 16
_FEW_PRODUCTS = {"validity": 1 << 24, "displacement": 1 << 21}


def better_by_choice(input: Tensor, kernels: Kernels, geometry: Geometry, by: str) -> bool:
    """Whether `convolve_by_choice` is possible and pays: for small images on a CPU, outside traces and transforms."""
    weight, _, _, edge_weight, _ = kernels
    if edge_weight is None or not edge_weight.numel() or type(input) is not Tensor or not is_on_cpu(input):
        return False
    if geometry.algorithm == "memory" or is_traced() or is_transformed() or not input.is_contiguous():
        return False
    if not 0 < input.numel() <= _SMALL:
        return False
    outputs = prod(geometry.output_size(axis, size) for axis, size in enumerate(input.shape[2:]))
    return len(input) * outputs * (weight.numel() + edge_weight.numel()) <= _FEW_PRODUCTS[by]


def convolve_by_choice(
    input: Tensor, kernels: Kernels, geometry: Geometry, by: str, extend: Callable[[Tensor, Geometry], Tensor] | None
) -> Tensor | None:
    """Convolve each output with its own kernel, where `better_by_choice` allows it.

    Where a gradient is wanted and an output of any kernel is not finite, return None: the gradient 0 of outputs that
    are not chosen would, times NaN or infinity, be NaN.

    Args:
        input: images (N, C, ...).
        kernels: `edge_weight` is the kernel of all outputs whose window leaves the image, or holds one for each
            displacement, see `regions.kernel_at`.
        geometry: see `Geometry`.
        by: 'validity' or 'displacement'.
        extend: extends the images; None for zeros outside.
    """
    weight, bias, groups, edge_weight, edge_bias = kernels
    if edge_weight is None:
        raise ValueError("edge_weight must hold kernels, got None")
    every = _stacked(weight, edge_weight.view(-1, *weight.shape), groups)
    biases = None
    if bias is not None or edge_bias is not None:
        count = len(every) // len(weight) - 1
        bias = weight.new_zeros(len(weight)) if bias is None else bias
        edge_bias = weight.new_zeros(count, len(weight)) if edge_bias is None else edge_bias.view(count, -1)
        biases = _stacked(bias, edge_bias, groups)
    if extend is None:
        output = zero_padded_convolution(input, every, biases, geometry, groups)
    else:
        settings = geometry.stride, 0, geometry.dilation, groups
        output = CONVOLUTIONS[len(geometry.kernel)](extend(input, geometry), every, biases, *settings)
    if output.requires_grad and not isfinite(output.detach().sum().item()):
        return None
    sizes = output.shape[2:]
    places = kept(_places, input)(geometry, tuple(input.shape[2:]), by, len(weight), len(every), groups)
    return output.reshape(len(input), -1).index_select(1, places).view(len(input), len(weight), *sizes)


def _stacked(kernel: Tensor, others: Tensor, groups: int) -> Tensor:
    """Join a kernel and others along the output channels, group by group: its own, then those of each other one."""
    every = torch.cat([kernel.unsqueeze(0), others])
    if groups > 1:
        return torch.unflatten(every, 1, (groups, -1)).transpose(0, 1).flatten(0, 2)
    return every.flatten(0, 1)


def _places(
    geometry: Geometry, sizes: tuple[int, ...], by: str, channels: int, all_channels: int, groups: int
) -> Tensor:
    """Return where each output is among the outputs of all kernels, (channels * outputs)."""
    cut = cut_by_validity if by == "validity" else cut_by_displacement
    outputs = [geometry.output_size(axis, n) for axis, n in enumerate(sizes)]
    number = torch.zeros(outputs, dtype=torch.int64, device="cpu")
    for region in product(*(cut(geometry, axis, n) for axis, n in enumerate(sizes))):
        displacement = [run.displacement for run in region]
        index = kernel_at(displacement, geometry) if by == "displacement" else 0 if any(displacement) else None
        number[tuple(slice(run.start, run.stop) for run in region)] = 0 if index is None else index + 1
    count, inner = all_channels // channels, channels // groups
    group = torch.arange(groups, device="cpu").view(-1, 1, 1)
    channel = torch.arange(inner, device="cpu").view(-1, 1)
    place = ((group * count + number.flatten()) * inner + channel) * number.numel()
    return (place + torch.arange(number.numel(), device="cpu")).flatten()
