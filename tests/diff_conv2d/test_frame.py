"""A convolution by its frame is that of the continued image, and so are its derivatives."""

import pytest
import torch
from torch.autograd import forward_ad, gradcheck, gradgradcheck

from diff_conv2d.algorithms.blocks import faster_in_blocks, valid_convolution
from diff_conv2d.algorithms.frame import better_by_frame, convolve_by_frame
from diff_conv2d.functional import DiffConv2d
from diff_conv2d.geometry import Geometry
from diff_conv2d.layers import DiffConv2dLayer
from diff_conv2d.modes.polynomial import Diff

# Shape of the image, kernel, stride, dilation, padding, groups.
PROBLEMS = {
    "3x3": ((2, 4, 12, 15), (3, 3), (1, 1), (1, 1), (1, 1), 1),
    "5x3, groups": ((2, 4, 12, 15), (5, 3), (1, 1), (1, 1), (2, 1), 2),
    "strides, dilation": ((2, 4, 20, 17), (3, 5), (2, 3), (2, 1), (2, 2), 1),
    "no interior": ((1, 2, 3, 3), (5, 5), (1, 1), (1, 1), (2, 2), 1),
    "no interior along one axis": ((1, 2, 2, 9), (7, 7), (1, 1), (1, 1), (3, 3), 1),
    "lines": ((1, 2, 30), (7,), (1,), (2,), (6,), 1),
    "volumes": ((1, 2, 6, 7, 5), (3, 3, 3), (1, 1, 1), (1, 1, 1), (1, 1, 1), 1),
    "more than the kernel reaches": ((1, 2, 9, 9), (3, 3), (1, 1), (1, 1), (2, 2), 1),
    "no padding": ((1, 2, 9, 9), (3, 3), (1, 1), (1, 1), (0, 0), 1),
}


