"""Exact weights that continue a polynomial beyond its samples."""

from functools import cache
from math import comb

__all__ = ["extrapolation_weights", "weights_are_at_most"]


@cache
def extrapolation_weights(num_samples: int, distance: int) -> tuple[int, ...]:
    r"""Weights of the value at ``-distance`` from the samples at 0, 1, ..., ``num_samples - 1``.

    The value there of the one polynomial of degree ``n - 1`` through ``n`` samples is
    ``sum_j weights[j] * sample[j]``. Lagrange's basis polynomial ``l_j(x) = prod_{i != j} (x - i) / (j - i)``
    at ``x = -s`` is a quotient of factorials, which is an integer:

    .. math:: w_j = (-1)^j \binom{s + j - 1}{j} \binom{s + n - 1}{n - 1 - j}.

    Nothing is rounded, however many samples there are: the integers are Python's.

    Args:
        num_samples: number of samples n, at least 1. n = 1 repeats the edge sample.
        distance: distance s of the value from the first sample, in samples, at least 1.

    Returns:
        The n integers w_0 (of the sample nearest the edge) to w_{n-1}; they add up to 1.

    Raises:
        ValueError: if `num_samples` or `distance` is below 1.

    Example:
        >>> extrapolation_weights(3, 1), extrapolation_weights(3, 2)
        ((3, -3, 1), (6, -8, 3))
    """
    if num_samples < 1:
        raise ValueError(f"num_samples must be at least 1, got {num_samples}")
    if distance < 1:
        raise ValueError(f"distance must be at least 1, got {distance}")
    n, s = num_samples, distance
    return tuple((-1) ** j * comb(s + j - 1, j) * comb(s + n - 1, n - 1 - j) for j in range(n))


def weights_are_at_most(largest: int, num_samples: int, distance: int) -> bool:
    """Whether no weight of `extrapolation_weights` is larger than this, in absolute value.

    Example:
        >>> weights_are_at_most(2**24, 13, 6), weights_are_at_most(2**24, 15, 7)
        (True, False)
    """
    # One of the weights is at least as large as at distance 1, where it is the binomial coefficient of n over n // 2,
    # at least 2^n / (n + 1). So it takes no huge integers to know that many samples are too many.
    if num_samples > 2 * largest.bit_length() + 8:
        return False
    # Not cached: callers cache the answer, and a compiler would warn that it traces through a cache.
    return max(map(abs, extrapolation_weights.__wrapped__(num_samples, distance))) <= largest
