"""Large pictures in segments, and `out=`: the same numbers, written where the caller asks for them."""

import os
import subprocess
import sys

import numpy as np
import pytest
import scipy.ndimage
import torch
import torch.nn.functional as F
from mode_cases import FUNCTIONAL, edge_kernels
from problems import PROBLEMS

import diff_conv2d
from diff_conv2d import conv1d, conv2d, conv3d, ndimage
from diff_conv2d.algorithms import choice, frame
from diff_conv2d.algorithms.segments import convolve_in_segments, fills_segments
from diff_conv2d.masks import MaskedBoundary
from diff_conv2d.modes import MODES
from diff_conv2d.ndimage.targets import writable
from diff_conv2d.outputs import may_overlap

CONVOLVE = {1: conv1d, 2: conv2d, 3: conv3d}
# Large enough for segments with 5 x 5 taps.
LARGE = torch.randn(2, 2, 330, 410, generator=torch.Generator().manual_seed(0))
KERNEL = torch.randn(1, 2, 5, 5, generator=torch.Generator().manual_seed(1))


def options_of(mode, problem, weight, bias):
    drawn = {"generator": torch.Generator().manual_seed(3)} if mode == "random" else {}
    return {"padding_mode": mode, **drawn, **edge_kernels(mode, problem, weight, bias), **problem.arguments}


@pytest.mark.parametrize("mode", FUNCTIONAL)
@pytest.mark.parametrize("name", ["3x3", "5x5-same"])
def test_out_holds_the_result(mode, name):
    problem = PROBLEMS[name]
    image, weight, bias = problem.tensors()
    convolve = CONVOLVE[problem.axes]
    expected = convolve(image, weight, bias, **options_of(mode, problem, weight, bias))
    # Of any strides, and what it held does not matter.
    out = torch.full(expected.shape[::-1], torch.nan, dtype=expected.dtype).permute(3, 2, 1, 0)
    assert convolve(image, weight, bias, **options_of(mode, problem, weight, bias), out=out) is out
    assert torch.equal(out, expected)
    single = torch.empty_like(expected[0])
    options = options_of(mode, problem, weight, bias)
    assert convolve(image[0], weight, bias, **options, out=single) is single
    if mode != "random":
        assert torch.equal(single, convolve(image[0], weight, bias, **options))


@pytest.mark.parametrize("axes", [1, 3])
def test_out_of_lines_and_volumes(axes):
    image, weight = torch.randn(1, 2, *(9,) * axes), torch.randn(3, 2, *(3,) * axes)
    expected = CONVOLVE[axes](image, weight, padding=1)
    out = torch.empty_like(expected)
    assert CONVOLVE[axes](image, weight, padding=1, out=out) is out
    assert torch.equal(out, expected)


