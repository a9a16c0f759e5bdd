"""Slope, aspect, curvature and shade of terrain, against their formulas, up to the rim."""

import dask.array as da
import numpy as np
import pytest
import scipy.ndimage
import torch
import xarray

import diff_conv2d
from diff_conv2d.terrain import aspect, curvature, hillshade, slope

RNG = np.random.default_rng(0)
EAST, SOUTH = np.arange(9.0) * np.ones((8, 1)), np.arange(8.0)[:, None] * np.ones(9)
HORN = np.array([[-1, 0, 1], [-2, 0, 2], [-1, 0, 1]]) / 8


def rough(*shape):
    return scipy.ndimage.gaussian_filter(RNG.standard_normal(shape), 1) * 30


@pytest.mark.parametrize("method", ["horn", "zevenbergen_thorne"])
@pytest.mark.parametrize("mode", ["adaptive", "diff", {"mode": "extrapolate", "degree": 1}])
def test_a_plane_is_a_plane_up_to_the_rim(method, mode):
    plane = 3 * EAST - 4 * SOUTH + 100
    options = {"spacing": (2.0, 1.0), "method": method, "mode": mode}
    np.testing.assert_allclose(slope(plane, units="percent", **options), 100 * np.hypot(3, 2), rtol=1e-9)
    np.testing.assert_allclose(slope(plane, **options), np.degrees(np.arctan(np.hypot(3, 2))), rtol=1e-9)
    # It rises to the east and to the north, and falls to the south-west.
    np.testing.assert_allclose(aspect(plane, **options), 180 + np.degrees(np.arctan2(3, 2)), rtol=1e-9)
    if mode != "adaptive":
        np.testing.assert_allclose(curvature(plane, spacing=(2.0, 1.0), mode=mode), 0, atol=1e-9)


def test_horns_kernels_inside_and_what_is_beyond_the_rim():
    """Against plain 3 x 3 correlations; at the rim with the image that the mode extends."""
    elevation = rough(12, 14)
    x, y = (scipy.ndimage.correlate(elevation, kernel)[1:-1, 1:-1] for kernel in (HORN / 5, HORN.T / 10))
    expected = np.degrees(np.arctan(np.hypot(x, y)))
    np.testing.assert_allclose(slope(elevation, (10.0, 5.0))[1:-1, 1:-1], expected, rtol=1e-12)
    for mode in ("mirror", "nearest", "diff"):
        ours = {"mirror": "reflect", "nearest": "replicate"}.get(mode, mode)
        padded = diff_conv2d.pad(torch.from_numpy(elevation)[None], (1, 1, 1, 1), mode=ours)[0].numpy()
        x, y = (scipy.ndimage.correlate(padded, kernel)[1:-1, 1:-1] for kernel in (HORN / 5, HORN.T / 10))
        expected = np.degrees(np.arctan(np.hypot(x, y)))
        np.testing.assert_allclose(slope(elevation, (10.0, 5.0), mode=mode), expected, rtol=1e-12, atol=1e-12)


@pytest.mark.parametrize(("rise", "falls_to"), [(EAST, 270), (-EAST, 90), (SOUTH, 0), (-SOUTH, 180)])
def test_aspect_points_downhill(rise, falls_to):
    np.testing.assert_allclose(aspect(rise, 1.0) % 360, falls_to, atol=1e-9)
    # Rows from south to north.
    np.testing.assert_allclose(aspect(rise, (-1.0, 1.0)) % 360, (180 - falls_to) % 360, atol=1e-9)
    assert np.isnan(aspect(0 * rise, 1.0)).all()


@pytest.mark.parametrize("mode", ["diff", "adaptive"])
def test_curvature_of_a_quadric(mode):
    """z = a x^2 + b x y + c y^2, its derivatives by hand."""
    x, y = (axis - 9.7 for axis in np.meshgrid(np.arange(20.0), np.arange(20.0)))
    y = -y
    a, b, c = 0.3, -0.2, 0.5
    z = a * x * x + b * x * y + c * y * y
    zx, zy = 2 * a * x + b * y, b * x + 2 * c * y
    along = (zx**2 * 2 * a + 2 * zx * zy * b + zy**2 * 2 * c) / (zx**2 + zy**2)
    across = (zy**2 * 2 * a - 2 * zx * zy * b + zx**2 * 2 * c) / (zx**2 + zy**2)
    for kind, expected in (("total", -2 * (a + c)), ("profile", -along), ("plan", -across)):
        np.testing.assert_allclose(curvature(z, 1.0, kind=kind, mode=mode), expected * np.ones_like(z), atol=1e-5)
    assert (curvature(np.zeros((20, 20)), 1.0, kind="profile") == 0).all()


