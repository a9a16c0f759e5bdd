"""Intervals of a mean over seeds and over the parts of a test set, by Student's t."""

from typing import NamedTuple

import numpy as np
from scipy import stats

__all__ = ["Components", "Estimate", "components", "estimate", "holm"]


class Estimate(NamedTuple):
    """A mean with its 95 % interval, and the p-value of the hypothesis that the true mean is 0; NaN for one seed."""

    mean: float
    low: float
    high: float
    p: float


class Components(NamedTuple):
    """Variances of one seed's and one block's effect, and of both together, on a mean over seeds and blocks."""

    seed: float
    block: float
    both: float


def estimate(values: np.ndarray, without_block: np.ndarray | None = None, confidence: float = 0.95) -> Estimate:
    r"""Estimate a mean over seeds, whose uncertainty counts the choice of the test set too.

    Another seed gives another network, another test set other images. With :math:`v_s` the value of seed s,
    :math:`v_{s(b)}` the same without block b of the test set, S seeds and B blocks, the pseudo-values are

    .. math:: p_{sb} = B v_s - (B - 1) v_{s(b)}

    and the variance of the mean is estimated as that of a table with two random factors,

    .. math:: V = \max(V_S + V_B - V_{SB}, V_S, V_B), \qquad
              V_S = \frac{\operatorname{var}_s(v_s)}{S}, \quad
              V_B = \frac{\operatorname{var}_b(\bar p_b)}{B}, \quad
              V_{SB} = \frac{\sum (p_{sb} - \bar p_s - \bar p_b + \bar p)^2}{(S - 1)(B - 1) S B}.

    The interval is :math:`\bar v \pm t_\nu \sqrt{V}` with Satterthwaite's
    :math:`\nu = V^2 / (V_S^2 / (S - 1) + V_B^2 / (B - 1))`, at most S + B - 2. Without blocks it is that of Student's
    t-test with S - 1 degrees of freedom. `scripts/coverage.py` measures how often it holds the true mean.

    References:
        B. Efron (1982), The Jackknife, the Bootstrap and Other Resampling Plans, ch. 3, pseudo-values;
        A. C. Cameron, J. B. Gelbach and D. L. Miller (2011), Robust Inference with Multiway Clustering;
        F. E. Satterthwaite (1946), An Approximate Distribution of Estimates of Variance Components.

    Args:
        values: one for each seed, (S,), finite. Paired when they are differences.
        without_block: the same without each block of the test set, (S, B), B at least 2; None where no blocks are
            known, or where values do not depend on a test set.
        confidence: of the interval.

    Returns:
        The mean, the ends of the interval, the p-value; NaN but for the mean where there is one seed.

    Raises:
        ValueError: there is no value, one is not finite, or the shapes do not fit.

    Example:
        >>> [round(number, 3) for number in estimate(np.array([1.0, 2.0, 3.0]))]
        [2.0, -0.484, 4.484, 0.074]
    """
    values = np.asarray(values, np.float64)
    if values.ndim != 1 or not len(values) or not np.isfinite(values).all():
        raise ValueError(f"values must be finite numbers, one for each seed; got {values.tolist()}")
    seeds, mean = len(values), float(values.mean())
    if seeds == 1:
        return Estimate(mean, float("nan"), float("nan"), float("nan"))
    variance, freedom = values.var(ddof=1) / seeds, seeds - 1.0
    if without_block is not None:
        variance, freedom = _with_blocks(values, np.asarray(without_block, np.float64))
    error = float(np.sqrt(variance))
    if error == 0:
        return Estimate(mean, mean, mean, 1.0 if mean == 0 else 0.0)
    reach = float(stats.t.ppf((1 + confidence) / 2, freedom)) * error
    return Estimate(mean, mean - reach, mean + reach, float(2 * stats.t.sf(abs(mean) / error, freedom)))


