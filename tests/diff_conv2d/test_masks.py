"""Masks and NaN as edges, against loops in numpy."""

import copy
import itertools
import pickle

import numpy as np
import pytest
import torch
import torch.nn.functional as F
from torch import nn

import diff_conv2d
from diff_conv2d.masks import MaskedBoundary, filled, valid

SHAPES = {1: (17,), 2: (11, 13), 3: (6, 7, 5)}
CONVOLUTIONS = {1: diff_conv2d.conv1d, 2: diff_conv2d.conv2d, 3: diff_conv2d.conv3d}


def source(seed):
    return torch.Generator().manual_seed(seed)


def some_mask(axes, seed, share=0.7):
    """A mask with blobs and single pixels."""
    shape = SHAPES[axes]
    return torch.rand(shape, generator=source(seed)) < share


def normal(*shape, seed=0, dtype=torch.float64):
    return torch.randn(*shape, generator=source(seed), dtype=dtype)


def exponents(degree, axes):
    return [e for e in itertools.product(range(degree + 1), repeat=axes) if sum(e) <= degree]


def covariance(h, exponent):
    if exponent % 2:
        return h**exponent * (1 if (exponent + 1) // 2 % 2 == 0 else -1)
    with np.errstate(divide="ignore", invalid="ignore"):
        return np.where(h > 0, h**exponent * np.log(h), 0.0) * (1 if exponent % 4 else -1)


def predicted(offsets, values, method, degree):
    """The oracle: predict the pixel at 0 from pixels at offsets, by numpy's solution of the whole system."""
    distances = np.linalg.norm(offsets, axis=1)
    if method == "nearest":
        return values[np.isclose(distances, distances.min())].mean()
    axes = offsets.shape[1]
    wider = [3, 3, 4, 4][degree] - (axes == 3)
    order = np.argsort(distances, kind="stable")
    offsets, values, distances = offsets[order], values[order], distances[order]
    near = distances <= distances[0] + wider + 1e-9
    # Beside an edge at that distance.
    ball = np.array(list(itertools.product(range(-9, 10), repeat=axes)))
    lengths = np.linalg.norm(ball, axis=1)
    count = ((ball[:, 0] >= distances[0]) & (lengths <= distances[0] + wider + 1e-9)).sum()
    few = near & (np.array([(distances[near] < d - 1e-9).sum() for d in distances]) < count)
    offsets, values = offsets[few], values[few]
    for q in range(degree, -1, -1):
        p = np.stack([np.prod(offsets.astype(float) ** e, axis=1) for e in exponents(q, axes)], 1)
        if np.linalg.matrix_rank(p) == p.shape[1]:
            break
    m, n = p.shape[1], len(values)
    between = np.linalg.norm(offsets[:, None] - offsets[None], axis=2)
    system = np.block([[covariance(between, q + 1), p], [p.T, np.zeros((m, m))]])
    right = np.concatenate([covariance(np.linalg.norm(offsets, axis=1), q + 1), np.eye(m)[0]])
    # The unit of length changes K of even exponents by a polynomial, and so no weight.
    return np.linalg.lstsq(system, right, rcond=None)[0][:n] @ values


def filled_by_loop(image, mask, reach, method, degree):
    """Fill pixel by pixel, (H, W) or such."""
    image, mask = image.numpy(), mask.numpy()
    result, places = np.where(mask, image, 0.0), np.argwhere(mask)
    for site in np.argwhere(~mask):
        offsets = places - site
        if (np.abs(offsets) <= reach).all(1).any():
            result[tuple(site)] = predicted(offsets, image[mask], method, degree)
    return torch.from_numpy(result)


@pytest.mark.parametrize("axes", [1, 2, 3])
@pytest.mark.parametrize(
    ("method", "degree"), [("nearest", None), *(("polynomial", d) for d in range(4))], ids=lambda v: str(v)
)
@pytest.mark.parametrize("reach", [1, 2])
def test_fill_equals_a_loop(axes, method, degree, reach):
    for seed, share in ((0, 0.7), (1, 0.15)):
        mask, image = some_mask(axes, seed, share), normal(*SHAPES[axes], seed=seed)
        boundary = MaskedBoundary(mask, reach=reach, method=method, degree=degree, beyond=False)
        expected = filled_by_loop(image, mask, reach, method, degree)
        torch.testing.assert_close(boundary.fill(image), expected, rtol=1e-7, atol=1e-7)


def test_beyond_the_kernel_lines_go_on():
    """Whatever the kernel does not reach takes the nearest value of its row, or of the rows beside it."""
    image = torch.arange(35.0).view(5, 7)
    mask = torch.zeros(5, 7, dtype=torch.bool)
    mask[0, :2] = mask[0, 6] = True
    found = MaskedBoundary(mask, reach=0, method="nearest").fill(image)
    assert torch.equal(found[0], torch.tensor([0.0, 1, 1, 1, 6, 6, 6]))
    assert torch.equal(found, found[:1].expand(5, 7))
    assert torch.equal(MaskedBoundary(mask, reach=0, beyond=False).fill(image), torch.where(mask, image, 0))
    assert torch.equal(MaskedBoundary(mask, reach=0).fill(image, beyond=False), torch.where(mask, image, 0))
    nothing = torch.zeros(5, 7, dtype=torch.bool)
    assert torch.equal(MaskedBoundary(nothing, reach=1).fill(image), torch.zeros(5, 7))


@pytest.mark.parametrize("padding_mode", ["adaptive", "circular", "linear_prediction", "replicate"])
def test_the_rim_knows_no_zeros_beyond_the_kernel(padding_mode):
    """A constant stays one, however far it is from 0 and however large the part that is outside."""
    image = torch.full((1, 1, 40, 40), 3000.0, dtype=torch.float64)
    mask = torch.ones(40, 40, dtype=torch.bool)
    mask[5:9, 5:9] = mask[:, 20:30] = False
    mean = torch.ones(1, 1, 5, 5, dtype=torch.float64) / 25
    for prepared in (MaskedBoundary(mask, 5), MaskedBoundary(mask, 5, "polynomial"), MaskedBoundary(mask, reach=2)):
        found = diff_conv2d.conv2d(image, mean, padding=2, padding_mode=padding_mode, mask=prepared)
        torch.testing.assert_close(found[0, 0][mask], image[0, 0][mask])
    without = MaskedBoundary(mask, 5, beyond=False)
    if padding_mode != "replicate":
        with pytest.raises(ValueError, match="mask must be prepared with beyond=True"):
            diff_conv2d.conv2d(image, mean, padding=2, padding_mode=padding_mode, mask=without)


def polynomial(shape, degree, seed, start=0):
    """A polynomial on a grid that starts at some position."""
    lines = [torch.arange(start, start + n, dtype=torch.float64) / 5 for n in shape]
    grids = torch.stack(torch.meshgrid(*lines, indexing="ij"), -1)
    terms = exponents(degree, len(shape))
    weights = normal(len(terms), seed=seed)
    return sum(w * grids.pow(torch.tensor(e)).prod(-1) for w, e in zip(weights, terms, strict=True))


@pytest.mark.parametrize("axes", [1, 2, 3])
@pytest.mark.parametrize("degree", range(4))
def test_exact_on_polynomials_at_rim_and_mask(axes, degree):
    # A few outside pixels on a line, in a blob and at the rim: enough valid ones are left everywhere.
    shape = {1: (40,), 2: (20, 22), 3: (13, 14, 12)}[axes]
    mask = torch.ones(shape, dtype=torch.bool)
    mask[tuple(slice(6, 9) for _ in shape)] = False
    mask[(slice(0, 2), *(slice(3, 7) for _ in shape[1:]))] = False
    field = polynomial(shape, degree, seed=degree)
    image = torch.where(mask, field, torch.nan)[None, None]
    weight = normal(1, 1, *(5 if axes < 3 else 3,) * axes, seed=9)
    kernel = weight.shape[2:]
    boundary = MaskedBoundary(mask, kernel, "polynomial", degree)
    arguments = {"padding": "same", "padding_mode": "diff", "degree": degree}
    half = kernel[0] // 2
    wide = polynomial([n + 2 * half for n in shape], degree, seed=degree, start=-half)
    truth = CONVOLUTIONS[axes](wide[None, None], weight)
    expected = torch.where(mask, truth, 0.0)
    output = CONVOLUTIONS[axes](image, weight, mask=boundary, **arguments)
    torch.testing.assert_close(output, expected, rtol=1e-8, atol=1e-8)


def test_exact_near_the_rim_where_the_mode_reads_deeper_than_the_kernel():
    # Row 2 of the first column is 2 away from any valid pixel, and the mode reads it: the rim lies next to row 0.
    mask = torch.ones(12, 12, dtype=torch.bool)
    mask[1:4, :3] = False
    field = polynomial((12, 12), 2, seed=3)
    image, weight = torch.where(mask, field, torch.nan)[None, None], normal(1, 1, 3, 3)
    output = diff_conv2d.conv2d(image, weight, padding="same", padding_mode="diff", degree=2, mask=mask)
    plain = diff_conv2d.conv2d(field[None, None], weight, padding="same", padding_mode="diff", degree=2)
    torch.testing.assert_close(output, torch.where(mask, plain, 0.0), rtol=1e-7, atol=1e-7)


@pytest.mark.parametrize("degree", range(4))
def test_degree_drops_where_few_pixels_carry_it(degree):
    image, mask = normal(7, 9), torch.zeros(7, 9, dtype=torch.bool)
    mask[3, 4] = True
    result = filled(image, mask, 1, "polynomial", degree, axes=2)
    assert torch.equal(result[2:5, 3:6], image[3, 4].expand(3, 3))
    # One row carries no slope across it: constants are extended, and nothing grows.
    mask[3] = True
    result = filled(torch.ones(7, 9).double(), mask, 1, "polynomial", degree, axes=2)
    torch.testing.assert_close(result[2:5], torch.ones(3, 9).double(), rtol=1e-10, atol=1e-10)
    # A second row carries degree 1.
    mask[4] = True
    plane = polynomial((7, 9), min(degree, 1), seed=1)
    torch.testing.assert_close(filled(plane, mask, 1, "polynomial", degree, axes=2)[2:6], plane[2:6])


@pytest.mark.parametrize("axes", [1, 2, 3])
def test_nearest_outside_a_rectangle_is_replicate(axes):
    shape, width = SHAPES[axes], 2
    image = normal(2, 3, *shape)
    mask = torch.zeros([n + 2 * width for n in shape], dtype=torch.bool)
    mask[tuple(slice(width, -width) for _ in shape)] = True
    around = F.pad(image, (width,) * (2 * axes), value=torch.nan)
    expected = diff_conv2d.pad(image, (width,) * (2 * axes), mode="replicate")
    assert torch.equal(filled(around, mask, width, "nearest"), expected)
    # A half plane.
    mask = torch.ones(shape, dtype=torch.bool)
    mask[:2] = False
    inner = image[:, :, 2:]
    expected = diff_conv2d.pad(inner, (0,) * (2 * axes - 2) + (2, 0), mode="replicate")
    assert torch.equal(filled(image, mask, 2, "nearest"), expected)


@pytest.mark.parametrize("degree", [0, 1, 2])
def test_one_line_of_d_plus_1_pixels_is_extrapolated(degree):
    # In one dimension, where no more pixels lie in the ball, the polynomial is that of the mode.
    line = normal(1, 1, degree + 1)
    mask = torch.zeros(degree + 3, dtype=torch.bool)
    mask[: degree + 1] = True
    expected = diff_conv2d.pad(line, (0, 2), mode="extrapolate", degree=degree)
    result = filled(F.pad(line, (0, 2), value=torch.nan), mask, 2, "polynomial", degree)
    torch.testing.assert_close(result, expected, rtol=1e-10, atol=1e-10)


TURNS = {
    "flip rows": lambda x: x.flip(-2),
    "flip columns": lambda x: x.flip(-1),
    "transpose": lambda x: x.mT,
    "turn": lambda x: x.rot90(1, (-2, -1)),
}


@pytest.mark.parametrize("turn", TURNS.values(), ids=TURNS)
@pytest.mark.parametrize(("method", "degree"), [("nearest", None), ("polynomial", 1), ("polynomial", 2)])
def test_orientation_does_not_matter(turn, method, degree):
    mask, image = some_mask(2, 5), normal(*SHAPES[2])
    there = MaskedBoundary(mask, 5, method, degree).fill(image)
    turned = MaskedBoundary(turn(mask), 5, method, degree).fill(turn(image))
    torch.testing.assert_close(turned, turn(there), rtol=1e-9, atol=1e-9)


METHODS = [("zeros", None), ("nearest", None), ("polynomial", 1), ("polynomial", 2), ("adaptive", None)]


@pytest.mark.parametrize(("method", "degree"), METHODS)
@pytest.mark.parametrize("size", [24, 600])
def test_nan_never_spreads(method, degree, size):
    # 600 x 600 is filtered in blocks, where a sample is multiplied by zeros.
    wide = size // 12
    rough = F.avg_pool2d(torch.randn(1, 1, *(size + 2 * wide,) * 2, generator=source(2)), 2 * wide + 1, 1)[0, 0]
    mask = rough < rough.flatten().kthvalue(int(0.8 * rough.numel()))[0]
    image = torch.where(mask, normal(2, 1, size, size, dtype=torch.float32), torch.nan)
    other = torch.where(mask, image, torch.inf)
    weight = normal(1, 1, 5, 5, dtype=torch.float32)
    boundary = MaskedBoundary(mask, 5, method, degree)
    mode = {"zeros": "zeros", "adaptive": "replicate"}.get(method, "diff")
    outputs = []
    for given in (image, other):
        given, kernel = given.clone().requires_grad_(), weight.clone().requires_grad_()
        output = diff_conv2d.conv2d(given, kernel, padding="same", padding_mode=mode, mask=boundary)
        assert output.isfinite().all()
        assert (output[..., ~mask] == 0).all()
        output.square().sum().backward()
        assert given.grad.isfinite().all()
        assert (given.grad[..., ~mask] == 0).all()
        assert kernel.grad.isfinite().all()
        with torch.no_grad():
            plain = diff_conv2d.conv2d(given, kernel, padding="same", padding_mode=mode, mask=boundary)
        torch.testing.assert_close(plain, output.detach(), rtol=1e-4, atol=1e-3)
        outputs.append(output.detach())
    assert torch.equal(*outputs)


MODES = ["zeros", "replicate", "diff", "extrapolate", "adaptive", "partial"]


@pytest.mark.parametrize("mode", MODES)
@pytest.mark.parametrize("axes", [1, 2, 3])
def test_a_mask_that_is_all_true_changes_no_bit(mode, axes):
    image, weight, bias = normal(2, 4, *SHAPES[axes]), normal(6, 2, *(3,) * axes), normal(6)
    arguments = {"padding": 1, "padding_mode": mode, "groups": 2, "stride": 2}
    plain = CONVOLUTIONS[axes](image, weight, bias, **arguments)
    mask = torch.ones(SHAPES[axes], dtype=torch.bool)
    assert torch.equal(CONVOLUTIONS[axes](image, weight, bias, **arguments, mask=mask), plain)
    assert torch.equal(
        CONVOLUTIONS[axes](image, weight, bias, **arguments, mask=mask.expand(2, 1, *mask.shape)), plain
    )


@pytest.mark.parametrize("mode", MODES)
def test_all_masked_gives_zeros(mode):
    image = torch.full((2, 1, 9, 8), torch.nan, dtype=torch.float64)
    mask = torch.zeros(9, 8, dtype=torch.bool)
    output = diff_conv2d.conv2d(image, normal(3, 1, 3, 3), normal(3), padding="same", padding_mode=mode, mask=mask)
    assert torch.equal(output, torch.zeros(2, 3, 9, 8, dtype=torch.float64))


COUNTERPARTS = [
    ("zeros", None, "zeros", None),
    ("replicate", None, "nearest", None),
    ("diff", None, "polynomial", 2),
    ("diff", 1, "polynomial", 1),
    ("extrapolate", None, "polynomial", 1),
    ("adaptive", None, "adaptive", None),
]


@pytest.mark.parametrize("case", COUNTERPARTS, ids=lambda case: f"{case[0]}-{case[1]}")
@pytest.mark.parametrize(
    "sizes",
    [
        {},
        {"stride": 2, "padding": 1},
        {"dilation": 2, "padding": 2},
        {"padding": (2, 1, 0, 3)},
        {"padding": 3, "stride": (1, 3)},
    ],
    ids=str,
)
def test_convolution_is_fill_then_convolution_then_zeros(case, sizes):
    mode, degree, method, of_fill = case
    sizes = {"padding": "same", **sizes}
    image, weight, bias = normal(2, 3, 11, 13), normal(4, 3, 3, 3), normal(4)
    mask = some_mask(2, 3)
    options = {} if degree is None else {"degree": degree}
    output = diff_conv2d.conv2d(image, weight, bias, padding_mode=mode, mask=mask, **options, **sizes)
    boundary = MaskedBoundary(
        mask, 3, method, of_fill, dilation=sizes.get("dilation", 1), rim=0 if mode == "zeros" else None
    )
    plain = diff_conv2d.conv2d(boundary.fill(image), weight, bias, padding_mode=mode, **options, **sizes)
    widths = sizes["padding"]
    top, left = {"same": (1, 1), (2, 1, 0, 3): (0, 2)}.get(widths, (widths, widths))
    stride = sizes.get("stride", 1)
    stride = (stride,) * 2 if isinstance(stride, int) else stride
    middle, expected = sizes.get("dilation", 1), plain.clone()
    for row, column in itertools.product(*map(range, plain.shape[2:])):
        y = min(max(row * stride[0] - top + middle, 0), 10)
        x = min(max(column * stride[1] - left + middle, 0), 12)
        if not mask[y, x]:
            expected[:, :, row, column] = 0
    torch.testing.assert_close(output, expected, rtol=1e-9, atol=1e-9)
    prepared = diff_conv2d.conv2d(image, weight, bias, padding_mode=mode, mask=boundary, **options, **sizes)
    torch.testing.assert_close(prepared, expected, rtol=1e-9, atol=1e-9)


@pytest.mark.parametrize("axes", [1, 2, 3])
def test_partial_by_a_loop(axes):
    shape = SHAPES[axes]
    image, weight, bias, mask = normal(1, 2, *shape), normal(1, 2, *(3,) * axes), normal(1), some_mask(axes, 4)
    output = CONVOLUTIONS[axes](image, weight, bias, padding="same", padding_mode="partial", mask=mask)
    for place in itertools.product(*map(range, shape)):
        total, count = 0.0, 0
        for step in itertools.product((-1, 0, 1), repeat=axes):
            at = tuple(a + b for a, b in zip(place, step, strict=True))
            if all(0 <= a < n for a, n in zip(at, shape, strict=True)) and mask[at]:
                count += 1
                total += sum(weight[0, c][tuple(s + 1 for s in step)] * image[0, c][at] for c in range(2))
        expected = total * 3**axes / count + bias[0] if mask[place] else torch.zeros(()).double()
        torch.testing.assert_close(output[0, 0][place], expected, rtol=1e-10, atol=1e-10)


def test_partial_of_a_rectangle_is_the_mode():
    image, weight = normal(1, 1, 8, 9), normal(1, 1, 3, 3)
    plain = diff_conv2d.conv2d(image, weight, padding="same", padding_mode="partial")
    mask = F.pad(torch.ones(8, 9, dtype=torch.bool), (2, 2, 2, 2))
    around = F.pad(image, (2, 2, 2, 2), value=torch.nan)
    output = diff_conv2d.conv2d(around, weight, padding="same", padding_mode="partial", mask=mask)
    torch.testing.assert_close(output[..., 2:-2, 2:-2], plain)


@pytest.mark.parametrize(("method", "degree"), METHODS)
def test_each_image_and_channel_has_its_own_mask(method, degree):
    images = normal(3, 2, 11, 13)
    masks = torch.stack([torch.stack([some_mask(2, 2 * n + c) for c in range(2)]) for n in range(3)])
    masks[2, 1] = masks[0, 0]
    result = filled(torch.where(masks, images, torch.nan), None, 1, method, degree)
    for n, c in itertools.product(range(3), range(2)):
        alone = filled(images[n, c], masks[n, c], 1, method, degree, axes=2)
        torch.testing.assert_close(result[n, c], alone, rtol=1e-12, atol=1e-12)
    by_images = filled(images, masks[:, :1], (1, 1), method, degree)
    alone = filled(images[1, 1], masks[1, 0], 1, method, degree, axes=2)
    torch.testing.assert_close(by_images[1, 1], alone, rtol=1e-12, atol=1e-12)
    one = diff_conv2d.conv2d(images, normal(1, 2, 3, 3), padding=1, padding_mode="replicate", mask=masks[:, :1])
    for n in range(3):
        expected = diff_conv2d.conv2d(
            images[n], normal(1, 2, 3, 3), padding=1, padding_mode="replicate", mask=masks[n, 0]
        )
        torch.testing.assert_close(one[n], expected, rtol=1e-12, atol=1e-12)


def test_valid_is_what_is_not_nan():
    image = torch.tensor([1.0, torch.nan, torch.inf])
    assert valid(image).tolist() == [True, False, True]
    # Of any number of dimensions, and without anything outside.
    whole = normal(2, 3, 4, 5, 6)
    assert filled(whole, axes=2) is whole
    holes = whole.where(torch.rand(whole.shape, generator=source(0)) > 0.3, torch.nan)
    assert filled(holes, reach=9, axes=2).isfinite().all()
    assert filled(holes[0, 0, 0], axes=2).shape == (5, 6)


@pytest.mark.parametrize(("method", "degree"), [*METHODS[:4], ("partial", None)])
@pytest.mark.parametrize("prepared", [True, False])
def test_gradients(method, degree, prepared):
    mode = {"zeros": "zeros", "nearest": "replicate", "polynomial": "diff", "partial": "partial"}[method]
    mask = torch.rand(5, 6, generator=source(1)) < 0.7
    image, weight = normal(2, 1, 5, 6).requires_grad_(), normal(1, 1, 3, 3).requires_grad_()
    options = {} if degree is None else {"degree": degree}
    given = MaskedBoundary(mask, 3, method, degree) if prepared else mask

    def function(image, weight):
        return diff_conv2d.conv2d(image, weight, padding="same", padding_mode=mode, mask=given, **options)

    assert torch.autograd.gradcheck(function, (image, weight))
    assert torch.autograd.gradgradcheck(function, (image, weight))


def test_adaptive_keeps_what_errs_least():
    h, w = torch.meshgrid(torch.arange(80.0).double(), torch.arange(80.0).double(), indexing="ij")
    smooth, steps = (h / 9 + w / 13).sin(), ((h // 20 + w // 20) % 2)
    noise = normal(80, 80)
    images = torch.stack([smooth, steps, noise])[None]
    blobs = F.avg_pool2d(torch.randn(1, 1, 92, 92, generator=source(5)), 13, 1)[0, 0]
    mask = blobs < blobs.flatten().kthvalue(int(0.8 * blobs.numel()))[0]
    known = {}
    for method, degree in (("nearest", None), *(("polynomial", d) for d in range(4)), ("adaptive", None)):
        boundary = MaskedBoundary(mask, 5, method, degree, rim=0)
        where = boundary._fills[0][0].outside
        result = boundary.fill(images).flatten(2)[..., where]
        known[method, degree] = (result - images.flatten(2)[..., where]).abs().mean(-1)[0]
    adaptive = known.pop(("adaptive", None))
    best = torch.stack(list(known.values())).amin(0)
    assert (adaptive <= 1.1 * best).all()
    # Each channel chooses for itself.
    alone = MaskedBoundary(mask, 5, "adaptive").fill(images[:, 1:2])
    torch.testing.assert_close(MaskedBoundary(mask, 5, "adaptive").fill(images)[:, 1:2], alone)


def test_adaptive_without_anything_to_learn_from():
    image = normal(5, 5)
    mask = torch.zeros(5, 5, dtype=torch.bool)
    mask[2, 2] = True
    assert torch.equal(filled(image, mask, 1, "adaptive", axes=2)[1:4, 1:4], image[2, 2].expand(3, 3))
    mask = some_mask(2, 0, 0.5)
    image = normal(*SHAPES[2])
    assert filled(image, mask, 2, "adaptive", axes=2).isfinite().all()
    constant = torch.full(SHAPES[2], 3.5, dtype=torch.float64)
    result = filled(torch.where(mask, constant, torch.nan), mask, 20, "adaptive", axes=2)
    torch.testing.assert_close(result, constant, rtol=1e-12, atol=0)


DTYPES = [torch.float16, torch.bfloat16, torch.float32, torch.complex64, torch.complex128]


@pytest.mark.parametrize("dtype", DTYPES, ids=str)
@pytest.mark.parametrize(("method", "degree"), METHODS)
def test_dtypes(dtype, method, degree):
    mask, image = some_mask(2, 6), normal(2, 3, *SHAPES[2])
    if dtype.is_complex:
        image = torch.complex(image, normal(2, 3, *SHAPES[2], seed=1))
        parts = [filled(part, mask, 1, method, degree) for part in (image.real, image.imag)]
        expected = torch.complex(*parts)
    else:
        expected = filled(image.to(dtype).double(), mask, 1, method, degree)
    result = filled(image.to(dtype), mask, 1, method, degree)
    assert result.dtype == dtype
    eps = torch.finfo(dtype).eps
    torch.testing.assert_close(result.to(expected.dtype), expected, rtol=20 * eps, atol=20 * eps)


@pytest.mark.parametrize("make", [
    lambda x: x.mT.contiguous().mT,
    lambda x: x.contiguous(memory_format=torch.channels_last),
    lambda x: torch.cat([x, x], -1)[..., ::2],
    lambda x: x[:1].expand(4, -1, -1, -1),
    lambda x: x[:0],
], ids=["transposed", "channels last", "every other", "expanded", "empty"])  # fmt: skip
@pytest.mark.parametrize("method", ["nearest", "adaptive", "partial"])
def test_strides(make, method):
    mode = "partial" if method == "partial" else "replicate"
    image, weight = make(normal(2, 3, 24, 20)), normal(2, 3, 3, 3)
    mask = torch.rand(24, 20, generator=source(3)) < 0.8
    before = image.clone()
    boundary = MaskedBoundary(mask.mT.contiguous().mT, 3, method)
    output = diff_conv2d.conv2d(image, weight, padding=1, padding_mode=mode, mask=boundary)
    again = diff_conv2d.conv2d(image.contiguous(), weight, padding=1, padding_mode=mode, mask=boundary)
    torch.testing.assert_close(output, again)
    # The image is left as it is.
    assert torch.equal(image, before)


def test_integers():
    image, weight = torch.arange(25).view(1, 1, 5, 5), torch.ones(1, 1, 3, 3, dtype=torch.int64)
    mask = torch.ones(5, 5, dtype=torch.bool)
    mask[2, 2] = False
    output = diff_conv2d.conv2d(image, weight, padding=1, padding_mode="zeros", mask=mask)
    expected = F.conv2d(image * mask, weight, padding=1) * mask
    assert torch.equal(output, expected)
    with pytest.raises(TypeError, match=r"images must be of a floating point.*got torch.int64"):
        diff_conv2d.conv2d(image, weight, padding=1, padding_mode="replicate", mask=mask)


@pytest.mark.parametrize("mode", MODES)
@pytest.mark.parametrize("unbatched", [False, True])
def test_layers_take_masks(mode, unbatched):
    layer = diff_conv2d.Conv2d(2, 3, 3, padding=1, padding_mode=mode)
    image = torch.randn(2, 9, 10) if unbatched else torch.randn(4, 2, 9, 10)
    mask = torch.rand(9, 10) < 0.7
    expected = diff_conv2d.conv2d(image, layer.weight, layer.bias, padding=1, padding_mode=mode, mask=mask)
    assert torch.equal(layer(image, mask=mask), expected)
    assert torch.equal(layer(image, mask), expected)
    assert torch.equal(layer(image), layer(image, torch.ones(9, 10, dtype=torch.bool)))


def test_other_layers_take_masks():
    image, mask = torch.randn(2, 2, 9, 10), torch.rand(9, 10) < 0.7
    paper = diff_conv2d.DiffConv2dLayer(2, 3, 3)
    expected = diff_conv2d.conv2d(image, paper.weight, paper.bias, padding="same", mask=mask)
    torch.testing.assert_close(paper(image, mask), expected, rtol=1e-4, atol=1e-4)
    running = diff_conv2d.Conv2d(2, 3, 3, padding=1, padding_mode="adaptive", track_running_stats=True)
    assert running(image, mask).isfinite().all()
    boundary = MaskedBoundary(mask, 3)
    explicit = diff_conv2d.Conv2d(2, 3, 3, padding=1, padding_mode="explicit")
    assert (explicit(image, boundary)[..., ~mask] == 0).all()
    volumes, lines = diff_conv2d.Conv3d(1, 1, 3, padding=1), diff_conv2d.Conv1d(1, 1, 3, padding=1)
    assert (volumes(torch.randn(1, 1, 4, 9, 10), torch.stack([mask] * 4))[..., ~mask] == 0).all()
    assert (lines(torch.randn(1, 1, 10), mask[0])[..., ~mask[0]] == 0).all()


def test_a_graph_holds_the_mask():
    class Network(nn.Module):
        def __init__(self):
            super().__init__()
            self.layer = diff_conv2d.Conv2d(1, 1, 3, padding=1, padding_mode="replicate")

        def forward(self, image, mask):
            return self.layer(image, mask)

    network = Network()
    traced = torch.fx.symbolic_trace(network)
    image, mask = torch.randn(1, 1, 9, 10), torch.rand(9, 10) < 0.7
    assert torch.equal(traced(image, mask), network(image, mask))
    alone = torch.fx.symbolic_trace(network.layer)
    assert torch.equal(alone(image), network.layer(image))
    with pytest.raises(ValueError, match=r"mask must be None for a layer that torch.fx has traced by itself"):
        alone(image, mask)


def test_autocast_and_transforms():
    mask, image = some_mask(2, 6), normal(4, 1, *SHAPES[2], dtype=torch.float32)
    for method, degree in METHODS:
        boundary = MaskedBoundary(mask, 3, method, degree)
        with torch.autocast("cpu", torch.bfloat16):
            assert torch.equal(boundary.fill(image), boundary.fill(image.clone()))
            rounded = boundary.fill(image)
        torch.testing.assert_close(rounded, boundary.fill(image))
        torch.testing.assert_close(torch.vmap(boundary.fill)(image), boundary.fill(image))
        if method != "adaptive":
            _, tangent = torch.func.jvp(boundary.fill, (image,), (image,))
            torch.testing.assert_close(tangent, boundary.fill(image))


def test_copies_and_pickles():
    mask, image = some_mask(2, 6), normal(1, 1, *SHAPES[2])
    boundary = MaskedBoundary(mask, 3, "adaptive")
    expected = boundary.fill(image)
    for other in (copy.deepcopy(boundary), pickle.loads(pickle.dumps(boundary))):
        assert torch.equal(other.fill(image), expected)
    assert repr(boundary) == "MaskedBoundary(mask of shape (11, 13), method='adaptive', reach=(1, 1))"


def test_the_mask_may_change_afterwards():
    mask, image = some_mask(2, 6), normal(1, 1, *SHAPES[2])
    boundary = MaskedBoundary(mask, 3)
    expected = MaskedBoundary(mask, 3).fill(image)
    mask.fill_(True)
    assert torch.equal(boundary.fill(image), expected)


@pytest.mark.slow
@pytest.mark.parametrize(("method", "degree"), METHODS)
def test_compiled(method, degree):
    mask, image = some_mask(2, 6), normal(2, 1, *SHAPES[2], dtype=torch.float32)
    weight = normal(1, 1, 3, 3, dtype=torch.float32)
    boundary = MaskedBoundary(mask, 3, method, degree)

    def function(image):
        return diff_conv2d.conv2d(image, weight, padding=1, padding_mode="replicate", mask=boundary)

    compiled = torch.compile(function, fullgraph=True)
    torch.testing.assert_close(compiled(image), function(image), rtol=1e-4, atol=1e-4)


@pytest.mark.cuda
@pytest.mark.skipif(not torch.cuda.is_available(), reason="needs a CUDA device")
@pytest.mark.parametrize(("method", "degree"), METHODS)
def test_on_a_gpu(method, degree):
    mask, image = some_mask(2, 6), normal(2, 3, *SHAPES[2])
    weight = normal(2, 3, 3, 3)
    boundary = MaskedBoundary(mask, 3, method, degree)
    expected = diff_conv2d.conv2d(image, weight, padding=1, padding_mode="diff", mask=boundary)
    for given in (boundary, MaskedBoundary(mask.cuda(), 3, method, degree)):
        output = diff_conv2d.conv2d(image.cuda(), weight.cuda(), padding=1, padding_mode="diff", mask=given)
        torch.testing.assert_close(output.cpu(), expected)


MASK = torch.tensor([[True, False, True], [True, True, True]])
REFUSED = [
    (lambda: MaskedBoundary(MASK.float(), 3), TypeError, "mask must be of dtype torch.bool.*torch.float32"),
    (lambda: MaskedBoundary(MASK.numpy(), 3), TypeError, "mask must be a tensor, got ndarray"),
    (lambda: MaskedBoundary(MASK), ValueError, "one of kernel_size and reach must be given, got None and None"),
    (lambda: MaskedBoundary(MASK, 3, reach=1), ValueError, "one of kernel_size and reach"),
    (lambda: MaskedBoundary(MASK, 0), ValueError, "kernel_size must be at least 1"),
    (lambda: MaskedBoundary(MASK, 3, "linear"), ValueError, "method must be one of zeros, nearest.*got 'linear'"),
    (lambda: MaskedBoundary(MASK, 3, "polynomial", 6), ValueError, "degree must lie between 0 and 5, got 6"),
    (lambda: MaskedBoundary(MASK, 3, "polynomial", True), TypeError, "degree must be an integer, got True"),
    (lambda: MaskedBoundary(MASK, 3, "nearest", 1), ValueError, "degree must be None for method='nearest', got 1"),
    (lambda: MaskedBoundary(MASK, reach=-1), ValueError, "reach must be at least 0"),
    (lambda: MaskedBoundary(MASK, 3, axes=1), ValueError, "mask must have 1 dimensions, or 3"),
    (lambda: MaskedBoundary(MASK, 3, axes=4), ValueError, "axes must be 1, 2 or 3, got 4"),
    (lambda: MaskedBoundary(MASK, 3).fill(torch.ones(1, 1, 3, 3)), ValueError, r"must broadcast.*\(1, 1, 3, 3\)"),
    (lambda: MaskedBoundary(MASK, 3).fill([1.0]), TypeError, "images must be a tensor"),
    (lambda: filled(torch.ones(3)), ValueError, "axes must be given: images of shape"),
    (lambda: convolved("reflect"), ValueError, "padding_mode must be one of zeros.*'reflect'.*MaskedBoundary"),
    (lambda: convolved("diff", degree=(1, 2)), ValueError, r"degree must be the same along all axes.*\(1, 2\)"),
    (lambda: convolved("diff", MASK[:, :2]), ValueError, r"mask must have .* shape \(2, 3\), got shape \(2, 2\)"),
    (lambda: convolved("diff", MASK.int()), TypeError, "mask must be of dtype torch.bool"),
    (lambda: convolved("diff", "nan"), TypeError, "mask must be a tensor, got str"),
    (lambda: convolved("diff", MASK.expand(1, 2, 2, 3)), ValueError, r"mask must broadcast to \(2, 3\)"),
    (lambda: convolved("diff", MaskedBoundary(MASK, 1)), ValueError, r"mask must reach as far.*\(1, 1\).*\(0, 0\)"),
    (lambda: convolved("diff", MaskedBoundary(MASK[0], 3)), ValueError, "must have 2 spatial axes, got one of 1"),
    (lambda: convolved("diff", MaskedBoundary(MASK, 3, "partial")), ValueError, "padding_mode must be 'partial'"),
    (lambda: convolved("diff", MaskedBoundary(MASK.expand(1, 2, 2, 3), 3)), ValueError, "same for all channels"),
]  # fmt: skip


def convolved(mode, mask=MASK, **options):
    image, weight = torch.ones(1, 1, 2, 3), torch.ones(1, 1, 3, 3)
    return diff_conv2d.conv2d(image, weight, padding=1, padding_mode=mode, mask=mask, **options)


@pytest.mark.parametrize(("call", "error", "message"), REFUSED, ids=[case[2][:40] for case in REFUSED])
def test_wrong_input_is_refused_by_name(call, error, message):
    with pytest.raises(error, match=message):
        call()
