"""scipy.ndimage's Gaussian filters."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from diff_conv2d.ndimage.arrays import as_array, filtered, sum_over_axes
from diff_conv2d.ndimage.scipy_modes import sides_of
from diff_conv2d.ndimage.steps import (
    along_axis,
    axes_numbers,
    axis_number,
    gaussian_steps,
    gaussian_weights,
    one_for_each,
)

if TYPE_CHECKING:
    from typing_extensions import Unpack

    from diff_conv2d.ndimage.outside import Edges

__all__ = ["gaussian_filter", "gaussian_filter1d", "gaussian_gradient_magnitude", "gaussian_laplace"]


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
    **edges: Unpack[Edges],
) -> Any:
    r"""Smooth along one axis, or differentiate: `scipy.ndimage.gaussian_filter1d` with any boundary mode.

    The weights are :math:`g_j \propto e^{-j^2 / 2 \sigma^2}`, which add up to 1, or those of a derivative of the
    Gaussian (see `gaussian_weights`).

    Args:
        input: array, see `diff_conv2d.ndimage`.
        sigma: standard deviation, in samples.
        axis: number of the axis, or its name in a DataArray.
        order: of the derivative; 0 smooths.
        output: dtype of the result, or an array to write it to. That of `input` if None.
        mode: what lies outside: a word of scipy, or any of this library's, see `diff_conv2d.ndimage`; two of them for
            the low and the high side of the axis.
        cval: the value outside, in scipy's 'constant' and 'grid-constant'.
        truncate: where the weights end, in standard deviations.
        radius: where they end, in samples, instead of `truncate`.
        edges: `mask`, `nan` and `fill`: what else is outside, see `ndimage.outside.Edges`.

    Returns:
        What `input` is, of its shape.

    Raises:
        ValueError: a value or a shape does not fit (also a RuntimeError, which scipy raises for some of these).
        TypeError: an argument is of the wrong kind.

    Example:
        >>> gaussian_filter1d([1.0, 2.0, 3.0, 4.0, 5.0], 1).round(3)
        array([1.427, 2.068, 3.   , 3.932, 4.573])
        >>> gaussian_filter1d([1.0, 2.0, 3.0, 4.0, 5.0], 1, mode={"mode": "diff", "degree": 1}).round(3)
        array([1., 2., 3., 4., 5.])
    """
    input = as_array(input)
    number = axis_number(input, axis)
    weights = gaussian_weights(sigma, order, truncate, radius)
    step = along_axis(weights, number, tuple(range(input.ndim)), sides_of(mode, cval))
    return filtered(input, [step], output, edges=edges)


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
    **edges: Unpack[Edges],
) -> Any:
    """Smooth, or differentiate: `scipy.ndimage.gaussian_filter` with any boundary mode, or one for each axis.

    One axis after the other, each result rounded to the dtype of the output (see `gaussian_filter1d`).

    Args:
        input: array, see `diff_conv2d.ndimage`.
        sigma: standard deviation, in samples, for all axes or one for each.
        order: of the derivative; 0 smooths.
        output: dtype of the result, or an array to write it to. That of `input` if None.
        mode: what lies outside: a word of scipy, or any of this library's, see `diff_conv2d.ndimage`; or a sequence
            with one for each filtered axis, which may be a pair for its two sides.
        cval: the value outside, in scipy's 'constant' and 'grid-constant'.
        truncate: where the weights end, in standard deviations.
        radius: where they end, in samples, instead of `truncate`.
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
        >>> terrain = np.add.outer(np.arange(4.0), np.arange(4.0))
        >>> gaussian_filter(terrain, 1, mode=[("nearest", "antireflect"), "antireflect"]).round(2)
        array([[0.36, 1.36, 2.36, 3.36],
               [1.06, 2.06, 3.06, 4.06],
               [2.  , 3.  , 4.  , 5.  ],
               [3.  , 4.  , 5.  , 6.  ]])
    """
    input = as_array(input)
    steps = gaussian_steps(input, sigma, order, mode, cval, truncate, radius, axes)
    return filtered(input, steps, output, edges=edges)


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
    """Laplacian of a smoothed image: `scipy.ndimage.gaussian_laplace` with any boundary mode.

    The sum over axes of second derivatives by a Gaussian along an axis, smoothed along the others. As in scipy, the
    entry of `mode` for an axis is that of all axes in its term.

    Args:
        input: array, see `diff_conv2d.ndimage`.
        sigma: standard deviation, in samples, for all axes or one for each.
        output: dtype of the result, or an array to write it to. That of `input` if None.
        mode: what lies outside: a word of scipy, or any of this library's, see `diff_conv2d.ndimage`; or a sequence
            with one for each filtered axis, which may be a pair for its two sides.
        cval: the value outside, in scipy's 'constant' and 'grid-constant'.
        axes: the axes to filter, numbers or names, in the order of the other sequences; all if None. The others are a
            batch.
        kwargs: `truncate`, `radius`, `mask`, `nan` and `fill` of `gaussian_filter`.

    Returns:
        What `input` is, of its shape.

    Raises:
        ValueError: a value or a shape does not fit (also a RuntimeError, which scipy raises for some of these).
        TypeError: an argument is of the wrong kind.

    Example:
        >>> import numpy as np
        >>> gaussian_laplace(np.arange(9.0) ** 2, 1, mode={"mode": "diff", "degree": 2}).round(1)
        array([2., 2., 2., 2., 2., 2., 2., 2., 2.])
    """
    input = as_array(input)
    chosen = axes_numbers(input, axes)
    sigmas = one_for_each("sigma", sigma, len(chosen))

    def second(axis: int, mode: Any, output: Any) -> Any:
        return _derivative(input, sigmas, axis, 2, output, mode, cval, chosen, **kwargs)

    return sum_over_axes(input, output, chosen, mode, second, magnitude=False)


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
    """Magnitude of the gradient of a smoothed image: `scipy.ndimage.gaussian_gradient_magnitude`.

    The root of the sum over axes of squares of derivatives by a Gaussian along an axis, smoothed along all others; as
    in scipy, also along axes that are not in `axes`, and with the entry of `mode` for an axis in all of its term.

    Args:
        input: array, see `diff_conv2d.ndimage`.
        sigma: standard deviation, in samples, for all axes or one for each.
        output: dtype of the result, or an array to write it to. That of `input` if None.
        mode: what lies outside: a word of scipy, or any of this library's, see `diff_conv2d.ndimage`; or a sequence
            with one for each filtered axis, which may be a pair for its two sides.
        cval: the value outside, in scipy's 'constant' and 'grid-constant'.
        axes: the axes along which derivatives are taken; all if None.
        kwargs: `truncate`, `radius`, `mask`, `nan` and `fill` of `gaussian_filter`.

    Returns:
        What `input` is, of its shape.

    Raises:
        ValueError: a value or a shape does not fit (also a RuntimeError, which scipy raises for some of these).
        TypeError: an argument is of the wrong kind.

    Example:
        >>> import numpy as np
        >>> ramp = np.add.outer(3 * np.arange(5.0), 4 * np.arange(5.0))
        >>> gaussian_gradient_magnitude(ramp, 1, mode={"mode": "diff", "degree": 1})[0].round(2)
        array([5., 5., 5., 5., 5.])
    """
    input = as_array(input)

    def first(axis: int, mode: Any, output: Any) -> Any:
        # As scipy does: smoothed along all axes, also those along which no derivative is taken.
        return _derivative(input, sigma, axis, 1, output, mode, cval, None, **kwargs)

    return sum_over_axes(input, output, axes_numbers(input, axes), mode, first, magnitude=True)


def _derivative(
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
    **edges: Unpack[Edges],
) -> Any:
    """Differentiate along one axis by a Gaussian, and smooth along the others."""
    orders = [order if other == axis else 0 for other in axes_numbers(input, axes)]
    steps = gaussian_steps(input, sigma, orders, mode, cval, truncate, radius, axes)
    return filtered(input, steps, output, edges=edges)
