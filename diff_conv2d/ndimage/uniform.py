"""scipy.ndimage's uniform filters."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from diff_conv2d.ndimage.arrays import as_array, filtered
from diff_conv2d.ndimage.scipy_modes import sides_of
from diff_conv2d.ndimage.steps import along_axis, axis_number, uniform_steps, uniform_weights

if TYPE_CHECKING:
    from typing_extensions import Unpack

    from diff_conv2d.ndimage.outside import Edges

__all__ = ["uniform_filter", "uniform_filter1d"]


def uniform_filter1d(
    input: Any,
    size: int,
    axis: Any = -1,
    output: Any = None,
    mode: Any = "reflect",
    cval: complex = 0.0,
    origin: int = 0,
    **edges: Unpack[Edges],
) -> Any:
    r"""Mean of a window along one axis: `scipy.ndimage.uniform_filter1d` with any boundary mode.

    .. math:: y(i) = \frac{1}{k} \sum_{j=0}^{k-1} P(i - \lfloor k / 2 \rfloor - o + j)

    scipy adds to a running sum and subtracts from it. Here every sum is done by itself. So NaN stays in its windows,
    and integers are the truncated means where scipy's sum collects rounding errors: if the input or `cval` are no
    integers, and beyond 2^53.

    Args:
        input: array, see `diff_conv2d.ndimage`.
        size: k, samples of the window.
        axis: number of the axis, or its name in a DataArray.
        output: dtype of the result, or an array to write it to. That of `input` if None.
        mode: what lies outside: a word of scipy, or any of this library's, see `diff_conv2d.ndimage`; two of them for
            the low and the high side of the axis.
        cval: the value outside, in scipy's 'constant' and 'grid-constant'.
        origin: o, see `correlate1d`.
        edges: `mask`, `nan` and `fill`: what else is outside, see `ndimage.outside.Edges`.

    Returns:
        What `input` is, of its shape.

    Raises:
        ValueError: a value or a shape does not fit (also a RuntimeError, which scipy raises for some of these).
        TypeError: an argument is of the wrong kind.

    Example:
        >>> uniform_filter1d([2, 8, 0, 4, 1, 9, 9, 0], size=3)
        array([4, 3, 4, 1, 4, 6, 6, 3])
    """
    input = as_array(input)
    number = axis_number(input, axis)
    weights = uniform_weights(size)
    images = tuple(range(input.ndim))
    return filtered(
        input, [along_axis(weights, number, images, sides_of(mode, cval), origin, len(weights))], output, edges=edges
    )


def uniform_filter(
    input: Any,
    size: Any = 3,
    output: Any = None,
    mode: Any = "reflect",
    cval: complex = 0.0,
    origin: Any = 0,
    *,
    axes: Any = None,
    **edges: Unpack[Edges],
) -> Any:
    """Mean of a window: `scipy.ndimage.uniform_filter` with any boundary mode, or one for each axis.

    One axis after the other, each result rounded to the dtype of the output (see `uniform_filter1d`).

    Args:
        input: array, see `diff_conv2d.ndimage`.
        size: samples of the window, for all axes or one for each.
        output: dtype of the result, or an array to write it to. That of `input` if None.
        mode: what lies outside: a word of scipy, or any of this library's, see `diff_conv2d.ndimage`; or a sequence
            with one for each filtered axis, which may be a pair for its two sides.
        cval: the value outside, in scipy's 'constant' and 'grid-constant'.
        origin: o, see `correlate1d`, for all axes or one for each.
        axes: the axes to filter, numbers or names, in the order of the other sequences; all if None. The others are a
            batch.
        edges: `mask`, `nan` and `fill`: what else is outside, see `ndimage.outside.Edges`.

    Returns:
        What `input` is, of its shape.

    Raises:
        ValueError: a value or a shape does not fit (also a RuntimeError, which scipy raises for some of these).
        TypeError: an argument is of the wrong kind.

    Example:
        >>> uniform_filter([[0.0, 9, 0], [0, 0, 0]], size=3, mode="nearest")
        array([[2., 2., 2.],
               [1., 1., 1.]])
    """
    input = as_array(input)
    return filtered(input, uniform_steps(input, size, mode, cval, origin, axes), output, edges=edges)
