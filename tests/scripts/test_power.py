import sys

import numpy as np
import pandas as pd
import pytest

from experiments.manifest import FOLDER, read_manifest
from experiments.records import write_table
from scripts import power, power_page
from scripts.check_tables import computed_again, stale
from scripts.claims import TASKS, claims
from scripts.figures.tables import TABLES
from scripts.smallest_difference import LEVEL, smallest_difference
from scripts.summary import BLOCK_COLUMNS, RUN_COLUMNS

BLOCKS = 6


def write(folder, seeds=5, blocks=BLOCKS, more_seeds=0):
    """Segmentation: three methods, whose differences vary with the seed and the block; some may have more seeds."""
    rng = np.random.default_rng(0)
    of_block = rng.normal(size=(3, BLOCKS))
    rows, left = [], []
    for number, method in enumerate(("zeros", "diff", "halo")):
        for seed in range(seeds + (more_seeds if method != "halo" else 0)):
            cells = 0.5 + 0.01 * (rng.normal() + of_block[number] + rng.normal(size=BLOCKS))
            for region in ("whole", "frame"):
                place = ("landcover", "unet", method, seed, "mean_iou", region)
                rows.append((*place, cells.mean()))
                left += [(*place, b, np.delete(cells, b).mean()) for b in range(blocks)]
    write_table(folder / "segmentation_runs.csv", pd.DataFrame(rows, columns=RUN_COLUMNS))
    if blocks:
        write_table(folder / "segmentation_blocks.csv", pd.DataFrame(left, columns=BLOCK_COLUMNS))


def run(monkeypatch, folder):
    monkeypatch.setattr(sys, "argv", ["power", "--tables", str(folder)])
    power.main()
    return pd.read_csv(folder / "power.csv")


def test_the_tables_give_the_table(monkeypatch, tmp_path):
    """The one that is committed, to the digits that it has."""
    kept = pd.read_csv(TABLES / "power.csv")
    again = pd.concat([power.power(TABLES, task) for task in TASKS], ignore_index=True)
    write_table(tmp_path / "power.csv", again, power.MAY_BE_EMPTY)
    pd.testing.assert_frame_equal(pd.read_csv(tmp_path / "power.csv"), kept, rtol=1e-5)
    assert read_manifest(TABLES / FOLDER / "power.json")["inputs"] == power.sources(TABLES)


def test_a_row_for_each_comparison_and_design(monkeypatch, tmp_path):
    write(tmp_path)
    table = run(monkeypatch, tmp_path)
    assert len(table) == 2 * 2 * 2 * 3
    assert table.groupby(["seeds", "blocks"]).size().to_dict() == {
        (s, t * BLOCKS): 4 for s in (5, 12) for t in (1, 2, 4)
    }
    assert table.loc[table["present"], ["seeds", "blocks"]].drop_duplicates().to_numpy().tolist() == [[5, BLOCKS]]
    # Halo and the frame of diff share Holm's correction; the whole of diff is primary.
    shared = table.set_index(["method", "region"])["comparisons"]
    assert shared.groupby(level=[0, 1]).first().to_dict() == {
        ("diff", "whole"): 1,
        ("diff", "frame"): 3,
        ("halo", "whole"): 3,
        ("halo", "frame"): 3,
    }
    for row in table.to_dict("records"):
        level = LEVEL / row["comparisons"]
        assert row["resolves_corrected"] == pytest.approx(
            smallest_difference(row["error"] ** 2, row["freedom"], level), rel=1e-4
        )
    # More seeds and more blocks resolve less.
    of_method = table[table["region"] == "frame"].groupby(["seeds", "blocks"])["resolves"].mean()
    assert of_method[5, BLOCKS] > of_method[12, BLOCKS] > of_method[12, 4 * BLOCKS]


def test_the_standard_error_is_that_of_the_interval(tmp_path):
    """In points: a share of 0.01 is one."""
    write(tmp_path)
    claimed = claims(tmp_path, "segmentation").set_index(["method", "region"])
    table = power.power(tmp_path, "segmentation")
    for row in table[table["present"]].to_dict("records"):
        claim = claimed.loc[row["method"], row["region"]]
        reach = (claim["high"] - claim["low"]) / 2
        assert 1.5 < reach / row["error"] < 3.2
        assert row["error"] > 0.1


