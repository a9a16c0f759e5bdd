"""Upsampling and downsampling with a boundary mode."""

from __future__ import annotations

from collections.abc import Sequence
from math import floor

import torch
import torch.nn.functional as F
from torch import Tensor

from diff_conv2d.modes.base import Boundary
from diff_conv2d.operations.extended import check_mode, extended, is_torchs

__all__ = ["LINEAR", "interpolate", "reads_outside"]

#: The modes of torch's interpolation that read more than one sample along an axis, by the number that they read.
LINEAR = {"linear": 2, "bilinear": 2, "trilinear": 2, "bicubic": 4}
# Samples that the image is extended by at most so that torch's own interpolation can be used.
_MOST = 4


def reads_outside(mode: str, align_corners: bool | None) -> bool:
    """Whether an interpolation reads samples outside: aligned corners leave nothing to two samples."""
    return mode == "bicubic" or (mode in LINEAR and not align_corners)


def interpolate(
    input: Tensor,
    size: Sequence[int] | None,
    scale_factor: Sequence[float] | None,
    interpolation: str,
    align_corners: bool | None,
    mode: Boundary,
) -> Tensor:
    """Resample images (N, C, ...) linearly or by cubic splines of 4 samples, as torch but for what is outside.

    torch repeats the edge samples there. Output o of an axis lies at ``(o + 1/2) / scale - 1/2``, in samples.

    Args:
        input: the images.
        size: of the output; or
        scale_factor: for each axis.
        interpolation: a word of torch's: 'linear', 'bilinear', 'trilinear' or 'bicubic'.
        align_corners: as in torch.
        mode: how the image is extended.
    """
    if is_torchs(mode) or mode.name == "replicate" or not reads_outside(interpolation, align_corners):
        return _torchs(input, size, scale_factor, interpolation, align_corners)
    check_mode(mode, "resampling")
    sizes = input.shape[2:]
    if scale_factor is None:
        if size is None:
            raise ValueError("size or scale_factor must be given, got None for both")
        scales = [out / n for out, n in zip(size, sizes, strict=True)]
        outputs = list(size)
    else:
        scales = list(scale_factor)
        outputs = [floor(n * scale) for n, scale in zip(sizes, scales, strict=True)]
    taps = LINEAR[interpolation]
    width = _common_width(scales, taps // 2)
    if align_corners or width is None:
        return _by_gathering(input, outputs, scales, taps, bool(align_corners), mode)
    padded = extended(input, mode, [width] * len(sizes), [width] * len(sizes), [taps] * len(sizes))
    result = _torchs(padded, None, scales, interpolation, align_corners)
    for dim, (out, scale) in enumerate(zip(outputs, scales, strict=True), 2):
        result = result.narrow(dim, round(width * scale), out)
    return result


def _torchs(
    input: Tensor,
    size: Sequence[int] | None,
    scale_factor: Sequence[float] | None,
    interpolation: str,
    align_corners: bool | None,
) -> Tensor:
    given = None if size is None else list(size), None if scale_factor is None else list(scale_factor)
    return F.interpolate(input, *given, interpolation, align_corners)


def _common_width(scales: Sequence[float], least: int) -> int | None:
    """Return by how many samples all axes can be extended so that whole samples of the output are added."""
    for width in range(least, _MOST + 1):
        if all((width * scale).is_integer() for scale in map(float, scales)):
            return width
    return None


def _by_gathering(
    input: Tensor, outputs: Sequence[int], scales: Sequence[float], taps: int, align_corners: bool, mode: Boundary
) -> Tensor:
    """Resample by any scale: each output is a weighted sum of samples, gathered axis by axis."""
    sizes = input.shape[2:]
    places = []
    for n, out, scale in zip(sizes, outputs, scales, strict=True):
        o = torch.arange(out, dtype=torch.float64, device=input.device)
        places.append(o * ((n - 1) / max(out - 1, 1)) if align_corners else (o + 0.5) / scale - 0.5)
    near = [place.floor() for place in places]
    first = [place.to(torch.int64) - (taps // 2 - 1) for place in near]
    before = [max(0, -int(index[0])) for index in first]
    after = [max(0, int(index[-1]) + taps - n) for index, n in zip(first, sizes, strict=True)]
    result = extended(input, mode, before, after, [taps] * len(sizes))
    for dim, (place, low, index, width) in enumerate(zip(places, near, first, before, strict=True), 2):
        shape = [-1 if d == dim else 1 for d in range(input.ndim)]
        weights = [w.to(input.dtype).view(shape) for w in _weights(place - low, taps)]
        pieces = [result.index_select(dim, index + width + tap) * w for tap, w in enumerate(weights)]
        result = torch.stack(pieces).sum(0)
    return result


def _weights(t: Tensor, taps: int) -> list[Tensor]:
    """Weights of the samples around a place that lies t behind one of them: linear, or torch's cubic (a = -3/4)."""
    if taps == 2:
        return [1 - t, t]
    a = -0.75

    def near(x: Tensor) -> Tensor:
        return ((a + 2) * x - (a + 3)) * x * x + 1

    def far(x: Tensor) -> Tensor:
        return ((a * x - 5 * a) * x + 8 * a) * x - 4 * a

    return [far(t + 1), near(t), near(1 - t), far(2 - t)]