@pytest.fixture
def counted(monkeypatch):
    """The convolutions of large images without a padded copy, for which those of the tests count as large enough."""
    calls, original = [], choice.convolve_large_image
    monkeypatch.setattr(frame, "_LEAST_PIXELS", LARGE.numel() // 2)

    def count(*arguments):
        calls.append(arguments)
        return original(*arguments)

    monkeypatch.setattr(choice, "convolve_large_image", count)
    return calls


LARGE_MODES = [
    name
    for name in FUNCTIONAL
    if MODES[name].extends and not MODES[name].why_padded and not MODES[name].has_edge_kernels
]


@pytest.mark.parametrize("mode", LARGE_MODES)
@pytest.mark.parametrize("arguments", [{"padding": 2}, {"padding": (7, 1, 2, 0)}, {"padding": 0}], ids=str)
def test_a_large_image_is_that_of_its_padded_copy(mode, arguments, counted):
    bias = torch.tensor([3.0])
    result = conv2d(LARGE, KERNEL, bias, padding_mode=mode, algorithm="fast", **arguments)
    assert len(counted) == 1
    exact = LARGE.double(), KERNEL.double(), bias.double()
    expected = conv2d(*exact, padding_mode=mode, algorithm="direct", **arguments)
    torch.testing.assert_close(result.double(), expected, rtol=1e-4, atol=1e-6 * expected.abs().max().item())
    out = torch.full((2, 1, *result.shape[:1:-1]), torch.nan).mT
    assert conv2d(LARGE, KERNEL, bias, padding_mode=mode, algorithm="fast", **arguments, out=out) is out
    assert torch.equal(out, result)


@pytest.mark.parametrize("mode", ["circular", "random", "partial"])
def test_modes_that_need_a_copy_write_to_out(mode, counted):
    def call(**more):
        drawn = {"generator": torch.Generator().manual_seed(0)} if mode == "random" else {}
        return conv2d(LARGE, KERNEL, padding=2, padding_mode=mode, algorithm="fast", **drawn, **more)

    out = torch.full((2, 1, 330, 410), torch.nan)
    assert torch.equal(call(out=out), call())
    assert not counted
    if mode == "partial":
        exact = conv2d(LARGE.double(), KERNEL.double(), padding=2, padding_mode=mode)
        torch.testing.assert_close(out.double(), exact, rtol=1e-4, atol=1e-4)


def test_smaller_images_are_copied(counted, monkeypatch):
    monkeypatch.undo()
    result = conv2d(LARGE, KERNEL, padding=2)
    assert not counted
    torch.testing.assert_close(result, conv2d(LARGE, KERNEL, padding=2, algorithm="direct"), rtol=1e-4, atol=1e-4)


def test_a_gradient_is_that_of_blocks(counted):
    image = LARGE.clone().requires_grad_()
    conv2d(image, KERNEL, padding=2).sum().backward()
    assert not counted
    exact = LARGE.double().requires_grad_()
    conv2d(exact, KERNEL.double(), padding=2, algorithm="direct").sum().backward()
    torch.testing.assert_close(image.grad.double(), exact.grad, rtol=1e-4, atol=1e-4)


@pytest.mark.parametrize("shape", [(1, 1, 3, 3), (2, 1, 5, 2), (4, 1, 1, 9), (2, 2, 4, 7)], ids=str)
@pytest.mark.parametrize("height", [80, 260, 545])
def test_segments_are_a_convolution(shape, height):
    generator = torch.Generator().manual_seed(height)
    inner = 2 if shape[1] == 1 and shape[0] > 1 else shape[1]
    groups = inner // shape[1]
    image = torch.randn(2, inner, height, 90, generator=generator)
    weight, bias = torch.randn(shape, generator=generator), torch.randn(shape[0], generator=generator)
    for layout in (image, image.mT.contiguous().mT, torch.cat([image, image], 3)[..., 5:77]):
        result = convolve_in_segments(layout, weight, bias, groups)
        expected = F.conv2d(layout.double(), weight.double(), bias.double(), groups=groups)
        torch.testing.assert_close(result.double(), expected, rtol=1e-4, atol=1e-4)


def test_segments_lose_no_more_than_a_convolution():
    image = LARGE.clone()
    image[0, 0, 100, 200], image[1, 1, 0, 0], image[1, 0, -1, -1] = torch.nan, torch.inf, -torch.inf
    assert fills_segments(image, KERNEL)
    result = conv2d(image, KERNEL, padding=2, padding_mode="symmetric")
    expected = conv2d(image, KERNEL, padding=2, padding_mode="symmetric", algorithm="direct")
    assert torch.equal(result.isfinite(), expected.isfinite())


def test_a_masked_image_is_written_to_out():
    mask = torch.rand(330, 410, generator=torch.Generator().manual_seed(4)) > 0.1
    prepared = MaskedBoundary(mask, kernel_size=5, method="nearest")
    out = torch.full((2, 1, 330, 410), torch.nan)
    assert conv2d(LARGE, KERNEL, padding=2, padding_mode="symmetric", mask=prepared, out=out) is out
    assert torch.equal(out, conv2d(LARGE, KERNEL, padding=2, padding_mode="symmetric", mask=prepared))


@pytest.mark.parametrize(
    ("out", "kind", "text"),
    [
        ([1.0], TypeError, "out must be a tensor, got list"),
        (torch.empty(1, 3, 8, 8, dtype=torch.float64), TypeError, "out must be of the dtype of the result, torch.f"),
        (torch.empty(1, 3, 8, 9), ValueError, r"out must have the shape of the result, \(1, 3, 8, 8\), got"),
        (torch.empty(3, 8, 8), ValueError, "out must have the shape"),
        (torch.empty(1, 3, 8, 8, device="meta"), ValueError, "out must be on the device of input, cpu, got meta"),
        (torch.empty(1, 3, 8, 8, requires_grad=True), ValueError, "out must be None where a tensor requires a grad"),
        (torch.empty(1, 3, 8, 1).expand(-1, -1, -1, 8), ValueError, "out must hold each element once"),
        (torch.empty(1, 3, 71).as_strided((1, 3, 8, 8), (0, 71, 7, 1)), ValueError, "out must hold each element onc"),
    ],
    ids=["list", "dtype", "shape", "no batch", "device", "gradient", "expanded", "interlocked"],
)
def test_an_out_that_cannot_be_written_is_named(out, kind, text):
    image, weight = torch.ones(1, 2, 8, 8), torch.ones(3, 2, 3, 3)
    with pytest.raises(kind, match=text):
        conv2d(image, weight, padding=1, out=out)


def test_out_shares_no_memory():
    whole, weight = torch.ones(1, 6, 8, 8), torch.ones(3, 3, 3, 3)
    out = whole[:, 3:]
    assert conv2d(whole[:, :3], weight, padding=1, out=out) is out
    for image in (out, whole[:, 1:4]):
        with pytest.raises(ValueError, match="out must not share memory with input"):
            conv2d(image, weight, padding=1, out=out)
    with pytest.raises(ValueError, match="or a kernel"):
        conv2d(whole[:, :1], weight.view(81)[:9].view(1, 1, 3, 3), out=weight.view(81)[3:39].view(1, 1, 6, 6))
    assert may_overlap(whole, whole[0, 5, 7, 7:])
    assert not may_overlap(whole[:, :3], whole[:, 3:])


def test_out_without_memory():
    image, weight, out = (torch.empty(1, 1, n, n, device="meta") for n in (8, 3, 8))
    assert conv2d(image, weight, padding=1, out=out) is out


def test_out_has_no_gradient():
    image, weight = torch.ones(1, 1, 8, 8), torch.ones(1, 1, 3, 3, requires_grad=True)
    with pytest.raises(ValueError, match="requires a gradient"):
        conv2d(image, weight, padding=1, out=torch.empty(1, 1, 8, 8))
    with torch.no_grad():
        out = conv2d(image, weight, padding=1, out=torch.empty(1, 1, 8, 8))
    assert not out.requires_grad
    assert torch.equal(out, torch.full((1, 1, 8, 8), 9.0))


def test_out_under_autocast_and_compiled():
    image, weight = torch.randn(1, 1, 8, 8), torch.randn(1, 1, 3, 3)
    with torch.autocast("cpu", dtype=torch.bfloat16):
        out = conv2d(image, weight, padding=1, out=torch.empty(1, 1, 8, 8, dtype=torch.bfloat16))
        assert torch.equal(out, conv2d(image, weight, padding=1))
        with pytest.raises(TypeError, match=r"out must be of the dtype of the result, torch\.bfloat16"):
            conv2d(image, weight, padding=1, out=torch.empty(1, 1, 8, 8))

    @torch.compile(fullgraph=True, backend="eager")
    def written(image, out):
        return diff_conv2d.conv2d(image, weight, padding=1, out=out)

    out = torch.empty(1, 1, 8, 8)
    written(image, out)
    torch.testing.assert_close(out, conv2d(image, weight, padding=1))


@pytest.mark.skipif(sys.platform != "linux", reason="counts the pages of Linux")
def test_memory_that_was_freed_is_used_again():
    # In a process of its own: what another test has freed would change how glibc keeps pages.
    code = """
import resource, torch, diff_conv2d
image, weight = torch.ones(1, 1, 1024, 1024), torch.ones(1, 1, 5, 5)
out = torch.zeros_like(image)
def pages():
    return resource.getrusage(resource.RUSAGE_SELF).ru_minflt
for _ in range(3):
    diff_conv2d.conv2d(image, weight, padding=2, out=out)
before = pages()
for _ in range(10):
    diff_conv2d.conv2d(image, weight, padding=2, out=out)
print(pages() - before)
"""
    command = [sys.executable, "-c", code]
    # A bound that somebody chose, as dask's workers do for the processes after them, stays as it is.
    names = {name: value for name, value in os.environ.items() if not name.startswith(("MALLOC_", "GLIBC_"))}
    runs = [subprocess.run(command, env=names, capture_output=True, text=True, check=True) for _ in range(3)]
    # The result alone has 1024 pages. On a busy machine glibc now and then gives a block to another arena.
    assert min(int(done.stdout) for done in runs) < 1024


IMAGE = np.random.default_rng(0).standard_normal((1100, 1000)).astype(np.float32)
WEIGHTS = np.random.default_rng(1).standard_normal((5, 5))
OF_NDIMAGE = {
    "correlate": lambda x, **more: ndimage.correlate(x, WEIGHTS, **more),
    "gaussian": lambda x, **more: ndimage.gaussian_filter(x, 2, **more),
    "sobel": ndimage.sobel,
}


@pytest.mark.parametrize("name", OF_NDIMAGE)
@pytest.mark.parametrize("dtype", [np.float32, np.float64, np.uint8])
def test_an_output_is_written_directly(name, dtype, monkeypatch):
    image = (50 + 50 * IMAGE).clip(0, 255).astype(dtype)
    expected = OF_NDIMAGE[name](image)
    output, tensor = np.full_like(image, 7), torch.from_numpy(np.full_like(image, 7))
    # Nothing of the size of the image is allocated for the result.
    monkeypatch.setattr(np, "empty", None)
    assert OF_NDIMAGE[name](image, output=output) is output
    assert OF_NDIMAGE[name](torch.from_numpy(image), output=tensor) is tensor
    monkeypatch.undo()
    np.testing.assert_array_equal(output, expected)
    np.testing.assert_array_equal(tensor.numpy(), expected)


@pytest.mark.parametrize("name", OF_NDIMAGE)
def test_an_output_may_be_the_input_or_hold_its_rows(name):
    image = IMAGE.astype(np.float64)
    expected = OF_NDIMAGE[name](image)
    scipys = {
        "correlate": lambda x: scipy.ndimage.correlate(x, WEIGHTS),
        "gaussian": lambda x: scipy.ndimage.gaussian_filter(x, 2),
        "sobel": scipy.ndimage.sobel,
    }
    np.testing.assert_allclose(expected, scipys[name](image), rtol=1e-10, atol=1e-10)
    np.testing.assert_array_equal(OF_NDIMAGE[name](image, output=image), expected)
    whole = np.concatenate([IMAGE.astype(np.float64), np.zeros((3, 1000))])
    output = whole[3:]
    assert OF_NDIMAGE[name](whole[:-3], output=output) is output
    np.testing.assert_array_equal(output, expected)
    odd = np.empty((1000, 1100), order="C").T
    np.testing.assert_array_equal(OF_NDIMAGE[name](IMAGE.astype(np.float64), output=odd), expected)


def test_outputs_that_cannot_be_written_directly():
    tensor, dtype = torch.from_numpy(IMAGE), torch.float32
    assert writable(np.empty_like(IMAGE), tensor, [], dtype) is not None
    fixed = np.empty_like(IMAGE)
    fixed.flags.writeable = False
    swapped = np.empty(IMAGE.shape, IMAGE.dtype.newbyteorder())
    for output in (None, np.float32, IMAGE, fixed, swapped, np.empty(IMAGE.shape[::-1], np.float32).T, tensor):
        assert writable(output, tensor, [], dtype) is None
    assert writable(np.empty(IMAGE.shape), tensor, [], dtype) is None
    np.testing.assert_allclose(
        ndimage.correlate(IMAGE, WEIGHTS, output=swapped), scipy.ndimage.correlate(IMAGE, WEIGHTS), atol=1e-4
    )
