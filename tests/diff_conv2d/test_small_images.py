"""Small images take ways of their own, of few calls: each gives what the plain way gives, and its gradients."""

from unittest import mock

import pytest
import torch
from torch.autograd import gradcheck, gradgradcheck

import diff_conv2d
from diff_conv2d import tracing
from diff_conv2d.algorithms import choice
from diff_conv2d.extension import by_gather, by_product, by_table, by_terms, in_place
from diff_conv2d.geometry import Geometry
from diff_conv2d.modes import base, boundary, kept_predictors

# Modes, with options, of one mode or of several, whose extension is fixed.
FIXED = {
    "symmetric": {"padding_mode": "symmetric"},
    "antireflect": {"padding_mode": "antireflect"},
    "diff": {"padding_mode": "diff"},
    "antisymmetric": {"padding_mode": "antisymmetric"},
    "constant": {"padding_mode": "constant", "value": 1.5},
    "constants": {"padding_mode": "constant", "value": (1.5, -2.0)},
    "dirichlet": {"padding_mode": "dirichlet", "value": 0.1},
    "dirichlets at samples": {"padding_mode": "dirichlet", "value": (0.1, 0.7), "at": "sample"},
    "neumann": {"padding_mode": "neumann", "value": 0.3},
    "pole": {"padding_mode": ("pole", "circular"), "sign": -1},
    "zeros and circular": {"padding_mode": ("zeros", "circular")},
    "zeros and antisymmetric": {"padding_mode": ("zeros", "antisymmetric")},
    "diff, zeros; zeros, replicate": {"padding_mode": (("diff", "zeros"), ("zeros", "replicate"))},
    "antisymmetric, diff; reflect": {"padding_mode": (("antisymmetric", "diff"), "reflect")},
    "antireflect, zeros; dirichlet": {"padding_mode": (("antireflect", "zeros"), "dirichlet")},
}
# Kernel, stride, dilation, before, after.
GEOMETRIES = {
    "3x3": Geometry((3, 3), (1, 1), (1, 1), (1, 1), (1, 1)),
    "5x3, uneven": Geometry((5, 3), (1, 1), (1, 1), (3, 0), (1, 2)),
    "dilated": Geometry((3, 3), (2, 1), (2, 2), (2, 2), (2, 2)),
}


def image_of(*shape, seed=0):
    return torch.randn(shape, dtype=torch.float64, generator=torch.Generator().manual_seed(seed))


@pytest.mark.parametrize("geometry", GEOMETRIES.values(), ids=GEOMETRIES)
@pytest.mark.parametrize("options", FIXED.values(), ids=FIXED)
def test_a_fixed_extension_is_that_of_one_axis_after_the_other(options, geometry):
    mode, image = boundary(**options), image_of(2, 2, 7, 8).requires_grad_()
    result, expected = mode.extend(image, geometry), mode.extend_by_axis(image, geometry)
    torch.testing.assert_close(result, expected, rtol=1e-12, atol=1e-12)
    assert torch.equal(result, mode.extend(image.detach(), geometry))
    gradient = image_of(*expected.shape, seed=1)
    gradients = [torch.autograd.grad(output, image, gradient)[0] for output in (result, expected)]
    torch.testing.assert_close(*gradients, rtol=1e-12, atol=1e-12)
    assert gradcheck(lambda x: mode.extend(x, geometry), image)
    assert gradgradcheck(lambda x: mode.extend(x, geometry).sin(), image)


@pytest.mark.parametrize("value", [torch.nan, torch.inf])
@pytest.mark.parametrize("options", FIXED.values(), ids=FIXED)
def test_what_is_not_finite_stays_where_the_plain_way_has_it(options, value):
    mode, image = boundary(**options), image_of(1, 2, 6, 6)
    image[0, 0, 0, 2] = image[0, 1, 3, 5] = value
    geometry = GEOMETRIES["3x3"]
    result, expected = (way(image, geometry).isfinite() for way in (mode.extend, mode.extend_by_axis))
    assert torch.equal(result, expected)


@pytest.mark.parametrize("number", [1e17, 1e9, -3e4])
def test_a_large_number_hides_no_sample(number):
    mode, image, geometry = (
        boundary("dirichlet", value=number),
        image_of(1, 1, 6, 6).requires_grad_(),
        GEOMETRIES["3x3"],
    )
    gradients = [
        torch.autograd.grad(way(image, geometry).sum(), image)[0] for way in (mode.extend, mode.extend_by_axis)
    ]
    torch.testing.assert_close(*gradients)


def test_a_gather_is_taken_for_small_images_of_modes_that_copy():
    geometry = GEOMETRIES["3x3"]
    with mock.patch.object(by_gather, "extended_by_gather", wraps=by_gather.extended_by_gather) as gather:
        for options in (FIXED["symmetric"], FIXED["pole"], FIXED["dirichlet"]):
            boundary(**options).extend(image_of(1, 2, 8, 8), geometry)
        assert gather.call_count == 3
        boundary(**FIXED["symmetric"]).extend(torch.zeros(1, 1, 400, 400), geometry)
        boundary(**FIXED["diff"]).extend(image_of(1, 2, 8, 8), geometry)
        assert gather.call_count == 3


