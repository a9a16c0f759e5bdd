"""The ways of few calls for edge kernels: outputs and gradients are those of one call for each region."""

from math import prod
from unittest import mock

import pytest
import torch
from torch.autograd import gradgradcheck
from torch.utils._python_dispatch import TorchDispatchMode

from diff_conv2d import conv2d, precision
from diff_conv2d.algorithms import by_choice, displaced
from diff_conv2d.algorithms.regions import convolve_by_displacement, convolve_by_region, displacements
from diff_conv2d.geometry import Geometry, Kernels
from diff_conv2d.modes.polynomial import DiffExplicit

# Sizes, kernel, stride, dilation, before, after, groups.
PROBLEMS = {
    "3x3": ((6, 7), (3, 3), (1, 1), (1, 1), (1, 1), (1, 1), 1),
    "7x7": ((9, 11), (7, 7), (1, 1), (1, 1), (3, 3), (3, 3), 1),
    "depthwise": ((6, 7), (3, 5), (1, 1), (1, 1), (1, 2), (1, 2), 4),
    "strided": ((7, 8), (3, 3), (2, 3), (1, 1), (1, 1), (1, 1), 2),
    "dilated, uneven": ((9, 8), (3, 4), (1, 2), (2, 1), (2, 0), (3, 3), 1),
    "no window in the image": ((2, 3), (5, 5), (1, 1), (1, 1), (2, 2), (2, 2), 1),
    "no output without displacement": ((2, 2), (4, 4), (1, 1), (1, 1), (1, 2), (2, 1), 1),
    "one sample": ((1, 1), (3, 3), (1, 1), (2, 2), (2, 2), (2, 2), 1),
    "lines": ((6,), (5,), (1,), (1,), (2,), (2,), 2),
    "volumes": ((3, 4, 5), (3, 3, 3), (1, 2, 1), (1, 1, 1), (1, 1, 1), (1, 1, 1), 1),
}
# Where no window is displaced, there is no frame.
FRAMED = [name for name in PROBLEMS if name != "one sample"]
FREE = {"empty", "new_empty", "_unsafe_view"}


