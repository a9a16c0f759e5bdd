import numpy as np
import pytest
import torch

import diff_conv2d

neighbourhoods = pytest.mark.parametrize("neighbourhood", [(1, 1), (2, 1), (2, 3)])


def pad(image, width, neighbourhood, **arguments):
    return diff_conv2d.pad(image, (width,) * 4, mode="linear_prediction", neighbourhood=neighbourhood, **arguments)


def coloured_noise(shape, seed=0):
    """Noise smoothed along both axes, whose models are stable."""
    noise = np.random.default_rng(seed).standard_normal(shape)
    for axis in (-2, -1):
        noise = noise + 0.6 * np.roll(noise, 1, axis) + 0.2 * np.roll(noise, 2, axis)
    return noise


@neighbourhoods
def test_first_row_outside_equals_a_plain_least_squares_solve(neighbourhood):
    """numpy.linalg.lstsq with a column of ones, pixel by pixel, at the top edge."""
    rows, columns = neighbourhood
    half = columns // 2
    image = coloured_noise((12, 10))
    height, width = image.shape

    def predicted(target):
        """The row before the image where the neighbourhood's middle is `target` columns beside the pixel."""
        samples, answers = [], []
        for h in range(height - rows):
            for w in range(half, width - half):
                samples.append([1.0, *image[h + 1 : h + 1 + rows, w - half : w + half + 1].ravel()])
                answers.append(image[h, w + target])
        weights = np.linalg.lstsq(np.array(samples), np.array(answers), rcond=None)[0]
        return {
            w + target: weights @ np.array([1.0, *image[:rows, w - half : w + half + 1].ravel()])
            for w in range(half, width - half)
        }

    expected = predicted(0)
    if half:
        expected[0], expected[width - 1] = predicted(-1)[0], predicted(1)[width - 1]
    actual = pad(torch.from_numpy(image)[None, None], 1, neighbourhood)[0, 0, 0, 1:-1]
    torch.testing.assert_close(actual, torch.tensor([expected[w] for w in range(width)]), rtol=1e-8, atol=1e-8)


@pytest.mark.parametrize(
    ("neighbourhood", "field"),
    [
        # One pole: x(s) = a x(s - 1) + c. On the unit circle it is a line.
        ((1, 1), lambda h, w: 2 * h + 3 * w + 1),
        ((2, 1), lambda h, w: 2 * h + 3 * w + 1),
        # Two: a sinusoid, x(s) = 2 cos(f) x(s - 1) - x(s - 2).
        ((2, 1), lambda h, w: torch.cos(0.3 * h) * torch.cos(0.5 * w + 1)),
        ((2, 3), lambda h, w: torch.cos(0.3 * h) * torch.cos(0.5 * w + 1)),
        # A plane wave and a constant, whose rows are shifted copies.
        ((2, 3), lambda h, w: torch.sin(0.4 * h + 0.7 * w) + 5),
    ],
)
def test_an_exact_autoregressive_field_is_continued_exactly(neighbourhood, field):
    h, w = torch.meshgrid(torch.arange(30.0), torch.arange(24.0), indexing="ij")
    whole = field(h.double(), w.double())[None]
    padded = pad(whole[:, 3:-3, 3:-3], 3, neighbourhood)
    torch.testing.assert_close(padded, whole, rtol=0, atol=1e-9 * whole.abs().max().item())


def test_decay_is_continued_and_growth_is_reflected():
    """x(t) = 0.9^t: after its end it goes on decaying; before its start it would grow, and decays instead."""
    line = 0.9 ** torch.arange(40, dtype=torch.float64)
    padded = diff_conv2d.pad(line[None], (5, 5), mode="linear_prediction", neighbourhood=(1, 1))[0]
    torch.testing.assert_close(padded[-5:], 0.9 ** torch.arange(40, 45, dtype=torch.float64))
    assert (padded[:5] < 1).all()


