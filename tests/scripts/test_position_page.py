"""The page of position: its sentence and table are those of results/tables/position.csv, its settings of configs/."""

import itertools

import numpy as np
import pandas as pd
import pytest
import yaml
from scipy.stats import ttest_rel

from experiments.paths import CONFIGS, REPOSITORY
from scripts.figures.tables import TABLES
from scripts.intervals import holm
from scripts.pages import filled
from scripts.position_page import END, START, comparisons, markdown, position, sentence, units
from scripts.sweeps import SWEEPS

TABLE = TABLES / "position.csv"
PAGE = REPOSITORY / "docs" / "position.md"
needs_the_table = pytest.mark.skipif(not TABLE.is_file(), reason="the table has not been made")

# Correlation of trained, untrained and converted networks, and their units that see the edge.
KNOWN = {
    "zeros": ((0.99, 0.98, None), (900, 2000, None)),
    "replicate": ((0.1, 0.12, 0.15), (0, 1, 2)),
    "diff": ((0.9, 0.95, 0.93), (1500, 1600, 1700)),
    "halo": ((0.97, 0.96, None), (10, 700, None)),
}


def small_table(seeds=(0, 1, 2)):
    rows = []
    for method, (values, counts) in KNOWN.items():
        for network, value, count in zip(("trained", "untrained", "converted"), values, counts, strict=True):
            if value is None:
                continue
            for seed in seeds:
                known = {"method": method, "seed": seed, "network": network}
                for images, measure in itertools.product(("natural", "noise", "constant"), ("spearman", "mae")):
                    for target, shift in (("horizontal", 0.001), ("vertical", -0.001), ("gaussian", 9)):
                        error = 0.2 if network == "trained" else 0.3
                        level = 0 if method == "diff" and images == "constant" else value
                        found = level + shift * (seed + 1) if measure == "spearman" else error
                        rows.append({**known, "images": images, "measure": measure, "target": target, "value": found})
                for measure, number in (("aware_0.5", count + seed), ("units", 2368)):
                    rows.append({**known, "images": "natural", "measure": measure, "target": "edge", "value": number})
    return pd.DataFrame(rows)


def test_position_is_the_mean_of_both_coordinates():
    found = position(small_table(), "trained")
    assert list(found.index) == list(KNOWN)
    np.testing.assert_allclose(found.loc["diff"], [0.9, 0.9, 0.9])
    assert units(small_table(), "untrained").loc["replicate"].tolist() == [1, 2, 3]


def test_only_the_primary_comparison_keeps_its_p_value():
    table = small_table()
    spread = table["target"].eq("horizontal") & table["method"].isin(["replicate", "diff", "halo"])
    table.loc[spread, "value"] += 0.3 * (table.loc[spread, "seed"] - 1)
    found = comparisons(table)
    assert set(found.index) == {"replicate", "diff", "halo"}
    assert found.loc["diff", "mean"] == pytest.approx(-0.09)
    assert found.loc["diff", "low"] < -0.09 < found.loc["diff", "high"]
    values = position(table, "trained")
    plain = {m: ttest_rel(values.loc[m], values.loc["zeros"]).pvalue for m in found.index}
    assert found.loc["diff", "p"] == pytest.approx(plain["diff"])
    others = [plain["replicate"], plain["halo"]]
    np.testing.assert_allclose(found.loc[["replicate", "halo"], "p"], holm(np.array(others)))
    assert found.loc["replicate", "p"] > plain["replicate"]


def test_the_sentence_has_the_numbers_of_the_table():
    said = sentence(small_table())
    assert "a correlation of 0.980 (0.980 to 0.980) before its training and 0.990 (0.990 to 0.990) after it" in said
    assert "a mean absolute error of 0.300 (0.300 to 0.300) and 0.200" in said
    assert "Converted to `replicate`, the trained network has a correlation of 0.150 (0.150 to 0.150)" in said
    assert "Networks trained with `replicate` have 0.10." in said
    assert "`diff` less `zeros`, trained: -0.090 (-0.090 to -0.090), p below 0.0001." in said
    assert "So `diff` tells position too, 0.900 (0.900 to 0.900), but not on images of one colour, 0.000" in said
    assert "Of 2368 units 2001 (1999 to 2003) see the zeros before the training, 901 (899 to 903) after it" in said
    assert "0.960 (0.960 to 0.960) before the training and 0.970 (0.970 to 0.970) after it" in said
    assert "Means over 3 seeds" in said


@pytest.mark.parametrize(
    ("method", "network", "value"),
    [("zeros", "untrained", 0.5), ("replicate", "trained", 0.9), ("diff", "trained", 1)],
)
def test_a_table_that_shows_something_else_is_told(method, network, value):
    table = small_table()
    chosen = (table["method"] == method) & (table["network"] == network) & (table["measure"] == "spearman")
    table.loc[chosen, "value"] = value
    with pytest.raises(ValueError, match="write other words"):
        sentence(table)


def test_a_seed_that_is_missing_is_told():
    table = small_table()
    with pytest.raises(ValueError, match="the table has no trained networks of diff for every seed"):
        position(table[(table["method"] != "diff") | (table["seed"] > 0)], "trained")
    with pytest.raises(ValueError, match="the table has no pruned networks at all"):
        position(table, "pruned")


def test_the_table_has_a_row_for_each_method_and_empty_cells_where_nothing_is_converted():
    rows = markdown(small_table()).split("\n\n")[1].splitlines()
    assert len(rows) == 2 + len(KNOWN)
    cells = {
        row.split(" | ")[0].strip("| `"): [cell.strip() for cell in row.strip("|").split("|")] for row in rows[2:]
    }
    head = [cell.strip() for cell in rows[0].strip("|").split("|")]
    assert all(len(row) == len(head) for row in cells.values())
    assert dict(zip(head, cells["zeros"], strict=True))["after `convert`"] == ""
    assert dict(zip(head, cells["replicate"], strict=True))["after `convert`"] == "0.15"
    assert "(primary)" in dict(zip(head, cells["diff"], strict=True))["p"]


@needs_the_table
def test_the_page_shows_the_table_that_is_kept():
    page = PAGE.read_text(encoding="utf-8")
    assert filled(page, START, END, markdown(pd.read_csv(TABLE))) == page


@needs_the_table
def test_the_table_has_every_method_and_five_seeds():
    table = pd.read_csv(TABLE)
    assert set(table["method"]) == set(SWEEPS["classification"].methods)
    assert set(table["seed"]) == set(range(5))
    for network in ("trained", "untrained", "converted"):
        assert position(table, network).shape[1] == 5


def test_settings_are_those_of_the_configuration():
    page = " ".join(PAGE.read_text(encoding="utf-8").split())
    # The reader of YAML takes 1e-3 for a text.
    config = yaml.safe_load((CONFIGS / "position.yaml").read_text(encoding="utf-8"))
    for words in (
        f"fitted to {config['fit_images']} training images",
        f"best on {config['validation_images']} validation images",
        f"tested on {config['test_images']} images of held-out regions",
        f"a grid of {config['grid']} x {config['grid']}",
    ):
        assert words in page
    assert config["stages"] == ["layer1", "layer2", "layer3"]
    assert config["thresholds"] == [0.25, 0.5, 1]
    assert float(config["resolution"]) == 1e-3
