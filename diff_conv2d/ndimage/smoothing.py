"""scipy.ndimage's Gaussian and uniform filters."""

from __future__ import annotations

from typing import Any

from diff_conv2d.ndimage.arrays import as_array, filtered
from diff_conv2d.ndimage.scipy_modes import sides_of
from diff_conv2d.ndimage.steps import (
    along_axis,
    axis_number,
    gaussian_steps,
    gaussian_weights,
    uniform_steps,
    uniform_weights,
)

__all__ = ["gaussian_filter", "gaussian_filter1d", "uniform_filter", "uniform_filter1d"]


def gaussian_filter1d(
    input: Any,
    sigma: float,
    axis: Any = -1,
    order: int = 0,
    output: Any = None,
    mode: Any = "reflect",
    cval: complex = 0.0,
    truncate: float = 4.0,
    *,
    radius: int | None = None,
) -> Any:
    input = as_array(input)
    number = axis_number(input, axis)
    weights = gaussian_weights(sigma, order, truncate, radius)
    return filtered(input, [along_axis(weights, number, tuple(range(input.ndim)), sides_of(mode, cval))], output)


def gaussian_filter(
    input: Any,
    sigma: Any,
    order: Any = 0,
    output: Any = None,
    mode: Any = "reflect",
    cval: complex = 0.0,
    truncate: float = 4.0,
    *,
    radius: Any = None,
    axes: Any = None,
) -> Any:
    input = as_array(input)
    return filtered(input, gaussian_steps(input, sigma, order, mode, cval, truncate, radius, axes), output)


def uniform_filter1d(
    input: Any,
    size: int,
    axis: Any = -1,
    output: Any = None,
    mode: Any = "reflect",
    cval: complex = 0.0,
    origin: int = 0,
) -> Any:
    input = as_array(input)
    number = axis_number(input, axis)
    weights = uniform_weights(size)
    images = tuple(range(input.ndim))
    return filtered(input, [along_axis(weights, number, images, sides_of(mode, cval), origin, len(weights))], output)


def uniform_filter(
    input: Any,
    size: Any = 3,
    output: Any = None,
    mode: Any = "reflect",
    cval: complex = 0.0,
    origin: Any = 0,
    *,
    axes: Any = None,
) -> Any:
    input = as_array(input)
    return filtered(input, uniform_steps(input, size, mode, cval, origin, axes), output)
