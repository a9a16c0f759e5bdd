import numpy as np
import pytest
from scipy.signal import convolve2d

from experiments.error_maps.second_derivative import SECOND, SMOOTH, second_derivative


def test_it_is_a_two_dimensional_convolution_of_the_valid_part():
    picture = np.random.default_rng(0).normal(size=(9, 12))
    kernel = np.outer(SECOND, SMOOTH) + np.outer(SMOOTH, SECOND)
    np.testing.assert_allclose(second_derivative(picture), convolve2d(picture, kernel, mode="valid"), atol=1e-12)


def test_a_wave_gives_nearly_the_same_in_any_direction():
    y, x = np.mgrid[:40, :40]
    amplitudes = []
    for angle in np.linspace(0, np.pi / 2, 7):
        wave = np.cos(0.6 * (x * np.cos(angle) + y * np.sin(angle)))
        inner = wave[2:-2, 2:-2]
        amplitudes.append(np.sum(second_derivative(wave) * inner) / np.sum(inner**2))
    assert np.ptp(amplitudes) < 0.03 * np.abs(amplitudes).min()
    assert np.mean(amplitudes) == pytest.approx(-(0.6**2), rel=0.25)


def test_a_picture_smaller_than_the_filter():
    with pytest.raises(ValueError, match="5 pixels or more"):
        second_derivative(np.ones((4, 9)))
