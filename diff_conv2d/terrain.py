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

from collections.abc import Callable, Sequence
from numbers import Real
from typing import TYPE_CHECKING, Any, Literal, NamedTuple

import numpy as np
import torch
from torch import Tensor

from diff_conv2d.grids import floating, metres_of_a_degree, spacing_of_coordinate, spacings_of_axes
from diff_conv2d.modes import AnyMode
from diff_conv2d.ndimage.arrays import as_array, edges_of, is_xarray
from diff_conv2d.ndimage.correlations import correlate
from diff_conv2d.ndimage.outside import opened

if TYPE_CHECKING:
    from typing_extensions import Unpack

    from diff_conv2d.ndimage.outside import Edges

__all__ = ["aspect", "curvature", "hillshade", "slope"]

Method = Literal["horn", "zevenbergen_thorne"]

# Names of axes and of coordinates (CF conventions) that go north or south, east or west, and those in degrees.
_GEOGRAPHIC = {"lat", "latitude", "lon", "long", "longitude", "nav_lat", "nav_lon", "rlat", "rlon"}
_GEOGRAPHIC |= {"grid_latitude", "grid_longitude"}
_ROWS = {"y", "northing", "projection_y_coordinate", *(name for name in _GEOGRAPHIC if "lat" in name)}
_COLUMNS = {"x", "easting", "projection_x_coordinate", *(name for name in _GEOGRAPHIC if "lon" in name)}
_SMOOTH = [0.25, 0.5, 0.25]
_FIRST = [-0.5, 0.0, 0.5]
_SECOND = [1.0, -2.0, 1.0]


class _Grid(NamedTuple):
    """Elevations, the distances to the next row northwards and the next column eastwards, and what is beyond the rim.

    Each distance is a number, or one for each row, (H, 1).
    """

    values: Any
    north: Any
    east: Any
    mode: AnyMode


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
            rasters, unless a negative spacing, `latitude` or the coordinates of a DataArray say otherwise. Axes of a
            DataArray are told by their names (y and x, lat and lon), wherever they stand. Where the map is NaN, so is
            the result.
        spacing: distance between neighbouring rows and between neighbouring columns, one number or two, in the unit
            of the elevation; in degrees where `latitude` is given. None: from the coordinates of a DataArray, which
            are degrees if their units say so, or, without units, if they are called latitude and longitude.
        latitude: degrees north of each row, (H,), of a grid of degrees. Lengths are then those of WGS84, and the
            elevation must be in metres, as with a DataArray of degrees.
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
        steepness = _length(x, y)
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
        # Rounded, an angle just below 0 is 360.
        angle = library.where(angle >= 360.0, 0.0, angle)
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

    return _mapped(compute, elevation, spacing, latitude, mode, edges, f"{kind}_curvature", "")


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
    for name, value in (("altitude", altitude), ("azimuth", azimuth), ("z_factor", z_factor)):
        if not isinstance(value, (Real, np.number)) or isinstance(value, bool):
            raise TypeError(f"{name} must be a number, got {value!r}")
    if not 0 <= altitude <= 90:
        raise ValueError(f"altitude must lie within 0 and 90 degrees, got {altitude!r}")
    if not np.isfinite([azimuth, z_factor]).all():
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
    return correlate(values, kernel, mode=grid.mode, axes=(-2, -1))


def _library(values: Any) -> Any:
    """The functions for an array: torch's for tensors, numpy's for numpy's and dask's."""
    return torch if isinstance(values, Tensor) else np


def _length(x: Any, y: Any) -> Any:
    """Return the root of x^2 + y^2, with gradient 0 where it is 0."""
    if not isinstance(x, Tensor):
        return np.hypot(x, y)
    level = (x == 0) & (y == 0)
    return torch.where(level, 0.0, torch.hypot(torch.where(level, 1.0, x), y))


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
    elevation = as_array(elevation)
    if not is_xarray(elevation):
        return _computed(compute, elevation, spacing, latitude, mode, edges)
    if elevation.ndim < 2:
        raise ValueError(f"elevation must have rows and columns, got shape {elevation.shape}")
    maps = elevation.transpose(..., *_names_of_rows_and_columns(elevation))
    if spacing is None:
        spacing = [spacing_of_coordinate(maps, number) for number in (-2, -1)]
        if latitude is None and _units(maps, -2) == _units(maps, -1) == "degrees":
            latitude = maps.coords[maps.dims[-2]].values
        elif _units(maps, -2) != _units(maps, -1):
            raise ValueError(
                f"spacing must be given: of the axes {maps.dims[-2:]} one has coordinates in degrees, the other not"
            )
    else:
        spacing = [
            abs(step) * np.sign(spacing_of_coordinate(maps, number))
            if maps.dims[number] in maps.coords
            else step * sign
            for number, step, sign in zip((-2, -1), spacings_of_axes(maps, spacing, (0, 1)), (-1, 1), strict=True)
        ]
    # Coordinates of rows rise northwards, rows of a raster southwards.
    spacing = [-spacing[0], spacing[1]]
    edges = edges_of(maps, edges, (maps.ndim - 2, maps.ndim - 1)) or {}
    result = maps.copy(data=_computed(compute, maps.data, spacing, latitude, mode, edges))
    result = result.transpose(*elevation.dims)
    result.name, result.attrs, result.encoding = name, {"units": units} if units else {}, {}
    return result


