import numpy as np
import pytest
import torch
import torch.nn.functional as F
from mode_cases import CASES, FUNCTIONAL
from oracle import extended_image

import diff_conv2d

IMAGE = torch.randn(2, 3, 6, 7, dtype=torch.float64, generator=torch.Generator().manual_seed(0))


@pytest.mark.parametrize("degree", [0, 1, 2, (3, 1), 9])
@pytest.mark.parametrize("pad", [(1, 1, 1, 1), (2, 0, 0, 3), (0, 0, 0, 0), (8, 9, 1, 0)])
def test_polynomial_equals_the_naive_oracle(pad, degree):
    degrees = degree if isinstance(degree, tuple) else (degree, degree)
    expected = extended_image(IMAGE.numpy(), (pad[2], pad[0]), (pad[3], pad[1]), degrees, (1, 1))
    actual = diff_conv2d.pad(IMAGE, pad, degree=degree)
    torch.testing.assert_close(actual, torch.from_numpy(expected), rtol=1e-9, atol=1e-9)


def test_degree_by_default():
    quadratic = diff_conv2d.pad(IMAGE, (1, 1, 1, 1), degree=2)
    assert torch.equal(diff_conv2d.pad(IMAGE, (1, 1, 1, 1)), quadratic)
    assert torch.equal(diff_conv2d.pad(IMAGE, (1, 1, 1, 1), mode="diff"), quadratic)


def test_degree_zero_is_replicate():
    pad = (2, 3, 1, 0)
    assert torch.equal(diff_conv2d.pad(IMAGE, pad, degree=0), F.pad(IMAGE, pad, mode="replicate"))


@pytest.mark.parametrize("mode", ["zeros", "reflect", "replicate", "circular"])
def test_torchs_modes_are_torchs(mode):
    pad = (2, 3, 1, 0)
    expected = F.pad(IMAGE, pad, mode="constant" if mode == "zeros" else mode)
    assert torch.equal(diff_conv2d.pad(IMAGE, pad, mode=mode), expected)


@pytest.mark.parametrize("pad", [(1, 2, 3, 0), (7, 6, 13, 30), (0, 0, 0, 0)])
def test_symmetric_equals_numpy(pad):
    expected = np.pad(IMAGE.numpy(), ((0, 0), (0, 0), pad[2:], pad[:2]), mode="symmetric")
    assert np.array_equal(diff_conv2d.pad(IMAGE, pad, mode="symmetric").numpy(), expected)


@pytest.mark.parametrize("pad", [(1, 2, 3, 0), (6, 5, 4, 5), (0, 0, 0, 0)])
def test_antireflect_equals_numpy(pad):
    widths = ((0, 0), (0, 0), pad[2:], pad[:2])
    expected = np.pad(IMAGE.numpy(), widths, mode="reflect", reflect_type="odd")
    np.testing.assert_allclose(diff_conv2d.pad(IMAGE, pad, mode="antireflect").numpy(), expected, rtol=0, atol=1e-14)


@pytest.mark.parametrize("axes", [1, 2, 3])
@pytest.mark.parametrize("mode", [name for name in FUNCTIONAL if CASES[name].extends])
def test_with_and_without_batch_in_every_dimension(mode, axes):
    image = torch.randn(2, 3, *(5, 6, 4)[:axes])
    generator = torch.Generator()
    options = {"generator": generator.manual_seed(1)} if mode == "random" else {}
    batch = diff_conv2d.pad(image[:1], (1, 2) * axes, mode=mode, **options)
    if mode == "random":
        generator.manual_seed(1)
    single = diff_conv2d.pad(image[0], (1, 2) * axes, mode=mode, **options)
    assert torch.equal(batch[0], single)
    assert single.shape == (3, *(size + 3 for size in image.shape[2:]))
    inside = (..., *(slice(1, -2),) * axes)
    assert torch.equal(single[inside], image[0])


def test_random_has_the_moments_of_each_edge_band_and_channel():
    ramp = torch.arange(400.0).view(1, 1, -1, 1).expand(1, 1, 400, 300)
    image = torch.cat([ramp, 10 * ramp], 1)
    padded = diff_conv2d.pad(image, (0, 0, 30, 30), mode="random", generator=torch.Generator().manual_seed(0))
    for channel, scale in ((0, 1), (1, 10)):
        for noise, band in ((padded[0, channel, :30], ramp[:, :, :31]), (padded[0, channel, -30:], ramp[:, :, -31:])):
            torch.testing.assert_close(noise.mean(), scale * band.mean(), rtol=0, atol=scale * 0.5)
            torch.testing.assert_close(noise.std(), scale * band.std(), rtol=0.05, atol=0)


def test_random_is_reproducible_by_its_generator():
    draws = [
        diff_conv2d.pad(IMAGE, (1, 1, 1, 1), mode="random", generator=torch.Generator().manual_seed(seed))
        for seed in (5, 5, 6)
    ]
    assert torch.equal(draws[0], draws[1])
    assert not torch.equal(draws[0], draws[2])


