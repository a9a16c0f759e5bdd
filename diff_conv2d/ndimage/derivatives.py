"""scipy.ndimage's filters for derivatives: differences, Laplacians, gradient magnitudes."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Any

import numpy as np

from diff_conv2d.ndimage.arrays import as_array, filtered, finished, output_like
from diff_conv2d.ndimage.scipy_modes import entries_per_axis, modes_per_axis, sides_of
from diff_conv2d.ndimage.steps import along_axis, axes_numbers, axis_number, gaussian_steps, one_for_each, weights_of

__all__ = [
    "gaussian_gradient_magnitude",
    "gaussian_laplace",
    "generic_gradient_magnitude",
    "generic_laplace",
    "laplace",
    "prewitt",
    "sobel",
]


def sobel(input: Any, axis: Any = -1, output: Any = None, mode: Any = "reflect", cval: complex = 0.0) -> Any:
    return _difference(input, [1, 2, 1], axis, output, mode, cval)


def prewitt(input: Any, axis: Any = -1, output: Any = None, mode: Any = "reflect", cval: complex = 0.0) -> Any:
    return _difference(input, [1, 1, 1], axis, output, mode, cval)


def laplace(input: Any, output: Any = None, mode: Any = "reflect", cval: complex = 0.0, *, axes: Any = None) -> Any:
    def second(input: Any, axis: int, output: Any, mode: Any, cval: complex) -> Any:
        step = along_axis(weights_of([1, -2, 1]), axis, tuple(range(input.ndim)), sides_of(mode, cval))
        return filtered(input, [step], output)

    return generic_laplace(input, second, output, mode, cval, axes=axes)


def generic_laplace(
    input: Any,
    derivative2: Callable[..., Any],
    output: Any = None,
    mode: Any = "reflect",
    cval: complex = 0.0,
    extra_arguments: Sequence[Any] = (),
    extra_keywords: Mapping[str, Any] | None = None,
    *,
    axes: Any = None,
) -> Any:
    arguments = mode, cval, extra_arguments, extra_keywords
    return _sum_over_axes(input, derivative2, output, *arguments, axes, magnitude=False)


def gaussian_laplace(
    input: Any,
    sigma: Any,
    output: Any = None,
    mode: Any = "reflect",
    cval: complex = 0.0,
    *,
    axes: Any = None,
    **kwargs: Any,
) -> Any:
    input = as_array(input)
    chosen = axes_numbers(input, axes)
    sigmas = one_for_each("sigma", sigma, len(chosen))

    def second(input: Any, axis: int, output: Any, mode: Any, cval: complex, **kwargs: Any) -> Any:
        return _gaussian(input, sigmas, axis, 2, output, mode, cval, chosen, **kwargs)

    return generic_laplace(input, second, output, mode, cval, (), kwargs, axes=chosen)


def generic_gradient_magnitude(
    input: Any,
    derivative: Callable[..., Any],
    output: Any = None,
    mode: Any = "reflect",
    cval: complex = 0.0,
    extra_arguments: Sequence[Any] = (),
    extra_keywords: Mapping[str, Any] | None = None,
    *,
    axes: Any = None,
) -> Any:
    arguments = mode, cval, extra_arguments, extra_keywords
    return _sum_over_axes(input, derivative, output, *arguments, axes, magnitude=True)


def gaussian_gradient_magnitude(
    input: Any,
    sigma: Any,
    output: Any = None,
    mode: Any = "reflect",
    cval: complex = 0.0,
    *,
    axes: Any = None,
    **kwargs: Any,
) -> Any:
    def first(input: Any, axis: int, output: Any, mode: Any, cval: complex, **kwargs: Any) -> Any:
        # As scipy does: smoothed along all axes, also those along which no derivative is taken.
        return _gaussian(input, sigma, axis, 1, output, mode, cval, None, **kwargs)

    return generic_gradient_magnitude(input, first, output, mode, cval, (), kwargs, axes=axes)


def _gaussian(
    input: Any,
    sigma: Any,
    axis: int,
    order: int,
    output: Any,
    mode: Any,
    cval: complex,
    axes: Any,
    *,
    truncate: float = 4.0,
    radius: Any = None,
) -> Any:
    """Differentiate along one axis by a Gaussian, and smooth along the others."""
    orders = [order if other == axis else 0 for other in axes_numbers(input, axes)]
    return filtered(input, gaussian_steps(input, sigma, orders, mode, cval, truncate, radius, axes), output)


def _difference(input: Any, weights: Any, axis: Any, output: Any, mode: Any, cval: complex) -> Any:
    """Take the difference of the neighbours along one axis, and sum along the others."""
    input = as_array(input)
    number, images = axis_number(input, axis), tuple(range(input.ndim))
    sides = modes_per_axis(mode, cval, input.ndim)
    others = [other for other in images if other != number]
    steps = [along_axis(weights_of([-1, 0, 1]), number, images, sides[number])]
    steps += [along_axis(weights_of(weights), other, images, sides[other]) for other in others]
    return filtered(input, steps, output)


def _sum_over_axes(
    input: Any,
    derivative: Callable[..., Any],
    output: Any,
    mode: Any,
    cval: complex,
    extra_arguments: Sequence[Any],
    extra_keywords: Mapping[str, Any] | None,
    axes: Any,
    magnitude: bool,
) -> Any:
    """Return the sum of derivatives along the axes, or the root of the sum of their squares."""
    if not callable(derivative):
        raise TypeError(f"the derivative must be callable, got {derivative!r}")
    input, named = as_array(input), dict(extra_keywords or {})
    chosen = axes_numbers(input, axes)
    if not chosen:
        return filtered(input, [], output)
    entries = entries_per_axis(mode, len(chosen))
    into, dtype = output_like(input, output)

    def along(place: int, output: Any) -> Any:
        result = derivative(input, chosen[place], output, entries[place], cval, *extra_arguments, **named)
        return result * result if magnitude else result

    if isinstance(into, np.ndarray):
        # scipy's way: the first derivative is written to the output, whatever is returned.
        derivative(input, chosen[0], into, entries[0], cval, *extra_arguments, **named)
        total = np.multiply(into, into, out=into) if magnitude else into
        for place in range(1, len(chosen)):
            total += along(place, dtype)
        return np.sqrt(total, out=total, casting="unsafe") if magnitude else total
    total = along(0, dtype)
    for place in range(1, len(chosen)):
        total = total + along(place, dtype)
    return finished(input, total, into, dtype, root=magnitude)
