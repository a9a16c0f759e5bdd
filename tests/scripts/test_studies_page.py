import pandas as pd

from scripts.studies_page import regimes, rollouts

LEVELS = (0, 1, 4)


def regime_tables(winners):
    """Tables of blurred noise, terrain and noise added; `winners` are the best modes on terrain, level by level."""
    columns = ["field", "level", "kernel_size", "family", "best", "wins", "crops"]
    rows = []
    for size in (3, 7):
        for level, degree in zip(LEVELS, ("degree_0", "degree_0", "degree_6"), strict=True):
            rows.append(("blurred_noise", level, size, "degree", degree, 8, 8))
            rows.append(("blurred_noise", level, size, "fixed mode", "diff" if level else "replicate", 8, 8))
        rows.append(("blurred_noise", 0, size, "mode", "zeros", 8 if size == 7 else 6, 8))
        rows += [("noise_added", level, size, "degree", f"degree_{size}", 8, 8) for level in (1e-4, 1e-2, 1e-1)]
    rows += [("blurred_terrain", level, 3, "mode", *cell, 8) for level, cell in zip(LEVELS, winners, strict=True)]
    errors = [("blurred_noise", 4, 7, f"degree_{degree}", 1.0, 0.1 * (degree + 1)) for degree in (0, 4, 5, 6)]
    errors += [("blurred_noise", level, 3, "degree_6", 1.0, level) for level in (2, 3)]
    both = pd.DataFrame(errors, columns=["field", "level", "kernel_size", "method", "l1_error", "rounding"])
    return both.drop(columns="rounding"), both.drop(columns="l1_error"), pd.DataFrame(rows, columns=columns)


def test_regimes_are_told_as_the_table_has_them():
    numbers = regimes(*regime_tables([("diff", 8), ("diff", 6), ("adaptive", 8)]))
    assert numbers["regimes.degree_0.up_to.3"] == "1"
    assert numbers["regimes.degree_6.from.7"] == "4"
    assert numbers["regimes.fixed.diff.from.3"] == "1"
    assert numbers["regimes.noise.1e-4"] == "3 or 7"
    assert numbers["regimes.fitted_best"] == "1 of 5"
    assert numbers["regimes.terrain.diff"] == "0 px with 3 x 3 kernels"
    assert numbers["regimes.white_noise.zeros.resolved"] == "7 x 7"
    assert numbers["regimes.rounding.from.6"] == "2"
    assert numbers["regimes.rounding.ratio"] == "7"


def test_what_there_is_not_is_none():
    numbers = regimes(*regime_tables([("adaptive", 8)] * 3))
    assert numbers["regimes.terrain.diff"] == "none"


def test_only_what_blew_up_has_a_step():
    errors = pd.DataFrame(
        [
            ("heat", "diff", "image", 100, 0.00026),
            ("heat", "diff", "inner", 100, 1.0),
            ("heat", "diff", "image", 7, 1.0),
        ],
        columns=["problem", "method", "region", "step", "error"],
    )
    stability = pd.DataFrame(
        [("heat", "diff", "spectral_radius", 1.0), ("heat", "adaptive", "blow_up_step", 3583.0)],
        columns=["problem", "method", "quantity", "value"],
    )
    assert rollouts(errors, stability) == {
        "rollouts.heat.diff.100": "2.6e-4",
        "rollouts.heat.adaptive.blow_up": "3583",
    }
