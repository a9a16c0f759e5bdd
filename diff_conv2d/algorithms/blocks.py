"""Filtering with few kernels: the same sums, arranged so that torch's convolution is fast.

On a CPU torch's convolution computes 8 or 16 output channels at a time. One kernel fills one of them, and takes as
long as eight kernels. Here a row of the output is cut into blocks of 8 pixels, which become the channels: output
channel i is the kernel shifted by i samples, and the window moves 8 samples at a time,

    y[r, 8 q + i] = sum_{a, j} t[i, a, j] x[r + a, 8 q + j],    t[i, a, i + b] = w[a, b], zero elsewhere.

With the channels innermost (torch's channels_last) the result is already in the order of the pixels. For a kernel k
samples wide the shifts cost (k + 7) / k times the arithmetic, but all lanes work.

Two things need care. First, NaN or infinity times the zeros of t would reach pixels whose windows do not hold it.
Therefore an output that is not finite is computed again by torch's convolution. Second, autograd would send gradients
through the strided convolution of the blocks, which is slow and spreads NaN, too. Therefore the gradient of the
image, a convolution with the mirrored kernel, is itself computed in blocks.

Pictures of float32 that are high enough are cut into segments instead, which is faster still and needs no such care
(see `algorithms.segments`). Lines, volumes, float64 and the gradients of kernels are done in blocks.
"""

from __future__ import annotations

import math
from functools import partial
from math import prod
from operator import sub
from typing import Any, cast

import torch
import torch.nn.functional as F
from torch import Tensor

from diff_conv2d.algorithms.gradients import gradients_by_autograd, gradients_of_convolution
from diff_conv2d.algorithms.segments import convolve_in_segments, fills_segments
from diff_conv2d.geometry import Geometry
from diff_conv2d.tracing import is_traced, is_transformed

__all__ = [
    "BLOCK",
    "CONVOLUTIONS",
    "convolve_in_blocks",
    "faster_in_blocks",
    "valid_convolution",
    "zero_padded_convolution",
]

#: torch's, by the number of spatial axes.
CONVOLUTIONS = {1: F.conv1d, 2: F.conv2d, 3: F.conv3d}

#: Pixels of a block: the float32 lanes of AVX2.
BLOCK = 8

#: Whether torch has oneDNN, whose convolution the blocks speed up.
_HAS_LIBRARY: bool = torch.backends.mkldnn.is_available()  # type: ignore[no-untyped-call]


def valid_convolution(
    input: Tensor,
    weight: Tensor,
    bias: Tensor | None,
    geometry: Geometry,
    groups: int,
    out: Tensor | None = None,
) -> Tensor:
    """Convolve an image that is extended already, in blocks or segments where that is faster.

    If `out` is given the result is written to it; then no gradient may be wanted.
    """
    if geometry.algorithm != "direct" and faster_in_blocks(input, weight, geometry):
        if out is not None and fills_segments(input, weight):
            return convolve_in_segments(input, weight, bias, groups, out)
        result = convolve_in_blocks(input, weight, bias, groups)
    else:
        convolve = CONVOLUTIONS[len(geometry.kernel)]
        result = convolve(input, weight, bias, geometry.stride, 0, geometry.dilation, groups)
    return result if out is None else out.copy_(result)


def zero_padded_convolution(
    input: Tensor, weight: Tensor, bias: Tensor | None, geometry: Geometry, groups: int
) -> Tensor:
    """Convolve with zeros outside, which torch adds without a copy of the image."""
    # Where one end has more padding, the excess is added first, as torch does for padding='same' of even kernels.
    even = tuple(map(min, geometry.before, geometry.after))
    if geometry.before != geometry.after:
        before, after = (tuple(map(sub, widths, even)) for widths in (geometry.before, geometry.after))
        input = F.pad(input, geometry._replace(before=before, after=after).widths)
    convolve = CONVOLUTIONS[len(geometry.kernel)]
    return convolve(input, weight, bias, geometry.stride, even, geometry.dilation, groups)