def test_shade_is_that_of_slope_and_aspect():
    """GDAL's formula, from zenith and azimuth: cos z cos s + sin z sin s cos(a - aspect)."""
    elevation = rough(15, 16)
    s, falls_to = np.radians(slope(elevation, 2.0)), np.radians(aspect(elevation, 2.0))
    zenith, azimuth = np.radians(90 - 30), np.radians(250)
    expected = np.cos(zenith) * np.cos(s) + np.sin(zenith) * np.sin(s) * np.cos(azimuth - falls_to)
    found = hillshade(elevation, 2.0, azimuth=250, altitude=30)
    np.testing.assert_allclose(found, np.maximum(expected, 0), atol=1e-12)
    np.testing.assert_allclose(hillshade(elevation, 2.0, z_factor=3.0), hillshade(3 * elevation, 2.0), atol=1e-9)


def test_a_grid_of_degrees_has_the_lengths_of_wgs84():
    """A degree at 45 degrees north is 111131.7 m long along the meridian and 78846.8 m along the parallel."""
    latitude = 45 + 0.01 * np.arange(4, -5, -1.0)
    north = slope(np.arange(9.0)[:, None] * np.ones(9), 0.01, latitude, units="percent", mode="diff")
    np.testing.assert_allclose(north[4], 100 / 1111.317, rtol=1e-6)
    east = slope(np.arange(9.0) * np.ones((9, 1)), 0.01, latitude, units="percent", mode="diff")
    np.testing.assert_allclose(east[4], 100 / 788.468, rtol=1e-6)


def test_coordinates_of_a_data_array():
    elevation = rough(10, 12)
    planar = xarray.DataArray(
        elevation,
        dims=("y", "x"),
        coords={"y": 500 - 30.0 * np.arange(10), "x": 30.0 * np.arange(12)},
        attrs={"units": "m"},
    )
    found = slope(planar)
    np.testing.assert_allclose(found.values, slope(elevation, 30.0))
    assert (found.name, found.attrs) == ("slope", {"units": "degrees"})
    assert found.coords["y"].equals(planar.coords["y"])
    np.testing.assert_allclose(aspect(planar[::-1]).values[::-1], aspect(elevation, 30.0), rtol=1e-7)
    latitude = 30 + 0.1 * np.arange(9, -1, -1)
    degrees = xarray.DataArray(elevation, dims=("lat", "lon"), coords={"lat": latitude, "lon": 0.1 * np.arange(12)})
    np.testing.assert_allclose(slope(degrees).values, slope(elevation, 0.1, latitude), rtol=1e-9)


@pytest.mark.parametrize("function", [slope, aspect, curvature, hillshade])
def test_every_kind_of_array_agrees(function):
    elevation = rough(40, 50)
    expected = function(elevation, 5.0)
    tensor = torch.from_numpy(elevation).requires_grad_()
    found = function(tensor, 5.0)
    found.sum().backward()
    assert tensor.grad.isfinite().all()
    np.testing.assert_allclose(found.detach(), expected, atol=1e-9)
    lazy = function(da.from_array(elevation, chunks=(16, 20)), 5.0)
    np.testing.assert_allclose(lazy.compute(scheduler="synchronous"), expected, atol=1e-8)
    single = function(elevation.astype(np.float32), 5.0)
    assert single.dtype == np.float32
    whole = function(np.round(elevation).astype(np.int16), 5.0)
    assert whole.dtype == np.float32
    batch = function(np.stack([elevation, 2 * elevation]), 5.0)
    np.testing.assert_allclose(batch[0], expected, atol=1e-9)


def test_level_ground_is_level_beside_a_hole():
    level = np.full((20, 20), 3000.0)
    level[5:9, 5:9] = np.nan
    for kind in (level, level[None], torch.from_numpy(level), da.from_array(level, chunks=10)):
        found = np.asarray(slope(kind, 30.0, nan="edge")).reshape(20, 20)
        np.testing.assert_allclose(found[~np.isnan(level)], 0, atol=1e-9)
        assert np.array_equal(np.isnan(found), np.isnan(level))


def test_kinds_of_arrays_agree_beside_a_hole():
    rng = np.random.default_rng(2)
    walk = rng.standard_normal((30, 40)).cumsum(0).cumsum(1)
    walk[10:16, 12:20] = np.nan
    expected = slope(walk, 5.0, nan="edge", fill="polynomial")
    for kind in (walk[None], torch.from_numpy(walk), da.from_array(walk, chunks=15)):
        found = np.asarray(slope(kind, 5.0, nan="edge", fill="polynomial")).reshape(30, 40)
        np.testing.assert_allclose(found, expected, atol=1e-8)


