import numpy as np
import pytest
import torch
from torch.autograd import gradcheck

import diff_conv2d
from diff_conv2d import precision
from diff_conv2d.geometry import Geometry
from diff_conv2d.modes import adaptive
from diff_conv2d.modes.adaptive import Adaptive
from diff_conv2d.modes.prediction_weights import (
    blend,
    edge_differences,
    fitted,
    gram_matrix,
    neighbour_correlation,
    polynomials,
    scores,
)
from diff_conv2d.tracing import _kept


def noise(*shape, seed=0):
    """Noise smoothed along both axes."""
    x = np.random.default_rng(seed).standard_normal(shape)
    for axis in (-2, -1):
        x = x + 0.6 * np.roll(x, 1, axis) + 0.2 * np.roll(x, 2, axis)
    return torch.from_numpy(x)


def pad(image, width=2, **options):
    return diff_conv2d.pad(image, (width,) * (2 * (image.ndim - 2)), mode="adaptive", **options)


def continued(whole, width, **options):
    """Continue what is left of a field without its frame; the frame is the truth."""
    inside = (slice(width, -width),) * (whole.ndim)
    return pad(whole[inside][None, None], width, **options)[0, 0]


def relative_error(whole, width, **options):
    return ((continued(whole, width, **options) - whole).abs().max() / whole.abs().max()).item()


def polynomial_field(degree, *sizes):
    """Products of Chebyshev polynomials of all degrees up to `degree` along each axis, with random coefficients."""
    coefficients = np.random.default_rng(0).standard_normal((degree + 1,) * len(sizes))
    axes = [np.polynomial.chebyshev.chebvander(np.linspace(-1, 1, size), degree) for size in sizes]
    return torch.from_numpy(np.einsum("ij,ai,bj->ab", coefficients, *axes))


# The theorems


@pytest.mark.parametrize(
    ("taps", "size", "width"),
    [(12, 140, 1), (12, 140, 2), (8, 64, 3), (8, 40, 1), (6, 18, 3), (4, 12, 1)],
)
def test_exact_on_polynomials_of_degree_below_taps_up_to_the_corners(taps, size, width):
    assert relative_error(polynomial_field(taps - 1, size, size + 1), width) < 1e-6


