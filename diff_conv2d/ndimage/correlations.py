"""Correlation and convolution with any weights: scipy.ndimage's `correlate`, `convolve`, and along one axis."""

from __future__ import annotations

from typing import Any

from torch import Tensor

from diff_conv2d.ndimage.arrays import as_array, filtered
from diff_conv2d.ndimage.errors import FilterError
from diff_conv2d.ndimage.scipy_modes import modes_per_axis, sides_of
from diff_conv2d.ndimage.steps import (
    along_axis,
    axes_numbers,
    axis_number,
    mirrored,
    of_all_axes,
    one_for_each,
    weights_of,
)

__all__ = ["convolve", "convolve1d", "correlate", "correlate1d"]


def correlate1d(
    input: Any,
    weights: Any,
    axis: Any = -1,
    output: Any = None,
    mode: Any = "reflect",
    cval: complex = 0.0,
    origin: int = 0,
) -> Any:
    input, weights = as_array(input), weights_of(weights)
    return filtered(input, [_line(input, weights.conj(), axis, mode, cval, origin)], output)


def convolve1d(
    input: Any,
    weights: Any,
    axis: Any = -1,
    output: Any = None,
    mode: Any = "reflect",
    cval: complex = 0.0,
    origin: int = 0,
) -> Any:
    input, weights = as_array(input), mirrored(weights_of(weights))
    origin = -origin - 1 + weights.shape[0] % 2 if weights.ndim == 1 else 0
    return filtered(input, [_line(input, weights, axis, mode, cval, origin)], output)


def correlate(
    input: Any,
    weights: Any,
    output: Any = None,
    mode: Any = "reflect",
    cval: complex = 0.0,
    origin: Any = 0,
    *,
    axes: Any = None,
) -> Any:
    return _of_images(input, weights_of(weights).conj(), output, mode, cval, origin, axes, flip=False)


def convolve(
    input: Any,
    weights: Any,
    output: Any = None,
    mode: Any = "reflect",
    cval: complex = 0.0,
    origin: Any = 0,
    *,
    axes: Any = None,
) -> Any:
    return _of_images(input, weights_of(weights), output, mode, cval, origin, axes, flip=True)


def _line(input: Any, weights: Any, axis: Any, mode: Any, cval: complex, origin: int) -> Any:
    number = axis_number(input, axis)
    if weights.ndim != 1 or weights.shape[0] < 1:
        raise FilterError(f"no filter weights given: weights must have one axis, got shape {tuple(weights.shape)}")
    return along_axis(weights, number, tuple(range(input.ndim)), sides_of(mode, cval), origin)


def _of_images(
    input: Any, weights: Any, output: Any, mode: Any, cval: complex, origin: Any, axes: Any, flip: bool
) -> Any:
    input = as_array(input)
    chosen = axes_numbers(input, axes)
    count = len(chosen)
    if weights.ndim != count or 0 in weights.shape:
        raise FilterError(
            f"weights.ndim ({weights.ndim}) must match len(axes) ({count}), with at least one weight along each, got "
            f"shape {tuple(weights.shape)}"
        )
    origins, sides = one_for_each("origin", origin, count), modes_per_axis(mode, cval, count)
    images = tuple(sorted(chosen))
    # The weights have the axes in the order of the array, whatever the order of `axes`, which origins and modes have.
    order = [chosen.index(axis) for axis in images] if count < input.ndim else range(count)
    origins, sides = [origins[place] for place in order], [sides[place] for place in order]
    if flip:
        weights = mirrored(weights)
        origins = [-one - 1 + size % 2 for one, size in zip(origins, weights.shape, strict=True)]
    if not count:
        return filtered(input, [], output) if isinstance(weights, Tensor) else filtered(input * weights, [], output)
    return filtered(input, [of_all_axes(weights, images, sides, origins)], output)