def faster_in_blocks(input: Tensor, weight: Tensor, geometry: Geometry) -> bool:
    """Whether the blocks win over torch's convolution of this image, by what was measured (docs/speed.md).

    The conditions that most calls fail come first, since small convolutions are checked, too. Compiled, exported,
    traced, transformed and autocast code keeps the plain convolution.
    """
    if is_traced():
        return False
    planes = weight.shape[0] * weight.shape[1]
    if planes > 4 or input.dtype is not weight.dtype:
        return False
    pixels = input.numel() // (input.shape[1] or 1)
    if pixels < 2**17 or input.device.type != "cpu" or torch.is_autocast_enabled("cpu"):
        return False
    # The result is checked for NaN, so its values must be readable.
    if type(input) not in (Tensor, torch.nn.Parameter) or is_transformed():
        return False
    kernel = geometry.kernel
    taps, ones = prod(kernel), (1,) * len(kernel)
    if taps < 3 or geometry.stride != ones or geometry.dilation != ones or input.shape[-1] - kernel[-1] < 64:
        return False
    if torch.is_grad_enabled() and (input.requires_grad or weight.requires_grad):
        # The gradient gains less, and for shifts of more than about 11 x 18 taps that of oneDNN is slow.
        if planes > 2 or taps + (BLOCK - 1) * (taps // kernel[-1]) > 200:
            return False
    elif planes > 2 and pixels < 2**18:
        return False
    if input.dtype is torch.float64:
        # oneDNN has no float64: torch copies the image once for each tap, which is slow unless it is small.
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
        The result of torch's convolution, to rounding.

    Example:
        >>> image, weight = torch.randn(2, 1, 9, 21), torch.randn(2, 1, 3, 5)
        >>> output = convolve_in_blocks(image, weight, None, groups=1)
        >>> torch.testing.assert_close(output, torch.nn.functional.conv2d(image, weight), rtol=1e-4, atol=1e-5)
    """
    if torch.is_grad_enabled() and any(t is not None and t.requires_grad for t in (input, weight, bias)):
        result: Tensor = _InBlocks.apply(input, weight, bias, groups)
        return result
    return _convolved(input, weight, bias, groups)


class _InBlocks(torch.autograd.Function):
    @staticmethod
    def forward(ctx: Any, input: Tensor, weight: Tensor, bias: Tensor | None, groups: int) -> Tensor:
        ctx.save_for_backward(input, weight, bias)
        ctx.groups = groups
        return _convolved(input, weight, bias, groups)

    @staticmethod
    def backward(ctx: Any, *grads: Any) -> Any:
        (grad,) = grads
        input, weight, bias = ctx.saved_tensors
        needed, groups = ctx.needs_input_grad[:3], ctx.groups
        if torch.is_grad_enabled() or is_transformed(grad):
            # A derivative of this gradient is wanted, or a batch of gradients: torch's convolution has them.
            plain = partial(CONVOLUTIONS[weight.ndim - 2], groups=groups)
            create_graph = torch.is_grad_enabled()
            return *gradients_by_autograd(plain, grad, (input, weight, bias), needed, create_graph), None
        of_input = of_weight = of_bias = None
        if needed[0]:
            widths = [size - 1 for size in reversed(weight.shape[2:]) for _ in range(2)]
            of_input = _convolved(F.pad(grad, widths), _mirrored(weight, groups), None, groups)
        if needed[1]:
            of_weight = _gradient_of_kernels(grad, input, weight.shape, groups)
        if needed[2]:
            of_bias = grad.sum((0, *range(2, grad.ndim)))
        return of_input, of_weight, of_bias, None


def _mirrored(weight: Tensor, groups: int) -> Tensor:
    """Return the kernels (in channels, out channels / groups, ...) that convolve a gradient of outputs to inputs."""
    of_groups = torch.unflatten(weight, 0, (groups, -1)).transpose(1, 2).flatten(0, 1)
    return of_groups.flip(tuple(range(2, weight.ndim)))


def _convolved(input: Tensor, weight: Tensor, bias: Tensor | None, groups: int) -> Tensor:
    """Convolve in segments; or in blocks, and directly if the result of the blocks is not finite."""
    if fills_segments(input, weight):
        return convolve_in_segments(input, weight, bias, groups)
    output = _plane_by_plane(input, weight, bias, groups)
    if _is_finite(output, weight.shape[-2] if weight.ndim > 3 else 1):
        return output
    return CONVOLUTIONS[weight.ndim - 2](input, weight, bias, groups=groups)


def _is_finite(output: Tensor, height: int) -> bool:
    """Whether an output (..., H, W) of blocks is finite, judged by some of its rows.

    A sample that is not finite fills a block in each row whose windows hold it: `height` rows, or fewer at an end.
    """
    sampled = math.isfinite(output[..., ::height, :].sum().item())
    return sampled and (height == 1 or math.isfinite(output[..., -1, :].sum().item()))


def _plane_by_plane(input: Tensor, weight: Tensor, bias: Tensor | None, groups: int) -> Tensor:
    if weight.ndim == 3:
        return _plane_by_plane(input.unsqueeze(2), weight.unsqueeze(2), bias, groups).squeeze(2)
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
    """Split a plane and its kernel into images (..., H, W) and kernels (kh, kw) whose convolutions add up."""
    if kernel.ndim == 2:
        return [(plane, kernel)]
    depth = plane.shape[1] - kernel.shape[0] + 1
    return [(plane.narrow(1, a, depth), layer) for a, layer in enumerate(kernel.unbind(0))]


def _filter(image: Tensor, kernel: Tensor, bias: Tensor | None) -> Tensor:
    """Filter images (..., H, W) with one kernel (kh, kw)."""
    shifts = _shifts(kernel)
    biases = None if bias is None else bias.expand(BLOCK)
    width = image.shape[-1] - kernel.shape[1] + 1
    whole = width - width % BLOCK
    rows = _rows(image)
    output = F.conv2d(rows, shifts, biases, stride=(1, BLOCK)).permute(0, 2, 3, 1).flatten(2)
    if whole < width:
        # The last pixels of a row come from one more block, which ends with the row.
        last = F.conv2d(rows[..., -shifts.shape[-1] :], shifts, biases).permute(0, 2, 3, 1).flatten(2)
        output = torch.cat([output, last[..., whole - width :]], 2)
    return output.view(image.shape[:-2] + output.shape[1:])


def _rows(image: Tensor) -> Tensor:
    """View images (..., H, W) as (N, 1, H, W) with strides for which torch returns the blocks channels-last."""
    return image.flatten(0, -3).contiguous().unsqueeze(-1).permute(0, 3, 1, 2)


def _shifts(kernel: Tensor) -> Tensor:
    """Return the kernel (kh, kw) at each place of a block: (BLOCK, 1, kh, BLOCK + kw - 1)."""
    # Windows of the zero-padded kernel; the last one starts at the first tap.
    padded = F.pad(kernel, (BLOCK - 1, BLOCK - 1))
    return padded.unfold(1, BLOCK + kernel.shape[1] - 1, 1).flip(1).transpose(0, 1).unsqueeze(1)


def _gradient_of_kernels(grad: Tensor, input: Tensor, shape: torch.Size, groups: int) -> Tensor:
    """Return the gradient of kernels of this shape from that of the outputs."""
    if len(shape) == 3:
        wide = torch.Size((*shape[:2], 1, shape[2]))
        return _gradient_of_kernels(grad.unsqueeze(2), input.unsqueeze(2), wide, groups).squeeze(2)
    result = grad.new_empty(shape)
    for out in range(shape[0]):
        first = out // (shape[0] // groups) * shape[1]
        for inner in range(shape[1]):
            for slab, layer in _layers(input[:, first + inner], result[out, inner]):
                layer.copy_(_gradient_of_kernel(grad[:, out], slab, layer.shape))
    return result


def _gradient_of_kernel(grad: Tensor, image: Tensor, shape: torch.Size) -> Tensor:
    """Return the gradient of one kernel (kh, kw): the sum of those of its shifts."""
    height, width = shape
    whole = grad.shape[-1] - grad.shape[-1] % BLOCK
    rows, grad = _rows(image), grad.flatten(0, -3)
    blocks = torch.unflatten(grad[..., :whole], -1, (-1, BLOCK)).permute(0, 3, 1, 2)
    shifts = _gradient_of_weight(blocks, rows[..., : whole + width - 1], (BLOCK, 1, height, BLOCK + width - 1), BLOCK)
    result = torch.stack([shift[0, :, i : i + width] for i, shift in enumerate(shifts)]).sum(0)
    if whole < grad.shape[-1]:
        left = _gradient_of_weight(grad[:, None, :, whole:], rows[..., whole:], (1, 1, height, width), 1)
        result += left[0, 0]
    return result


def _gradient_of_weight(grad: Tensor, input: Tensor, shape: tuple[int, ...], step: int) -> Tensor:
    """Return the gradient of the weight of torch's conv2d with stride (1, step)."""
    none, ones = (0, 0), (1, 1)
    needed = (False, True, False)
    _, result, _ = gradients_of_convolution(grad, input, input.new_empty(shape), none, (1, step), ones, 1, needed)
    return cast(Tensor, result)
