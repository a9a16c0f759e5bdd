"""`diff-conv2d filter`, and the words for kernels."""

import numpy as np
import pytest
import torch
from PIL import Image
from scipy import ndimage

from diff_conv2d.command import main
from diff_conv2d.command.kernel_words import filter_of

RNG = np.random.default_rng(0)
FIELD = RNG.standard_normal((40, 50)).cumsum(0).cumsum(1)
WEIGHTS = RNG.standard_normal((2, 5))


def sobel(field, **mode):
    return np.hypot(ndimage.sobel(field, 0, **mode), ndimage.sobel(field, 1, **mode))


SCIPYS = {
    "gaussian:2": lambda field, **mode: ndimage.gaussian_filter(field, 2, **mode),
    "gaussian": lambda field, **mode: ndimage.gaussian_filter(field, 1, **mode),
    "uniform:5": lambda field, **mode: ndimage.uniform_filter(field, 5, **mode),
    "sobel": sobel,
    "prewitt": lambda field, **mode: np.hypot(ndimage.prewitt(field, 0, **mode), ndimage.prewitt(field, 1, **mode)),
    "laplace": ndimage.laplace,
    "WEIGHTS": lambda field, **mode: ndimage.correlate(field, WEIGHTS, **mode),
}


@pytest.fixture
def paths(tmp_path):
    np.save(tmp_path / "weights.npy", WEIGHTS)
    np.save(tmp_path / "field.npy", FIELD)
    return tmp_path


@pytest.mark.parametrize("word", SCIPYS)
# Our 'reflect' is scipy's 'mirror': the modes of the command are those of this library.
@pytest.mark.parametrize(("ours", "scipys"), [("replicate", "nearest"), ("reflect", "mirror")])
def test_it_is_scipys_filter(word, ours, scipys, paths):
    output = paths / "out.npy"
    kernel = word.replace("WEIGHTS", str(paths / "weights.npy"))
    arguments = ["filter", str(paths / "field.npy"), "--kernel", kernel, "--mode", ours, "--output", str(output)]
    assert main(arguments) == 0
    np.testing.assert_allclose(np.load(output), SCIPYS[word](FIELD, mode=scipys), rtol=1e-10, atol=1e-9)


@pytest.mark.parametrize("word", SCIPYS)
def test_kernels_are_those_of_the_filter(word, paths):
    found = filter_of(word.replace("WEIGHTS", str(paths / "weights.npy")))
    parts = [ndimage.correlate(FIELD, kernel, mode="constant") for kernel in found.kernels]
    combined = np.hypot(*parts) if len(parts) == 2 else parts[0]
    np.testing.assert_allclose(combined, SCIPYS[word](FIELD, mode="constant"), rtol=1e-10, atol=1e-9)
    assert found.smooths == (word.startswith(("gaussian", "uniform")))


def test_each_axis_has_its_mode(paths):
    assert main(["filter", str(paths / "field.npy"), "--mode", "replicate,circular"]) == 0
    result = np.load(paths / "field.gaussian-1.replicate-circular.npy")
    np.testing.assert_allclose(result, ndimage.gaussian_filter(FIELD, 1, mode=["nearest", "wrap"]), atol=1e-10)


def test_a_smoothed_picture_keeps_its_range_and_a_derivative_is_stretched(tmp_path, capsys):
    colours = RNG.integers(50, 100, (20, 30, 3), np.uint8)
    Image.fromarray(colours).save(tmp_path / "a.png")
    assert main(["filter", str(tmp_path / "a.png"), "--mode", "replicate"]) == 0
    smooth = np.asarray(Image.open(tmp_path / "a.gaussian-1.replicate.png"))
    expected = ndimage.gaussian_filter(colours.astype(float), 1, mode="nearest", axes=(0, 1))
    assert np.abs(smooth - expected).max() <= 0.5001
    assert "black" not in capsys.readouterr().out
    assert main(["filter", str(tmp_path / "a.png"), "--kernel", "laplace"]) == 0
    steep = np.asarray(Image.open(tmp_path / "a.laplace.adaptive.png"))
    assert (steep.min(), steep.max()) == (0, 255)
    assert "black" in capsys.readouterr().out


def test_nan_reaches_nothing_and_stays(paths):
    holed = FIELD.copy()
    holed[10:14, 20:30] = np.nan
    np.save(paths / "holed.npy", holed)
    output = paths / "out.npy"
    assert main(["filter", str(paths / "holed.npy"), "--kernel", "sobel", "--output", str(output)]) == 0
    assert np.array_equal(np.isnan(np.load(output)), np.isnan(holed))


@pytest.mark.parametrize("weights", [np.ones(3), np.zeros((3, 3)), np.full((3, 3), np.nan), np.ones((3, 3), complex)])
def test_weights_that_are_no_kernel_are_refused(weights, paths, capsys):
    np.save(paths / "wrong.npy", weights)
    assert main(["filter", str(paths / "field.npy"), "--kernel", str(paths / "wrong.npy")]) == 1
    assert "wrong.npy must hold" in capsys.readouterr().err


def test_even_kernels_lie_as_scipys(paths):
    # The larger half lies before, also where modes are compared.
    from diff_conv2d.command.rim import _geometry

    geometry = _geometry(torch.ones(2, 5))
    assert (geometry.before, geometry.after) == ((1, 2), (0, 2))
