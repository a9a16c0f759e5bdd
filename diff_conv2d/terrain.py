r"""Slope, aspect, curvature and shade of terrain, up to the rim of the map.

All are made of the first and second derivatives of the elevation z towards east (x) and north (y), from the 3 x 3
cells around each: by Horn's method each first derivative is the mean of three neighbouring rows or columns, weighted
1, 2, 1; Zevenbergen and Thorne take one. What lies beyond the rim is told by a boundary mode, axis by axis: the cells
are averaged along the rim first, and then continued beyond it, so that `adaptive` fits what it continues. Coasts and
gaps are edges, too: `mask` and `nan="edge"`.

References:
    | B. K. P. Horn, Hill shading and the reflectance map, Proceedings of the IEEE 69, 1981
    | L. W. Zevenbergen and C. R. Thorne, Quantitative analysis of land surface topography, 1987

Needs numpy: ``pip install numpy``.
"""

from __future__ import annotations

import sys
from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING, Any, Literal, NamedTuple

import numpy as np
import torch
from torch import Tensor

from diff_conv2d.grids import floating, metres_of_a_degree, spacing_of_coordinate, spacings_of_axes
from diff_conv2d.modes import AnyMode
from diff_conv2d.ndimage.arrays import edges_of
from diff_conv2d.ndimage.correlations import correlate
from diff_conv2d.ndimage.outside import prepared

if TYPE_CHECKING:
    from typing_extensions import Unpack

    from diff_conv2d.ndimage.outside import Edges

__all__ = ["aspect", "curvature", "hillshade", "slope"]

Method = Literal["horn", "zevenbergen_thorne"]

_SMOOTH = [0.25, 0.5, 0.25]
_FIRST = [-0.5, 0.0, 0.5]
_SECOND = [1.0, -2.0, 1.0]


class _Grid(NamedTuple):
    """Elevations, the distances to the next row northwards and the next column eastwards, and what lies outside.

    Each distance is a number, or one for each row, (H, 1).
    """

    values: Any
    north: Any
    east: Any
    mode: AnyMode
    edges: Edges


def slope(
    elevation: Any,
    spacing: float | Sequence[float] | None = None,
    latitude: Any = None,
    method: Method = "horn",
    units: Literal["degrees", "radians", "percent"] = "degrees",
    mode: AnyMode = "adaptive",
    **edges: Unpack[Edges],
) -> Any:
    r"""Return how steep the ground is.

    .. math:: \arctan \sqrt{z_x^2 + z_y^2}

    Args:
        elevation: map (..., H, W): numpy, dask, torch or xarray. Row 0 is the north and column 0 the west, as in
            rasters, unless a negative spacing or the coordinates of a DataArray say otherwise.
        spacing: distance between neighbouring rows and between neighbouring columns, one number or two, in the unit
            of the elevation; in degrees where `latitude` is given. None: from the coordinates of a DataArray, which
            are degrees if they are called latitude and longitude, or lat and lon, or have such units.
        latitude: degrees north of each row, (H,), of a grid of degrees; lengths are then those of WGS84, in metres.
        method: 'horn' or 'zevenbergen_thorne'.
        units: of the slope; 'percent' is 100 times the tangent.
        mode: how the map goes on beyond its rim; names of `ndimage`.
        edges: `mask`, `nan` and `fill`, see `ndimage.outside.Edges`: cells that are masked or NaN are outside, too.

    Returns:
        What `elevation` is. A DataArray keeps its coordinates, and is called 'slope'.

    Raises:
        ValueError: a value does not fit, or the spacing is not known.
        TypeError: an argument is of the wrong kind.

    Example:
        >>> plane = 3.0 * np.arange(5.0)[:, None] + 4.0 * np.arange(6.0)
        >>> slope(plane, spacing=5.0, units="percent").round(6)[0]
        array([100., 100., 100., 100., 100., 100.])
    """
    factors = {"degrees": 180 / np.pi, "radians": 1.0, "percent": 100.0}
    if units not in factors:
        raise ValueError(f"units must be 'degrees', 'radians' or 'percent', got {units!r}")

    def compute(grid: _Grid) -> Any:
        x, y = _first_derivatives(grid, method)
        steepness = _library(x).hypot(x, y)
        return factors[units] * (steepness if units == "percent" else _library(x).arctan(steepness))

    return _mapped(compute, elevation, spacing, latitude, mode, edges, "slope", {"percent": "%"}.get(units, units))