def components(values: np.ndarray, without_block: np.ndarray) -> Components:
    r"""Estimate the variances that the interval of :func:`estimate` is made of.

    A mean over S' seeds and B' blocks has the variance

    .. math:: V(S', B') = \frac{\sigma_s^2}{S'} + \frac{\sigma_b^2}{B'} + \frac{\sigma_{sb}^2}{S' B'}.

    With the names of :func:`estimate`,

    .. math:: \sigma_{sb}^2 = S B \min(V_{SB}, \max(V_S, V_B)), \quad
              \sigma_s^2 = S V_S - \frac{\sigma_{sb}^2}{B}, \quad
              \sigma_b^2 = B V_B - \frac{\sigma_{sb}^2}{S},

    the last two at least 0, so that V(S, B) is the variance V of the interval.

    Args:
        values: one for each seed, (S,), S at least 2, finite.
        without_block: the same without each block of the test set, (S, B), B at least 2.

    Raises:
        ValueError: the shapes do not fit, or a value is not finite.

    Example:
        >>> values, of_block = np.array([0.0, 2.0]), np.array([0.0, 1.0, 5.0])
        >>> without = values[:, None] + (of_block.sum() - of_block) / 2 - of_block.mean()
        >>> [round(number, 6) for number in components(values, without)]
        [2.0, 7.0, 0.0]
    """
    values = np.asarray(values, np.float64)
    by_seed, by_block, both, blocks = _variances(values, np.asarray(without_block, np.float64))
    seeds = len(values)
    of_both = seeds * blocks * min(both, max(by_seed, by_block))
    return Components(
        max(seeds * by_seed - of_both / blocks, 0.0), max(blocks * by_block - of_both / seeds, 0.0), of_both
    )


def _with_blocks(values: np.ndarray, without: np.ndarray) -> tuple[float, float]:
    """The variance of the mean and its degrees of freedom, with the blocks of the test set."""
    seeds = len(values)
    by_seed, by_block, both, blocks = _variances(values, without)
    variance = max(by_seed + by_block - both, by_seed, by_block)
    if variance == 0:
        return 0.0, seeds - 1.0
    freedom = variance**2 / (by_seed**2 / (seeds - 1) + by_block**2 / (blocks - 1))
    return variance, min(freedom, seeds + blocks - 2.0)


def _variances(values: np.ndarray, without: np.ndarray) -> tuple[float, float, float, int]:
    """Three estimates of the variance of the mean, by seeds, by blocks, by both; and how many blocks there are."""
    seeds = len(values)
    if without.ndim != 2 or len(without) != seeds or without.shape[1] < 2 or not np.isfinite(without).all():
        raise ValueError(
            f"without_block must be finite numbers for each of {seeds} seeds and at least 2 blocks; got shape "
            f"{without.shape}"
        )
    blocks = without.shape[1]
    pseudo = blocks * values[:, None] - (blocks - 1) * without
    of_block, of_seed = pseudo.mean(0), pseudo.mean(1)
    rest = pseudo - of_seed[:, None] - of_block + pseudo.mean()
    by_seed = float(values.var(ddof=1) / seeds)
    by_block = float(of_block.var(ddof=1) / blocks)
    both = float(np.square(rest).sum() / ((seeds - 1) * (blocks - 1) * seeds * blocks))
    return by_seed, by_block, both, blocks


def holm(p: np.ndarray) -> np.ndarray:
    """Correct p-values for their number, so that the chance of any false one below a level is at most the level.

    References:
        S. Holm (1979), A Simple Sequentially Rejective Multiple Test Procedure.

    Args:
        p: p-values, (n,); NaN, which stays NaN, is of no test and does not count.

    Returns:
        The corrected values, at most 1, (n,).

    Example:
        >>> holm(np.array([0.01, 0.04, 0.03])).round(6).tolist()
        [0.03, 0.06, 0.06]
    """
    p = np.asarray(p, np.float64)
    corrected = np.full(len(p), np.nan)
    tests = np.flatnonzero(np.isfinite(p))
    order = tests[np.argsort(p[tests])]
    corrected[order] = np.minimum(np.maximum.accumulate(p[order] * np.arange(len(order), 0, -1)), 1)
    return corrected
