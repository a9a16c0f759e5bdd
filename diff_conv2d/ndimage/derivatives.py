"""scipy.ndimage's filters for derivatives: differences, Laplacians, gradient magnitudes."""

from __future__ import annotations

import functools
from collections.abc import Callable, Mapping, Sequence
from typing import TYPE_CHECKING, Any

import numpy as np

from diff_conv2d.ndimage.arrays import as_array, filtered, sum_over_axes
from diff_conv2d.ndimage.scipy_modes import are_fixed_matrices, modes_per_axis, sides_of
from diff_conv2d.ndimage.steps import (
    along_axis,
    axes_numbers,
    axis_number,
    of_all_axes,
    weights_of,
)

if TYPE_CHECKING:
    from typing_extensions import Unpack

    from diff_conv2d.ndimage.outside import Edges

__all__ = [
    "generic_gradient_magnitude",
    "generic_laplace",
    "laplace",
    "prewitt",
    "sobel",
]


def sobel(
    input: Any, axis: Any = -1, output: Any = None, mode: Any = "reflect", cval: complex = 0.0, **edges: Unpack[Edges]
) -> Any:
    """Difference along one axis, smoothed along the others: `scipy.ndimage.sobel` with any boundary mode.

    Weights (-1, 0, 1) along the axis, (1, 2, 1) along the others.

    Args:
        input: array, see `diff_conv2d.ndimage`.
        axis: number of the axis, or its name in a DataArray.
        output: dtype of the result, or an array to write it to. That of `input` if None.
        mode: what lies outside: a word of scipy, or any of this library's, see `diff_conv2d.ndimage`; or a sequence
            with one for each filtered axis, which may be a pair for its two sides.
        cval: the value outside, in scipy's 'constant' and 'grid-constant'.
        edges: `mask`, `nan` and `fill`: what else is outside, see `ndimage.outside.Edges`.

    Returns:
        What `input` is, of its shape.

    Raises:
        ValueError: a value or a shape does not fit (also a RuntimeError, which scipy raises for some of these).
        TypeError: an argument is of the wrong kind.

    Example:
        >>> import numpy as np
        >>> ramp = np.add.outer(np.zeros(3), np.arange(4.0))
        >>> sobel(ramp)[1], sobel(ramp, mode={"mode": "diff", "degree": 1})[1]
        (array([4., 8., 8., 4.]), array([8., 8., 8., 8.]))
    """
    return _difference(input, [1, 2, 1], axis, output, mode, cval, edges)


def prewitt(
    input: Any, axis: Any = -1, output: Any = None, mode: Any = "reflect", cval: complex = 0.0, **edges: Unpack[Edges]
) -> Any:
    """Difference along one axis, summed along the others: `scipy.ndimage.prewitt` with any boundary mode.

    Weights (-1, 0, 1) along the axis, (1, 1, 1) along the others.

    Args:
        input: array, see `diff_conv2d.ndimage`.
        axis: number of the axis, or its name in a DataArray.
        output: dtype of the result, or an array to write it to. That of `input` if None.
        mode: what lies outside: a word of scipy, or any of this library's, see `diff_conv2d.ndimage`; or a sequence
            with one for each filtered axis, which may be a pair for its two sides.
        cval: the value outside, in scipy's 'constant' and 'grid-constant'.
        edges: `mask`, `nan` and `fill`: what else is outside, see `ndimage.outside.Edges`.

    Returns:
        What `input` is, of its shape.

    Raises:
        ValueError: a value or a shape does not fit (also a RuntimeError, which scipy raises for some of these).
        TypeError: an argument is of the wrong kind.

    Example:
        >>> prewitt([1.0, 2.0, 4.0, 4.0])
        array([1., 3., 2., 0.])
    """
    return _difference(input, [1, 1, 1], axis, output, mode, cval, edges)


