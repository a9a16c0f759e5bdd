"""What derivatives need to know of a grid: the distance between its samples, told or read from coordinates."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import torch
from torch import Tensor

try:
    import numpy as np
except ImportError as error:
    raise ImportError("derivatives of arrays need numpy: pip install numpy") from error

__all__ = ["floating", "metres_of_a_degree", "spacing_of_coordinate", "spacings_of_axes"]

# The ellipsoid WGS84: its longer half axis in metres, and the square of its eccentricity.
_RADIUS, _ECCENTRICITY = 6378137.0, 0.00669437999014


def floating(array: Any) -> Any:
    """Return integers and bool as floating point: float32 up to 16 bits, float64 beyond; anything else as it is."""
    if isinstance(array, Tensor):
        few = array.dtype in (torch.bool, torch.uint8, torch.int8, torch.int16)
        whole = not (array.is_floating_point() or array.is_complex())
        return array.to(torch.float32 if few else torch.float64) if whole else array
    return array.astype(np.result_type(array.dtype, np.float32)) if array.dtype.kind in "biu" else array


def metres_of_a_degree(latitude: Any) -> tuple[Any, Any]:
    r"""Return how long a degree of latitude and a degree of longitude are, in metres on the ellipsoid WGS84.

    .. math:: \frac{\pi}{180} \frac{a (1 - e^2)}{(1 - e^2 \sin^2 \varphi)^{3/2}}, \qquad
        \frac{\pi}{180} \frac{a \cos \varphi}{(1 - e^2 \sin^2 \varphi)^{1/2}}

    with the longer half axis a and the eccentricity e.

    Args:
        latitude: in degrees north, a number or an array.

    Example:
        >>> [round(float(length)) for length in metres_of_a_degree(45.0)]
        [111132, 78847]
    """
    phi = np.deg2rad(latitude)
    bulge = 1 - _ECCENTRICITY * np.sin(phi) ** 2
    return np.deg2rad(_RADIUS * (1 - _ECCENTRICITY) / bulge**1.5), np.deg2rad(_RADIUS * np.cos(phi) / np.sqrt(bulge))


def spacing_of_coordinate(array: Any, number: int) -> float:
    """Return the distance between neighbouring samples along an axis of a DataArray, negative if they decrease.

    Raises:
        ValueError: the axis has no coordinate, or one that is not evenly spaced, to a thousandth or to its precision.
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
    if not step or off > 1e-3 * abs(step) + 4 * float(resolution * np.abs(exact).max()):
        raise ValueError(
            f"spacing must be given: the coordinate {name!r} must be evenly spaced, got steps from "
            f"{np.diff(exact).min():g} to {np.diff(exact).max():g}"
        )
    return step


def spacings_of_axes(array: Any, spacing: Any, numbers: Sequence[int]) -> list[float]:
    """Return the spacing along each of the axes.

    Raises:
        ValueError: a number is 0 or not finite, they are not one for each axis, or coordinates do not tell.
        TypeError: it is no number and no sequence of numbers.
    """
    if spacing is None:
        if isinstance(getattr(array, "dims", None), tuple):
            return [spacing_of_coordinate(array, number) for number in numbers]
        return [1.0] * len(numbers)
    values = np.asarray(spacing.detach().cpu() if isinstance(spacing, Tensor) else spacing)
    if values.dtype.kind not in "iuf":
        raise TypeError(f"spacing must be a number, or one for each axis; got {spacing!r}")
    if values.shape not in ((), (len(numbers),)):
        raise ValueError(f"spacing must hold one number for each of {len(numbers)} axes, got {spacing!r}")
    steps: list[float] = np.broadcast_to(values.astype(float), len(numbers)).tolist()
    if not np.isfinite(steps).all() or 0 in steps:
        raise ValueError(f"spacing must be finite and not 0, got {spacing!r}")
    return steps
