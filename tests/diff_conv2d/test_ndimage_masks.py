"""Filters of arrays with samples that are masked or NaN."""

import dask.array as da
import numpy as np
import pytest
import scipy.ndimage
import torch
import xarray

from diff_conv2d import ndimage
from diff_conv2d.masks import MaskedBoundary

RNG = np.random.default_rng(0)
FILTERS = {
    "correlate": lambda x, **o: ndimage.correlate(x, np.arange(15.0).reshape(3, 5) - 4, **o),
    "convolve": lambda x, **o: ndimage.convolve(x, np.arange(6.0).reshape(2, 3) - 4, **o),
    "correlate1d": lambda x, **o: ndimage.correlate1d(x, [1, 2, 4, 8], axis=0, **o),
    "convolve1d": lambda x, **o: ndimage.convolve1d(x, [1, 2, 4, 8], **o),
    "gaussian_filter": lambda x, **o: ndimage.gaussian_filter(x, 0.6, **o),
    "gaussian_filter1d": lambda x, **o: ndimage.gaussian_filter1d(x, 0.6, order=1, **o),
    "gaussian_laplace": lambda x, **o: ndimage.gaussian_laplace(x, 0.6, **o),
    "gaussian_gradient_magnitude": lambda x, **o: ndimage.gaussian_gradient_magnitude(x, 0.6, **o),
    "laplace": ndimage.laplace,
    "sobel": ndimage.sobel,
    "prewitt": lambda x, **o: ndimage.prewitt(x, 0, **o),
    "uniform_filter": ndimage.uniform_filter,
    "uniform_filter1d": lambda x, **o: ndimage.uniform_filter1d(x, 4, **o),
    "generic_laplace": lambda x, **o: ndimage.generic_laplace(x, _second, extra_keywords=o),
    "generic_gradient_magnitude": lambda x, **o: ndimage.generic_gradient_magnitude(
        x, ndimage.sobel, extra_keywords=o
    ),
}


def _second(input, axis, output, mode, cval, **options):
    return ndimage.correlate1d(input, [1, -2, 1], axis, output, mode, cval, **options)


def blobs(*shape, seed=1):
    heights = scipy.ndimage.gaussian_filter(np.random.default_rng(seed).standard_normal(shape), 3)
    return heights < np.quantile(heights, 0.8)


def plane(*shape):
    rows, columns = np.indices(shape, float)
    return 3 * rows - 2 * columns + 5


def test_all_filters_are_tried():
    assert set(FILTERS) == set(ndimage.__all__)


@pytest.mark.parametrize("name", FILTERS)
@pytest.mark.parametrize("fill", ["adaptive", "polynomial"])
def test_a_plane_goes_on_through_a_mask(name, fill):
    """What is outside is filled by the plane, so that valid samples have the filter of the whole plane."""
    whole, mask = plane(30, 34), blobs(30, 34)
    expected = FILTERS[name](whole)
    for broken, options in (
        (np.where(mask, whole, np.nan), {"nan": "edge"}),
        (np.where(mask, whole, 1e9), {"mask": mask}),
    ):
        found = FILTERS[name](broken, fill=fill, **options)
        inside = np.zeros_like(mask)
        # The rim is extended from what is filled within reach alone.
        inside[4:-4, 4:-4] = mask[4:-4, 4:-4]
        np.testing.assert_allclose(found[inside], expected[inside], rtol=1e-7, atol=1e-6)
        assert np.isnan(found[~mask]).all()
        assert np.isfinite(found[mask]).all()


@pytest.mark.parametrize("name", FILTERS)
def test_nothing_outside_changes_nothing(name):
    image = RNG.standard_normal((12, 13))
    for options in ({"nan": "edge"}, {"mask": np.ones((12, 13), bool)}, {"nan": "spread"}, {"mask": None}):
        assert np.array_equal(FILTERS[name](image, **options), FILTERS[name](image))
    spread = np.where(np.arange(13) == 6, np.nan, image)
    assert np.array_equal(FILTERS[name](spread, nan="spread"), FILTERS[name](spread), equal_nan=True)


def test_nearest_beside_a_straight_edge_is_the_mode_nearest():
    image = RNG.standard_normal((10, 20))
    mask = np.ones((10, 20), bool)
    mask[:, 12:] = False
    found = ndimage.gaussian_filter(image, 1, mode="nearest", mask=mask, fill="nearest")
    np.testing.assert_allclose(found[:, :12], ndimage.gaussian_filter(image[:, :12], 1, mode="nearest"), rtol=1e-10)


