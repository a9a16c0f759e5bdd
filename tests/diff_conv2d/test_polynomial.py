"""The continuation of whole images is that of one axis after the other, and so are all its derivatives."""

import warnings

import pytest
import torch
from torch._subclasses.fake_tensor import FakeTensorMode
from torch.autograd import gradcheck, gradgradcheck

import diff_conv2d
from diff_conv2d.extension import by_axis, by_table
from diff_conv2d.extension.axis import Axis
from diff_conv2d.extension.in_place import extended_in_place
from diff_conv2d.modes import polynomial as modes
from diff_conv2d.modes.polynomial_weights import Polynomial


def polynomial(dim, before, after, degree, dilation):
    """An axis that is extended by polynomials."""
    return Axis(dim, before, after, Polynomial(degree, dilation), Polynomial(degree, dilation))


# Shape, and for each axis (dim, before, after, degree, dilation).
PROBLEMS = {
    "3x3": ((2, 3, 9, 10), [(-2, 1, 1, 2, 1), (-1, 1, 1, 2, 1)]),
    "5x7, uneven": ((1, 2, 12, 15), [(-2, 2, 1, 4, 1), (-1, 0, 3, 6, 1)]),
    "one axis": ((1, 1, 8, 9), [(-2, 0, 0, 2, 1), (-1, 2, 2, 1, 1)]),
    "degree 0": ((1, 1, 4, 5), [(-2, 2, 2, 0, 1), (-1, 1, 3, 0, 1)]),
    "dilation": ((1, 2, 13, 11), [(-2, 2, 2, 2, 2), (-1, 4, 4, 1, 3)]),
    "dilation, degree 0": ((1, 1, 9, 9), [(-2, 2, 2, 0, 2), (-1, 3, 3, 0, 3)]),
    "few samples": ((1, 1, 2, 1), [(-2, 2, 2, 4, 1), (-1, 2, 2, 4, 2)]),
    "samples meet": ((1, 2, 5, 4), [(-2, 1, 1, 2, 1), (-1, 2, 2, 3, 1)]),
    "lines": ((2, 2, 7), [(-1, 2, 2, 3, 1)]),
    "volumes": ((1, 2, 5, 6, 4), [(-3, 1, 1, 2, 1), (-2, 1, 0, 1, 1), (-1, 1, 1, 2, 1)]),
}


WAYS = ("rows", "table")


def choose(monkeypatch, way):
    """Make it the way for images of any size, where it is possible at all."""
    if way != "table":
        monkeypatch.setattr(by_table, "_table", lambda *_: None)


@pytest.fixture(params=[(name, way) for name in PROBLEMS for way in WAYS], ids=str)
def problem(request, monkeypatch):
    name, way = request.param
    choose(monkeypatch, way)
    shape, axes = PROBLEMS[name]
    image = torch.randn(shape, dtype=torch.float64, generator=torch.Generator().manual_seed(0))
    return image, tuple(polynomial(*axis) for axis in axes)


def one_by_one(image, axes):
    for dim, before, after, rows, *_ in axes:

        def rule(image, distances, high_end, dim=dim, rows=rows):
            return by_axis.combined(image, dim, distances, high_end, rows)

        image = by_axis.extended(image, dim, -before, image.shape[dim] + after, rule)
    return image


def test_it_is_one_axis_after_the_other(problem):
    image, axes = problem
    torch.testing.assert_close(extended_in_place(image, axes), one_by_one(image, axes), rtol=1e-12, atol=1e-11)


def test_the_gradient_is_that_of_autograd(problem):
    image, axes = problem
    other = image.clone().requires_grad_()
    image.requires_grad_()
    result, expected = extended_in_place(image, axes), one_by_one(other, axes)
    gradient = torch.randn_like(expected)
    result.backward(gradient)
    expected.backward(gradient)
    torch.testing.assert_close(image.grad, other.grad, rtol=1e-12, atol=1e-11)


@pytest.mark.parametrize("adjoint", [False, True])
def test_a_table_is_used_for_small_images_only(adjoint):
    def table(shape, axes, dtype=torch.float32):
        return by_table._table(shape, tuple(polynomial(*a) for a in axes), dtype, torch.device("cpu"), adjoint)

    without = {"degree 0", "dilation, degree 0"}
    assert {name for name, (shape, axes) in PROBLEMS.items() if table(shape, axes) is None} == without
    shape, axes = PROBLEMS["3x3"]
    assert table(shape, axes, torch.bfloat16) is None
    assert table((1, 1, 300, 300), axes) is None
    assert table((64, 512, 32, 32), axes) is None
    assert table(shape, [(dim, 0, 0, 2, 1) for dim in (-2, -1)]) is None


def test_a_table_made_in_inference_mode_serves_training():
    by_table._table.cache_clear()
    axes = (polynomial(-2, 1, 1, 2, 1), polynomial(-1, 1, 1, 2, 1))
    with torch.inference_mode():
        extended_in_place(torch.ones(1, 1, 4, 4), axes)
    image = torch.ones(1, 1, 4, 4, requires_grad=True)
    with torch.autograd.forward_ad.dual_level():
        dual = torch.autograd.forward_ad.make_dual(torch.ones(1, 1, 4, 4), image)
        (tangent,) = torch.autograd.forward_ad.unpack_dual(extended_in_place(dual, axes))[1:]
        tangent.sum().backward()
    assert image.grad.sum() == 36


def test_no_table_is_made_of_fake_tensors():
    by_table._table.cache_clear()
    axes = (polynomial(-2, 1, 1, 2, 1), polynomial(-1, 1, 1, 2, 1))
    with FakeTensorMode():
        assert extended_in_place(torch.ones(1, 1, 5, 4), axes).shape == (1, 1, 7, 6)
    assert torch.equal(extended_in_place(torch.ones(1, 1, 5, 4), axes), torch.ones(1, 1, 7, 6))


