from fractions import Fraction
from math import prod

import pytest

from diff_conv2d.modes.polynomial_weights import extrapolation_weights


def lagrange(num_samples, distance):
    """The basis polynomials at -distance, as the products that define them."""
    nodes = range(num_samples)
    return tuple(prod(Fraction(-distance - i, j - i) for i in nodes if i != j) for j in nodes)


@pytest.mark.parametrize("distance", [1, 2, 3, 10])
@pytest.mark.parametrize("num_samples", [1, 2, 3, 7, 40])
def test_weights_are_lagranges(num_samples, distance):
    assert extrapolation_weights(num_samples, distance) == lagrange(num_samples, distance)


def test_weights_reproduce_powers_exactly():
    n = 9
    for power in range(n):
        value = sum(w * j**power for j, w in enumerate(extrapolation_weights(n, 4)))
        assert value == (-4) ** power


@pytest.mark.parametrize(("arguments", "name"), [((0, 1), "num_samples"), ((3, 0), "distance")])
def test_sizes_below_one_are_rejected(arguments, name):
    with pytest.raises(ValueError, match=f"{name} must be at least 1, got 0"):
        extrapolation_weights(*arguments)