@pytest.mark.parametrize(("taps", "size"), [(12, 140), (8, 64), (6, 18), (4, 12)])
def test_exact_on_sinusoids(taps, size):
    """(n - 1) / 2 of them along each axis, each with its own frequency and phase."""
    rng = np.random.default_rng(1)
    position, field = torch.arange(size, dtype=torch.float64), 0
    for _ in range((taps - 1) // 2):
        waves = [torch.cos(rng.uniform(0.3, 2.8) * position + rng.uniform(0, 6)) for _ in range(2)]
        field = field + rng.standard_normal() * torch.outer(*waves)
    assert relative_error(field, 1) < 1e-6


@pytest.mark.parametrize("select", [True, False])
def test_one_sinusoid_too_many_is_not_exact(select):
    """So that the test above could fail."""
    position = torch.arange(40, dtype=torch.float64)
    field = sum(torch.outer(torch.cos(f * position), torch.cos(f * position + 1)) for f in (0.4, 0.9, 1.5))
    assert relative_error(field, 1, taps=7, select=select) < 1e-6
    assert relative_error(field, 1, taps=5, select=select) > 1e-3


@pytest.mark.parametrize("axes", [1, 2, 3])
def test_exact_in_every_dimension(axes):
    sizes = (30, 24, 22)[:axes]
    grid = torch.meshgrid(*(torch.arange(size, dtype=torch.float64) for size in sizes), indexing="ij")
    field = torch.cos(sum(0.3 * (axis + 1) * x for axis, x in enumerate(grid)))
    assert relative_error(field, 2) < 1e-9


@pytest.mark.parametrize("dilation", [2, 3])
def test_dilation_predicts_each_lattice_from_itself(dilation):
    """Interleaved sinusoids of one frequency and unlike phases and amplitudes."""
    t = torch.arange(60 * dilation, dtype=torch.float64)
    line = (1 + t % dilation) * torch.cos(0.4 * (t // dilation) + 2 * (t % dilation))
    weight = torch.rand(1, 1, 5, dtype=torch.float64)
    p = 2 * dilation
    whole = diff_conv2d.conv1d(line[None, None], weight, dilation=dilation)
    actual = diff_conv2d.conv1d(line[None, None, p:-p], weight, padding=p, dilation=dilation, padding_mode="adaptive")
    torch.testing.assert_close(actual, whole, rtol=0, atol=1e-8)


def test_noise_is_predicted_by_its_own_least_squares():
    """A stationary autoregression: the error comes close to the innovation, where no polynomial does."""
    rng = np.random.default_rng(0)
    rows = np.zeros((400, 300))
    for t in range(2, 300):
        rows[:, t] = 1.2 * rows[:, t - 1] - 0.8 * rows[:, t - 2] + rng.standard_normal(400)
    whole = torch.from_numpy(rows[:, 100:])
    outside = diff_conv2d.pad(whole[None, None, :, :-1], (0, 1, 0, 0), mode="adaptive")[0, 0, :, -1]
    assert (outside - whole[:, -1]).std() < 1.15
    replicate = whole[:, -2] - whole[:, -1]
    assert replicate.std() > 1.4


def test_selection_repeats_the_edge_of_a_binary_image():
    """Where least squares would smear, and the mean absolute error tells."""
    h, w = np.meshgrid(np.arange(200), np.arange(200), indexing="ij")
    field = torch.from_numpy((np.sin(h / 7 + w / 11) + np.cos(h / 13 - w / 5) > 0).astype(float))
    chosen = (continued(field, 1) - field).abs().mean()
    least_squares = (continued(field, 1, select=False) - field).abs().mean()
    inside = field[1:-1, 1:-1]
    replicate = (torch.nn.functional.pad(inside[None, None], (1,) * 4, mode="replicate")[0, 0] - field).abs().mean()
    assert chosen <= 1.05 * replicate
    assert least_squares > 1.2 * replicate


# An independent oracle


def windows_of(image, width):
    """All windows near both ends of the rows of an image, outermost sample first, in both directions."""
    reach = 2 * 3
    found = []
    for row in image:
        for line in (row, row[::-1]):
            band = line[: reach + width]
            for start in range(len(band) - 2 - width):
                window = band[start : start + 3 + width]
                found += [window, window[::-1]]
    return np.array(found)


@pytest.mark.parametrize("width", [1, 2])
def test_fit_equals_a_plain_least_squares_solve(width):
    """numpy.linalg.lstsq on windows copied out, with 3 taps, along the rows of an image."""
    image = noise(11, 14).numpy()
    windows = windows_of(image, width)
    edge, inner = windows[:, width], windows[:, width + 1 :]
    expected = []
    for s in range(1, width + 1):
        weights = np.linalg.lstsq(inner - edge[:, None], windows[:, width - s] - edge, rcond=None)[0]
        expected.append(image[:, 0] + (image[:, 1:3] - image[:, :1]) @ weights)
    padded = diff_conv2d.pad(
        torch.from_numpy(image)[None, None], (width, 0, 0, 0), mode="adaptive", taps=3, select=False, ridge=1e-15
    )
    actual = padded[0, 0, :, :width].flip(-1)
    torch.testing.assert_close(actual, torch.from_numpy(np.stack(expected, 1)), rtol=1e-9, atol=1e-9)


def test_scores_are_those_of_windows_copied_out():
    image, width, taps = noise(11, 14), 2, 4
    reach = 8
    differences, counts = edge_differences(image[None, None], (-1,), reach + width, 64, 1, torch.float64)
    products = gram_matrix(differences.flatten(-2), width + taps - 1)
    fixed = polynomials((0, 1, 3), width, taps, torch.float64).expand(1, 1, 1, -1, -1, -1)
    candidates = torch.cat([fixed, fitted(products, width, [taps], 1e-13)], -3)
    actual = scores(differences, counts, candidates, [0, 0, 0, 3], ())[0, 0, 0]

    rows = image.numpy()
    bands = [row[: reach + width] for row in rows] + [row[::-1][: reach + width] for row in rows]
    positions = reach - taps + 1
    windows = np.array([b[a : a + width + taps] for b in bands for a in range(positions)])
    for index, v in enumerate(candidates[0, 0, 0].numpy()):
        w = np.concatenate([np.ones((width, 1)), v], 1) - np.concatenate([v, np.zeros((width, 1))], 1)
        residuals = windows[:, width:] @ w.T - windows[:, :width][:, ::-1]
        # The sign of a residual is that of the image seen from outside; differences at the high end have the other.
        by_line = residuals.reshape(len(bands), positions, width) * np.repeat([1, -1], len(rows))[:, None, None]
        correlation = (by_line * np.roll(by_line, 1, 0)).sum((0, 1)) / (by_line**2).sum((0, 1))
        correlation = np.clip(correlation, 0, 1)
        independent = np.maximum(len(bands) * (1 - correlation) / (1 + correlation), 1)
        residuals = np.abs(residuals)
        factor = 1 + (3 / positions / independent if index == 3 else 0)
        expected = factor * residuals.sum(0) + residuals.max() * np.abs(w).sum(1)
        np.testing.assert_allclose(actual[index], expected, rtol=1e-9)


def test_polynomial_weights_are_those_of_diff():
    image = noise(1, 1, 9, 9)
    v = polynomials([3], 2, 5, torch.float64)[0]
    first, differences = image[..., :1], image[..., 1:5] - image[..., :4]
    expected = diff_conv2d.pad(image, (2, 0, 0, 0), degree=3)[..., :2].flip(-1)
    torch.testing.assert_close(first + differences @ v.mT, expected)


def test_blend_takes_the_best_unless_another_is_close():
    candidates = torch.tensor([1.0, 5.0]).view(1, 1, 2, 1, 1)
    assert blend(candidates, torch.tensor([1.0, 3.0]).view(1, 1, 2, 1)).item() == pytest.approx(1, abs=1e-6)
    assert blend(candidates, torch.tensor([2.0, 2.0]).view(1, 1, 2, 1)).item() == pytest.approx(3)
    assert blend(candidates, torch.tensor([2.0, torch.nan]).view(1, 1, 2, 1)).item() == pytest.approx(1)
    # Without a score of the first nothing is known.
    assert blend(candidates, torch.tensor([torch.nan, 2.0]).view(1, 1, 2, 1)).isnan()


# Degenerate images


@pytest.mark.parametrize("scale", [0.0, 1e-30, 1.0, 1e30])
@pytest.mark.parametrize("dtype", [torch.float32, torch.float64])
@pytest.mark.parametrize(
    "shape", [(1, 1, 1, 1), (1, 2, 1, 5), (2, 1, 2, 3), (1, 1, 9, 8), (1, 1, 30, 130), (0, 2, 4, 4)]
)
def test_finite_on_constant_zero_tiny_and_huge_images(shape, dtype, scale):
    image = scale * torch.randn(shape, dtype=dtype, generator=torch.Generator().manual_seed(0))
    padded = pad(image, 3)
    assert padded.isfinite().all()
    assert torch.equal(padded[..., 3:-3, 3:-3], image)
    if image.numel():
        assert padded.abs().max() <= 30 * image.abs().max()
    constant = pad(torch.full_like(image, scale), 3)
    assert torch.equal(constant, torch.full_like(constant, scale))


def test_scaling_and_shifting_the_image_does_so_to_the_result():
    image = noise(2, 3, 14, 12)
    padded = pad(image)
    torch.testing.assert_close(pad(-3 * image + 7), -3 * padded + 7, rtol=1e-10, atol=1e-10)
    torch.testing.assert_close(pad(image * 1e-30) * 1e30, padded, rtol=1e-10, atol=1e-10)
    assert torch.equal(pad(image * 2**40), padded * 2**40)


def test_nan_stays_on_its_line_and_the_rest_repeats_its_edge():
    image = noise(2, 2, 20, 20)
    image[0, 1, 0, 8] = torch.nan
    image[0, 1, 10, 10] = torch.nan
    padded = pad(image)
    assert padded[[0, 1, 1], [0, 0, 1]].isfinite().all()
    expected = torch.zeros(24, 24, dtype=torch.bool)
    expected[:3, 10] = expected[12, 12] = True
    assert torch.equal(padded[0, 1].isnan(), expected)
    assert torch.equal(padded[0, 1, 2:-2, :2], image[0, 1, :, :1].expand(20, 2))


# Options


def test_images_and_channels_are_fitted_by_themselves():
    image = noise(3, 4, 20, 18)
    padded = pad(image)
    assert torch.equal(padded[1:2], pad(image[1:2]))
    torch.testing.assert_close(padded[:, 2:3], pad(image[:, 2:3]), rtol=1e-12, atol=1e-12)


def test_pooling_shares_weights():
    image = noise(2, 3, 20, 18)
    # One image with its lines side by side is what the pooled fit sees, but for the lines chosen: all, here.
    for pool, joined in (("channels", image.permute(0, 2, 1, 3)), ("batch", image.permute(1, 2, 0, 3))):
        options = {"mode": "adaptive", "taps": 3, "select": False}
        padded = diff_conv2d.pad(image, (0, 0, 2, 0), pool=pool, **options)
        together = diff_conv2d.pad(joined.flatten(2).unsqueeze(1), (0, 0, 2, 0), **options)
        expected = (
            together.squeeze(1)
            .unflatten(2, (-1, 18))
            .permute(*((0, 2, 1, 3) if pool == "channels" else (2, 0, 1, 3)))
        )
        torch.testing.assert_close(padded, expected, rtol=1e-9, atol=1e-9)
        assert not torch.equal(padded, diff_conv2d.pad(image, (0, 0, 2, 0), **options))


@pytest.mark.parametrize("pool", ["channels", "batch"])
def test_pooled_scores_are_shared_too(pool):
    image = noise(2, 3, 20, 18)
    padded = pad(image, 1, pool=pool)
    assert not torch.allclose(padded, pad(image, 1))
    # What is taken together has no order.
    dim = 1 if pool == "channels" else 0
    torch.testing.assert_close(pad(image.flip(dim), 1, pool=pool), padded.flip(dim))


# Axes of unequal length


@pytest.mark.parametrize(
    ("sizes", "options"),
    [
        ((24, 19), {}),
        ((20, 110), {"fit_gradient": True}),
        ((40, 28), {"pool": "all"}),
        ((330, 310), {"pool": "channels"}),
        ((18, 21), {"select": False}),
        ((30, 19, 20), {"fit_gradient": True}),
    ],
)
@pytest.mark.parametrize("device", ["cpu", "gpu"])
@pytest.mark.parametrize(("width", "step"), [(1, 1), (2, 1), (2, 2)])
def test_axes_of_unequal_length_are_fitted_as_each_by_itself(sizes, options, device, width, step, monkeypatch):
    monkeypatch.setattr(precision, "CPU", "cpu" if device == "cpu" else "none")
    monkeypatch.setattr(adaptive, "_AT_ONCE", 1 << 30)
    sizes = tuple(step * size for size in sizes)
    image = noise(2, 3, *sizes)
    # A flat image, and one whose edge is not finite.
    image[1, 0], image[1, 1, 0] = 2, torch.nan
    image.requires_grad_(options.get("fit_gradient", False))
    per_axis = (width * step,) * len(sizes)
    geometry = Geometry((2 * width + 1,) * len(sizes), (1,) * len(sizes), (step,) * len(sizes), per_axis, per_axis)
    mode = Adaptive(**options)
    each = [mode.sizes(size, geometry, axis) for axis, size in enumerate(sizes)]
    fits = counted_calls(monkeypatch, "edge_differences")
    together = mode.weights_of_axes(image, each, geometry)
    assert len(fits) == 1
    apart = [mode.weights(image, found, geometry, axis) for axis, found in enumerate(each)]
    assert len(fits) == 1 + len(sizes)
    torch.testing.assert_close(together, apart, rtol=1e-12, atol=1e-13)
    if image.requires_grad:
        gradients = [torch.autograd.grad(sum(v[0].sum() for v in vs), image)[0] for vs in (together, apart)]
        torch.testing.assert_close(*gradients, rtol=1e-10, atol=1e-12, equal_nan=True)
        assert gradients[0].any()


def counted_calls(monkeypatch, name):
    """Return a list that gets the arguments of each later call of a function of the mode."""
    calls, function = [], getattr(adaptive, name)

    def called(*arguments):
        calls.append(arguments)
        return function(*arguments)

    monkeypatch.setattr(adaptive, name, called)
    return calls


def test_lines_that_an_axis_lacks_are_zeros():
    image = noise(1, 1, 20, 12)
    differences, counts = edge_differences(image, (-2, -1), 6, 64, 1, torch.float64)
    # Twelve lines go along the first axis, and twenty along the second one, from both ends.
    assert counts == (24, 40)
    assert differences.shape == (1, 1, 2, 5, 1, 40)
    assert not differences[:, :, 0, ..., 24:].any()
    assert differences[:, :, 0, ..., :24].all()
    for axis, dim in enumerate((-2, -1)):
        alone, count = edge_differences(image, (dim,), 6, 64, 1, torch.float64)
        assert count == counts[axis : axis + 1]
        assert torch.equal(differences[:, :, axis, ..., : counts[axis]], alone[:, :, 0])


def test_neighbour_correlation_leaves_out_the_lines_that_an_axis_lacks():
    generator = torch.Generator().manual_seed(0)
    residuals = torch.randn(2, 1, 2, 3, 4, 9, generator=generator)
    residuals[:, :, 0, ..., 5:] = 0
    actual = neighbour_correlation(residuals, (5, 9))
    first = neighbour_correlation(residuals[:, :, :1, ..., :5].contiguous(), (5,))
    second = neighbour_correlation(residuals[:, :, 1:], (9,))
    torch.testing.assert_close(actual, torch.cat([first, second], 2))


def test_neighbour_correlation():
    generator = torch.Generator().manual_seed(0)
    same, apart = torch.ones(1, 1, 4, 50), torch.randn(1, 1, 4, 5000, generator=generator)

    def correlation(residuals):
        return neighbour_correlation(residuals[None, None], (residuals.shape[-1],)).item()

    assert correlation(same) == pytest.approx(1)
    assert correlation(apart) == pytest.approx(0, abs=0.03)
    # Each line three times: neighbours agree in two cases of three, and a third of the lines is independent.
    assert correlation(apart.repeat_interleave(3, -1)) == pytest.approx(2 / 3, abs=0.03)
    assert correlation(torch.zeros(1, 1, 4, 50)) == 0


def test_the_fit_reads_its_band_only():
    image = noise(1, 1, 60, 60)
    other = image.clone()
    other[..., 12:-12, 12:-12] += 1
    outside = [pad(x, 1, taps=4, band=12)[0, 0, [0, -1], 13:-13] for x in (image, other)]
    assert torch.equal(*outside)
    assert not torch.equal(*(pad(x, 1, taps=4, band=16)[0, 0, [0, -1], 13:-13] for x in (image, other)))


@pytest.mark.parametrize("size", [*range(1, 12), 13, 17, 25, 130])
def test_small_images_have_fewer_taps(size):
    for width in (1, 2, 3, 7):
        for options in ({}, {"taps": 6}, {"band": 9}, {"select": False}):
            image = noise(1, 1, size, 9)
            padded = pad(image, width, **options)
            assert padded.shape == (1, 1, size + 2 * width, 9 + 2 * width)
            assert padded.isfinite().all()


@pytest.mark.parametrize(
    ("options", "error", "message"),
    [
        ({"taps": 1}, ValueError, "taps must be at least 2, got 1"),
        ({"taps": 2.0}, TypeError, "taps must be an integer, got 2.0"),
        ({"band": 4, "taps": 4}, ValueError, "band must be larger than taps .* got 4 for taps=4"),
        ({"ridge": 0.0}, ValueError, "ridge must be finite and above 0, got 0.0"),
        ({"pool": "some"}, ValueError, "pool must be one of none, channels, batch, all; got 'some'"),
        ({"fit_dtype": torch.float16}, ValueError, "fit_dtype must be torch.float32 or torch.float64"),
        ({"degree": 2}, TypeError, "padding_mode='adaptive' has no option 'degree'; it has taps, "),
    ],
    ids=str,
)
def test_options_are_checked_at_construction(options, error, message):
    with pytest.raises(error, match=message):
        diff_conv2d.Conv2d(1, 1, 3, padding=1, padding_mode="adaptive", **options)


# Gradients and precision


@pytest.mark.parametrize("fit_gradient", [True, False])
def test_gradcheck(fit_gradient):
    image = noise(1, 1, 9, 10)
    if fit_gradient:
        assert gradcheck(lambda x: pad(x, fit_gradient=True), image.requires_grad_())
        return
    # With constant weights the map is linear, and its matrix does not change when the image is moved along it.
    target = image.clone().requires_grad_()
    (row,) = torch.autograd.grad(pad(target)[0, 0, 0, 3], target)
    assert (row * image).sum().item() == pytest.approx(pad(image)[0, 0, 0, 3].item(), rel=1e-9)
    assert row[0, 0, 0].abs().max() > 0
    (through,) = torch.autograd.grad(pad(target, fit_gradient=True)[0, 0, 0, 3], target)
    assert not torch.allclose(row, through)


def test_constant_weights_leave_the_rest_of_the_image_without_gradient():
    image = noise(1, 1, 40, 40).requires_grad_()
    pad(image, 1)[0, 0, 0, 20].backward()
    assert image.grad[0, 0, :, 19].count_nonzero() > 0
    image.grad[0, 0, :8, 19] = 0
    assert image.grad.count_nonzero() == 0


def test_pad_is_differentiable_on_constant_images():
    for fit_gradient in (True, False):
        image = torch.full((1, 1, 9, 9), 2.0, requires_grad=True)
        pad(image, fit_gradient=fit_gradient).sum().backward()
        assert image.grad.isfinite().all()


@pytest.mark.parametrize("fit_gradient", [False, True])
def test_lines_that_differ_from_those_that_are_read_repeat_their_edge(fit_gradient):
    """Every second line is read. Where these are flat no candidate errs, and nothing speaks for a polynomial."""
    image = torch.zeros(1, 1, 64, 64)
    image[0, 0, 1, 1] = 3
    padded = pad(image.requires_grad_(), 1, fit_gradient=fit_gradient)
    assert torch.equal(padded, diff_conv2d.pad(image, (1, 1, 1, 1), "replicate"))


@pytest.mark.parametrize("fit_dtype", [None, torch.float32])
def test_pad_is_differentiable_where_some_candidates_have_no_error(fit_dtype):
    step = torch.zeros(1, 1, 8, 8)
    step[..., 4:] = 3
    step.requires_grad_()
    pad(step, 2, fit_gradient=True, fit_dtype=fit_dtype).square().sum().backward()
    assert step.grad.isfinite().all()


@pytest.mark.parametrize("dtype", [torch.float16, torch.bfloat16, torch.float64])
def test_the_default_dtype_is_no_part_of_a_fit(dtype):
    image = noise(1, 2, 20, 21).float()
    expected = pad(image, 2)
    _kept.cache_clear()
    torch.set_default_dtype(dtype)
    try:
        assert torch.equal(pad(image, 2), expected)
    finally:
        torch.set_default_dtype(torch.float32)


@pytest.mark.parametrize("dtype", [torch.float16, torch.bfloat16])
def test_half_precision_is_fitted_in_more(dtype):
    whole = torch.outer(torch.cos(0.3 * torch.arange(40.0)), torch.cos(0.5 * torch.arange(40.0) + 1))
    error = (continued(whole.to(dtype), 1).float() - whole).abs().max()
    assert error < 20 * torch.finfo(dtype).eps
    with torch.autocast("cpu", dtype=dtype):
        torch.testing.assert_close(continued(whole, 2), continued(whole, 2).float())
        error = (continued(whole, 2) - whole).abs().max()
    assert error < 1e-4


def test_complex_images_are_continued_by_parts():
    real, imaginary = noise(1, 1, 12, 12), noise(1, 1, 12, 12, seed=1)
    torch.testing.assert_close(pad(torch.complex(real, imaginary)), torch.complex(pad(real), pad(imaginary)))


def test_repr_names_the_options():
    assert repr(Adaptive(taps=4)).startswith("Adaptive(taps=4, ridge=None, band=None, pool='none'")


@pytest.mark.parametrize("dtype", [torch.bfloat16, torch.float16])
def test_autocast_does_not_round_the_fit(dtype):
    image = torch.randn(1, 2, 40, 40, generator=torch.Generator().manual_seed(0)).cumsum(-1)
    expected = diff_conv2d.pad(image, (2, 2, 2, 2), "adaptive", fit_dtype=torch.float32)
    with torch.autocast("cpu", dtype):
        actual = diff_conv2d.pad(image, (2, 2, 2, 2), "adaptive", fit_dtype=torch.float32)
    torch.testing.assert_close(actual, expected, rtol=1e-3, atol=1e-3)
