"""Filtering with few kernels: the same sums in a shape that the library under torch is fast at.

torch's convolution on a CPU works on 8 or 16 output channels at a time; an image filtered with one kernel fills one
of them, and takes as long as eight kernels would. Here a row of the output is cut into blocks of 8 pixels, and these
are the channels: output channel i is the kernel shifted by i samples, and the window moves 8 samples at a time,

    y[r, 8 q + i] = sum_{a, j} t[i, a, j] x[r + a, 8 q + j],    t[i, a, i + b] = w[a, b], zero elsewhere.

With the channels innermost (torch's channels_last) the result is in the order of the pixels as it stands. The shifts
cost (k + 7) / k times the arithmetic of a kernel k samples wide, and all lanes take part in it.
"""

from __future__ import annotations

from math import prod
from typing import cast

import torch
import torch.nn.functional as F
from torch import Tensor

from diff_conv2d.arguments import Geometry

__all__ = ["BLOCK", "convolve_in_blocks", "faster_in_blocks"]

#: Pixels of a block: the float32 lanes of AVX2.
BLOCK = 8

#: oneDNN, whose convolution is meant.
_HAS_LIBRARY: bool = torch.backends.mkldnn.is_available()  # type: ignore[no-untyped-call]


def faster_in_blocks(input: Tensor, weight: Tensor, geometry: Geometry) -> bool:
    """Whether the blocks win over torch's convolution of this image, by what was measured (docs/speed.md).

    What most calls fail is asked first, since small convolutions ask too. Compiled, exported, traced and autocast
    code keeps the plain convolution.
    """
    if torch.compiler.is_compiling() or torch.jit.is_tracing():  # type: ignore[attr-defined, no-untyped-call]
        return False
    planes = weight.shape[0] * weight.shape[1]
    if planes > 4 or input.dtype is not weight.dtype:
        return False
    pixels = input.numel() // (input.shape[1] or 1)
    if pixels < 2**17 or input.device.type != "cpu" or torch.is_autocast_enabled("cpu"):
        return False
    kernel = geometry.kernel
    taps, ones = prod(kernel), (1,) * len(kernel)
    if taps < 3 or geometry.stride != ones or geometry.dilation != ones or input.shape[-1] - kernel[-1] < 64:
        return False
    if torch.is_grad_enabled() and (input.requires_grad or weight.requires_grad):
        # The gradient gains less, and of shifts of more than about 11 x 18 taps the library's own is slow.
        if planes > 2 or taps + (BLOCK - 1) * (taps // kernel[-1]) > 200:
            return False
    elif planes > 2 and pixels < 2**18:
        return False
    if input.dtype is torch.float64:
        # No work of the library's: torch copies the image taps times, which is slow once that takes fresh memory.
        return pixels * taps >= 2**22
    return input.dtype is torch.float32 and _HAS_LIBRARY


def convolve_in_blocks(input: Tensor, weight: Tensor, bias: Tensor | None, groups: int) -> Tensor:
    """The convolution of stride and dilation 1 without padding, plane by plane.

    Args:
        input: images (N, C, ...) with 1 to 3 spatial axes, the last of at least ``BLOCK + k - 1`` samples.
        weight: kernels (out channels, C / groups, ...).
        bias: one value for each output channel, or None.
        groups: as torch.

    Returns:
        What torch's convolution gives, to rounding.

    Example:
        >>> image, weight = torch.randn(2, 1, 9, 21), torch.randn(2, 1, 3, 5)
        >>> output = convolve_in_blocks(image, weight, None, groups=1)
        >>> torch.testing.assert_close(output, torch.nn.functional.conv2d(image, weight), rtol=1e-4, atol=1e-5)
    """
    if weight.ndim == 3:
        return convolve_in_blocks(input.unsqueeze(2), weight.unsqueeze(2), bias, groups).squeeze(2)
    planes = input.unbind(1)
    inner = weight.shape[1]
    outputs = []
    for out, kernels in enumerate(weight.unbind(0)):
        first = out // (weight.shape[0] // groups) * inner
        own_bias = None if bias is None else bias[out]
        total: Tensor | None = None
        for plane, kernel in zip(planes[first : first + inner], kernels.unbind(0), strict=True):
            for slab, layer in _layers(plane, kernel):
                term = _filter(slab, layer, own_bias if total is None else None)
                total = term if total is None else total + term
        outputs.append(cast(Tensor, total))
    return outputs[0].unsqueeze(1) if len(outputs) == 1 else torch.stack(outputs, 1)


def _layers(plane: Tensor, kernel: Tensor) -> list[tuple[Tensor, Tensor]]:
    """A plane and its kernel as images (..., H, W) and kernels (kh, kw), the sum of whose convolutions is wanted."""
    if kernel.ndim == 2:
        return [(plane, kernel)]
    depth = plane.shape[1] - kernel.shape[0] + 1
    return [(plane.narrow(1, a, depth), layer) for a, layer in enumerate(kernel.unbind(0))]


def _filter(image: Tensor, kernel: Tensor, bias: Tensor | None) -> Tensor:
    """Images (..., H, W) with one kernel (kh, kw)."""
    shifts = _shifts(kernel)
    biases = None if bias is None else bias.expand(BLOCK)
    width = image.shape[-1] - kernel.shape[1] + 1
    whole = width - width % BLOCK
    # One channel, whose strides are those of channels_last: torch then returns the blocks in that layout too.
    rows = image.flatten(0, -3).contiguous().unsqueeze(-1).permute(0, 3, 1, 2)
    output = F.conv2d(rows, shifts, biases, stride=(1, BLOCK)).permute(0, 2, 3, 1).flatten(2)
    if whole < width:
        # A last block that ends with the row gives the pixels that are left over.
        last = F.conv2d(rows[..., -shifts.shape[-1] :], shifts, biases).permute(0, 2, 3, 1).flatten(2)
        output = torch.cat([output, last[..., whole - width :]], 2)
    return output.view(image.shape[:-2] + output.shape[1:])


def _shifts(kernel: Tensor) -> Tensor:
    """The kernel (kh, kw) at each place of a block: (BLOCK, 1, kh, BLOCK + kw - 1)."""
    # Windows of the kernel between zeros, the last of which starts at the kernel's first tap.
    padded = F.pad(kernel, (BLOCK - 1, BLOCK - 1))
    return padded.unfold(1, BLOCK + kernel.shape[1] - 1, 1).flip(1).transpose(0, 1).unsqueeze(1)
