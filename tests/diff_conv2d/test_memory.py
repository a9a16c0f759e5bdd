"""`algorithm="memory"`: the results of the padded image, without one."""

import pytest
import torch

from diff_conv2d import MODES, Conv2d, conv1d, conv2d, conv3d
from diff_conv2d.algorithms import frame
from tests.diff_conv2d.mode_cases import FUNCTIONAL, edge_kernels
from tests.diff_conv2d.problems import PROBLEMS

PADDED = [name for name, mode in MODES.items() if mode.why_padded]
FREE = [name for name in FUNCTIONAL if name not in PADDED]
CONVOLUTIONS = {1: conv1d, 2: conv2d, 3: conv3d}
# A convolution by its frame pays for images of this size, so that it is what is tried.
LARGE = {1: (60,), 2: (40, 37), 3: (24, 25, 26)}


def results(mode, algorithm, tensors, **arguments):
    """Output and gradients."""
    tensors = [tensor.clone().requires_grad_() for tensor in tensors]
    output = CONVOLUTIONS[tensors[0].ndim - 2](*tensors, padding_mode=mode, algorithm=algorithm, **arguments)
    return [output, *torch.autograd.grad(output.square().sum(), tensors)]


def made(shape, kernel, groups):
    source = torch.Generator().manual_seed(0)
    shapes = shape, (4, shape[1] // groups, *kernel), (4,)
    return [torch.randn(s, dtype=torch.float64, generator=source) for s in shapes]


@pytest.mark.parametrize("mode", [mode for mode in FREE if not MODES[mode].has_edge_kernels])
@pytest.mark.parametrize("axes", [1, 2, 3])
@pytest.mark.parametrize(
    ("kernel", "arguments"),
    [
        (3, {"padding": 1}),
        (5, {"padding": 2, "stride": 2, "groups": 2}),
        (3, {"padding": 2, "dilation": 2}),
        (4, {"padding": "same"}),
        (3, {"padding": 2}),
    ],
)
def test_it_equals_the_convolution_of_the_padded_image(mode, axes, kernel, arguments):
    tensors = made((2, 4, *LARGE[axes]), (kernel,) * axes, arguments.get("groups", 1))
    expected = results(mode, "direct", tensors, **arguments)
    for found, wanted in zip(results(mode, "memory", tensors, **arguments), expected, strict=True):
        assert (found - wanted).abs().max() <= 1e-12 * wanted.abs().max()


@pytest.mark.parametrize("mode", FREE)
@pytest.mark.parametrize("name", PROBLEMS)
def test_small_images_too(mode, name):
    problem = PROBLEMS[name]
    image, weight, bias = problem.tensors()
    arguments = problem.arguments | edge_kernels(mode, problem, weight, bias, copies=False)
    convolve = CONVOLUTIONS[weight.ndim - 2]
    found, wanted = (
        convolve(image, weight, bias, padding_mode=mode, algorithm=algorithm, **arguments)
        for algorithm in ("memory", "auto")
    )
    torch.testing.assert_close(found, wanted, rtol=1e-12, atol=1e-12)


@pytest.mark.parametrize("mode", PADDED)
def test_modes_that_need_the_padded_image_say_so(mode):
    with pytest.raises(ValueError, match=rf"algorithm must be 'auto', 'direct' or 'fast' for padding_mode='{mode}'"):
        conv2d(torch.ones(1, 1, 8, 8), torch.ones(1, 1, 3, 3), padding=1, padding_mode=mode, algorithm="memory")
    with pytest.raises(ValueError, match="which"):
        Conv2d(1, 1, 3, padding=1, padding_mode=mode, algorithm="memory")


def test_pads_wider_than_the_image():
    arguments = {"padding": 2, "padding_mode": "reflect"}
    image, weight = torch.randn(1, 1, 2, 9), torch.randn(1, 1, 3, 3)
    expected = conv2d(image, weight, **arguments)
    torch.testing.assert_close(conv2d(image, weight, algorithm="memory", **arguments), expected)


def largest(layer, image):
    """Bytes of all blocks as large as the image that a step of training allocates."""
    least, activities = image.numel() * image.element_size(), [torch.profiler.ProfilerActivity.CPU]
    with torch.profiler.profile(activities=activities, profile_memory=True) as profile:
        layer(image).sum().backward()
    allocations = [event.self_cpu_memory_usage for event in profile.events()]
    return sum(size for size in allocations if size >= least)


@pytest.mark.parametrize("mode", [mode for mode in FREE if not MODES[mode].does_sums])
def test_a_layer_holds_no_more_than_one_with_zero_padding(mode):
    image = torch.randn(1, 8, 96, 96, requires_grad=True)
    layer = Conv2d(8, 8, 3, padding=1, padding_mode=mode, algorithm="memory")
    zeros = torch.nn.Conv2d(8, 8, 3, padding=1)
    largest(zeros, image), largest(layer, image)
    assert largest(layer, image) == largest(zeros, image)


def test_weights_with_a_gradient_go_another_way(monkeypatch):
    """By the frame, the weights of a fit would be constants to the gradient."""
    monkeypatch.setattr(frame, "convolve_by_frame", lambda *_: pytest.fail("by the frame"))
    tensors = made((1, 2, 40, 37), (3, 3), 1)
    arguments = {"padding": 1, "fit_gradient": True}
    expected = results("adaptive", "direct", tensors, **arguments)
    for found, wanted in zip(results("adaptive", "memory", tensors, **arguments), expected, strict=True):
        torch.testing.assert_close(found, wanted, rtol=1e-9, atol=1e-9)


@pytest.mark.parametrize("mode", [mode for mode in FREE if not MODES[mode].has_edge_kernels])
def test_complex_images(mode):
    generator = torch.Generator().manual_seed(0)
    image = torch.randn(1, 2, 24, 25, dtype=torch.complex128, generator=generator).cumsum(-1)
    weight = torch.randn(3, 2, 3, 3, dtype=torch.complex128, generator=generator)
    found, wanted = (
        conv2d(image, weight, padding=1, padding_mode=mode, algorithm=algorithm) for algorithm in ("memory", "direct")
    )
    torch.testing.assert_close(found, wanted, rtol=1e-11, atol=1e-11)