@pytest.mark.parametrize("function", [slope, aspect, curvature, hillshade])
def test_where_there_is_no_elevation_there_is_no_result(function):
    elevation = rough(12, 13)
    elevation[5, 6] = np.nan
    for kind in (elevation, torch.from_numpy(elevation), da.from_array(elevation, chunks=6)):
        assert np.isnan(np.asarray(function(kind, 1.0))[5, 6])


def test_axes_are_told_by_their_names():
    elevation = rough(10, 12)
    coords = {"y": 500 - 30.0 * np.arange(10), "x": 30.0 * np.arange(12)}
    stack = xarray.DataArray(np.stack([elevation, 2 * elevation], -1), dims=("y", "x", "time"), coords=coords)
    expected = aspect(elevation, 30.0)
    for named in (stack, stack.transpose("x", "time", "y")):
        found = aspect(named)
        assert found.dims == named.dims
        np.testing.assert_allclose(found.isel(time=0).transpose("y", "x"), expected, atol=1e-9)
    marked = xarray.DataArray(
        elevation.T,
        dims=("a", "b"),
        coords={
            "a": ("a", 30.0 * np.arange(12), {"standard_name": "projection_x_coordinate"}),
            "b": ("b", 500 - 30.0 * np.arange(10), {"axis": "Y"}),
        },
    )
    np.testing.assert_allclose(aspect(marked).values.T, expected, atol=1e-9)
    with pytest.raises(ValueError, match="one axis of rows and one of columns"):
        slope(stack.rename(x="other").isel(time=0))


def test_rows_go_where_latitudes_and_coordinates_say():
    latitude = np.arange(-10.0, 11)
    rising_northwards = latitude[:, None] * np.ones(9) * 1000
    np.testing.assert_allclose(aspect(rising_northwards, 1.0, latitude), 180, atol=1e-6)
    np.testing.assert_allclose(aspect(rising_northwards[::-1], 1.0, latitude[::-1]), 180, atol=1e-6)
    named = xarray.DataArray(rising_northwards, dims=("y", "x"), coords={"y": latitude})
    np.testing.assert_allclose(aspect(named, 30.0), 180, atol=1e-6)
    np.testing.assert_allclose(aspect(named[::-1], 30.0), 180, atol=1e-6)


def test_units_of_coordinates():
    elevation, latitude, longitude = rough(10, 12), 46 - np.arange(10) / 3600, 7 + np.arange(12) / 3600
    expected = slope(elevation, 1 / 3600, latitude)

    def named(names, units):
        every = zip(names, (latitude, longitude), units, strict=True)
        coords = {name: (name, c, {"units": u} if u else {}) for name, c, u in every}
        return xarray.DataArray(elevation, dims=names, coords=coords)

    for names, units in (
        (("lat", "lon"), (None, None)),
        (("nav_lat", "nav_lon"), (None, None)),
        (("y", "x"), ("degrees_north", "degrees_east")),
        (("y", "x"), ("deg", "deg")),
    ):
        np.testing.assert_allclose(slope(named(names, units)), expected, rtol=1e-6)
    for names, units in ((("lat", "lon"), ("radians", "radians")), (("y", "x"), ("km", "km"))):
        with pytest.raises(ValueError, match=r"spacing must be given: the coordinate .* is in"):
            slope(named(names, units))
    with pytest.raises(ValueError, match="one has coordinates in degrees, the other not"):
        slope(named(("y", "x"), ("degrees_north", None)))


def test_masks_have_the_coordinates_of_the_map():
    elevation = xarray.DataArray(rough(8, 8), dims=("y", "x"), coords={"y": np.arange(8.0), "x": np.arange(8.0)})
    mask = elevation > 0
    assert slope(elevation, mask=mask).equals(slope(elevation, mask=mask.transpose()))
    for wrong in (mask[::-1], mask.assign_coords(x=mask.x + 1)):
        with pytest.raises(ValueError, match="mask must have the coordinates of input"):
            slope(elevation, mask=wrong)


def test_level_ground_has_a_gradient_and_angles_end_below_360():
    level = torch.zeros(6, 6, dtype=torch.float64, requires_grad=True)
    slope(level, 1.0).sum().backward()
    assert level.grad.isfinite().all()
    rows, columns = np.mgrid[0:20.0, 0:20.0]
    assert aspect((10 * rows + 1e-7 * columns).astype(np.float32), 1.0).max() < 360
    assert slope(np.zeros((4, 4), np.float16), 1.0).dtype == np.float32