def aspect(
    elevation: Any,
    spacing: float | Sequence[float] | None = None,
    latitude: Any = None,
    method: Method = "horn",
    mode: AnyMode = "adaptive",
    **edges: Unpack[Edges],
) -> Any:
    """Return where the ground falls to, in degrees clockwise from north, 0 to 360; NaN where it is level.

    Args:
        elevation: see `slope`.
        spacing: see `slope`.
        latitude: see `slope`.
        method: see `slope`.
        mode: see `slope`.
        edges: see `slope`.

    Example:
        >>> falling_eastwards = -np.arange(4.0) * np.ones((3, 1))
        >>> aspect(falling_eastwards, spacing=1.0)[0]
        array([90., 90., 90., 90.])
    """

    def compute(grid: _Grid) -> Any:
        x, y = _first_derivatives(grid, method)
        library = _library(x)
        angle = library.rad2deg(library.arctan2(-x, -y)) % 360.0
        return library.where((x == 0) & (y == 0), float("nan"), angle)

    return _mapped(compute, elevation, spacing, latitude, mode, edges, "aspect", "degrees")


def curvature(
    elevation: Any,
    spacing: float | Sequence[float] | None = None,
    latitude: Any = None,
    kind: Literal["total", "profile", "plan"] = "total",
    mode: AnyMode = "adaptive",
    **edges: Unpack[Edges],
) -> Any:
    r"""Return how the ground bends: positive where it is convex, as a hilltop is, negative in hollows.

    .. math:: \text{total} = -(z_{xx} + z_{yy}), \qquad
        \text{profile} = -\frac{z_x^2 z_{xx} + 2 z_x z_y z_{xy} + z_y^2 z_{yy}}{z_x^2 + z_y^2}, \qquad
        \text{plan} = \text{total} - \text{profile}

    'profile' is along the steepest descent and 'plan' along the contour, both 0 where the ground is level.
    (Zevenbergen and Thorne; others multiply by 100, or give the profile the other sign.)

    Args:
        elevation: see `slope`.
        spacing: see `slope`.
        latitude: see `slope`.
        kind: 'total', 'profile' or 'plan'.
        mode: see `slope`.
        edges: see `slope`.

    Returns:
        What `elevation` is, in one over the unit of the spacing, for elevations in the same unit.

    Example:
        >>> valley = np.arange(-2.0, 3.0) ** 2 * np.ones((5, 1))
        >>> curvature(valley, spacing=1.0, mode="diff")[0]
        array([-2., -2., -2., -2., -2.])
    """
    if kind not in ("total", "profile", "plan"):
        raise ValueError(f"kind must be 'total', 'profile' or 'plan', got {kind!r}")

    def compute(grid: _Grid) -> Any:
        xx = _along(grid, grid.values, _SECOND, -1) / grid.east**2
        yy = _along(grid, grid.values, _SECOND, -2) / grid.north**2
        total = -(xx + yy)
        if kind == "total":
            return total
        x, y = _first_derivatives(grid, "zevenbergen_thorne")
        xy = _along(grid, x, _FIRST, -2) / grid.north
        steepness = x * x + y * y
        level = steepness == 0
        library = _library(x)
        bend = x * x * xx + 2 * x * y * xy + y * y * yy
        profile = library.where(level, 0.0, -bend / library.where(level, 1.0, steepness))
        return profile if kind == "profile" else library.where(level, 0.0, total - profile)

    return _mapped(compute, elevation, spacing, latitude, mode, edges, f"{kind}_curvature", "1/m")


def hillshade(
    elevation: Any,
    spacing: float | Sequence[float] | None = None,
    latitude: Any = None,
    azimuth: float = 315.0,
    altitude: float = 45.0,
    z_factor: float = 1.0,
    method: Method = "horn",
    mode: AnyMode = "adaptive",
    **edges: Unpack[Edges],
) -> Any:
    r"""Return how bright the sun makes the ground: the cosine between its rays and the upright of the ground.

    .. math:: \max\Bigl(0, \frac{\sin h - \cos h \, (z_x \sin a + z_y \cos a)}{\sqrt{1 + z_x^2 + z_y^2}}\Bigr)

    Args:
        elevation: see `slope`.
        spacing: see `slope`.
        latitude: see `slope`.
        azimuth: a, where the sun stands, in degrees clockwise from north.
        altitude: h, how high it stands, in degrees above the horizon, 0 to 90.
        z_factor: by how much elevations are exaggerated.
        method: see `slope`.
        mode: see `slope`.
        edges: see `slope`.

    Returns:
        What `elevation` is, 0 (dark) to 1. (GDAL's shade is 1 + 254 times that, rounded.)

    Example:
        >>> level = np.zeros((3, 4))
        >>> hillshade(level, spacing=1.0, altitude=30.0).round(6)[0]
        array([0.5, 0.5, 0.5, 0.5])
    """
    if not 0 <= altitude <= 90:
        raise ValueError(f"altitude must lie within 0 and 90 degrees, got {altitude!r}")
    if not np.isfinite(azimuth) or not np.isfinite(z_factor):
        raise ValueError(f"azimuth and z_factor must be finite, got {azimuth!r} and {z_factor!r}")
    a, h = np.deg2rad(azimuth), np.deg2rad(altitude)

    def compute(grid: _Grid) -> Any:
        x, y = (z_factor * part for part in _first_derivatives(grid, method))
        towards = float(np.sin(h)) - float(np.cos(h) * np.sin(a)) * x - float(np.cos(h) * np.cos(a)) * y
        shade = towards / _library(x).sqrt(1 + x * x + y * y)
        return shade.clamp_min(0) if isinstance(shade, Tensor) else np.maximum(shade, 0)

    return _mapped(compute, elevation, spacing, latitude, mode, edges, "hillshade", "1")