def test_every_kind_of_array():
    image, mask = (
        np.where(blobs(40, 44), plane(40, 44) + RNG.standard_normal((40, 44)), np.nan),
        blobs(40, 44, seed=2),
    )
    options = {"mode": "nearest", "fill": "polynomial", "nan": "edge"}
    expected = ndimage.gaussian_filter(image, 1, mask=mask, **options)
    assert np.array_equal(np.isnan(expected), ~mask | np.isnan(image))
    tensor = torch.from_numpy(image).requires_grad_()
    found = ndimage.gaussian_filter(tensor, 1, mask=torch.from_numpy(mask), **options)
    found.nansum().backward()
    assert tensor.grad.isfinite().all()
    np.testing.assert_allclose(found.detach(), expected, rtol=1e-9)
    for lazy_mask in (mask, da.from_array(mask, chunks=13)):
        lazy = ndimage.gaussian_filter(da.from_array(image, chunks=(16, 20)), 1, mask=lazy_mask, **options)
        np.testing.assert_allclose(lazy.compute(scheduler="synchronous"), expected, rtol=1e-9)
    named = xarray.DataArray(image, dims=("y", "x"), coords={"y": np.arange(40)}, name="z")
    of_names = xarray.DataArray(mask.T, dims=("x", "y"))
    found = ndimage.gaussian_filter(named, 1, mask=of_names, **options)
    np.testing.assert_allclose(found.values, expected, rtol=1e-9)
    assert found.name == "z"


def test_chunks_choose_for_themselves_and_lose_nothing():
    image = np.where(blobs(60, 60), plane(60, 60), np.nan)
    found = ndimage.sobel(da.from_array(image, chunks=20), nan="edge").compute(scheduler="synchronous")
    np.testing.assert_allclose(found, ndimage.sobel(image, nan="edge"), rtol=1e-6, atol=1e-6)


def test_a_prepared_mask_is_for_many_images():
    mask = blobs(30, 31)
    prepared = MaskedBoundary(torch.from_numpy(mask), reach=2, method="nearest")
    for _ in range(2):
        image = RNG.standard_normal((30, 31))
        found = ndimage.correlate(image, np.ones((5, 5)), mode="nearest", mask=prepared)
        expected = ndimage.correlate(image, np.ones((5, 5)), mode="nearest", mask=mask, fill="nearest")
        inside = mask.copy()
        inside[:3] = inside[-3:] = inside[:, :3] = inside[:, -3:] = False
        np.testing.assert_allclose(found[inside], expected[inside], rtol=1e-10)


def test_a_mask_of_the_filtered_axes_serves_a_batch():
    stack, mask = RNG.standard_normal((3, 20, 22)), blobs(20, 22)
    found = ndimage.gaussian_filter(stack, 1, axes=(1, 2), mask=mask, fill="nearest")
    for image, one in zip(stack, found, strict=True):
        np.testing.assert_allclose(one, ndimage.gaussian_filter(image, 1, mask=mask, fill="nearest"), rtol=1e-12)
    # A stack whose axes come first.
    moved = ndimage.gaussian_filter(np.moveaxis(stack, 0, -1), 1, axes=(0, 1), mask=mask, fill="nearest")
    np.testing.assert_allclose(np.moveaxis(moved, -1, 0), found, rtol=1e-12)
    # NaN in one of them alone.
    stack[1, 4, 5] = np.nan
    found = ndimage.gaussian_filter(stack, 1, axes=(1, 2), nan="edge")
    assert np.isnan(found).sum() == 1


@pytest.mark.parametrize("mode", ["adaptive", "wrap", "linear_prediction", "random", "nearest", ("nearest", "wrap")])
def test_a_constant_stays_one_whatever_the_mode(mode):
    """However far from 0 it is, and however large the part that is outside."""
    level = np.full((30, 40), 3000.0)
    level[5:9, 5:9] = level[:, 20:] = np.nan
    for fill in ("nearest", "adaptive"):
        found = ndimage.uniform_filter(level, 5, mode=mode, nan="edge", fill=fill)
        np.testing.assert_allclose(found[~np.isnan(level)], 3000, rtol=1e-9)


@pytest.mark.parametrize("name", ["laplace", "gaussian_filter", "uniform_filter", "correlate"])
def test_bands_do_not_fill_each_other(name):
    """Where axes are left out, by `axes` or because nothing is summed along them."""
    stack = RNG.standard_normal((3, 20, 22)).cumsum(1)
    stack[1] += 1000
    stack[1, 6:10, 7:12] = np.nan
    call = {
        "laplace": lambda x, lead: ndimage.laplace(x, axes=(-2, -1), nan="edge"),
        "gaussian_filter": lambda x, lead: ndimage.gaussian_filter(x, (0, 1, 1)[1 - lead :], nan="edge"),
        "uniform_filter": lambda x, lead: ndimage.uniform_filter(x, (1, 3, 3)[1 - lead :], nan="edge"),
        "correlate": lambda x, lead: ndimage.correlate(x, np.ones((1, 3, 3)[1 - lead :]), nan="edge"),
    }[name]
    together = call(stack, 1)
    for image, found in zip(stack, together, strict=True):
        np.testing.assert_allclose(found, call(image, 0), rtol=1e-7, atol=1e-6)


