"""Transposed convolution with a boundary mode."""

from __future__ import annotations

from collections.abc import Callable, Sequence

import torch.nn.functional as F
from torch import Tensor

from diff_conv2d.modes.base import Boundary
from diff_conv2d.operations.extended import check_mode, extended, is_torchs

__all__ = ["conv_transpose"]

_TORCHS: dict[int, Callable[..., Tensor]] = {1: F.conv_transpose1d, 2: F.conv_transpose2d, 3: F.conv_transpose3d}


def conv_transpose(
    input: Tensor,
    weight: Tensor,
    bias: Tensor | None,
    stride: Sequence[int],
    padding: Sequence[int],
    output_padding: Sequence[int],
    groups: int,
    dilation: Sequence[int],
    mode: Boundary,
) -> Tensor:
    r"""Spread the samples of an image by a kernel, those outside the image included.

    .. math:: y(o) = b + \sum_i P(i) \, w\bigl((o + p - s i) / d\bigr)

    with P the image as the mode extends it, s the stride, p the padding, d the dilation; torch has P(i) = 0 outside.
    The size is torch's. Output o reads the samples i with ``0 <= o + p - s i <= d (k - 1)``, so that at the low end
    ``(d (k - 1) - p) // s`` samples outside count. 'diff' takes as many samples as one output reads.

    Args:
        input: images (N, C, ...).
        weight: kernels (C, out channels / groups, ...).
        bias: as in torch.
        stride: of each axis, as all that follow.
        padding: outputs that are cut off at each end.
        output_padding: as in torch.
        groups: as in torch.
        dilation: as in torch.
        mode: how the image is extended.
    """
    axes = len(stride)
    torchs = _TORCHS[axes]
    if is_torchs(mode):
        return torchs(input, weight, bias, stride, padding, output_padding, groups, dilation)
    check_mode(mode, "a transposed convolution")
    spans = [(k - 1) * d for k, d in zip(weight.shape[2:], dilation, strict=True)]
    before = [max(0, (span - p) // s) for span, p, s in zip(spans, padding, stride, strict=True)]
    sizes = [
        (n - 1) * s - 2 * p + span + o + 1
        for n, s, p, span, o in zip(input.shape[2:], stride, padding, spans, output_padding, strict=True)
    ]
    # The last output, size - 1, reads samples up to (size - 1 + p) // s. At least as many as before, so that the
    # outputs that torch cuts off at both ends are enough.
    ends = zip(before, spans, padding, output_padding, stride, strict=True)
    after = [max(b, (span - p + o) // s) for b, span, p, o, s in ends]
    taps = [-(-(span + 1) // s) for span, s in zip(spans, stride, strict=True)]
    cut = [p + b * s for p, b, s in zip(padding, before, stride, strict=True)]
    padded = extended(input, mode, before, after, taps)
    output = torchs(padded, weight, bias, stride, cut, output_padding, groups, dilation)
    for dim, size in enumerate(sizes, 2):
        if output.shape[dim] > size:
            output = output.narrow(dim, 0, size)
    return output
