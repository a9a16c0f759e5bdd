import itertools

import numpy as np
import pytest
from scipy import stats

from scripts import bootstrap
from scripts.bootstrap import bootstrap_interval, tail


def brute_force(values):
    """All n^n resamples, one by one."""
    n = len(values)
    means = sorted(float(np.mean(resample)) for resample in itertools.product(values, repeat=n))
    # Hesterberg (2015), section 5.3, for 95 %.
    share = stats.norm.cdf(-np.sqrt(n / (n - 1)) * stats.t.ppf(0.975, n - 1))
    index = int(np.ceil(share * n**n)) - 1
    return means[index], means[-1 - index]


@pytest.mark.parametrize("n", [2, 3, 4, 5, 6])
def test_every_resample_counts(n):
    values = np.random.default_rng(n).lognormal(size=n)
    np.testing.assert_allclose(bootstrap_interval(values), brute_force(values), rtol=1e-12)


def test_five_known_values():
    """0.095 % of 3125 are 3 resamples: one has the least value 5 times, 5 have it 4 times."""
    assert bootstrap_interval(np.array([1.0, 2.0, 4.0, 8.0, 16.0])) == (6 / 5, 72 / 5)


def test_the_interval_follows_the_values():
    values = np.random.default_rng(0).normal(size=5)
    low, high = bootstrap_interval(values)
    np.testing.assert_allclose(bootstrap_interval(-values), (-high, -low))
    np.testing.assert_allclose(bootstrap_interval(3 * values + 1), (3 * low + 1, 3 * high + 1))
    np.testing.assert_allclose(bootstrap_interval(values[::-1]), (low, high))


def test_one_value_has_no_interval_and_equal_values_have_one_of_no_width():
    assert np.isnan(bootstrap_interval(np.array([1.0]))).all()
    assert bootstrap_interval(np.array([2.0, 2.0, 2.0])) == (2.0, 2.0)


def test_many_values_are_drawn_the_same_every_time_and_agree_with_all_resamples(monkeypatch):
    values = np.random.default_rng(1).normal(size=8)
    exact = bootstrap_interval(values)
    monkeypatch.setattr(bootstrap, "EXACT_UP_TO", 7)
    drawn = bootstrap_interval(values)
    assert drawn == bootstrap_interval(values)
    assert drawn != exact
    np.testing.assert_allclose(drawn, exact, atol=0.02)


def test_coverage_of_normal_values_is_what_the_docstring_says():
    samples = np.random.default_rng(2).normal(size=(2000, 5))
    intervals = np.array([bootstrap_interval(sample) for sample in samples])
    assert ((intervals[:, 0] <= 0) & (intervals[:, 1] >= 0)).mean() == pytest.approx(0.92, abs=0.02)
    # Many seeds: the plain percentile interval.
    assert tail(10**6) == pytest.approx(0.025, rel=1e-4)


@pytest.mark.parametrize("values", [[], [1.0, np.nan], [[1.0, 2.0]]])
def test_values_that_are_no_list_of_numbers(values):
    with pytest.raises(ValueError, match="finite numbers, one for each seed"):
        bootstrap_interval(np.array(values))