def laplace(
    input: Any,
    output: Any = None,
    mode: Any = "reflect",
    cval: complex = 0.0,
    *,
    axes: Any = None,
    **edges: Unpack[Edges],
) -> Any:
    """Sum of second differences: `scipy.ndimage.laplace` with any boundary mode, or one for each axis.

    Weights (1, -2, 1) along each axis.

    Args:
        input: array, see `diff_conv2d.ndimage`.
        output: dtype of the result, or an array to write it to. That of `input` if None.
        mode: what lies outside: a word of scipy, or any of this library's, see `diff_conv2d.ndimage`; or a sequence
            with one for each filtered axis, which may be a pair for its two sides.
        cval: the value outside, in scipy's 'constant' and 'grid-constant'.
        axes: the axes to filter, numbers or names, in the order of the other sequences; all if None. The others are a
            batch.
        edges: `mask`, `nan` and `fill`: what else is outside, see `ndimage.outside.Edges`.

    Returns:
        What `input` is, of its shape.

    Raises:
        ValueError: a value or a shape does not fit (also a RuntimeError, which scipy raises for some of these).
        TypeError: an argument is of the wrong kind.

    Example:
        >>> import numpy as np
        >>> laplace(np.arange(5.0) ** 2), laplace(np.arange(5.0) ** 2, mode="diff")
        (array([ 1.,  2.,  2.,  2., -7.]), array([2., 2., 2., 2., 2.]))
    """

    def second(input: Any, axis: int, output: Any, mode: Any, cval: complex) -> Any:
        images = tuple(sorted(axes_numbers(input, axes)))
        step = along_axis(weights_of([1, -2, 1]), axis, images, sides_of(mode, cval))
        return filtered(input, [step], output, edges=edges)

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
    """Sum over axes of what a function returns: `scipy.ndimage.generic_laplace` with any boundary mode.

    Args:
        input: array, see `diff_conv2d.ndimage`.
        derivative2: called as ``derivative2(input, axis, output, mode, cval, *extra_arguments, **extra_keywords)``.
            For numpy arrays `output` is at first an array to write to, as in scipy, and then a dtype; for tensors,
            dask arrays and DataArrays always a dtype, and the function returns its result.
        output: dtype of the result, or an array to write it to. That of `input` if None.
        mode: what lies outside: a word of scipy, or any of this library's, see `diff_conv2d.ndimage`; or a sequence
            with one for each filtered axis, which may be a pair for its two sides.
        cval: the value outside, in scipy's 'constant' and 'grid-constant'.
        extra_arguments: further arguments of the function.
        extra_keywords: further named arguments of the function, such as {"nan": "edge"} for a filter of this module.
        axes: the axes to filter, numbers or names, in the order of `mode`; all if None.

    Returns:
        What `input` is, of its shape.

    Raises:
        ValueError: a value or a shape does not fit (also a RuntimeError, which scipy raises for some of these).
        TypeError: an argument is of the wrong kind.

    Example:
        >>> from diff_conv2d import ndimage
        >>> def second(input, axis, output, mode, cval):
        ...     return ndimage.correlate1d(input, [1, -2, 1], axis, output, mode, cval)
        >>> generic_laplace([0.0, 1.0, 4.0, 9.0], second, mode="diff")
        array([2., 2., 2., 2.])
    """
    more = extra_arguments, extra_keywords or {}
    return _generic(input, derivative2, output, mode, cval, *more, axes, magnitude=False)


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
    """Root of the sum of squares: `scipy.ndimage.generic_gradient_magnitude` with any boundary mode.

    Args:
        input: array, see `diff_conv2d.ndimage`.
        derivative: called as the function of `generic_laplace`; what it returns is changed in place.
        output: dtype of the result, or an array to write it to. That of `input` if None.
        mode: what lies outside: a word of scipy, or any of this library's, see `diff_conv2d.ndimage`; or a sequence
            with one for each filtered axis, which may be a pair for its two sides.
        cval: the value outside, in scipy's 'constant' and 'grid-constant'.
        extra_arguments: further arguments of the function.
        extra_keywords: further named arguments of the function, such as {"nan": "edge"} for a filter of this module.
        axes: the axes to filter, numbers or names, in the order of `mode`; all if None.

    Returns:
        What `input` is, of its shape.

    Raises:
        ValueError: a value or a shape does not fit (also a RuntimeError, which scipy raises for some of these).
        TypeError: an argument is of the wrong kind.

    Example:
        >>> from diff_conv2d import ndimage
        >>> generic_gradient_magnitude([[0.0, 3.0], [4.0, 7.0]], ndimage.sobel, mode="nearest")
        array([[20., 20.],
               [20., 20.]])
    """
    more = extra_arguments, extra_keywords or {}
    return _generic(input, derivative, output, mode, cval, *more, axes, magnitude=True)


def _difference(input: Any, weights: Any, axis: Any, output: Any, mode: Any, cval: complex, edges: Edges) -> Any:
    """Take the difference of the neighbours along one axis, and sum along the others."""
    input = as_array(input)
    number, images = axis_number(input, axis), tuple(range(input.ndim))
    sides = modes_per_axis(mode, cval, input.ndim)
    factors = [weights_of([-1, 0, 1] if axis == number else weights) for axis in images]
    others = [other for other in images if other != number]
    steps = [along_axis(factors[axis], axis, images, sides[axis]) for axis in (number, *others)]
    if not 1 < input.ndim < 4 or not are_fixed_matrices(sides, 3):
        return filtered(input, steps, output, edges=edges)
    product = functools.reduce(np.multiply.outer, factors)
    return filtered(input, steps, output, of_all_axes(product, images, sides, [0] * input.ndim), edges)


def _generic(
    input: Any,
    derivative: Callable[..., Any],
    output: Any,
    mode: Any,
    cval: complex,
    extra_arguments: Sequence[Any],
    extra_keywords: Mapping[str, Any],
    axes: Any,
    magnitude: bool,
) -> Any:
    """Call a function for each axis, and sum what it returns."""
    if not callable(derivative):
        raise TypeError(f"the derivative must be callable, got {derivative!r}")
    input = as_array(input)

    def along(axis: int, mode: Any, output: Any) -> Any:
        return derivative(input, axis, output, mode, cval, *extra_arguments, **extra_keywords)

    return sum_over_axes(input, output, axes_numbers(input, axes), mode, along, magnitude)
