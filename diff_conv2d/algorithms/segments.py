"""Filtering a large image with few kernels: sixteen segments of its rows at once, as channels of a convolution.

On a CPU oneDNN computes 16 channels of a depthwise convolution at a time, one in each lane of a vector. Here the
channels are parts of the image, one below the other, and all have the same kernel. So all lanes work, and no tap is
computed in vain. A segment overlaps the next one by as many rows as the kernel reaches, and is therefore copied; a
band of 16 segments stays in the cache meanwhile.

Each output is the sum of its own window alone: a sample that is not finite reaches the outputs whose windows hold it,
and no others.
"""

from __future__ import annotations

from functools import cache
from math import ceil

import torch
import torch.nn.functional as F
from torch import Tensor

__all__ = ["convolve_in_segments", "fills_segments"]

#: Segments of a band: the float32 lanes of AVX-512.
_SEGMENTS = 16
# Most rows of a segment. The cache holds a few bands of 16 x 16 rows of 2048 samples; copying and calls cost less
# than 8 rows each would.
_MOST_ROWS = 16
# Fewest rows of a segment for which the rows that are copied twice do not matter.
_LEAST_ROWS = 4
# Pixels and taps, those beyond 8, from which segments pay.
_LEAST_WORK = 1 << 21
# Just below the largest block, in bytes, that changes glibc's bound.
_MOST_KEPT = (1 << 25) - (1 << 16)
# On other processors oneDNN has no such convolution that was measured.
_HAS_LANES = torch.backends.cpu.get_cpu_capability() in ("AVX2", "AVX512")


def fills_segments(input: Tensor, weight: Tensor) -> bool:
    """Whether images (N, C, H, W) of float32 are faster in segments than in blocks: large ones, of many rows.

    The copies cost as much as 8 taps do, and are made again for each image.
    """
    if not _HAS_LANES or weight.ndim != 4 or input.dtype is not torch.float32:
        return False
    rows = input.shape[-2] - weight.shape[-2] + 1
    pixels, taps = input.numel() // (input.shape[1] or 1), weight.shape[-2] * weight.shape[-1]
    return rows >= _SEGMENTS * _LEAST_ROWS and pixels * (taps - 8) >= _LEAST_WORK


def convolve_in_segments(
    input: Tensor, weight: Tensor, bias: Tensor | None, groups: int, out: Tensor | None = None
) -> Tensor:
    """The convolution of stride and dilation 1 without padding, to rounding, where `fills_segments` allows it.

    Args:
        input: images (N, C, H, W), without a gradient.
        weight: kernels (out channels, C / groups, height, width).
        bias: one value for each output channel, or None.
        groups: as torch.
        out: a tensor to write to, of any strides; it may not overlap the input.

    Example:
        >>> image, weight = torch.randn(1, 2, 70, 9), torch.randn(2, 1, 3, 5)
        >>> output = convolve_in_segments(image, weight, None, groups=2)
        >>> torch.testing.assert_close(output, F.conv2d(image, weight, groups=2), rtol=1e-4, atol=1e-5)
    """
    _keep_pages()
    sizes = [size - k + 1 for size, k in zip(input.shape[2:], weight.shape[2:], strict=True)]
    if out is None:
        out = input.new_empty((input.shape[0], weight.shape[0], *sizes))
    inner = weight.shape[1]
    # One kernel for all segments.
    kernels = weight.unsqueeze(2).unsqueeze(2).expand(-1, -1, _SEGMENTS, -1, -1, -1)
    for channel in range(weight.shape[0]):
        first = channel // (weight.shape[0] // groups) * inner
        biases = None if bias is None else bias[channel].expand(_SEGMENTS)
        for image, result in zip(input[:, first : first + inner], out[:, channel], strict=True):
            _filter(image, kernels[channel], biases, result)
    return out


@cache
def _keep_pages() -> None:
    """Let glibc keep memory that is freed, as after any tensor of this size, once in a process.

    It gives memory back to the system above a bound, which grows with the largest block freed so far, up to 32 MB. A
    page that is new to the process costs a microsecond: with the bound at first a band takes six times as long. This
    block is never written to, so it costs nothing.
    """
    torch.empty(_MOST_KEPT, dtype=torch.uint8)


def _filter(planes: Tensor, kernels: Tensor, biases: Tensor | None, result: Tensor) -> None:
    """Write the sum of planes (C, H, W), each filtered with its kernel, band by band."""
    height = result.shape[0]
    bands = ceil(height / (_SEGMENTS * _MOST_ROWS))
    rows = ceil(height / (_SEGMENTS * bands))
    if rows * _SEGMENTS > height:
        rows = height // _SEGMENTS
    read = rows + kernels.shape[-2] - 1
    for start in range(0, height, rows * _SEGMENTS):
        # The last band ends with the image, and may write some rows again.
        start = min(start, height - rows * _SEGMENTS)
        total: Tensor | None = None
        for plane, kernel in zip(planes, kernels, strict=True):
            band = plane.narrow(0, start, rows * (_SEGMENTS - 1) + read)
            segments = band.unfold(0, read, rows).transpose(1, 2).unsqueeze(0)
            sums = F.conv2d(segments, kernel, biases if total is None else None, groups=_SEGMENTS)
            total = sums if total is None else total.add_(sums)
        if total is not None:
            result.narrow(0, start, rows * _SEGMENTS).view(_SEGMENTS, rows, -1).copy_(total.squeeze(0))
