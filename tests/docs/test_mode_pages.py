"""What docs/modes and the README say of modes in numbers that no table has, but a formula or a kept table decides."""

import numpy as np
import pandas as pd
import pytest

from diff_conv2d.modes.polynomial_weights import extrapolation_weights
from experiments.paths import REPOSITORY


def page(name):
    return " ".join((REPOSITORY / name).read_text(encoding="utf-8").split())


@pytest.fixture(scope="module")
def layers():
    """Times of a training step relative to zero padding, a column a method."""
    table = pd.read_csv(REPOSITORY / "results" / "tables" / "benchmark.csv")
    return table[table["group"] == "cnn"].pivot_table("ratio", "case", "method")


def noise_gain(k):
    """Variance of the worst edge output over that of the interior: white noise, a kernel of independent weights."""
    outside = [np.square(extrapolation_weights(k, distance)).sum() for distance in range(1, k // 2 + 1)]
    return (sum(outside) + k - len(outside)) / k


def test_noise_of_diff():
    gains = {k: noise_gain(k) for k in (3, 5, 7)}
    exponent = int(np.log10(gains[7]))
    text = (
        f"is {gains[3]:.0f} times (k = 3), {gains[5]:.0f} times (k = 5) and {gains[7] / 10**exponent:.1f}e{exponent}"
    )
    assert f"{text} times (k = 7)" in page("docs/modes/diff.md")
    assert f"which is {gains[3]:.0f} for $k = 3$ and {gains[5]:.0f} for $k = 5$" in page("docs/mathematics.md")


def test_weights_of_degree_6():
    largest = max(abs(w) for distance in (1, 2, 3) for w in extrapolation_weights(7, distance))
    assert f"the weights of degree 6 reach {largest} in one axis" in page("README.md")


def test_linear_prediction_is_the_dearest(layers):
    assert "the dearest of the modes" in page("docs/modes/linear_prediction.md")
    assert np.log(layers).mean().idxmax() == "linear_prediction"


def test_symmetric_with_padding_1_is_replicate():
    assert "With padding 1 it is `replicate`" in page("docs/modes/symmetric.md")
    table = pd.read_csv(REPOSITORY / "results" / "tables" / "filtering.csv")
    errors = table[table["kernel_size"] == 3].pivot_table("l1_error", ["field", "order"], "method")
    np.testing.assert_array_equal(errors["symmetric"], errors["replicate"])