@pytest.fixture(params=PROBLEMS)
def problem(request):
    shape, kernel, stride, dilation, padding, groups = PROBLEMS[request.param]
    source = torch.Generator().manual_seed(0)
    shapes = shape, (4, shape[1] // groups, *kernel), (4,)
    tensors = [torch.randn(s, dtype=torch.float64, generator=source).requires_grad_() for s in shapes]
    geometry = Geometry(kernel, stride, dilation, padding, padding)

    def run(image, weight, bias):
        return convolve_by_frame(Diff(), image, weight, bias, geometry, groups)

    def expected(image, weight, bias):
        return valid_convolution(Diff().extend(image, geometry), weight, bias, geometry, groups)

    return run, expected, tensors


def test_it_is_the_convolution_of_the_continued_image(problem):
    run, expected, tensors = problem
    result, other = run(*tensors), expected(*tensors)
    torch.testing.assert_close(result, other, rtol=1e-12, atol=1e-12)
    grad = torch.randn_like(other)
    for found, wanted in zip(
        torch.autograd.grad(result, tensors, grad), torch.autograd.grad(other, tensors, grad), strict=True
    ):
        torch.testing.assert_close(found, wanted, rtol=1e-11, atol=1e-11)


def test_derivatives_of_every_kind(problem):
    run, _, tensors = problem
    assert gradcheck(run, tensors, fast_mode=True)
    assert gradgradcheck(run, tensors, fast_mode=True)


def test_only_what_is_asked_for_gets_a_gradient(problem):
    run, expected, (image, weight, bias) = problem
    frozen = weight.detach()
    (found,) = torch.autograd.grad(run(image, frozen, bias.detach()).square().sum(), image)
    (wanted,) = torch.autograd.grad(expected(image, frozen, bias.detach()).square().sum(), image)
    torch.testing.assert_close(found, wanted, rtol=1e-11, atol=1e-11)
    still = image.detach()
    (found,) = torch.autograd.grad(run(still, weight, None).square().sum(), weight)
    (wanted,) = torch.autograd.grad(expected(still, weight, None).square().sum(), weight)
    torch.testing.assert_close(found, wanted, rtol=1e-11, atol=1e-11)


@pytest.mark.parametrize("size", [(3, 3), (5, 3), (2, 4)])
def test_forward_derivatives_go_another_way(size):
    """Tangents are no values of their tensors, so that the plain operations carry them."""
    source = torch.Generator().manual_seed(0)
    image, along_image = torch.randn(2, 2, 4, 16, 17, dtype=torch.float64, generator=source)
    weight, along_weight = torch.randn(2, 4, 2, *size, dtype=torch.float64, generator=source)

    def convolve(image, weight):
        return DiffConv2d(size).conv2d(image, weight, groups=2)

    with forward_ad.dual_level():
        dual = (forward_ad.make_dual(image, along_image), forward_ad.make_dual(weight, along_weight))
        tangent = forward_ad.unpack_dual(convolve(*dual)).tangent
        geometry = Geometry((3, 3), (1, 1), (1, 1), (1, 1), (1, 1))
        assert not better_by_frame(torch.zeros(1, 1, 32, 32), torch.zeros(8, 1, 3, 3), geometry)
    expected = convolve(along_image, weight) + convolve(image, along_weight)
    torch.testing.assert_close(tangent, expected, rtol=1e-11, atol=1e-11)


def test_nan_stays_where_the_kernel_sees_it():
    image = torch.zeros(1, 1, 16, 16)
    image[0, 0, 8, 8] = torch.nan
    output = DiffConv2d(kernel_size=3).conv2d(image, torch.ones(1, 1, 3, 3), optimized_for="memory")
    assert output.isnan().sum() == 9


def test_large_maps_go_this_way_and_the_others_do_not():
    geometry, kernels = Geometry((3, 3), (1, 1), (1, 1), (1, 1), (1, 1)), torch.zeros(8, 1, 3, 3)
    map_ = torch.zeros(1, 1, 32, 32)
    assert better_by_frame(map_, kernels, geometry)
    assert not better_by_frame(torch.zeros(1, 1, 7, 7), kernels, geometry)
    assert not better_by_frame(map_, kernels[..., :2, :2], Geometry((2, 2), (1, 1), (1, 1), (0, 0), (1, 1)))
    with torch.autocast("cpu"):
        assert not better_by_frame(map_, kernels, geometry)
    seen = []

    def look(image):
        seen.append(better_by_frame(image, kernels, geometry))
        return image

    torch.vmap(look)(map_[None])
    assert seen == [False]


def test_filtering_a_large_image_goes_by_blocks():
    geometry = Geometry((3, 3), (1, 1), (1, 1), (1, 1), (1, 1))
    image, kernel = torch.zeros(1, 1, 1024, 1024), torch.zeros(1, 1, 3, 3)
    assert faster_in_blocks(image, kernel, geometry)
    assert not better_by_frame(image, kernel, geometry)
    assert better_by_frame(image, kernel, geometry._replace(algorithm="direct"))


def test_a_layer_holds_no_more_than_one_with_zero_padding():
    """Of blocks as large as the image or larger as many are allocated: no padded copy, no tensor of zeros."""
    image = torch.randn(1, 8, 96, 96, requires_grad=True)
    bytes_of_image = image.numel() * image.element_size()

    def large_blocks(layer):
        activities = [torch.profiler.ProfilerActivity.CPU]
        with torch.profiler.profile(activities=activities, profile_memory=True) as profile:
            layer(image).sum().backward()
        allocations = [event.self_cpu_memory_usage for event in profile.events()]
        return sum(size for size in allocations if size >= bytes_of_image)

    memory = DiffConv2dLayer(8, 8, 3, optimized_for="memory")
    zeros = torch.nn.Conv2d(8, 8, 3, padding=1)
    large_blocks(zeros), large_blocks(memory)
    assert large_blocks(memory) == large_blocks(zeros)