def test_an_output_is_what_is_returned():
    image, mask = torch.randn(20, 22, dtype=torch.float64), torch.from_numpy(blobs(20, 22))
    output = torch.zeros(20, 22, dtype=torch.float64)
    assert ndimage.gaussian_filter(image, 1, mask=mask, output=output) is output
    assert torch.equal(output.isnan(), ~mask)
    named = xarray.DataArray(np.zeros((6, 6)), dims=("y", "x"))
    with pytest.raises(ValueError, match="output must have the axes of input"):
        ndimage.gaussian_filter(named, 1, output=named.transpose("x", "y").copy())


def test_transforms():
    stack, mask = torch.randn(2, 20, 22, dtype=torch.float64), torch.from_numpy(blobs(20, 22))
    together = torch.vmap(lambda image: ndimage.sobel(image, mask=mask, fill="nearest"))(stack)
    for image, found in zip(stack, together, strict=True):
        expected = ndimage.sobel(image, mask=mask, fill="nearest")
        torch.testing.assert_close(found, expected, equal_nan=True)


def test_nothing_is_filtered_and_yet_masked():
    image, mask = RNG.standard_normal((8, 9)), blobs(8, 9)
    for found in (ndimage.gaussian_filter(image, 0, mask=mask), ndimage.uniform_filter(image, 1, mask=mask)):
        assert np.array_equal(found, np.where(mask, image, np.nan), equal_nan=True)
    assert ndimage.gaussian_filter(np.zeros((0, 5)), 1, nan="edge").shape == (0, 5)


def test_small_arrays_by_chunks():
    for shape, sigma in (((10, 10), 2), ((3, 40), 1), ((1, 1), 1), ((60, 50), 4)):
        image = RNG.standard_normal(shape)
        image[0, 0] = np.nan
        found = ndimage.gaussian_filter(da.from_array(image, chunks=20), sigma, nan="edge", fill="nearest")
        expected = ndimage.gaussian_filter(image, sigma, nan="edge", fill="nearest")
        np.testing.assert_allclose(found.compute(scheduler="synchronous"), expected, rtol=1e-8)


@pytest.mark.parametrize("dtype", ["uint8", "int16", "float32", "complex64"])
def test_dtypes(dtype):
    mask = blobs(20, 22)
    image = plane(20, 22) + 50
    found = ndimage.uniform_filter(image.astype(dtype), mask=mask, fill="polynomial", mode="nearest")
    assert found.dtype == dtype
    inside = mask.copy()
    inside[:3] = inside[-3:] = inside[:, :3] = inside[:, -3:] = False
    tolerance = 1 if np.dtype(dtype).kind in "iu" else 1e-3
    assert np.abs(found[inside] - image[inside]).max() <= tolerance
    assert (found[~mask] == 0).all() if np.dtype(dtype).kind in "iu" else np.isnan(found[~mask]).all()
    output = np.empty((20, 22), dtype)
    assert ndimage.uniform_filter(image.astype(dtype), output=output, mask=mask, mode="nearest") is output


def test_all_outside_and_one_sample():
    nothing = np.full((5, 6), np.nan)
    assert np.isnan(ndimage.gaussian_filter(nothing, 1, nan="edge")).all()
    nothing[2, 3] = 7
    found = ndimage.gaussian_filter(nothing, 1, nan="edge", mode="nearest")
    assert np.isnan(found).sum() == 29


@pytest.mark.parametrize(
    ("options", "error", "message"),
    [
        ({"nan": "drop"}, ValueError, "nan must be 'spread' or 'edge', got 'drop'"),
        ({"nan": "edge", "fill": "linear"}, ValueError, "fill must be one of zeros, nearest, polynomial, adaptive"),
        ({"nan": "edge", "fill": {"degree": 2}}, ValueError, "a mapping with such a 'method'"),
        ({"mask": np.ones((3, 3), bool)}, ValueError, r"mask must have the shape of input, \(8, 9\)"),
        ({"mask": np.ones((8, 9))}, TypeError, "mask must hold booleans"),
        (
            {"nan": "edge", "fill": {"method": "nearest", "reach": 1}},
            ValueError,
            "a mapping with 'method' and perhaps",
        ),
        ({"mask": np.full((8, 9), "x")}, TypeError, "mask must hold booleans"),
        ({"masks": None}, TypeError, "unexpected argument 'masks'; besides scipy's there are mask, nan and fill"),
        (
            {"mask": MaskedBoundary(torch.zeros(8, 9, dtype=torch.bool), reach=0)},
            ValueError,
            r"mask must reach as far as the filter, \(1, 1\), got reach=\(0, 0\)",
        ),
        (
            {"mask": MaskedBoundary(torch.zeros(8, 9, dtype=torch.bool), reach=1), "fill": "nearest"},
            ValueError,
            "fill and nan must not be given beside a mask that is prepared",
        ),
        (
            {"mask": MaskedBoundary(torch.zeros(8, 8, dtype=torch.bool), reach=1)},
            ValueError,
            r"mask must be prepared for images of shape \(8, 9\), got \(8, 8\)",
        ),
    ],
)
def test_errors_name_the_argument(options, error, message):
    with pytest.raises(error, match=message):
        ndimage.uniform_filter(np.zeros((8, 9)), **options)
