"""Intervals of a mean over few seeds, by a bootstrap without chance."""

from functools import cache
from itertools import combinations_with_replacement
from math import factorial, prod, sqrt

import numpy as np
from scipy import stats

__all__ = ["EXACT_UP_TO", "RESAMPLES", "bootstrap_interval", "tail"]

# Up to so many seeds all n^n resamples are taken, each kind of them once with its weight: 6435 kinds for 8.
EXACT_UP_TO = 8
# Beyond, so many are drawn with a seed that does not change.
RESAMPLES = 100_000


def tail(n: int, confidence: float = 0.95) -> float:
    r"""The share of resampled means that is cut off at each end, for n values.

    .. math:: \Phi\left(-\sqrt{n / (n - 1)} \; t_{(1 + c) / 2, \, n - 1}\right)

    The plain percentile interval cuts off (1 - c) / 2. With few values that is far too narrow: of normal values it
    holds the true mean in 84 % of cases with n = 5, this one in 92 % (n = 3: 75 % both, for neither can go beyond
    the least and the largest value).

    References:
        T. C. Hesterberg (2015), What Teachers Should Know About the Bootstrap, The American Statistician 69(4):
        the expanded percentile interval.

    Example:
        >>> round(tail(5), 5), round(tail(1000), 4)
        (0.00095, 0.0248)
    """
    return float(stats.norm.cdf(-sqrt(n / (n - 1)) * stats.t.ppf((1 + confidence) / 2, n - 1)))


def bootstrap_interval(values: np.ndarray, confidence: float = 0.95) -> tuple[float, float]:
    """The interval of a mean: all resamples with replacement, their means, and what is left of both tails.

    The lower end is the least mean that at least a share `tail` of the resamples does not exceed, the upper end its
    mirror image. Pairs are resampled together when `values` are their differences. Up to 8 values every one of the
    n^n resamples counts, so that nothing is left to chance; beyond that 100,000 are drawn, always the same.

    Args:
        values: one for each seed, (n,), finite.
        confidence: of the interval.

    Returns:
        Its ends; NaN for a single value, which says nothing of its spread.

    Raises:
        ValueError: there is no value, or one is not finite.

    Example:
        >>> bootstrap_interval(np.array([1.0, 2.0, 4.0, 8.0, 16.0]))
        (1.2, 14.4)
    """
    values = np.asarray(values, np.float64)
    if values.ndim != 1 or not len(values) or not np.isfinite(values).all():
        raise ValueError(f"values must be finite numbers, one for each seed; got {values.tolist()}")
    n = len(values)
    if n == 1:
        return float("nan"), float("nan")
    counts, weights = _all_resamples(n) if n <= EXACT_UP_TO else _drawn_resamples(n)
    means = counts @ values / n
    order = np.argsort(means)
    means, weights = means[order], weights[order]
    least = tail(n, confidence) * weights.sum()
    low = np.searchsorted(np.cumsum(weights), least)
    high = np.searchsorted(np.cumsum(weights[::-1]), least)
    return float(means[low]), float(means[::-1][high])


@cache
def _all_resamples(n: int) -> tuple[np.ndarray, np.ndarray]:
    """How often each value occurs in each kind of resample, (kinds, n), and in how many orders, (kinds,)."""
    kinds = combinations_with_replacement(range(n), n)
    counts = np.stack([np.bincount(kind, minlength=n) for kind in kinds])
    return counts, np.array([factorial(n) // prod(map(factorial, row)) for row in counts.tolist()])


@cache
def _drawn_resamples(n: int) -> tuple[np.ndarray, np.ndarray]:
    """The same for resamples that are drawn."""
    counts = np.random.default_rng(0).multinomial(n, np.full(n, 1 / n), size=RESAMPLES)
    return counts, np.ones(RESAMPLES, np.int64)
