"""The smallest true difference that a comparison over seeds and blocks of a test set resolves."""

from typing import NamedTuple

import numpy as np
from scipy import optimize, special, stats

from scripts.intervals import Components

__all__ = ["LEVEL", "POWER", "Uncertainty", "blocks_for_share", "chance", "smallest_difference", "uncertainty"]

# Two-sided level of a test, and the chance with which the smallest difference is resolved.
LEVEL, POWER = 0.05, 0.8

# Of an integral from 0 to 1.
_NODES, _WEIGHTS = np.polynomial.legendre.leggauss(200)
QUANTILES, WEIGHTS = (_NODES + 1) / 2, _WEIGHTS / 2


class Uncertainty(NamedTuple):
    """Variance of a mean, the degrees of freedom of its estimate, and the share of it that the test set makes."""

    variance: float
    freedom: float
    of_test_set: float


def uncertainty(of: Components, seeds: int, blocks: int | None) -> Uncertainty:
    r"""The variance that a mean over so many seeds and blocks has, and how well it will be known.

    .. math:: V = \frac{\sigma_s^2}{S} + \frac{\sigma_b^2}{B} + \frac{\sigma_{sb}^2}{S B}, \qquad
              \nu = \frac{V^2}{V_S^2 / (S - 1) + V_B^2 / (B - 1)} \le S + B - 2

    with :math:`V_S = (\sigma_s^2 + \sigma_{sb}^2 / B) / S` and :math:`V_B = (\sigma_b^2 + \sigma_{sb}^2 / S) / B`,
    which are what `scripts.intervals` then finds on average. On an infinite test set V would be
    :math:`\sigma_s^2 / S`; what is above that is the test set's own noise.

    Args:
        of: the variances, of `scripts.intervals.components`.
        seeds: S, at least 2.
        blocks: B, at least 2; None where none are known: then the seeds alone count, and the share is NaN.

    Raises:
        ValueError: there are too few seeds or blocks.

    Example:
        >>> uncertainty(Components(5.0, 20.0, 0.0), seeds=5, blocks=20).of_test_set
        0.5
    """
    if seeds < 2 or (blocks is not None and blocks < 2):
        raise ValueError(f"seeds and blocks must be at least 2 each; got {seeds} seeds and {blocks} blocks")
    if blocks is None:
        return Uncertainty(of.seed / seeds, seeds - 1.0, float("nan"))
    by_seed = (of.seed + of.both / blocks) / seeds
    by_block = (of.block + of.both / seeds) / blocks
    variance = of.seed / seeds + by_block
    if variance == 0:
        return Uncertainty(0.0, seeds - 1.0, 0.0)
    freedom = variance**2 / (by_seed**2 / (seeds - 1) + by_block**2 / (blocks - 1))
    return Uncertainty(variance, min(freedom, seeds + blocks - 2.0), by_block / variance)


def chance(difference: float, variance: float, freedom: float, level: float = LEVEL) -> float:
    r"""The chance that a two-sided t-test resolves a true difference.

    The statistic has a noncentral t distribution with noncentrality :math:`\lambda = \delta / \sqrt{V}`. With
    :math:`t` the limit of the test and :math:`s^2` the estimated variance over the true one,

    .. math:: P(|T| > t) = \operatorname{E}[\Phi(\lambda - t s) + \Phi(-\lambda - t s)], \qquad
              \nu s^2 \sim \chi^2_\nu.

    The expectation is an integral over the quantiles of s, by Gauss and Legendre: `scipy.stats.nct` has no numbers
    far out.

    Args:
        difference: the true one.
        variance: of the estimated one, above 0.
        freedom: degrees of freedom with which the variance is estimated.
        level: of the test.

    Example:
        >>> round(chance(0.0, 1.0, 4.0), 6), round(chance(2.0, 1.0, 1e6), 2)
        (0.05, 0.52)
    """
    limit, away = stats.t.ppf(1 - level / 2, freedom), abs(difference) / np.sqrt(variance)
    reach = limit * np.sqrt(stats.chi2.ppf(QUANTILES, freedom) / freedom)
    return float(WEIGHTS @ (special.ndtr(away - reach) + special.ndtr(-away - reach)))


def smallest_difference(variance: float, freedom: float, level: float = LEVEL, power: float = POWER) -> float:
    """The true difference that is resolved with a given chance.

    Args:
        variance: of the estimated difference.
        freedom: degrees of freedom with which it is estimated.
        level: two-sided, of the test. For one of m comparisons that Holm corrects it is 0.05 / m at the strictest.
        power: the chance, above the level.

    Example:
        >>> round(smallest_difference(1.0, 1e6), 2), round(smallest_difference(1.0, 4.0), 2)
        (2.8, 3.76)
    """
    if variance == 0:
        return 0.0

    def lacks(away: float) -> float:
        return chance(away, 1.0, freedom, level) - power

    # Twice the limit and more is resolved with a chance near 1, unless the variance is hardly known.
    far = 2 * float(stats.t.ppf(1 - level / 2, freedom))
    while lacks(far) < 0:
        far *= 2
    return float(optimize.brentq(lacks, 0.0, far)) * float(np.sqrt(variance))


def blocks_for_share(of: Components, seeds: int) -> float:
    r"""The number of blocks at which the test set's own noise is as large as that of the seeds.

    .. math:: \frac{\sigma_b^2}{B} + \frac{\sigma_{sb}^2}{S B} = \frac{\sigma_s^2}{S}
              \quad\Rightarrow\quad B = \frac{S \sigma_b^2 + \sigma_{sb}^2}{\sigma_s^2}

    Args:
        of: the variances.
        seeds: S.

    Returns:
        B, infinite where the seeds make no noise of their own.

    Example:
        >>> blocks_for_share(Components(5.0, 20.0, 10.0), seeds=5)
        22.0
    """
    of_test = seeds * of.block + of.both
    return of_test / of.seed if of.seed > 0 else float("inf") if of_test > 0 else 0.0
