"""The halo that a mode saves, of curves whose answer is known."""

import numpy as np
import pandas as pd
import pytest

from scripts.intervals import estimate, holm
from scripts.saved_halo import Curve, saved_halo, saved_table

HALOS = np.array([0, 1, 2, 4, 8, 16, 32, 64])


def decay(level, rest, rate=0.5, seeds=6, noise=0.0, blocks=None):
    random = np.random.default_rng(seeds)
    values = (rest + level * np.exp(-rate * HALOS))[None] * (1 + noise * random.normal(size=(seeds, 1)))
    left_out = None if blocks is None else values[..., None] * (1 + noise * random.normal(size=(seeds, 1, blocks)))
    return Curve(HALOS, values, left_out)


def test_the_halo_at_which_two_curves_meet():
    """Of a pure decay the logarithm is linear, so that it is found to the grid's tenth."""
    saved = saved_halo(decay(1.0, 0.0), decay(np.exp(-0.5 * 4.63), 0.0))
    assert saved.halo == pytest.approx(4.7, abs=1e-9)
    assert saved.never == 0
    # The other way round it is the mode that needs a halo.
    other = saved_halo(decay(np.exp(-0.5 * 4.63), 0.0), decay(1.0, 0.0))
    assert other.halo == pytest.approx(-4.6, abs=1e-9)
    assert saved_halo(decay(1.0, 0.5), decay(1.0, 0.5)).halo == 0


def test_what_no_halo_reaches_is_infinite():
    saved = saved_halo(decay(1.0, 0.5, noise=0.01), decay(0.1, 0.2, noise=0.01))
    assert (saved.halo, saved.low, saved.high) == (np.inf, np.inf, np.inf)
    assert saved.never == 6
    assert saved.widest.mean == pytest.approx(0.5 / 0.3 - 1, rel=0.05)
    assert saved.without.mean == pytest.approx(1.5 / 0.3 - 1, rel=0.05)
    assert saved.both.mean == pytest.approx(0.5 / 0.2 - 1, rel=0.05)
    worse = saved_halo(decay(0.1, 0.2), decay(1.0, 0.5))
    assert (worse.halo, worse.never) == (-np.inf, 0)


@pytest.mark.parametrize("blocks", [None, 7])
def test_the_interval_holds_the_halos_that_cannot_be_told_apart(blocks):
    random = np.random.default_rng(0)
    zeros = decay(1.0, 0.1, blocks=blocks)
    apart = [1 + 0.1 * random.normal(size=(6, 1)), 1 + 0.1 * random.normal(size=(6, 1, 1))]
    shifted = None if zeros.without_block is None else zeros.without_block * apart[1]
    mode = Curve(HALOS, 0.3 * zeros.values * apart[0], None if shifted is None else 0.3 * shifted)
    saved = saved_halo(zeros, mode)
    assert saved.low < saved.halo < saved.high

    def interval(halo):
        (better, first), (own, second) = zeros.at(halo), mode.at(0)
        return estimate(better - own, None if first is None else first - second)

    for end, inside in ((saved.low, 1), (saved.high, -1)):
        within, beyond = interval(end), interval(end - 0.1 * inside)
        assert within.low <= 0 <= within.high
        assert not beyond.low <= 0 <= beyond.high


def test_one_seed_has_no_interval():
    saved = saved_halo(decay(1.0, 0.1, seeds=1), decay(0.3, 0.1, seeds=1))
    assert np.isfinite(saved.halo)
    assert np.isnan([saved.low, saved.high]).all()


def tables(seeds=4, blocks=3):
    """Zeros, which needs some 4.6 px; diff has no seed 3."""
    random, rows = np.random.default_rng(0), []
    arrays = {"method": np.array(["zeros", "diff"]), "seed": np.arange(seeds), "halo": HALOS}
    for data, metric in (("globe", "mse"), ("landcover", "mean_iou")):
        keys = {name: f"{data}/unet/{name}/whole" for name in (metric, "seam")}
        arrays |= {key: np.full((2, seeds, len(HALOS), blocks), np.nan, np.float32) for key in keys.values()}
        for number, (method, level) in enumerate((("zeros", 0.4), ("diff", 0.04))):
            for seed in range(seeds - number):
                seed_noise = 1 + 0.02 * random.normal()
                for place, halo in enumerate(HALOS):
                    error = level * np.exp(-0.5 * halo) * seed_noise
                    for name, key in keys.items():
                        value = 1 - error if name == "mean_iou" else error
                        rows.append((data, "unet", method, seed, 64, halo, name, "whole", value))
                        arrays[key][number, seed, place] = value
    columns = ["data", "model", "method", "seed", "tile", "halo", "metric", "region", "value"]
    return pd.DataFrame(rows, columns=columns), arrays


def test_the_table_pairs_seeds_and_takes_shares_from_one():
    found = saved_table(*tables()).set_index(["data", "metric"])
    assert len(found) == 4
    assert (found["seeds"] == 3).all()
    assert (found["blocks"] == 3).all()
    assert found["halo"].to_numpy() == pytest.approx([4.6] * 4, abs=0.15)
    assert (found["low"] <= found["halo"]).all()
    # Nothing is left of a seam at the widest halo, whatever the mode.
    assert found["p"].isna().tolist() == [False, True, False, True]
    assert found["corrected"].dropna().to_numpy() == pytest.approx(holm(found["p"].dropna().to_numpy()))
