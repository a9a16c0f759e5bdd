import numpy as np
import pandas as pd
import pytest
from scipy import stats

from experiments.paths import REPOSITORY
from scripts.coverage import BLOCKS, coverage, simulate
from scripts.intervals import estimate, holm


def test_without_blocks_it_is_students_test():
    values = np.random.default_rng(0).normal(0.3, size=6)
    expected = stats.ttest_1samp(values, 0)
    low, high = expected.confidence_interval(0.95)
    assert estimate(values) == pytest.approx((values.mean(), low, high, expected.pvalue))


def test_blocks_alone_are_students_test_over_blocks():
    """Every seed has the same results: what is left is the spread of equal blocks."""
    of_block = np.random.default_rng(1).normal(0.2, size=9)
    without = (of_block.sum() - of_block) / 8
    found = estimate(np.full(3, of_block.mean()), np.tile(without, (3, 1)))
    expected = stats.ttest_1samp(of_block, 0)
    assert found == pytest.approx((of_block.mean(), *expected.confidence_interval(0.95), expected.pvalue))


def test_two_factors_by_analysis_of_variance():
    """Effects of seed and block without one of both together: the variances of the mean add up."""
    rng = np.random.default_rng(2)
    of_seed, of_block = rng.normal(size=5), rng.normal(size=12)
    values = of_seed + of_block.mean()
    without = of_seed[:, None] + (of_block.sum() - of_block) / 11
    by_seed, by_block = of_seed.var(ddof=1) / 5, of_block.var(ddof=1) / 12
    freedom = (by_seed + by_block) ** 2 / (by_seed**2 / 4 + by_block**2 / 11)
    reach = stats.t.ppf(0.975, freedom) * np.sqrt(by_seed + by_block)
    found = estimate(values, without)
    assert (found.low, found.high) == pytest.approx((values.mean() - reach, values.mean() + reach))


def test_blocks_never_narrow_the_interval_below_that_of_the_seeds_variance():
    rng = np.random.default_rng(3)
    for _ in range(50):
        values, without = simulate(rng, "normal", (1.0, 0.1, 5.0), 5)
        found = estimate(values, without)
        least = stats.t.ppf(0.975, 5 + BLOCKS - 2) * values.std(ddof=1) / np.sqrt(5)
        assert found.high - found.mean >= least - 1e-12


def test_the_interval_follows_the_values():
    rng = np.random.default_rng(4)
    values, without = simulate(rng, "skewed", (1.0, 1.0, 1.0), 4)
    found, mirrored = estimate(values, without), estimate(-values, -without)
    assert (mirrored.low, mirrored.high, mirrored.p) == pytest.approx((-found.high, -found.low, found.p))
    moved = estimate(3 * values + 1, 3 * without + 1)
    assert (moved.low, moved.high) == pytest.approx((3 * found.low + 1, 3 * found.high + 1))


def test_one_value_has_no_interval_and_equal_values_have_one_of_no_width():
    assert np.isnan(estimate(np.array([1.0]))[1:]).all()
    assert estimate(np.array([2.0, 2.0])) == (2.0, 2.0, 2.0, 0.0)
    assert estimate(np.zeros(3)).p == 1


@pytest.mark.parametrize("values", [[], [1.0, np.nan], [[1.0, 2.0]]])
def test_values_that_are_no_list_of_numbers(values):
    with pytest.raises(ValueError, match="finite numbers, one for each seed"):
        estimate(np.array(values))


@pytest.mark.parametrize("without", [np.zeros((2, 1)), np.zeros((3, 4)), np.full((2, 4), np.nan)])
def test_blocks_that_do_not_fit(without):
    with pytest.raises(ValueError, match="without_block must be finite numbers for each of 2 seeds and at least 2"):
        estimate(np.array([1.0, 2.0]), without)


def test_holm_by_hand():
    found = holm(np.array([0.001, np.nan, 0.5, 0.02]))
    np.testing.assert_allclose(found, [0.003, np.nan, 0.5, 0.04])
    assert holm(np.array([0.9, 0.8])).tolist() == [1.0, 1.0]


def test_the_table_of_coverage_is_what_the_simulation_gives():
    table = pd.read_csv(REPOSITORY / "results" / "tables" / "coverage.csv")
    keys = ["noise", "spread", "seeds", "interval"]
    again = coverage(200, seed=1).set_index(keys)["coverage"]
    kept = table.set_index(keys)["coverage"]
    assert set(again.index) == set(kept.index)
    # Five standard errors of a share near 0.9 in 200 repeats.
    assert (again - kept).abs().max() < 0.11
    whole = kept.xs("seeds and blocks", level="interval")
    assert whole.loc["normal"].min() > 0.93
    assert whole.loc["skewed"].min() > 0.85
