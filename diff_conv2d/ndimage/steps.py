"""The steps of each filter, from scipy's arguments."""

from __future__ import annotations

import numbers
import operator
from collections.abc import Hashable, Iterable, Sequence
from math import isfinite
from typing import Any

import numpy as np
from numpy.polynomial import polynomial
from torch import Tensor

from diff_conv2d.ndimage.correlation import Step
from diff_conv2d.ndimage.errors import FilterError
from diff_conv2d.ndimage.scipy_modes import Sides, mode_of_axes, modes_per_axis

__all__ = [
    "along_axis",
    "axes_numbers",
    "axis_number",
    "gaussian_steps",
    "gaussian_weights",
    "mirrored",
    "of_all_axes",
    "one_for_each",
    "uniform_steps",
    "uniform_weights",
    "weights_of",
]


def along_axis(
    weights: Any, axis: int, images: tuple[int, ...], sides: Sides, origin: int = 0, divisor: int = 1
) -> Step:
    """Return the step that correlates along one axis.

    Args:
        weights: of one axis, see `weights_of`.
        axis: its number.
        images: the axes of an image, in their order.
        sides: the modes of the axis.
        origin: samples by which the window is moved towards the low side.
        divisor: see `Step`.
    """
    count = weights.shape[0]
    if not -(count // 2) <= origin <= (count - 1) // 2:
        raise FilterError(
            f"Invalid origin; origin must satisfy {-(count // 2)} <= origin <= {(count - 1) // 2} for {count} "
            f"weights, got {origin!r}"
        )
    place = images.index(axis)
    kernel = weights.reshape([count if other == place else 1 for other in range(len(images))])
    before = tuple(count // 2 + origin if other == place else 0 for other in range(len(images)))
    return Step(
        kernel, images, before, _modes([sides if other == place else None for other in range(len(images))]), divisor
    )


def of_all_axes(
    weights: Any, images: tuple[int, ...], sides: Sequence[Sides], origins: Sequence[int], skips_zeros: bool = False
) -> Step:
    """Return the step that correlates images with a kernel that has all their axes."""
    for origin, count in zip(origins, weights.shape, strict=True):
        if not -(count // 2) <= origin <= (count - 1) // 2:
            raise FilterError(
                "Invalid origin; origin must satisfy -(weights.shape[k] // 2) <= origin[k] <= "
                f"(weights.shape[k]-1) // 2, got {list(origins)} for weights of shape {tuple(weights.shape)}"
            )
    before = tuple(count // 2 + origin for origin, count in zip(origins, weights.shape, strict=True))
    return Step(weights, images, before, _modes(sides), skips_zeros=skips_zeros)


def _modes(sides: Sequence[Sides | None]) -> Any:
    """Return the modes of a step."""
    if len(sides) <= 3:
        return (mode_of_axes(sides),)
    return tuple(mode_of_axes([None, ends, None]) for ends in sides)


def mirrored(weights: Any) -> Any:
    """Return the weights of the correlation that is the convolution with these: along all axes in reverse."""
    if isinstance(weights, Tensor):
        return weights.flip(tuple(range(weights.ndim)))
    return np.flip(weights).copy()


def gaussian_steps(
    input: Any,
    sigma: Any,
    order: Any,
    mode: Any,
    cval: complex,
    truncate: float,
    radius: Any,
    axes: Any,
) -> list[Step]:
    """Return the steps of a Gaussian filter or of its derivatives, axis by axis."""
    chosen = axes_numbers(input, axes)
    count, sigmas = len(chosen), [sigma_of(one) for one in one_for_each("sigma", sigma, len(chosen))]
    # What is not smoothed is a batch.
    images = tuple(sorted(axis for axis, one in zip(chosen, sigmas, strict=True) if one > 1e-15))
    every = zip(
        chosen,
        sigmas,
        one_for_each("order", order, count),
        modes_per_axis(mode, cval, count),
        one_for_each("radius", radius, count),
        strict=True,
    )
    return [
        along_axis(gaussian_weights(one, derivative, truncate, reach), axis, images, sides)
        for axis, one, derivative, sides, reach in every
        if one > 1e-15
    ]


def sigma_of(sigma: Any) -> float:
    """Return a standard deviation as Python's own number."""
    try:
        number = float(sigma)
    except (TypeError, ValueError) as error:
        raise TypeError(f"sigma must be a number, got {sigma!r}") from error
    if not isfinite(number):
        raise FilterError(f"sigma must be finite, got {sigma!r}")
    return number


def gaussian_weights(sigma: float, order: int, truncate: float, radius: int | None) -> Any:
    r"""Return the weights that correlate with a Gaussian, or differentiate by it.

    .. math:: w_j = H(j) \, g_j, \qquad g_j = e^{-j^2 / 2 \sigma^2} / \textstyle\sum_i e^{-i^2 / 2 \sigma^2}

    with the polynomial H, for which the n-th derivative of the continuous Gaussian g is H g; the sign is that of a
    correlation.

    Example:
        >>> gaussian_weights(1.0, 1, 1.0, None).round(3)
        array([-0.274,  0.   ,  0.274])
    """
    sigma = sigma_of(sigma)
    reach = int(truncate * sigma + 0.5) if radius is None else radius
    if not isinstance(reach, numbers.Integral) or reach < 0:
        raise FilterError(f"Radius must be a nonnegative integer, got radius={radius!r} and truncate={truncate!r}")
    if isinstance(order, bool) or not isinstance(order, numbers.Integral):
        raise TypeError(f"order must be an integer, got {order!r}")
    if order < 0:
        raise FilterError(f"order must be non-negative, got {order!r}")
    places = np.arange(-reach, reach + 1)
    weights = np.exp(-0.5 / (sigma * sigma) * places**2)
    weights = weights / weights.sum()
    # (H g)' = (H' - x H / sigma^2) g, by the coefficients of H; rounded as scipy does, since integers are truncated.
    factor = np.ones(1)
    for _ in range(order):
        factor = polynomial.polyadd(polynomial.polyder(factor), polynomial.polymulx(factor) * (1 / -(sigma * sigma)))
    return ((places[:, None] ** np.arange(order + 1)).dot(factor) * weights)[::-1].copy() if order else weights


def uniform_steps(input: Any, size: Any, mode: Any, cval: complex, origin: Any, axes: Any) -> list[Step]:
    """Return the steps of the means over windows, axis by axis."""
    chosen = axes_numbers(input, axes)
    count, sizes = len(chosen), one_for_each("size", size, len(chosen))
    images = tuple(sorted(axis for axis, many in zip(chosen, sizes, strict=True) if many > 1))
    every = zip(
        chosen,
        sizes,
        one_for_each("origin", origin, count),
        modes_per_axis(mode, cval, count),
        strict=True,
    )
    return [
        along_axis(uniform_weights(int(many)), axis, images, sides, shift, int(many))
        for axis, many, shift, sides in every
        if many > 1
    ]


def uniform_weights(size: int) -> Any:
    """Return the weights of a sum over so many samples."""
    if isinstance(size, bool) or not isinstance(size, numbers.Integral):
        raise TypeError(f"size must be an integer, got {size!r}")
    if size < 1:
        raise FilterError(f"incorrect filter size: it must be at least 1, got {size!r}")
    return np.ones(int(size))


def axis_number(array: Any, axis: Any) -> int:
    """Return the number of an axis, counted from the first: of its number, or of its name in a DataArray."""
    names = _names(array)
    if axis in names:
        return int(names.index(axis))
    try:
        number = operator.index(axis)
    except TypeError as error:
        known = f", or its name, one of {', '.join(map(repr, names))}" if names else ""
        raise TypeError(f"axis must be the number of an axis{known}, got {axis!r}: {error}") from None
    if not -array.ndim <= number < array.ndim:
        raise np.exceptions.AxisError(f"axis {number} is out of range for an input of {array.ndim} axes")
    return int(number % array.ndim)


def axes_numbers(array: Any, axes: Any) -> tuple[int, ...]:
    """Return the numbers of axes, each counted from the first; all axes if None."""
    if axes is None:
        return tuple(range(array.ndim))
    several = axes if isinstance(axes, Iterable) and not isinstance(axes, str) else (axes,)
    numbers = tuple(axis_number(array, axis) for axis in several)
    if len(set(numbers)) < len(numbers):
        raise FilterError(f"axes must be unique, got {axes!r}")
    return numbers


def one_for_each(name: str, value: Any, count: int) -> list[Any]:
    """Return one value for each filtered axis, from one for all or a sequence of them."""
    if isinstance(value, str) or not np.iterable(value):
        return [value] * count
    values = list(value)
    if len(values) != count:
        raise FilterError(
            f"sequence argument must have length equal to input rank, or to that of axes: {name} must be one value, "
            f"or hold one for each filtered axis, here {count}, got {value!r}"
        )
    return values


def weights_of(weights: Any) -> Any:
    """Return weights as a float64 or complex128 array; a tensor that needs a gradient as it is."""
    if isinstance(weights, Tensor):
        if weights.requires_grad:
            return weights
        weights = weights.detach().cpu().resolve_conj().numpy()
    if isinstance(weights, np.ma.MaskedArray):
        raise TypeError("weights must not be masked: take weights.filled(0)")
    weights = np.asarray(weights)
    if weights.dtype.kind not in "biufc":
        raise TypeError(f"weights must hold numbers, got {weights.dtype}")
    return weights.astype(np.complex128 if weights.dtype.kind == "c" else np.float64, copy=False)


def _names(array: Any) -> tuple[Hashable, ...]:
    """Return the names of the axes of a DataArray; none for other arrays."""
    return getattr(array, "dims", ())
