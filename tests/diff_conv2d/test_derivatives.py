"""Derivatives by central differences, up to the rim."""

import dask.array as da
import numpy as np
import pytest
import torch
import xarray

from diff_conv2d.derivatives import central_difference, gradient

RNG = np.random.default_rng(0)


@pytest.mark.parametrize(("order", "accuracy"), [(1, 2), (1, 4), (1, 6), (2, 2), (2, 4), (3, 2), (4, 4)])
def test_weights_solve_the_moment_equations(order, accuracy):
    """Sum c_j j^q is q! for q = order and 0 for all others that the weights can meet."""
    weights = central_difference(order, accuracy)
    reach = len(weights) // 2
    for q in range(len(weights)):
        moment = sum(c * j**q for c, j in zip(weights, range(-reach, reach + 1), strict=True))
        assert moment == (np.prod(range(1, q + 1)) if q == order else 0)


@pytest.mark.parametrize(("order", "accuracy"), [(1, 2), (1, 4), (1, 6), (2, 2), (2, 4), (3, 2)])
def test_exact_on_polynomials_up_to_the_rim(order, accuracy):
    degree, x = len(central_difference(order, accuracy)) - 1, 0.3 * np.arange(14.0)
    polynomial = np.polynomial.Polynomial(RNG.standard_normal(degree + 1))
    found = gradient(polynomial(x), spacing=0.3, order=order, accuracy=accuracy)
    np.testing.assert_allclose(found, polynomial.deriv(order)(x), rtol=1e-7, atol=1e-7)


def test_it_is_numpys_with_three_samples_at_the_rim():
    array = RNG.standard_normal((6, 7, 8))
    expected = np.gradient(array, 2.0, 0.5, 3.0, edge_order=2)
    for ours, numpys in zip(gradient(array, (2.0, 0.5, 3.0)), expected, strict=True):
        np.testing.assert_allclose(ours, numpys, rtol=1e-12, atol=1e-12)


def test_the_accuracy_is_the_order_of_the_error():
    errors = {}
    for accuracy in (2, 4, 6):
        for count in (20, 40):
            x, step = np.linspace(0, 1, count, retstep=True)
            found = gradient(np.sin(3 * x), step, accuracy=accuracy)
            errors[accuracy, count] = np.abs(found - 3 * np.cos(3 * x)).max()
        assert errors[accuracy, 20] / errors[accuracy, 40] > 0.7 * 2**accuracy


@pytest.mark.parametrize("dtype", ["float16", "float32", "float64", "complex64", "uint8", "int16", "int64", "bool"])
def test_dtypes(dtype):
    array = (np.arange(12) % 3).astype(dtype)
    found = gradient(array)
    assert found.dtype == (np.result_type(dtype, np.float32) if np.dtype(dtype).kind in "biu" else dtype)
    expected = gradient(array.astype(complex) if dtype == "complex64" else array.astype(float))
    np.testing.assert_allclose(found, expected, rtol=1e-3)


def test_every_kind_of_array():
    array = RNG.standard_normal((9, 10))
    expected = gradient(array, 2.0, axis=1, accuracy=4)
    tensor = torch.from_numpy(array).requires_grad_()
    found = gradient(tensor, 2.0, axis=1, accuracy=4)
    found.sum().backward()
    assert tensor.grad is not None
    np.testing.assert_allclose(found.detach(), expected)
    lazy = gradient(da.from_array(array, chunks=4), 2.0, axis=1, accuracy=4)
    np.testing.assert_allclose(lazy.compute(scheduler="synchronous"), expected, rtol=1e-10)
    about = {"name": "z", "attrs": {"a": 1, "units": "m"}}
    named = xarray.DataArray(array, dims=("y", "x"), coords={"x": 2.0 * np.arange(10)}, **about)
    found = gradient(named, axis="x", accuracy=4)
    np.testing.assert_allclose(found.values, expected)
    assert found.name == "z"
    assert found.attrs == {"a": 1}
    assert found.coords["x"].equals(named.coords["x"])