def test_methods_with_more_seeds(tmp_path):
    write(tmp_path, more_seeds=4)
    table = power.power(tmp_path, "segmentation")
    present = table[table["present"]].groupby("method")["seeds"].unique()
    assert (present["diff"].tolist(), present["halo"].tolist()) == ([9], [5])
    assert sorted(table.loc[table["method"] == "diff", "seeds"].unique()) == [5, 9, 12]


def test_without_blocks_the_seeds_alone_count(monkeypatch, tmp_path):
    write(tmp_path, blocks=0)
    table = run(monkeypatch, tmp_path)
    assert set(table["blocks"]) == {0}
    assert table[["of_test_set", "blocks_needed"]].isna().all(axis=None)
    now, more = (table[table["seeds"] == count] for count in (5, 12))
    np.testing.assert_allclose(now["error"].to_numpy() ** 2 * 5, more["error"].to_numpy() ** 2 * 12, rtol=1e-5)
    assert (now["freedom"] == 4).all()


def test_a_table_of_runs_that_changes_makes_it_stale(monkeypatch, tmp_path):
    write(tmp_path)
    run(monkeypatch, tmp_path)
    assert stale(tmp_path / FOLDER / "power.json") == []
    write(tmp_path, seeds=4)
    assert stale(tmp_path / FOLDER / "power.json") == [
        f"segmentation_{kind}.csv, which it was made from, has changed since" for kind in ("blocks", "runs")
    ]


@pytest.mark.slow
def test_the_check_of_tables_makes_it_again(monkeypatch, tmp_path):
    write(tmp_path)
    table = run(monkeypatch, tmp_path)
    assert computed_again("power", tmp_path) == "power.csv computed again from other tables, to the byte"
    write_table(tmp_path / "power.csv", table.assign(error=1.0), power.MAY_BE_EMPTY)
    with pytest.raises(ValueError, match=r"power.csv is not what the tables that it is made from give"):
        computed_again("power", tmp_path)


def test_without_tables_it_says_so(monkeypatch, tmp_path):
    with pytest.raises(SystemExit, match="has no table of runs with two seeds or more"):
        run(monkeypatch, tmp_path)


def test_one_seed_has_no_power(monkeypatch, tmp_path):
    write(tmp_path, seeds=1)
    with pytest.raises(SystemExit, match="has no table of runs with two seeds or more"):
        run(monkeypatch, tmp_path)


def cells(line):
    return [cell.strip() for cell in line.strip("|").split("|")]


def test_the_section_tells_the_medians_and_whether_the_test_set_is_large_enough(monkeypatch, tmp_path):
    write(tmp_path)
    table = run(monkeypatch, tmp_path)
    coverage = pd.read_csv(TABLES / "coverage_power.csv")
    write_table(tmp_path / "coverage_power.csv", coverage)
    lines = power_page.text(tmp_path).splitlines()
    rows = [cells(line) for line in lines if line.startswith("| segmentation")]
    assert [row[1] for row in rows] == ["mean IoU, `diff`, primary", "mean IoU", "mean IoU in the frame"] * 2
    frame = table[(table["region"] == "frame") & (table["seeds"] == 12) & (table["blocks"] == BLOCKS)]
    told = rows[2][5].replace("[", "").replace("]", "").replace(",", "").split()
    expected = [frame["resolves"].median(), frame["resolves"].min(), frame["resolves"].max()]
    np.testing.assert_allclose([float(number) for number in told], expected, rtol=0.05)
    now = table[(table["region"] == "frame") & table["present"]]
    share = 100 * now["of_test_set"].median()
    assert rows[5][3] == f"{share:.0f} %"
    assert rows[5][7].startswith("with 5 seeds") == (share < 50)


def test_a_place_whose_seeds_make_no_noise_has_no_number_of_blocks():
    assert power_page._needed(pd.Series([10.0, np.nan, np.nan])) == "no number"
    assert power_page._needed(pd.Series([10.0, 20.0, np.nan])) == "20"


def test_nothing_is_told_without_the_table(tmp_path):
    assert power_page.text(tmp_path) == ""
