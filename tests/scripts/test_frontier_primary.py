"""The frontier's primary comparison is of the seeds that docs/primary.md names, and of no others."""

import numpy as np
import pandas as pd
import pytest

from experiments.paths import REPOSITORY
from scripts.figures.frontier import COLUMNS
from scripts.frontier_primary import UNSEEN, primary_comparison


def made(seeds, seen=0.9):
    """Zeros have an error of 1 in the frame; adaptive has `seen` of it, and 0.8 by the seeds from 5 on."""
    place, measured = ("globe", "unet"), ("mse", "frame")
    rows = [
        (*place, method, seed, 64, halo, *measured, level * (1 + 0.01 * seed) * (1 + 0.001 * seed * known))
        for seed in seeds
        for method, level, known in (("zeros", 1.0, 0), ("adaptive", 0.8 if seed >= 5 else seen, 1))
        for halo in (0, 4)
    ]
    return pd.DataFrame(rows, columns=COLUMNS["frontier"]), {}


def test_seeds_that_had_been_seen_do_not_count():
    told = primary_comparison(*made(range(12)))
    assert "by the 7 seeds from 5 on" in told
    assert "differs from that of `zeros` by −19.4 %" in told
    assert told.split(". By all")[0] == primary_comparison(*made(range(12), seen=0.1)).split(". By all")[0]
    assert "By all 12 seeds: −15." in told
    assert "Not yet trained" not in told
    assert "Not yet trained: 2 of the seeds." in primary_comparison(*made(range(10)))


def test_without_them_there_is_no_test():
    told = primary_comparison(*made(range(5)))
    assert told.endswith("is of the seeds 5 to 11, of which the table has none.")
    assert "p =" not in told


def test_the_page_names_the_same_seeds():
    page = (REPOSITORY / "docs" / "primary.md").read_text(encoding="utf-8")
    row = next(line for line in page.splitlines() if line.startswith("| `frontier_globe`"))
    assert f"| {UNSEEN[0]} to {UNSEEN[-1]} |" in row


def test_values_without_each_block_count():
    table, _ = made(range(5, 12))
    arrays = {"method": np.array(["zeros", "adaptive"]), "seed": np.arange(5, 12), "halo": np.array([0, 4])}
    values = np.random.default_rng(0).normal(1, 0.2, (2, 7, 2, 6))
    narrow = primary_comparison(table, {})
    wide = primary_comparison(table, arrays | {"globe/unet/mse/frame": values})
    assert narrow != wide
    with pytest.raises(IndexError):
        primary_comparison(table, arrays | {"seed": np.arange(3), "globe/unet/mse/frame": values})