@pytest.mark.parametrize("neighbourhood", [(1, 1), (2, 1)])
def test_poles_are_reflected_into_the_circle(neighbourhood):
    """Growing oscillations and growths do not blow up over a hundred samples."""
    t = torch.arange(30, dtype=torch.float64)
    for line in (1.2**t, 1.2**t * torch.cos(t), (-1.3) ** t, 1.1**t + 1.3**t):
        padded = diff_conv2d.pad(line[None], (0, 100), mode="linear_prediction", neighbourhood=neighbourhood)[0]
        assert padded.abs().max() <= 3 * line.abs().max()


@neighbourhoods
@pytest.mark.parametrize("scale", [0.0, 1e-30, 1.0, 1e30])
@pytest.mark.parametrize("shape", [(1, 1, 1, 1), (1, 2, 1, 5), (2, 1, 2, 3), (1, 1, 9, 8), (0, 2, 4, 4)])
def test_finite_on_constant_zero_tiny_and_huge_images(shape, scale, neighbourhood):
    noise = torch.randn(shape, generator=torch.Generator().manual_seed(0))
    for image in (torch.full(shape, scale), scale * noise):
        padded = pad(image, 4, neighbourhood)
        assert padded.isfinite().all()
        assert torch.equal(padded[..., 4:-4, 4:-4], image)
        if image.numel():
            assert padded.abs().max() <= 20 * image.abs().max()
    constant = pad(torch.full(shape, scale), 4, neighbourhood)
    torch.testing.assert_close(constant, torch.full_like(constant, scale))


@neighbourhoods
def test_scaling_and_shifting_the_image_does_so_to_the_result(neighbourhood):
    image = torch.from_numpy(coloured_noise((2, 3, 12, 10)))
    padded = pad(image, 2, neighbourhood)
    torch.testing.assert_close(pad(-3 * image + 7, 2, neighbourhood), -3 * padded + 7, rtol=1e-9, atol=1e-9)


def test_nan_stays_in_its_image_and_channel_and_inside_is_untouched():
    image = torch.from_numpy(coloured_noise((2, 2, 8, 8)))
    image[0, 1, 4, 4] = torch.nan
    padded = pad(image, 1, (2, 1))
    assert padded[[0, 1, 1], [0, 0, 1]].isfinite().all()
    assert padded[0, 1, 1:-1, 1:-1].isnan().sum() == 1


def test_dilation_predicts_each_lattice_from_itself():
    """Two interleaved sinusoids: neighbours of one lattice say nothing of the other."""
    t = torch.arange(40, dtype=torch.float64)
    line = torch.where(t % 2 == 0, torch.cos(0.4 * t), 3 * torch.cos(0.4 * t + 2))[None, None]
    weight = torch.rand(1, 1, 3, dtype=torch.float64)
    whole = diff_conv2d.conv1d(line, weight, dilation=2)
    actual = diff_conv2d.conv1d(line[..., 2:-2], weight, padding=2, dilation=2, padding_mode="linear_prediction")
    torch.testing.assert_close(actual, whole, rtol=1e-6, atol=1e-6)


@pytest.mark.parametrize("neighbourhood", [(3, 1), (1, 2), (0, 1), (2,)])
def test_neighbourhood_is_checked(neighbourhood):
    with pytest.raises(ValueError, match="neighbourhood must be"):
        pad(torch.zeros(1, 1, 4, 4), 1, neighbourhood)


def test_columns_need_two_axes():
    with pytest.raises(ValueError, match="neighbourhood must have one column for 1 axes"):
        diff_conv2d.Conv1d(1, 1, 3, padding=1, padding_mode="linear_prediction", neighbourhood=(2, 3))


def test_gradients_flow_through_the_model_on_request_alone():
    """The default takes a and c as constants: the prediction's gradient is then a, and the rest gets none."""
    image = torch.from_numpy(coloured_noise((1, 1, 12, 10))).requires_grad_()
    gradients = []
    for fit_gradient in (False, True):
        padded = pad(image, 1, (2, 1), fit_gradient=fit_gradient)
        (gradient,) = torch.autograd.grad(padded[0, 0, 0, 4], image)
        gradients.append(gradient[0, 0])
    constant, whole = gradients
    assert constant[:2, 3].abs().min() > 0.1
    constant[:2, 3] = 0
    assert not constant.any()
    assert whole.ne(0).all()