def _along(grid: _Grid, values: Any, weights: Sequence[float], axis: int) -> Any:
    """Correlate along the rows (-1) or the columns (-2) of maps; further axes are a batch of them."""
    kernel = np.array(weights)[None] if axis == -1 else np.array(weights)[:, None]
    return correlate(values, kernel, mode=grid.mode, axes=(-2, -1), **grid.edges)


def _library(values: Any) -> Any:
    """The functions for an array: torch's for tensors, numpy's for numpy's and dask's."""
    return torch if isinstance(values, Tensor) else np


def _first_derivatives(grid: _Grid, method: str) -> tuple[Any, Any]:
    """Return the derivatives towards east and north."""
    if method not in ("horn", "zevenbergen_thorne"):
        raise ValueError(f"method must be 'horn' or 'zevenbergen_thorne', got {method!r}")
    rows = columns = grid.values
    if method == "horn":
        rows, columns = (_along(grid, grid.values, _SMOOTH, axis) for axis in (-2, -1))
    east = _along(grid, rows, _FIRST, -1) / grid.east
    return east, _along(grid, columns, _FIRST, -2) / grid.north


def _mapped(
    compute: Callable[[_Grid], Any],
    elevation: Any,
    spacing: Any,
    latitude: Any,
    mode: AnyMode,
    edges: Edges,
    name: str,
    units: str,
) -> Any:
    """Compute a quantity of a map of any kind."""
    xarray = sys.modules.get("xarray")
    if xarray is None or not isinstance(elevation, xarray.DataArray):
        return compute(_grid(elevation, spacing, latitude, mode, edges))
    if elevation.ndim < 2:
        raise ValueError(f"elevation must have rows and columns, got shape {elevation.shape}")
    if spacing is None:
        spacing = [spacing_of_coordinate(elevation, number) for number in (-2, -1)]
        # Latitudes rise northwards, rows of a raster southwards.
        spacing[0] = -spacing[0]
        if latitude is None and all(_in_degrees(elevation, number) for number in (-2, -1)):
            latitude = elevation.coords[elevation.dims[-2]].values
    edges = edges_of(elevation, edges) or {}
    result = elevation.copy(data=compute(_grid(elevation.data, spacing, latitude, mode, edges)))
    result.name, result.attrs, result.encoding = name, {"units": units}, {}
    return result


def _in_degrees(array: Any, number: int) -> bool:
    """Whether a coordinate of a DataArray is a latitude or a longitude."""
    name = array.dims[number]
    units = str(array.coords[name].attrs.get("units", "")).lower()
    return units.startswith("degree") or str(name).lower() in ("lat", "latitude", "lon", "longitude")


def _grid(elevation: Any, spacing: Any, latitude: Any, mode: AnyMode, edges: Edges) -> _Grid:
    """Check a map, and find its distances."""
    values = elevation if hasattr(elevation, "ndim") else np.asarray(elevation)
    if values.ndim < 2 or 0 in values.shape[-2:]:
        raise ValueError(f"elevation must have rows and columns, got shape {tuple(values.shape)}")
    if spacing is None:
        raise ValueError("spacing must be given: the distance between neighbouring cells, in the elevation's unit")
    values = floating(values)
    if edges and values.ndim == 2:
        edges = prepared(values, edges, (1, 1))
    rows, columns = spacings_of_axes(values, spacing, (0, 1))
    if latitude is None:
        return _Grid(values, -rows, columns, mode, edges)
    degrees = np.asarray(latitude, dtype=float)
    if degrees.shape != (values.shape[-2],) or not (np.abs(degrees) < 90).all():
        raise ValueError(
            f"latitude must hold one number of degrees for each of {values.shape[-2]} rows, between -90 and 90; got "
            f"shape {degrees.shape} from {degrees.min(initial=90)} to {degrees.max(initial=-90)}"
        )
    along, across = (lengths[:, None] for lengths in metres_of_a_degree(degrees))
    north, east = -rows * along, columns * across
    if isinstance(values, Tensor):
        north, east = (torch.from_numpy(of_row).to(values) for of_row in (north, east))
    else:
        north, east = (of_row.astype(values.dtype) for of_row in (north, east))
    return _Grid(values, north, east, mode, edges)
