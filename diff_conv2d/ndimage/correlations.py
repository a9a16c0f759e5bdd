"""Correlation and convolution with any weights: scipy.ndimage's `correlate`, `convolve`, and along one axis."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

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

if TYPE_CHECKING:
    from typing_extensions import Unpack

    from diff_conv2d.ndimage.outside import Edges

__all__ = ["convolve", "convolve1d", "correlate", "correlate1d"]


def correlate1d(
    input: Any,
    weights: Any,
    axis: Any = -1,
    output: Any = None,
    mode: Any = "reflect",
    cval: complex = 0.0,
    origin: int = 0,
    **edges: Unpack[Edges],
) -> Any:
    r"""Correlate along one axis: `scipy.ndimage.correlate1d` with any boundary mode.

    .. math:: y(i) = \sum_{j=0}^{k-1} \bar w_j \, P(i - \lfloor k / 2 \rfloor - o + j)

    with origin o, and P the lines of the input as `mode` extends them.

    Args:
        input: array, see `diff_conv2d.ndimage`.
        weights: k numbers; a tensor of them may need a gradient.
        axis: number of the axis, or its name in a DataArray.
        output: dtype of the result, or an array to write it to. That of `input` if None.
        mode: what lies outside: a word of scipy, or any of this library's, see `diff_conv2d.ndimage`; two of them for
            the low and the high side of the axis.
        cval: the value outside, in scipy's 'constant' and 'grid-constant'.
        origin: o, by which the window is moved towards the low side, -(k // 2) to (k - 1) // 2.
        edges: `mask`, `nan` and `fill`: what else is outside, see `ndimage.outside.Edges`.

    Returns:
        What `input` is, of its shape.

    Raises:
        ValueError: a value or a shape does not fit (also a RuntimeError, which scipy raises for some of these).
        TypeError: an argument is of the wrong kind.

    Example:
        >>> correlate1d([2, 8, 0, 4, 1, 9, 9, 0], weights=[1, 3])
        array([ 8, 26,  8, 12,  7, 28, 36,  9])
        >>> correlate1d([0.0, 1, 4, 9], [1, -2, 1], mode="diff")  # the second derivative, up to the edge
        array([2., 2., 2., 2.])
    """
    input, weights = as_array(input), weights_of(weights)
    return filtered(input, [_line(input, weights.conj(), axis, mode, cval, origin)], output, edges=edges)


def convolve1d(
    input: Any,
    weights: Any,
    axis: Any = -1,
    output: Any = None,
    mode: Any = "reflect",
    cval: complex = 0.0,
    origin: int = 0,
    **edges: Unpack[Edges],
) -> Any:
    r"""Convolve along one axis: `scipy.ndimage.convolve1d` with any boundary mode.

    .. math:: y(i) = \sum_{j=0}^{k-1} w_j \, P(i + \lfloor k / 2 \rfloor + o - j)

    Args:
        input: array, see `diff_conv2d.ndimage`.
        weights: k numbers; a tensor of them may need a gradient.
        axis: number of the axis, or its name in a DataArray.
        output: dtype of the result, or an array to write it to. That of `input` if None.
        mode: what lies outside: a word of scipy, or any of this library's, see `diff_conv2d.ndimage`; two of them for
            the low and the high side of the axis.
        cval: the value outside, in scipy's 'constant' and 'grid-constant'.
        origin: o, by which the window is moved, as in scipy.
        edges: `mask`, `nan` and `fill`: what else is outside, see `ndimage.outside.Edges`.

    Returns:
        What `input` is, of its shape.

    Raises:
        ValueError: a value or a shape does not fit (also a RuntimeError, which scipy raises for some of these).
        TypeError: an argument is of the wrong kind.

    Example:
        >>> convolve1d([2, 8, 0, 4, 1, 9, 9, 0], weights=[1, 3])
        array([14, 24,  4, 13, 12, 36, 27,  0])
    """
    input, weights = as_array(input), mirrored(weights_of(weights))
    origin = -origin - 1 + weights.shape[0] % 2 if weights.ndim == 1 else 0
    return filtered(input, [_line(input, weights, axis, mode, cval, origin)], output, edges=edges)


def correlate(
    input: Any,
    weights: Any,
    output: Any = None,
    mode: Any = "reflect",
    cval: complex = 0.0,
    origin: Any = 0,
    *,
    axes: Any = None,
    **edges: Unpack[Edges],
) -> Any:
    r"""Correlate with a kernel of all axes: `scipy.ndimage.correlate` with any boundary mode, or one for each axis.

    .. math:: y(i) = \sum_j \bar w_j \, P(i - \lfloor k / 2 \rfloor - o + j)

    with indices i, j, sizes k and origins o for each axis, and P the input as `mode` extends it.

    Args:
        input: array, see `diff_conv2d.ndimage`.
        weights: with an axis for each filtered one; a tensor may need a gradient.
        output: dtype of the result, or an array to write it to. That of `input` if None.
        mode: what lies outside: a word of scipy, or any of this library's, see `diff_conv2d.ndimage`; or a sequence
            with one for each filtered axis, which may be a pair for its two sides.
        cval: the value outside, in scipy's 'constant' and 'grid-constant'.
        origin: o, one for all axes or one for each.
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
        >>> squares = np.add.outer(np.arange(3.0) ** 2, np.arange(3.0) ** 2)
        >>> correlate(squares, [[0, 1, 0], [1, -4, 1], [0, 1, 0]], mode="diff")  # the Laplacian, up to the corners
        array([[4., 4., 4.],
               [4., 4., 4.],
               [4., 4., 4.]])
    """
    return _of_images(input, weights_of(weights).conj(), output, mode, cval, origin, axes, edges, flip=False)


def convolve(
    input: Any,
    weights: Any,
    output: Any = None,
    mode: Any = "reflect",
    cval: complex = 0.0,
    origin: Any = 0,
    *,
    axes: Any = None,
    **edges: Unpack[Edges],
) -> Any:
    r"""Convolve with a kernel of all axes: `scipy.ndimage.convolve` with any boundary mode, or one for each axis.

    .. math:: y(i) = \sum_j w_j \, P(i + \lfloor k / 2 \rfloor + o - j)

    Args:
        input: array, see `diff_conv2d.ndimage`.
        weights: with an axis for each filtered one; a tensor may need a gradient.
        output: dtype of the result, or an array to write it to. That of `input` if None.
        mode: what lies outside: a word of scipy, or any of this library's, see `diff_conv2d.ndimage`; or a sequence
            with one for each filtered axis, which may be a pair for its two sides.
        cval: the value outside, in scipy's 'constant' and 'grid-constant'.
        origin: o, one for all axes or one for each.
        axes: the axes to filter, numbers or names, in the order of the other sequences; all if None. The others are a
            batch.
        edges: `mask`, `nan` and `fill`: what else is outside, see `ndimage.outside.Edges`.

    Returns:
        What `input` is, of its shape.

    Raises:
        ValueError: a value or a shape does not fit (also a RuntimeError, which scipy raises for some of these).
        TypeError: an argument is of the wrong kind.

    Example:
        >>> convolve([[0, 0, 0], [0, 1, 0], [0, 0, 0]], [[1, 2], [3, 4]])
        array([[1, 2, 0],
               [3, 4, 0],
               [0, 0, 0]])
    """
    return _of_images(input, weights_of(weights), output, mode, cval, origin, axes, edges, flip=True)


def _line(input: Any, weights: Any, axis: Any, mode: Any, cval: complex, origin: int) -> Any:
    number = axis_number(input, axis)
    if weights.ndim != 1 or weights.shape[0] < 1:
        raise FilterError(f"no filter weights given: weights must have one axis, got shape {tuple(weights.shape)}")
    return along_axis(weights, number, tuple(range(input.ndim)), sides_of(mode, cval), origin)


def _of_images(
    input: Any,
    weights: Any,
    output: Any,
    mode: Any,
    cval: complex,
    origin: Any,
    axes: Any,
    edges: Edges,
    flip: bool,
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
        return filtered(as_array(input * weights), [], output)
    return filtered(input, [of_all_axes(weights, images, sides, origins, skips_zeros=True)], output, edges=edges)
