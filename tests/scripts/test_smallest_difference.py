import numpy as np
import pytest
from scipy import stats

from scripts.coverage import BLOCKS, LEVELS, POWER_SEEDS, SPREADS, coverage_power, simulate, true_components
from scripts.figures.tables import TABLES, read_table
from scripts.intervals import Components, components, estimate
from scripts.smallest_difference import POWER, blocks_for_share, chance, smallest_difference, uncertainty


def test_the_present_design_has_the_variance_of_the_interval():
    """Where neither component is below 0, the interval's reach follows from the components."""
    rng, tried = np.random.default_rng(0), 0
    for _ in range(40):
        values, without = simulate(rng, "normal", (1.0, 2.2, 1.0), 5)
        found, of = estimate(values, without), components(values, without)
        design = uncertainty(of, 5, BLOCKS)
        if min(of) > 0:
            tried += 1
            reach = stats.t.ppf(0.975, design.freedom) * np.sqrt(design.variance)
            assert found.high - found.mean == pytest.approx(reach)
    assert tried > 20


@pytest.mark.parametrize("spreads", [*SPREADS.values(), (0.0, 0.0, 0.0)])
def test_components_make_the_variance_of_the_interval_whatever_they_are(spreads):
    """Also where one is cut off at 0."""
    rng = np.random.default_rng(1)
    for _ in range(20):
        values, without = simulate(rng, "skewed", spreads, 4)
        of = components(values, without)
        pseudo = BLOCKS * values[:, None] - (BLOCKS - 1) * without
        by_seed, by_block = values.var(ddof=1) / 4, pseudo.mean(0).var(ddof=1) / BLOCKS
        rest = pseudo - pseudo.mean(1)[:, None] - pseudo.mean(0) + pseudo.mean()
        both = np.square(rest).sum() / (3 * (BLOCKS - 1) * 4 * BLOCKS)
        expected = max(by_seed + by_block - both, by_seed, by_block)
        assert min(of) >= 0
        assert uncertainty(of, 4, BLOCKS).variance == pytest.approx(expected, abs=1e-12)


def test_components_are_right_on_average():
    rng, spreads = np.random.default_rng(2), (3.0, 9.0, 9.0)
    found = np.mean([components(*simulate(rng, "normal", spreads, 12, 100)) for _ in range(200)], 0)
    np.testing.assert_allclose(found, true_components(spreads, 100), rtol=0.1)


@pytest.mark.parametrize("freedom", [1.5, 4.0, 20.0])
@pytest.mark.parametrize("away", [0.5, 3.0])
def test_the_chance_is_that_of_the_noncentral_t(freedom, away):
    limit = stats.t.ppf(0.975, freedom)
    expected = stats.nct.sf(limit, freedom, away) + stats.nct.cdf(-limit, freedom, away)
    assert chance(away * 2.0, 4.0, freedom) == pytest.approx(expected, abs=1e-5)
    assert chance(0.0, 4.0, freedom) == pytest.approx(0.05, abs=1e-5)


@pytest.mark.parametrize("level", [0.05, 0.05 / 40])
@pytest.mark.parametrize("freedom", [1.0, 4.0, 1e4])
def test_the_smallest_difference_is_resolved_in_four_of_five_cases(level, freedom):
    smallest = smallest_difference(9.0, freedom, level)
    assert chance(smallest, 9.0, freedom, level) == pytest.approx(POWER)
    assert chance(0.99 * smallest, 9.0, freedom, level) < POWER
    assert smallest_difference(0.0, freedom) == 0


def test_the_test_of_seeds_alone_is_known_from_textbooks():
    """J. Cohen (1988), table 2.4.1: a paired t-test of 10 at a standardised difference of 1 has a power of 0.80."""
    found = uncertainty(Components(1.0, 0.0, 0.0), 10, None)
    assert smallest_difference(found.variance, found.freedom) == pytest.approx(1.0, abs=0.01)
    assert np.isnan(found.of_test_set)


def test_more_blocks_than_needed_leave_the_test_set_less_than_half():
    of = Components(2.0, 30.0, 60.0)
    for seeds in (5, 12):
        needed = blocks_for_share(of, seeds)
        below, above = (uncertainty(of, seeds, blocks).of_test_set for blocks in (int(needed) + 1, int(needed) - 1))
        assert below < 0.5 < above
    assert blocks_for_share(of, 12) > blocks_for_share(of, 5)
    assert blocks_for_share(Components(0.0, 1.0, 0.0), 5) == np.inf
    assert blocks_for_share(Components(0.0, 0.0, 0.0), 5) == 0


def test_too_few_seeds_or_blocks():
    with pytest.raises(ValueError, match="seeds and blocks must be at least 2 each; got 1 seeds and 5 blocks"):
        uncertainty(Components(1.0, 1.0, 1.0), 1, 5)
    with pytest.raises(ValueError, match="got 3 seeds and 1 blocks"):
        uncertainty(Components(1.0, 1.0, 1.0), 3, 1)


def test_the_table_of_the_simulation_shows_that_the_formula_holds():
    kept = read_table(TABLES / "coverage_power.csv", ["resolved"], "python -m scripts.coverage")
    assert len(kept) == 2 * len(SPREADS) * len(POWER_SEEDS) * 2 * len(LEVELS)
    normal = kept[kept["noise"] == "normal"].set_index("spread")["resolved"]
    assert normal.between(0.7, 0.93).all()
    assert abs(normal.mean() - POWER) < 0.02
    assert kept["resolved"].min() > 0.7


def test_the_table_is_what_the_simulation_gives():
    keys = ["noise", "spread", "seeds", "blocks", "level"]
    kept = read_table(TABLES / "coverage_power.csv", keys, "python -m scripts.coverage").set_index(keys)
    again = coverage_power(30, seed=1).astype({"level": float})
    # A level is kept with seven digits.
    again = again.assign(level=again["level"].map(lambda level: float(f"{level:.6e}"))).set_index(keys)
    assert set(again.index) == set(kept.index)
    np.testing.assert_allclose(again["difference"], kept.loc[again.index, "difference"], rtol=1e-5)
    # Five standard errors of a share near 0.8 in 30 repeats.
    assert (again["resolved"] - kept["resolved"]).abs().max() < 0.37
    assert abs((again["resolved"] - kept["resolved"]).mean()) < 0.04
