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
            "latitude must hold one number of degrees for each of 5 rows",
        ),
        (lambda z: slope(z, 1.0, 90 - np.arange(5.0)), ValueError, "between -90 and 90"),
        (
            lambda z: curvature(z, 1.0, kind="mean"),
            ValueError,
            "kind must be 'total', 'profile' or 'plan', got 'mean'",
        ),
        (lambda z: hillshade(z, 1.0, altitude=100), ValueError, "altitude must lie within 0 and 90 degrees, got 100"),
        (lambda z: hillshade(z, 1.0, azimuth=np.nan), ValueError, "azimuth and z_factor must be finite"),
    ],
)
def test_errors_name_the_argument(call, error, message):
    with pytest.raises(error, match=message):
        call(np.zeros((5, 6)))
