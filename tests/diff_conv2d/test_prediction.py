"""An image continued by given weights: one pass forwards, one for each axis backwards, and all derivatives."""

import pytest
import torch
from torch.autograd import gradcheck, gradgradcheck

from diff_conv2d.geometry import Geometry
from diff_conv2d.modes.adaptive import Adaptive, Predicted
from diff_conv2d.modes.base import AxisExtension

PROBLEMS = {
    "3x3": ((2, 2, 9, 10), 3, 1),
    "dilation-2": ((1, 2, 30, 12), 3, 2),
    "1d-k5": ((2, 2, 12), 5, 1),
    "1d-dilation-3": ((1, 2, 20), 3, 3),
    "3d": ((1, 1, 7, 8, 9), 3, 1),
    "7x7": ((1, 1, 12, 12), 7, 1),
    "one-axis-too-short": ((1, 2, 3, 40), 3, 1),
}


def _weights(image, geometry, axis):
    mode = Adaptive()
    sizes = mode.sizes(image.shape[geometry.dims[axis]], geometry, axis)
    return None if sizes is None else mode.weights(image, sizes, geometry, axis)


@pytest.fixture(params=[(name, ends) for name in PROBLEMS for ends in ("both", "uneven", "high")], ids="-".join)
def problem(request):
    """An image, its weights and a geometry."""
    name, ends = request.param
    shape, kernel, step = PROBLEMS[name]
    axes, width = len(shape) - 2, kernel // 2 * step
    before, after = {"both": (width, width), "uneven": (width, width - 1), "high": (0, width)}[ends]
    geometry = Geometry((kernel,) * axes, (1,) * axes, (step,) * axes, (before,) * axes, (after,) * axes)
    image = torch.randn(shape, dtype=torch.float64, generator=torch.Generator().manual_seed(0))
    return image, [_weights(image, geometry, axis) for axis in range(axes)], geometry


def test_the_quick_way_is_the_plain_way(problem):
    image, weights, geometry = problem
    mode = Predicted(weights, constant=True)
    expected = AxisExtension.extend(mode, image, geometry)
    torch.testing.assert_close(mode.extend(image, geometry), expected, rtol=1e-12, atol=1e-12)


def test_derivatives_of_every_kind(problem):
    image, weights, geometry = problem

    def run(x):
        return Predicted(weights, constant=True).extend(x, geometry)

    image.requires_grad_()
    assert gradcheck(run, (image,), check_forward_ad=True, check_batched_grad=True, fast_mode=True)
    assert gradgradcheck(run, (image,), fast_mode=True)


def test_gradients_of_a_stack_are_those_of_its_images():
    """Backwards, a gradient that is the same for all images meets weights that are not."""
    stack = torch.randn(3, 1, 2, 9, 9, dtype=torch.float64, generator=torch.Generator().manual_seed(0))
    geometry = Geometry((3, 3), (1, 1), (1, 1), (1, 1), (1, 1))
    gradient = torch.func.grad(lambda image: Adaptive().extend(image, geometry).sum())
    torch.testing.assert_close(torch.vmap(gradient)(stack), torch.stack([gradient(image) for image in stack]))