def test_random_repeats_a_constant_image_and_one_pixel_with_finite_gradients():
    for image in (torch.full((1, 1, 4, 4), 3.0), torch.full((1, 1, 1, 1), 3.0)):
        image.requires_grad_()
        padded = diff_conv2d.pad(image, (1, 1, 1, 1), mode="random")
        assert torch.equal(padded, torch.full_like(padded, 3.0))
        padded.sum().backward()
        assert image.grad.isfinite().all()


def test_fewer_samples_than_the_degree_needs_lower_it():
    line = torch.tensor([[[0.0, 1.0]]])
    assert diff_conv2d.pad(line, (2, 2), degree=5).tolist() == [[[-2.0, -1.0, 0.0, 1.0, 2.0, 3.0]]]
    assert diff_conv2d.pad(line[..., :1], (1, 2), degree=5).tolist() == [[[0.0, 0.0, 0.0, 0.0]]]


def test_nan_stays_with_the_lines_and_samples_it_belongs_to():
    image = torch.zeros(1, 1, 8, 8)
    image[0, 0, 4, 1] = torch.nan
    touched = diff_conv2d.pad(image, (2, 2, 2, 2), degree=2).isnan()[0, 0]
    expected = torch.zeros(12, 12, dtype=torch.bool)
    # Row 4 is touched where it is continued to the left from its samples 0 to 2, and where it is NaN itself.
    expected[6, [0, 1, 3]] = True
    assert torch.equal(touched, expected)


@pytest.mark.parametrize("dtype", [torch.float16, torch.bfloat16])
def test_half_precision_is_rounded_once(dtype):
    image = torch.randn(1, 1, 9, 9).to(dtype)
    # What lies outside along one axis is rounded before the other axis continues it, so one axis is looked at.
    expected = diff_conv2d.pad(image.double(), (3, 3, 0, 0), degree=6).to(dtype)
    torch.testing.assert_close(diff_conv2d.pad(image, (3, 3, 0, 0), degree=6), expected, rtol=1e-2, atol=1e-2)


@pytest.mark.parametrize(
    ("arguments", "error", "message"),
    [
        ({"pad": (1, 1, 1)}, ValueError, r"pad must hold two integers .* got \(1, 1, 1\)"),
        ({"pad": (1, -1)}, ValueError, r"pad must be at least 0 along every axis, got \(1, -1\)"),
        ({"pad": (1, 1)}, ValueError, r"input must have 3 dimensions for a pad of 2 integers"),
        ({"mode": "mirror"}, ValueError, r"padding_mode must be one of zeros, .* got 'mirror'"),
        (
            {"mode": ["zeros"]},
            ValueError,
            r"one entry for each axis, here 2, got 1: \(zeros,\)",
        ),
        ({"mode": "zeros", "degree": 1}, TypeError, r"padding_mode='zeros' has no option 'degree'; it has none"),
        ({"mode": "random", "taps": 1}, TypeError, r"has no option 'taps'; it has generator"),
        ({"degree": -1}, ValueError, r"degree must be at least 0 along every axis, got -1"),
        ({"degree": (1, 2, 3)}, ValueError, r"degree must have one value or 2"),
        ({"degree": 1.5}, TypeError, r"degree must be an integer, or a sequence with one for each axis, got 1.5"),
        ({"input": torch.zeros(1, 3, 0, 4)}, ValueError, r"at least one sample along every axis"),
        ({"input": torch.zeros(1, 0, 4, 4)}, ValueError, r"at least one channel, got shape \(1, 0, 4, 4\)"),
        ({"input": torch.zeros(1, 1, 4, 4).to(torch.float8_e5m2)}, TypeError, r"input must be .* got torch.float8"),
        ({"input": torch.zeros(1, 1, 4, 4).to(torch.uint16), "mode": "reflect"}, TypeError, "got torch.uint16"),
        ({"input": [[1.0]]}, TypeError, r"input must be a tensor, got list"),
    ],
    ids=lambda value: str(value) if isinstance(value, dict) else "",
)
def test_errors_name_the_argument(arguments, error, message):
    with pytest.raises(error, match=message):
        diff_conv2d.pad(**{"input": IMAGE, "pad": (1, 1, 1, 1), **arguments})


@pytest.mark.parametrize("mode", [name for name in FUNCTIONAL if CASES[name].extends])
@pytest.mark.parametrize("shape", [(2, 3, 4, 5), (3, 4, 5)])
def test_nothing_added_is_a_copy(mode, shape):
    image = torch.ones(shape)
    diff_conv2d.pad(image, (0, 0, 0, 0), mode, **CASES[mode].options).mul_(5)
    assert torch.equal(image, torch.ones(shape))