def _computed(
    compute: Callable[[_Grid], Any], elevation: Any, spacing: Any, latitude: Any, mode: AnyMode, edges: Edges
) -> Any:
    """Compute a quantity of maps (..., H, W); where a map has no elevation the quantity is NaN."""
    grid = _grid(elevation, spacing, latitude, mode)
    last = (grid.values.ndim - 2, grid.values.ndim - 1)
    # Once for all the filters of a quantity, which together reach the neighbours of a cell.
    filled, without_outside = opened(grid.values, edges, last, (1, 1))
    result = without_outside(compute(grid._replace(values=filled)))
    library = _library(grid.values)
    return result if edges else library.where(library.isnan(grid.values), float("nan"), result)


def _names_of_rows_and_columns(array: Any) -> tuple[Any, Any]:
    """Return which axes of a DataArray go north or south and which east or west; the last two if none tells.

    Raises:
        ValueError: only one of them is told, or several.
    """
    found: list[list[Any]] = [[], []]
    for name in array.dims:
        attributes = array.coords[name].attrs if name in array.coords else {}
        words = {str(name).lower(), str(attributes.get("standard_name", "")), str(attributes.get("axis", "")).lower()}
        for place, known in zip(found, (_ROWS, _COLUMNS), strict=True):
            if words & known:
                place.append(name)
    rows, columns = found
    if len(rows) == len(columns) == 1:
        return rows[0], columns[0]
    if not rows and not columns:
        return array.dims[-2], array.dims[-1]
    raise ValueError(
        f"elevation must have one axis of rows and one of columns, such as y and x or lat and lon; got {array.dims}"
    )


def _units(array: Any, number: int) -> str:
    """Return 'degrees' or 'length': what the coordinates of an axis of a DataArray are.

    Raises:
        ValueError: they have other units than degrees or metres.
    """
    name = array.dims[number]
    attributes = array.coords[name].attrs
    units = str(attributes.get("units", "")).strip().lower()
    if units.startswith("degree") or units in ("deg", "\N{DEGREE SIGN}"):
        return "degrees"
    if units and units not in ("m", "metre", "metres", "meter", "meters", "1"):
        raise ValueError(f"spacing must be given: the coordinate {name!r} is in {units!r}, not in metres or degrees")
    geographic = {str(name).lower(), str(attributes.get("standard_name", ""))} & _GEOGRAPHIC
    return "degrees" if geographic and not units else "length"


def _grid(elevation: Any, spacing: Any, latitude: Any, mode: AnyMode) -> _Grid:
    """Check a map, and find its distances."""
    if elevation.ndim < 2 or 0 in elevation.shape[-2:]:
        raise ValueError(f"elevation must have rows and columns, got shape {tuple(elevation.shape)}")
    if spacing is None:
        raise ValueError("spacing must be given: the distance between neighbouring cells, in the elevation's unit")
    values = floating(elevation)
    if values.is_complex() if isinstance(values, Tensor) else values.dtype.kind != "f":
        raise TypeError(f"elevation must hold real numbers, got {values.dtype}")
    if isinstance(values, Tensor):
        values = values.float() if values.dtype in (torch.float16, torch.bfloat16) else values
    elif values.dtype.itemsize < 4:
        values = values.astype(np.float32)
    rows, columns = spacings_of_axes(values, spacing, (0, 1))
    if latitude is None:
        return _Grid(values, -rows, columns, mode)
    degrees = np.asarray(latitude, dtype=float)
    if degrees.shape != (values.shape[-2],):
        raise ValueError(
            f"latitude must hold one number for each of {values.shape[-2]} rows, got shape {degrees.shape}"
        )
    if not (np.abs(degrees) < 90).all():
        raise ValueError(
            "latitude must lie between -90 and 90 degrees, the poles apart, where columns meet; got "
            f"{degrees.min()} to {degrees.max()}"
        )
    if len(degrees) > 1:
        # Rows go where the latitudes say.
        rows = abs(rows) * (-1 if degrees[-1] > degrees[0] else 1)
    along, across = (lengths[:, None] for lengths in metres_of_a_degree(degrees))
    north, east = -rows * along, columns * across
    if isinstance(values, Tensor):
        north, east = (torch.from_numpy(of_row).to(values) for of_row in (north, east))
    else:
        north, east = (of_row.astype(values.dtype) for of_row in (north, east))
    return _Grid(values, north, east, mode)
