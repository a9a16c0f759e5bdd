"""What holds for every size, stride, dilation and dtype: properties, tried on examples that hypothesis draws."""

import hypothesis.strategies as st
import pytest
import torch
from hypothesis import given, settings
from mode_cases import CASES, FUNCTIONAL, edge_kernels
from problems import Problem
from torch import nn

import diff_conv2d

CONVS = {1: diff_conv2d.conv1d, 2: diff_conv2d.conv2d, 3: diff_conv2d.conv3d}
LAYERS = {1: diff_conv2d.Conv1d, 2: diff_conv2d.Conv2d, 3: diff_conv2d.Conv3d}
TORCH = {1: nn.Conv1d, 2: nn.Conv2d, 3: nn.Conv3d}
LINEAR = [name for name in FUNCTIONAL if CASES[name].linear]
CONSTANT = [name for name in FUNCTIONAL if CASES[name].constants]
# Modes whose kernel is the same at every output, so that flipping it flips them.
PLAIN = [name for name in FUNCTIONAL if CASES[name].deterministic and "explicit" not in name]
few = settings(max_examples=15, deadline=None, derandomize=True)


@st.composite
def problems(draw, least_axes=1, same=False):
    """Convolutions whose window fits: every mode has an answer to them, reflect and circular too."""
    n = draw(st.integers(least_axes, 3))

    def each(strategy):
        return tuple(draw(strategy) for _ in range(n))

    kernel, dilation = each(st.integers(1, 5 if n < 3 else 3)), each(st.integers(1, 3 if n < 3 else 2))
    spans = [(k - 1) * d for k, d in zip(kernel, dilation, strict=True)]
    if same:
        # Odd sizes, so that both ends are padded alike.
        kernel = tuple(k - 1 + k % 2 for k in kernel)
        stride, padding = (1,) * n, "same"
    else:
        stride = each(st.integers(1, 3))
        padding = tuple(draw(st.integers(0, span)) for span in spans)
    image = tuple(draw(st.integers(span + 1, span + 7)) for span in spans)
    groups = draw(st.sampled_from([1, 2]))
    return Problem(image, kernel, padding, stride, dilation, groups, channels=(2, 4))


def close(actual, expected, dtype):
    relative = 1e-9 if dtype == torch.float64 else 1e-3
    scale = max(expected.abs().max().item(), 1.0)
    torch.testing.assert_close(actual, expected, rtol=relative, atol=relative * scale)


@pytest.mark.parametrize("mode", LINEAR)
@given(problem=problems(), dtype=st.sampled_from([torch.float32, torch.float64]))
@few
def test_linear_in_the_image(mode, problem, dtype):
    convolve = CONVS[problem.axes]
    (first, weight, bias), (second, _, _) = problem.tensors(dtype), problem.tensors(dtype, seed=1)
    edge = edge_kernels(mode, problem, weight, bias, copies=False)
    edge.pop("edge_bias", None)

    def output(image):
        # Degree 2 at most: the weights of degree 4 on top of each other leave few digits of a float32.
        options = {"degree": 2} if mode in ("diff", "extrapolate") else {}
        return convolve(image, weight, **problem.arguments, padding_mode=mode, **edge, **options)

    close(output(2 * first - 3 * second), 2 * output(first) - 3 * output(second), dtype)


@pytest.mark.parametrize("mode", CONSTANT)
@given(problem=problems(), value=st.sampled_from([0.0, 1.0, -2.5, 1e-30, 1e30]))
@few
def test_constants_are_preserved(mode, problem, value):
    image, weight, _ = problem.tensors()
    edge = edge_kernels(mode, problem, weight, weight.new_zeros(len(weight)))
    constant = torch.full_like(image, value)
    output = CONVS[problem.axes](constant, weight, **problem.arguments, padding_mode=mode, **edge)
    expected = (value * weight.flatten(1).sum(1)).view(-1, *[1] * problem.axes).expand_as(output)
    torch.testing.assert_close(output, expected, rtol=0, atol=1e-9 * abs(value) * weight.abs().sum().item())


@pytest.mark.parametrize("mode", PLAIN)
@given(problem=problems(same=True), data=st.data())
@few
def test_flipping_image_and_kernel_flips_the_output(mode, problem, data):
    convolve = CONVS[problem.axes]
    dims = data.draw(st.sets(st.integers(-problem.axes, -1), min_size=1).map(sorted))
    image, weight, _ = problem.tensors()
    expected = convolve(image, weight, **problem.arguments, padding_mode=mode).flip(dims)
    actual = convolve(image.flip(dims), weight.flip(dims), **problem.arguments, padding_mode=mode)
    close(actual, expected, torch.float64)


@pytest.mark.parametrize("mode", [name for name in PLAIN if CASES[name].axes_alike])
@given(problem=problems(least_axes=2))
@few
def test_transposing_image_and_kernel_transposes_the_output(mode, problem):
    convolve = CONVS[problem.axes]
    image, weight, _ = problem.tensors()
    arguments = {
        name: (*value[:-2], value[-1], value[-2]) if isinstance(value, tuple) else value
        for name, value in problem.arguments.items()
    }
    expected = convolve(image, weight, **problem.arguments, padding_mode=mode).mT
    actual = convolve(image.mT, weight.mT, **arguments, padding_mode=mode)
    close(actual, expected, torch.float64)


sizes = st.integers(-1, 4)


@pytest.mark.parametrize("mode", CASES)
@given(
    axes=st.integers(1, 3),
    image=st.integers(1, 6),
    kernel=st.integers(0, 5),
    stride=st.one_of(sizes, st.tuples(sizes, sizes)),
    padding=st.one_of(sizes, st.tuples(sizes, sizes), st.sampled_from(["same", "valid", "full"])),
    dilation=st.one_of(sizes, st.tuples(sizes, sizes)),
    groups=st.integers(0, 3),
    # Of an empty batch torch checks nothing.
    batch=st.sampled_from([None, 2]),
)
@settings(max_examples=60, deadline=None, derandomize=True)
def test_shapes_and_rejections_are_torchs(mode, axes, image, kernel, stride, padding, dilation, groups, batch):
    """What torch accepts has torch's shape; what torch rejects is rejected by name."""
    shape = (4, *(image,) * axes) if batch is None else (batch, 4, *(image,) * axes)
    arguments = (4, 6, kernel, stride, padding, dilation, groups)
    # They reject what torch rejects for zeros: a pad may be wider than the image.
    torchs = "zeros"

    def attempt(layers, padding_mode):
        try:
            return layers[axes](*arguments, padding_mode=padding_mode)(torch.zeros(shape)).shape
        except (ValueError, TypeError, RuntimeError, ZeroDivisionError, IndexError) as error:
            return error

    expected, actual = attempt(TORCH, torchs), attempt(LAYERS, mode)
    if isinstance(expected, torch.Size):
        assert actual == expected
    else:
        assert isinstance(actual, (ValueError, TypeError)), actual
        assert str(actual).strip()