def test_coordinates_tell_the_spacing_and_its_sign():
    falling = xarray.DataArray(np.arange(5.0) ** 2, dims="y", coords={"y": 10.0 - 0.5 * np.arange(5)})
    np.testing.assert_allclose(gradient(falling), -2 * np.arange(5) / 0.5)
    # What float32 can hold of a grid of 1 / 120 of a degree counts as even.
    fine = (64.4 + np.arange(3000) / 120).astype(np.float32)
    assert np.isfinite(gradient(xarray.DataArray(np.zeros(3000), dims="x", coords={"x": fine})).values).all()


def test_other_axes_are_a_batch():
    stack = np.random.default_rng(1).standard_normal((3, 12, 13)).cumsum(1)
    stack[1] += 1000
    stack[1, 4:7, 5:8] = np.nan
    found = gradient(stack, 2.0, axis=(1, 2), mode="adaptive", nan="edge", fill="polynomial")
    for number, image in enumerate(stack):
        alone = gradient(image, 2.0, mode="adaptive", nan="edge", fill="polynomial")
        for together, own in zip(found, alone, strict=True):
            np.testing.assert_allclose(together[number], own, rtol=1e-7, atol=1e-7)


@pytest.mark.parametrize("spacing", [np.float32(2), np.array(2.0), np.array([2.0]), torch.tensor(2.0), [2]], ids=str)
def test_spacings_as_people_hold_them(spacing):
    np.testing.assert_allclose(gradient(np.arange(5.0), spacing), 0.5)


def test_gaps_are_edges():
    squares = np.arange(20.0) ** 2 + np.zeros((12, 1))
    squares[:, 10:12] = np.nan
    found = gradient(squares, axis=1, nan="edge", fill={"method": "polynomial", "degree": 2})
    expected = np.where(np.isnan(squares), np.nan, 2 * np.arange(20.0))
    np.testing.assert_allclose(found, expected, rtol=1e-9, atol=1e-9)


@pytest.mark.parametrize(
    ("call", "error", "message"),
    [
        (lambda x: gradient(x, order=0), ValueError, "order must be at least 1, got 0"),
        (lambda x: gradient(x, order=1.0), TypeError, "order must be an integer, got 1.0"),
        (lambda x: gradient(x, accuracy=3), ValueError, "accuracy must be an even number from 2, got 3"),
        (lambda x: gradient(x, accuracy=40), ValueError, "at most 31 samples; got 1 and 40"),
        (lambda x: gradient(x, spacing=0), ValueError, "spacing must be finite and not 0, got 0"),
        (lambda x: gradient(x, spacing=float("nan")), ValueError, "spacing must be finite"),
        (lambda x: gradient(x, spacing="1"), TypeError, "spacing must be a number"),
        (lambda x: gradient(x, spacing=(1.0, 2.0)), ValueError, "spacing must hold one number for each of 1 axes"),
        (lambda x: gradient(x, axis=1), ValueError, "axis must lie within -1 and 0, got 1"),
        (lambda x: gradient(x, axis="x"), TypeError, "axis must be an integer"),
        (lambda x: gradient(x, axis=(0, -1)), ValueError, "each once"),
        (lambda x: gradient(x[:0]), ValueError, "at least one sample along axis 0"),
        (lambda x: gradient(np.float64(1)), ValueError, "at least one axis"),
        (lambda x: gradient(x, mode="nonsense"), ValueError, "mode must be one of"),
        (
            lambda x: gradient(xarray.DataArray(x)),
            ValueError,
            "spacing must be given: the DataArray has no coordinate",
        ),
        (
            lambda x: gradient(xarray.DataArray(x, dims="x", coords={"x": np.array([0, 1, 2, 3, 5, 6])})),
            ValueError,
            "must be evenly spaced, got steps from 1 to 2",
        ),
        (
            lambda x: gradient(xarray.DataArray(x, dims="x", coords={"x": np.arange(6).astype("M8[D]")})),
            ValueError,
            "must hold at least two finite numbers, got 6 of dtype datetime64",
        ),
    ],
)
def test_errors_name_the_argument(call, error, message):
    with pytest.raises(error, match=message):
        call(np.arange(6.0))