@pytest.mark.filterwarnings("ignore::FutureWarning", "ignore::torch.jit.TracerWarning")
def test_a_trace_holds_no_table():
    axes = (polynomial(-2, 1, 1, 2, 1), polynomial(-1, 1, 1, 2, 1))
    trace = torch.jit.trace(lambda image: extended_in_place(image, axes), torch.ones(1, 2, 5, 5))
    assert "scatter_add" not in str(trace.graph)
    images = torch.randn(3, 2, 5, 5)
    torch.testing.assert_close(trace(images), extended_in_place(images, axes))


@pytest.mark.parametrize("way", WAYS)
def test_an_infinite_sample_is_infinite_outside(monkeypatch, way):
    choose(monkeypatch, way)
    line = torch.arange(7.0)
    line[0] = torch.inf
    assert extended_in_place(line[None, None], (polynomial(-1, 1, 1, 2, 1),))[0, 0, 0] == torch.inf


@pytest.mark.parametrize("way", WAYS)
def test_samples_without_weight_are_not_looked_at(monkeypatch, way):
    choose(monkeypatch, way)
    line = torch.arange(9.0)
    line[1] = torch.inf
    continued = extended_in_place(line[None, None], (polynomial(-1, 4, 4, 2, 2),))[0, 0]
    # Samples of odd places are made of those of odd places, at the high end of 3, 5 and 7.
    assert (~continued.isfinite()).nonzero().flatten().tolist() == [place + 4 for place in (-3, -1, 1)]


def test_derivatives_of_every_kind(problem):
    image, axes = problem

    def run(x):
        return extended_in_place(x, axes)

    image.requires_grad_()
    # torch's older vmap, which this check uses, knows no slice that is the whole of an axis of one sample.
    batched = image.shape[-1] > 1
    assert gradcheck(run, (image,), check_forward_ad=True, check_batched_grad=batched, fast_mode=True)
    assert gradgradcheck(run, (image,), fast_mode=True)


@pytest.mark.parametrize("way", WAYS)
def test_vmap_of_the_gradient(monkeypatch, way):
    choose(monkeypatch, way)
    stack = torch.randn(3, 1, 2, 6, 6, dtype=torch.float64, generator=torch.Generator().manual_seed(0))
    axes = (polynomial(-2, 1, 1, 2, 1), polynomial(-1, 1, 1, 2, 1))
    gradient = torch.func.grad(lambda image: (extended_in_place(image, axes) ** 2).sum())
    torch.testing.assert_close(torch.vmap(gradient)(stack), torch.stack([gradient(image) for image in stack]))


@pytest.mark.parametrize("dtype", [torch.float16, torch.bfloat16])
def test_half_precision_is_rounded_once(dtype):
    image = torch.randn(1, 2, 8, 8, generator=torch.Generator().manual_seed(0)).to(dtype)
    axes = (polynomial(-2, 2, 2, 4, 1), polynomial(-1, 0, 0, 4, 1))
    expected = extended_in_place(image.double(), axes).to(dtype)
    torch.testing.assert_close(extended_in_place(image, axes), expected, rtol=2 * torch.finfo(dtype).eps, atol=0)


@pytest.mark.parametrize("dtype", [torch.int64, torch.complex128])
def test_other_numbers(dtype):
    image = torch.arange(24).reshape(1, 1, 4, 6).to(dtype)
    axes = (polynomial(-2, 1, 1, 1, 1), polynomial(-1, 1, 1, 1, 1))
    assert torch.equal(
        extended_in_place(image, axes),
        (torch.arange(48).reshape(6, 8) // 8 * 6 - 6).to(dtype) + torch.arange(-1, 7).to(dtype).expand(1, 1, 6, 8),
    )


def test_the_layout_of_the_memory_is_kept():
    image = torch.randn(2, 4, 6, 6).to(memory_format=torch.channels_last)
    axes = (polynomial(-2, 1, 1, 2, 1), polynomial(-1, 1, 1, 2, 1))
    assert extended_in_place(image, axes).is_contiguous(memory_format=torch.channels_last)


@pytest.mark.parametrize("way", WAYS)
def test_nan_stays_on_its_lines(monkeypatch, way):
    choose(monkeypatch, way)
    image = torch.zeros(1, 1, 8, 8)
    image[0, 0, 1, 4] = torch.nan
    result = extended_in_place(image, (polynomial(-2, 1, 1, 2, 1), polynomial(-1, 1, 1, 2, 1)))[0, 0]
    # The column's three samples nearest the top hold it, no other three do.
    assert result.isnan().nonzero().tolist() == [[0, 5], [2, 5]]


def test_a_default_degree_whose_weights_are_large_is_warned_of():
    """A picture that is filtered by a long kernel had corners of -1e13, in silence."""
    modes._axes.cache_clear()
    image = torch.rand(1, 1, 40, 41, dtype=torch.float64)
    kernel = torch.ones(1, 1, 11, 11, dtype=torch.float64) / 121
    with pytest.warns(UserWarning, match="mode 'diff' continues the image by a polynomial of degree 10, as long as"):
        diff_conv2d.conv2d(image, kernel, padding="same", padding_mode="diff")
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        diff_conv2d.conv2d(image, kernel, padding="same", padding_mode="diff", degree=10)
        diff_conv2d.conv2d(image, kernel, padding="same", padding_mode="extrapolate")
        diff_conv2d.conv2d(image, kernel[..., :9, :9], padding="same", padding_mode="diff")