@pytest.mark.parametrize("function", [slope, aspect, curvature, hillshade])
def test_a_coast_is_an_edge(function):
    """A quadric goes on through what is masked or NaN; nothing is lost but what is outside."""
    rows, columns = np.mgrid[0:40.0, 0:44.0]
    whole = 0.3 * rows**2 - 0.1 * rows * columns + 2 * columns
    land = np.hypot(rows - 18, columns - 25) > 7.5
    expected = function(whole, 5.0)
    fill = {"method": "polynomial", "degree": 2}
    for found in (
        function(np.where(land, whole, np.nan), 5.0, nan="edge", fill=fill),
        function(np.where(land, whole, -9999), 5.0, mask=land, fill=fill),
        function(torch.from_numpy(whole), 5.0, mask=torch.from_numpy(land), fill=fill).numpy(),
        function(np.stack([whole, whole]), 5.0, mask=land, fill=fill)[1],
        function(da.from_array(np.where(land, whole, np.nan), chunks=20), 5.0, nan="edge", fill=fill).compute(),
    ):
        inside = np.zeros_like(land)
        inside[3:-3, 3:-3] = land[3:-3, 3:-3]
        np.testing.assert_allclose(found[inside], expected[inside], rtol=1e-6, atol=1e-6)
        assert np.array_equal(np.isnan(found), ~land)


def test_the_whole_map_has_a_slope():
    """No frame is lost, and at the rim the error is below that of going on linearly, as GDAL does."""
    from experiments.data.terrain import load_terrain

    whole = load_terrain()[900:1157, 2000:2257].numpy()
    expected, found = slope(whole, 900.0)[1:-1, 1:-1], slope(whole[1:-1, 1:-1], 900.0)
    linear = slope(whole[1:-1, 1:-1], 900.0, mode={"mode": "extrapolate", "degree": 1})
    rim = np.ones(found.shape, bool)
    rim[1:-1, 1:-1] = False
    assert np.isfinite(found).all()
    error, of_linear = (np.sqrt(((s - expected)[rim] ** 2).mean()) for s in (found, linear))
    assert error < 0.85 * of_linear


@pytest.mark.parametrize(
    ("call", "error", "message"),
    [
        (lambda z: slope(z), ValueError, "spacing must be given"),
        (lambda z: slope(z, 0.0), ValueError, "spacing must be finite and not 0"),
        (lambda z: slope(z, (1.0, 1.0, 1.0)), ValueError, "spacing must hold one number for each of 2 axes"),
        (lambda z: slope(z, 1.0, method="other"), ValueError, "method must be 'horn' or 'zevenbergen_thorne'"),
        (
            lambda z: slope(z, 1.0, units="rad"),
            ValueError,
            "units must be 'degrees', 'radians' or 'percent', got 'rad'",
        ),
        (lambda z: slope(z[0], 1.0), ValueError, r"elevation must have rows and columns, got shape \(6,\)"),
        (lambda z: slope(z[:0], 1.0), ValueError, "elevation must have rows and columns"),
        (
            lambda z: slope(z, 1.0, [1.0, 2.0]),
            ValueError,
            "latitude must hold one number for each of 5 rows",
        ),
        (lambda z: slope(z, 1.0, 90 - np.arange(5.0)), ValueError, "between -90 and 90"),
        (
            lambda z: curvature(z, 1.0, kind="mean"),
            ValueError,
            "kind must be 'total', 'profile' or 'plan', got 'mean'",
        ),
        (lambda z: hillshade(z, 1.0, altitude=100), ValueError, "altitude must lie within 0 and 90 degrees, got 100"),
        (lambda z: slope(z, np.timedelta64(1, "D")), TypeError, "spacing must be a number"),
        (lambda z: slope(z.astype(complex), 1.0), TypeError, "elevation must hold real numbers"),
        (lambda z: hillshade(z, 1.0, altitude=None), TypeError, "altitude must be a number, got None"),
        (lambda z: hillshade(z, 1.0, azimuth="N"), TypeError, "azimuth must be a number, got 'N'"),
        (lambda z: hillshade(z, 1.0, azimuth=np.nan), ValueError, "azimuth and z_factor must be finite"),
    ],
)
def test_errors_name_the_argument(call, error, message):
    with pytest.raises(error, match=message):
        call(np.zeros((5, 6)))
