"""Upsampling and downsampling with a boundary mode."""

from __future__ import annotations

from collections.abc import Sequence
from math import floor
from typing import Any

import torch
import torch.nn.functional as F
from torch import Tensor

from diff_conv2d.arguments import is_sequence, per_axis
from diff_conv2d.modes.base import Boundary
from diff_conv2d.modes.copying import Replicate
from diff_conv2d.operations.extended import check_mode, extended, is_torchs

__all__ = ["AXES", "LINEAR", "interpolate", "reads_outside"]

#: The modes of torch's interpolation that read more than one sample along an axis, by the number that they read.
LINEAR = {"linear": 2, "bilinear": 2, "trilinear": 2, "bicubic": 4}
#: The spatial axes that they are for.
AXES = {"linear": 1, "bilinear": 2, "trilinear": 3, "bicubic": 2}


def reads_outside(mode: str, align_corners: bool | None) -> bool:
    """Whether an interpolation reads samples outside: aligned corners leave nothing to two samples."""
    return mode == "bicubic" or (mode in LINEAR and not align_corners)


def interpolate(
    input: Tensor,
    size: int | Sequence[int] | None,
    scale_factor: float | Sequence[float] | None,
    interpolation: str,
    align_corners: bool | None,
    recompute: bool | None,
    mode: Boundary,
) -> Tensor:
    """Resample images (N, C, ...) linearly or by cubic splines of 4 samples, as torch but for what is outside.

    torch repeats the edge samples there, as we do at a side whose mode is 'zeros'. Output o of an axis lies at
    ``(o + 1/2) / scale - 1/2``, in samples.

    Args:
        input: the images, of floating point.
        size: of the output, for all axes or one for each; or
        scale_factor: likewise.
        interpolation: a word of torch's: 'linear', 'bilinear', 'trilinear' or 'bicubic'.
        align_corners: as in torch.
        recompute: torch's `recompute_scale_factor`: the scale is that of the sizes, which are rounded.
        mode: how the image is extended.

    Raises:
        ValueError: the sizes do not fit, or the interpolation is not for so many axes.
        TypeError: the images are not of floating point.
    """
    if is_torchs(mode) or mode.name == "replicate" or not reads_outside(interpolation, align_corners):
        return F.interpolate(input, size, scale_factor, interpolation, align_corners, recompute)
    check_mode(mode, "resampling")
    mode.check(AXES[interpolation])
    outputs, scales = _sizes(input, size, scale_factor, interpolation, bool(recompute))
    mode = mode.with_zeros_as(Replicate())
    taps, sizes = LINEAR[interpolation], input.shape[2:]
    width = taps // 2
    # By torch's own operation, if whole samples of the output are added, and torch computes every axis: it copies one
    # whose size stays.
    whole = all((width * scale).is_integer() for scale in scales)
    copied = taps == 2 and any(out == n and scale != 1 for out, n, scale in zip(outputs, sizes, scales, strict=True))
    if align_corners or not whole or copied:
        return _by_gathering(input, outputs, scales, taps, bool(align_corners), mode)
    padded = extended(input, mode, [width] * len(sizes), [width] * len(sizes), [taps] * len(sizes), any_size=False)
    result = F.interpolate(padded, None, scales, interpolation, align_corners)
    for dim, (out, scale) in enumerate(zip(outputs, scales, strict=True), 2):
        result = result.narrow(dim, round(width * scale), out)
    return result


def _sizes(
    input: Tensor,
    size: int | Sequence[int] | None,
    scale_factor: float | Sequence[float] | None,
    interpolation: str,
    recompute: bool,
) -> tuple[list[int], list[float]]:
    """Return the size of the output and the scale along each axis."""
    axes = AXES[interpolation]
    if input.ndim != axes + 2:
        raise ValueError(
            f"input must have {axes + 2} dimensions (batch, channels and {axes} spatial) for mode={interpolation!r}, "
            f"got shape {tuple(input.shape)}"
        )
    if not input.is_floating_point():
        raise TypeError(f"input must be of floating point, got {input.dtype}; take input.float()")
    if (size is None) == (scale_factor is None):
        raise ValueError(f"one of size and scale_factor must be given, got size={size} and {scale_factor=}")
    sizes = input.shape[2:]
    if size is not None:
        outputs = list(per_axis("size", size, axes, minimum=1))
    else:
        given: Any = scale_factor
        scales = [float(scale) for scale in (given if is_sequence(given) else [given] * axes)]
        if len(scales) != axes or min(scales) <= 0:
            raise ValueError(f"scale_factor must hold {axes} numbers above 0, got {scale_factor!r}")
        outputs = [floor(n * scale) for n, scale in zip(sizes, scales, strict=True)]
        if min(outputs) < 1:
            raise ValueError(f"scale_factor must leave at least one sample along every axis, got {scale_factor!r}")
        if not recompute:
            return outputs, scales
    return outputs, [out / n for out, n in zip(outputs, sizes, strict=True)]


def _by_gathering(
    input: Tensor, outputs: Sequence[int], scales: Sequence[float], taps: int, align_corners: bool, mode: Boundary
) -> Tensor:
    """Resample by any scale: each output is a weighted sum of samples, gathered axis by axis."""
    sizes = input.shape[2:]
    places = []
    for n, out, scale in zip(sizes, outputs, scales, strict=True):
        if taps == 2 and out == n:
            # torch copies it, whatever the scale.
            places.append([float(o) for o in range(out)])
        elif align_corners:
            places.append([o * ((n - 1) / max(out - 1, 1)) for o in range(out)])
        else:
            places.append([(o + 0.5) / scale - 0.5 for o in range(out)])
    first = [[floor(place) - (taps // 2 - 1) for place in of_axis] for of_axis in places]
    before = [max(0, -index[0]) for index in first]
    after = [max(0, index[-1] + taps - n) for index, n in zip(first, sizes, strict=True)]
    result = extended(input, mode, before, after, [taps] * len(sizes), any_size=False)
    for dim, (of_axis, indices, width) in enumerate(zip(places, first, before, strict=True), 2):
        shape = [-1 if d == dim else 1 for d in range(input.ndim)]
        place = torch.tensor(of_axis, dtype=torch.float64, device=input.device)
        index = torch.tensor(indices, dtype=torch.int64, device=input.device) + width
        weights = [w.to(input.dtype).view(shape) for w in _weights(place - place.floor(), taps)]
        pieces = [result.index_select(dim, index + tap) * w for tap, w in enumerate(weights)]
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
