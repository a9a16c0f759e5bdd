"""Derivatives of arrays as people hold them, up to the rim: `gradient`, by central differences of any accuracy.

Needs numpy: ``pip install diff-conv2d[arrays]``. Nothing else of this library but `terrain` imports this module.
"""

from __future__ import annotations

import sys
from collections.abc import Hashable, Sequence
from fractions import Fraction
from math import factorial
from numbers import Real
from typing import Any

import numpy as np

from diff_conv2d.arguments import is_sequence
from diff_conv2d.modes import AnyMode
from diff_conv2d.ndimage import correlate1d

__all__ = ["central_difference", "gradient", "spacing_of_coordinate"]


def gradient(
    array: Any,
    spacing: float | Sequence[float] | None = None,
    axis: int | Hashable | Sequence[int | Hashable] | None = None,
    order: int = 1,
    accuracy: int = 2,
    mode: AnyMode = "diff",
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

    Returns:
        An array of the kind of `array`, or a tuple of one for each axis if there are several. A DataArray keeps
        coordinates, attributes and name.

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
    array = array if hasattr(array, "ndim") else np.asarray(array)
    alone = axis is not None and not is_sequence(axis)
    axes: list[Any] = list(range(array.ndim)) if axis is None else [axis] if alone else list(axis)  # type: ignore
    numbers = [_number(array, entry) for entry in axes]
    if not numbers or len(set(numbers)) != len(numbers):
        raise ValueError(f"axis must name at least one axis, each once; got {axis!r} for {array.ndim} axes")
    steps = _spacings(array, spacing, numbers)
    values = floating(array)
    results = []
    for number, step in zip(numbers, steps, strict=True):
        if not array.shape[number]:
            raise ValueError(f"array must have at least one sample along axis {number}, got shape {array.shape}")
        results.append(correlate1d(values, [w / step**order for w in weights], number, mode=mode))
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


def floating(array: Any) -> Any:
    """Return integers and bool as floating point: float32 up to 16 bits, float64 beyond; anything else as it is."""
    torch = sys.modules["torch"]
    if isinstance(array, torch.Tensor):
        few = array.dtype in (torch.bool, torch.uint8, torch.int8, torch.int16)
        whole = not (array.is_floating_point() or array.is_complex())
        return array.to(torch.float32 if few else torch.float64) if whole else array
    return array.astype(np.result_type(array.dtype, np.float32)) if array.dtype.kind in "biu" else array


def spacing_of_coordinate(array: Any, number: int) -> float:
    """Return the distance between neighbouring samples along an axis of a DataArray, negative if they decrease.

    Raises:
        ValueError: the axis has no coordinate, or samples that are not evenly spaced to the precision of theirs.
    """
    name = array.dims[number]
    if name not in array.coords:
        raise ValueError(f"spacing must be given: the DataArray has no coordinate for its axis {name!r}")
    values = np.asarray(array.coords[name].values)
    if values.dtype.kind not in "iuf" or values.size < 2 or not np.isfinite(values).all():
        raise ValueError(
            f"spacing must be given: the coordinate {name!r} must hold at least two finite numbers, got "
            f"{values.size} of dtype {values.dtype}"
        )
    exact = values.astype(float)
    step = float(exact[-1] - exact[0]) / (exact.size - 1)
    even = exact[0] + step * np.arange(exact.size)
    resolution = np.finfo(values.dtype).eps if values.dtype.kind == "f" else 0.0
    off = float(np.abs(exact - even).max())
    if not step or off > 1e-6 * abs(step) + 4 * float(resolution * np.abs(exact).max()):
        raise ValueError(
            f"spacing must be given: the coordinate {name!r} must be evenly spaced, got steps from "
            f"{np.diff(exact).min():g} to {np.diff(exact).max():g}"
        )
    return step


def _number(array: Any, entry: Any) -> int:
    """Return the number of an axis, from 0."""
    dims = getattr(array, "dims", None)
    if isinstance(dims, tuple) and entry in dims:
        return dims.index(entry)
    if not isinstance(entry, (int, np.integer)) or isinstance(entry, bool):
        raise TypeError(f"axis must be an integer, a name of a DataArray's axis, or several; got {entry!r}")
    if not -array.ndim <= entry < array.ndim:
        raise ValueError(f"axis must lie within {-array.ndim} and {array.ndim - 1}, got {entry}")
    return int(entry) % array.ndim


def _spacings(array: Any, spacing: Any, numbers: Sequence[int]) -> list[float]:
    """Return the spacing along each of the axes."""
    if spacing is None:
        if isinstance(getattr(array, "dims", None), tuple):
            return [spacing_of_coordinate(array, number) for number in numbers]
        return [1.0] * len(numbers)
    entries = list(spacing) if is_sequence(spacing) else [spacing] * len(numbers)
    if len(entries) != len(numbers):
        raise ValueError(f"spacing must hold one number for each of {len(numbers)} axes, got {spacing!r}")
    for entry in entries:
        if not isinstance(entry, (Real, np.number)) or isinstance(entry, bool):
            raise TypeError(f"spacing must be a number, or one for each axis; got {spacing!r}")
        if not np.isfinite(entry) or not entry:
            raise ValueError(f"spacing must be finite and not 0, got {spacing!r}")
    return [float(entry) for entry in entries]