def tensors_of(name, bias, count=None):
    sizes, *settings, groups = PROBLEMS[name]
    geometry = Geometry(*settings)
    generator = torch.Generator().manual_seed(0)
    if count is None:
        count = prod(sum(displacements(geometry, axis)) + 1 for axis in range(len(sizes))) - 1
        shape = (count, 8, 4 // groups, *geometry.kernel)
    else:
        shape = (8, 4 // groups, *geometry.kernel)
    shapes = [(3, 4, *sizes), shape[-len(sizes) - 2 :], (8,), shape, shape[: -len(sizes) - 1]]
    made = [torch.randn(s, dtype=torch.float64, generator=generator).requires_grad_() for s in shapes]
    image, weight, own_bias, edge_weight, edge_bias = made
    kernels = Kernels(weight, own_bias if bias else None, groups, edge_weight, edge_bias if bias else None)
    return image, kernels, geometry


def leaves_of(image, kernels):
    return [t for t in (image, kernels.weight, kernels.bias, kernels.edge_weight, kernels.edge_bias) if t is not None]


def assert_same(way, plain, image, kernels):
    leaves = leaves_of(image, kernels)
    result, expected = way(), plain()
    torch.testing.assert_close(result, expected, rtol=1e-12, atol=1e-12)
    gradient = torch.randn(expected.shape, dtype=torch.float64, generator=torch.Generator().manual_seed(1))
    found, known = (torch.autograd.grad(y, leaves, gradient, allow_unused=True) for y in (result, expected))
    for leaf, a, b in zip(leaves, found, known, strict=True):
        # Where no output needs a kernel, its gradient is none or zero.
        a, b = (torch.zeros_like(leaf) if g is None else g for g in (a, b))
        torch.testing.assert_close(a, b, rtol=1e-11, atol=1e-11)


@pytest.mark.parametrize("bias", [True, False])
@pytest.mark.parametrize("name", FRAMED)
def test_at_once_is_one_displacement_after_the_other(name, bias):
    image, kernels, geometry = tensors_of(name, bias)
    arguments = image, kernels, geometry
    assert_same(
        lambda: displaced.convolve_at_once(*arguments), lambda: convolve_by_displacement(*arguments), image, kernels
    )


@pytest.mark.parametrize("bias", [True, False])
@pytest.mark.parametrize("name", PROBLEMS)
def test_by_choice_is_one_displacement_after_the_other(name, bias):
    image, kernels, geometry = tensors_of(name, bias)
    assert_same(
        lambda: by_choice.convolve_by_choice(image, kernels, geometry, "displacement", None),
        lambda: convolve_by_displacement(image, kernels, geometry),
        image,
        kernels,
    )


@pytest.mark.parametrize("bias", [True, False])
@pytest.mark.parametrize("name", PROBLEMS)
def test_one_edge_kernel_by_choice_is_one_strip_after_the_other(name, bias):
    image, kernels, geometry = tensors_of(name, bias, count=1)
    mode, (weight, own_bias, groups, *edge) = DiffExplicit(degree=1), kernels
    assert_same(
        lambda: by_choice.convolve_by_choice(image, kernels, geometry, "validity", mode.extend),
        lambda: convolve_by_region(mode, image, weight, own_bias, geometry, groups, *edge),
        image,
        kernels,
    )


def test_at_once_has_a_second_derivative():
    image, kernels, geometry = tensors_of("strided", bias=True)
    leaves = [t[:1] if t is image else t for t in leaves_of(image, kernels)]

    def sines(image, weight, bias, edge_weight, edge_bias):
        own = Kernels(weight, bias, kernels.groups, edge_weight, edge_bias)
        return displaced.convolve_at_once(image, own, geometry).sin()

    assert gradgradcheck(sines, leaves, fast_mode=True)


def test_what_is_not_finite_stays_in_its_windows():
    image, kernels, geometry = tensors_of("7x7", bias=True)
    image = image.detach().clone()
    image[0, 0, 0, 0] = torch.inf
    result, expected = (
        way(image, kernels, geometry) for way in (displaced.convolve_at_once, convolve_by_displacement)
    )
    torch.testing.assert_close(result, expected)


def finite_parts(tensors):
    return [torch.nan_to_num(t, 0.0, 0.0, 0.0) for t in tensors], [t.isfinite() for t in tensors]


@pytest.mark.parametrize("place", [0, 1, -1])
@pytest.mark.parametrize("number", [torch.nan, torch.inf])
@pytest.mark.parametrize("name", ["3x3", "strided", "no window in the image", "volumes"])
def test_a_gradient_that_is_not_finite_stays_in_its_own_kernel(name, number, place):
    image, kernels, geometry = tensors_of(name, bias=True)
    leaves, found = leaves_of(image, kernels), []
    for way in (displaced.convolve_at_once, convolve_by_displacement):
        result = way(image, kernels, geometry)
        gradient = torch.ones_like(result)
        gradient[0, 0].view(-1)[place] = number
        gradients = torch.autograd.grad(result, leaves, gradient, allow_unused=True)
        found.append([torch.zeros_like(a) if g is None else g for a, g in zip(leaves, gradients, strict=True)])
    torch.testing.assert_close(*map(finite_parts, found), rtol=1e-11, atol=1e-11)


@pytest.mark.parametrize("number", [torch.nan, torch.inf])
@pytest.mark.parametrize("mode", ["explicit", "diff_explicit"])
def test_an_image_that_is_not_finite_reaches_no_gradient_of_another_kernel(mode, number):
    image, kernels, _ = tensors_of("3x3", bias=True, count=None if mode == "explicit" else 1)
    image = image.detach().clone()
    image[0, 0, 0, 0] = number
    leaves, found = leaves_of(image, kernels)[1:], []
    for algorithm in ("auto", "memory"):
        arguments = {"edge_weight": kernels.edge_weight, "edge_bias": kernels.edge_bias, "algorithm": algorithm}
        result = conv2d(image, kernels.weight, kernels.bias, padding=1, padding_mode=mode, **arguments)
        found.append(torch.autograd.grad(result.sum(), leaves))
    torch.testing.assert_close(*map(finite_parts, found), rtol=1e-11, atol=1e-11)


@pytest.mark.parametrize("name", ["no output without displacement", "no window in the image"])
def test_a_second_derivative_where_a_kernel_has_no_output(name):
    image, kernels, geometry = tensors_of(name, bias=True)
    leaves, found = leaves_of(image, kernels), []
    for way in (displaced.convolve_at_once, convolve_by_displacement):
        result = way(image, kernels, geometry).sin().sum()
        (gradient,) = torch.autograd.grad(result, image, create_graph=True)
        found.append(torch.autograd.grad(gradient.cos().sum(), leaves, allow_unused=True, materialize_grads=True))
    torch.testing.assert_close(*found, rtol=1e-11, atol=1e-11)


class Launches(TorchDispatchMode):
    """Counts operators that compute or copy; a convolution's gradient counts once for each tensor."""

    count = 0

    def __torch_dispatch__(self, func, types, args=(), kwargs=None):
        name = func._schema.name.removeprefix("aten::")
        if name == "convolution_backward":
            self.count += sum(args[-1])
        elif not func.is_view and name not in FREE:
            self.count += 1
        return func(*args, **(kwargs or {}))


def counted(function):
    # The library asks for modes such as this one, and then leaves its faster ways.
    # As on a GPU.
    elsewhere = mock.patch.object(precision, "CPU", "none")
    with elsewhere, mock.patch.object(torch._C, "_len_torch_dispatch_stack", return_value=0), Launches() as launches:
        result = function()
    return launches.count, result


@pytest.mark.parametrize("name", FRAMED)
def test_at_once_is_at_most_eight_launches_and_eight_backwards(name):
    image, kernels, geometry = tensors_of(name, bias=True)
    displaced.convolve_at_once(image, kernels, geometry)
    forwards, result = counted(lambda: displaced.convolve_at_once(image, kernels, geometry))
    leaves = leaves_of(image, kernels)
    ones = torch.ones_like(result)
    backwards, _ = counted(lambda: torch.autograd.grad(result, leaves, ones, allow_unused=True))
    assert forwards <= 8
    assert backwards <= 8
