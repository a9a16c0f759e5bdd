"""Derivatives of arrays as people hold them, up to the rim: `gradient`, by central differences of any accuracy.

Needs numpy: ``pip install numpy``. Nothing else of this library imports this module.
"""

from __future__ import annotations

from collections.abc import Hashable, Sequence
from fractions import Fraction
from math import factorial
from typing import TYPE_CHECKING, Any

import numpy as np

from diff_conv2d.arguments import is_sequence
from diff_conv2d.grids import floating, spacings_of_axes
from diff_conv2d.modes import AnyMode
from diff_conv2d.ndimage.arrays import as_array, is_xarray
from diff_conv2d.ndimage.correlations import correlate

if TYPE_CHECKING:
    from typing_extensions import Unpack

    from diff_conv2d.ndimage.outside import Edges

__all__ = ["central_difference", "gradient"]


def gradient(
    array: Any,
    spacing: float | Sequence[float] | None = None,
    axis: int | Hashable | Sequence[int | Hashable] | None = None,
    order: int = 1,
    accuracy: int = 2,
    mode: AnyMode = "diff",
    **edges: Unpack[Edges],
) -> Any:
    r"""Differentiate along each axis by a central difference, continued beyond the ends by a boundary mode.

    .. math:: f^{(m)}(x_i) \approx h^{-m} \sum_{j=-r}^{r} c_j \, f(x_i + j h),
        \qquad r = \lfloor (m + 1) / 2 \rfloor - 1 + a / 2

    with the weights c of `central_difference`, the order m, the accuracy a and the spacing h. Inside, the error
    falls as h to the power a. With 'diff' the result is that of the polynomial through the 2 r + 1 samples nearest
    the end: exact for polynomials of degree 2 r, and for m = 1, a = 2 what ``numpy.gradient(edge_order=2)`` gives.
    Rough and noisy data want 'adaptive', or a lower degree: ``{"mode": "diff", "degree": 1}``.

    Args:
        array: numpy, dask, torch or xarray; integers are taken as floating point.
        spacing: distance between neighbouring samples, for all axes or one for each of `axis`; the result is in the
            array's unit divided by that of the spacing to the power `order`. If None it is 1, and for a DataArray
            what its coordinates say, with their sign.
        axis: one axis (a number, or a name of a DataArray), or several; all if None.
        order: of the derivative, from 1.
        accuracy: a, even, from 2.
        mode: how the array is extended; names of `ndimage`.
        edges: `mask`, `nan` and `fill`, see `ndimage.outside.Edges`: what is masked or NaN is outside, too.

    Returns:
        An array of the kind of `array`, or a tuple of one for each axis if there are several. A DataArray keeps
        coordinates, name and attributes, but for its units.

    Raises:
        ValueError: a value does not fit; the coordinates of a DataArray are missing, or not evenly spaced.
        TypeError: an argument is of the wrong kind.

    Example:
        >>> cubes = np.arange(5.0) ** 3
        >>> gradient(cubes, spacing=1.0, accuracy=4)  # 3 x^2
        array([ 0.,  3., 12., 27., 48.])
        >>> gradient(cubes, spacing=1.0, order=2, accuracy=4)  # 6 x
        array([ 0.,  6., 12., 18., 24.])
    """
    weights = [float(c) for c in central_difference(order, accuracy)]
    array = as_array(array)
    alone = axis is not None and not is_sequence(axis)
    axes: list[Any] = list(range(array.ndim)) if axis is None else [axis] if alone else list(axis)  # type: ignore
    numbers = [_number(array, entry) for entry in axes]
    if not numbers or len(set(numbers)) != len(numbers):
        raise ValueError(f"axis must name at least one axis, each once; got {axis!r} for {array.ndim} axes")
    steps = spacings_of_axes(array, spacing, numbers)
    for number in numbers:
        if not array.shape[number]:
            raise ValueError(f"array must have at least one sample along axis {number}, got shape {array.shape}")
    values, images, results = floating(array), sorted(numbers), []
    for number, step in zip(numbers, steps, strict=True):
        # Other axes are a batch.
        shape = [len(weights) if axis == number else 1 for axis in images]
        kernel = np.array([w / step**order for w in weights]).reshape(shape)
        result = correlate(values, kernel, mode=mode, axes=images, **edges)
        if is_xarray(result):
            # The result is in other units.
            result.attrs.pop("units", None)
        results.append(result)
    return results[0] if len(results) == 1 else tuple(results)


def central_difference(order: int, accuracy: int) -> list[Fraction]:
    """Return the weights of the central difference for a derivative, at -r, ..., r (see `gradient`).

    They differentiate the polynomial through 2 r + 1 samples at its middle: with Lagrange's polynomials l_j, weight j
    is the derivative of l_j at 0.

    Raises:
        ValueError: `order` is below 1, `accuracy` below 2 or odd, or more than 31 samples would be taken.
        TypeError: one is no integer.

    Example:
        >>> [str(c) for c in central_difference(1, 4)]
        ['1/12', '-2/3', '0', '2/3', '-1/12']
    """
    for name, value in (("order", order), ("accuracy", accuracy)):
        if not isinstance(value, int) or isinstance(value, bool):
            raise TypeError(f"{name} must be an integer, got {value!r}")
    if order < 1:
        raise ValueError(f"order must be at least 1, got {order}")
    if accuracy < 2 or accuracy % 2:
        raise ValueError(f"accuracy must be an even number from 2, got {accuracy}")
    reach = (order + 1) // 2 - 1 + accuracy // 2
    # Further out its weights round to nothing, and beyond the rim to nonsense.
    if reach > 15:
        raise ValueError(f"order and accuracy must be smaller, for at most 31 samples; got {order} and {accuracy}")
    places = range(-reach, reach + 1)
    weights = []
    for j in places:
        # The coefficients of l_j(x) = prod_i (x - i) / (j - i), lowest first.
        polynomial = [Fraction(1)]
        for i in places:
            if i != j:
                shifted = [Fraction(0), *polynomial]
                scaled = [*(i * c for c in polynomial), Fraction(0)]
                polynomial = [(a - b) / (j - i) for a, b in zip(shifted, scaled, strict=True)]
        weights.append(factorial(order) * polynomial[order])
    return weights


def _number(array: Any, entry: Any) -> int:
    """Return the number of an axis, from 0."""
    dims = getattr(array, "dims", None)
    if isinstance(dims, tuple) and entry in dims:
        return dims.index(entry)
    if not isinstance(entry, (int, np.integer)) or isinstance(entry, bool):
        raise TypeError(f"axis must be an integer, a name of a DataArray's axis, or several; got {entry!r}")
    if not -array.ndim <= entry < array.ndim:
        raise ValueError(f"axis must lie within {-array.ndim} and {array.ndim - 1}, got {entry}")
    number: int = int(entry) % array.ndim
    return number