@pytest.mark.parametrize("name", FIXED)
@pytest.mark.parametrize("dtype", [torch.float32, torch.float16])
def test_no_bit_of_the_image_is_changed(name, dtype):
    image = torch.where(image_of(1, 2, 6, 6) > 0, 0.0, -0.0).to(dtype)
    options = dict(FIXED[name])
    padded = diff_conv2d.pad(image, (1, 1, 1, 1), options.pop("padding_mode"), **options)[..., 1:-1, 1:-1]
    assert torch.equal(padded.signbit(), image.signbit())


def test_gathers_of_wide_paddings_are_not_kept():
    base._GATHERS.clear()
    with mock.patch.object(by_gather, "gather_of") as made:
        padded = diff_conv2d.pad(torch.ones(1, 1, 2, 2), (300, 300, 300, 300), "symmetric")
    assert torch.equal(padded, torch.ones(1, 1, 602, 602))
    assert not made.called
    assert not base._GATHERS


def test_what_inference_has_cached_serves_training():
    for cache in (base._GATHERS, choice._CHECKED):
        cache.clear()
    for cached in (base._planned, by_table._table, by_terms._terms, tracing._kept):
        cached.cache_clear()
    for name in ("symmetric", "diff", "learned", "explicit", "diff_explicit", "partial", ("zeros", "circular")):
        layer = diff_conv2d.Conv2d(2, 2, 3, padding=1, padding_mode=name)
        with torch.inference_mode():
            layer(torch.ones(1, 2, 6, 6))
        layer(torch.ones(1, 2, 6, 6, requires_grad=True)).sum().backward()


def test_what_was_found_right_once_does_not_hold_for_others():
    image, weight = torch.ones(1, 2, 6, 6), torch.ones(2, 2, 3, 3)
    for mode in ("diff", "zeros", "explicit"):
        edge = {"edge_weight": weight.expand(8, -1, -1, -1, -1)} if mode == "explicit" else {}
        arguments = {"padding": 1, "padding_mode": mode, **edge}
        diff_conv2d.conv2d(image, weight, **arguments)
        with pytest.raises(ValueError, match="input must have 2 channels"):
            diff_conv2d.conv2d(torch.ones(1, 3, 6, 6), weight, **arguments)
        with pytest.raises(TypeError, match="must have one dtype"):
            diff_conv2d.conv2d(image.double(), weight, **arguments)
        with pytest.raises(ValueError, match="bias must have shape"):
            diff_conv2d.conv2d(image, weight, torch.ones(3), **arguments)
    with pytest.raises(ValueError, match="edge_weight must be of shape"):
        diff_conv2d.conv2d(image, weight, padding=1, padding_mode="explicit", edge_weight=weight)


@pytest.mark.parametrize("shared", [False, True])
@pytest.mark.parametrize(("shape", "kernel"), [((2, 3, 9, 10), (3, 3)), ((1, 2, 11, 9), (5, 1))])
def test_trained_predictors_of_small_images(shape, kernel, shared):
    padding = tuple(k // 2 for k in kernel)
    layer = diff_conv2d.Conv2d(
        shape[1], 2, kernel, padding=padding, padding_mode="learned", shared=shared, dtype=torch.float64
    )
    for number, weights in enumerate(layer.predictors.parameters()):
        weights.data = image_of(*weights.shape, seed=number).to(weights.dtype)
    layer.double()
    image = image_of(*shape).requires_grad_()
    leaves = [image, *(weights for weights in layer.parameters() if weights.numel())]
    result = layer(image)
    with mock.patch.object(kept_predictors, "terms_of", return_value=None):
        expected = layer(image)
    torch.testing.assert_close(result, expected, rtol=1e-12, atol=1e-12)
    gradient = image_of(*expected.shape, seed=9)
    for found, plain in zip(*(torch.autograd.grad(y, leaves, gradient) for y in (result, expected)), strict=True):
        torch.testing.assert_close(found, plain, rtol=1e-11, atol=1e-11)


@pytest.mark.parametrize("pool", ["none", "channels"])
def test_kept_predictors_of_small_images(pool):
    fitted = diff_conv2d.fit(image_of(4, 3, 20, 20, seed=5), 1, pool=pool)
    image = image_of(2, 3, 17, 18).requires_grad_()
    result = diff_conv2d.pad(image, (1, 1, 1, 1), mode=fitted)
    with mock.patch.object(by_product, "terms_of", return_value=None):
        fitted._sides.clear()
        expected = diff_conv2d.pad(image, (1, 1, 1, 1), mode=fitted)
    torch.testing.assert_close(result, expected, rtol=1e-11, atol=1e-11)
    gradient = image_of(*expected.shape, seed=1)
    gradients = [torch.autograd.grad(y, image, gradient)[0] for y in (result, expected)]
    torch.testing.assert_close(*gradients, rtol=1e-11, atol=1e-11)
    fitted._sides.clear()
    assert gradgradcheck(lambda x: diff_conv2d.pad(x, (1, 1, 1, 1), mode=fitted).sin(), image[:1, :, :13, :13])


def test_a_plain_gradient_calls_no_function_of_autograd():
    calls = []
    x = torch.ones(3, requires_grad=True)
    y = in_place.linear(x, lambda x: 2 * x, lambda gradient: calls.append(gradient.requires_grad) or 2 * gradient)
    y.sum().backward()
    assert x.grad.tolist() == [2.0] * 3
    assert calls == [False]
