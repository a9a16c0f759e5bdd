import pandas as pd
import pytest

from experiments.paths import REPOSITORY
from scripts.claims import claims
from scripts.figures.tables import TABLES
from scripts.finding_sentences import verdict
from scripts.pages import filled
from scripts.paper_contrasts import OWN, RIVALS, TASKS, against
from scripts.paper_page import parts, rivals

PAGE = (REPOSITORY / "docs" / "paper.md").read_text(encoding="utf-8")
PARTS = parts()


@pytest.mark.parametrize("part", PARTS, ids=[start for start, *_ in PARTS])
def test_the_page_shows_the_tables_that_are_kept(part):
    assert filled(PAGE, *part) == PAGE, "`make pages` brings it up to date"


@pytest.fixture
def tables(tmp_path):
    """Tables of runs in which Diff is better than every method but `extrapolate`, on three seeds."""
    for task, places in TASKS.items():
        rows = [
            ("data", "unet", method, seed, metric, region, value + 0.001 * seed * seed * index)
            for metric, region in places
            for seed in range(3)
            for index, (method, value) in enumerate(_values(metric).items())
        ]
        columns = ["data", "model", "method", "seed", "metric", "region", "value"]
        pd.DataFrame(rows, columns=columns).to_csv(tmp_path / f"{task}_runs.csv", index=False)
    return tmp_path


def _values(metric):
    others = dict.fromkeys([*RIVALS, OWN], 2.0 if metric == "mse" else 0.2)
    return {"diff": 1.0 if metric == "mse" else 0.5, **others, "extrapolate": 1.0 if metric == "mse" else 0.5}


def test_every_method_is_compared_on_the_same_seeds_and_all_but_the_primary_are_corrected(tables):
    rows = against(tables, "segmentation")
    assert list(rows["other"]) == [*RIVALS, OWN] * 2
    assert (rows["seeds"] == 3).all()
    assert list(rows.index[rows["primary"]]) == [0]
    assert rows.loc[0, "corrected"] == rows.loc[0, "p"]
    assert (rows["corrected"][1:] > rows["p"][1:]).all()


def test_the_primary_comparison_is_that_of_the_findings():
    for task in TASKS:
        here, there = (
            table[table["primary"].astype(bool)] for table in (against(TABLES, task), claims(TABLES, task))
        )
        pd.testing.assert_frame_equal(
            here[["estimate", "low", "high", "p"]].reset_index(drop=True),
            there[["estimate", "low", "high", "p"]].reset_index(drop=True),
            check_dtype=False,
        )


def test_bold_is_better_whether_the_metric_is_a_share_or_an_error(tables):
    lines = {line.split(" | ")[0]: line for line in rivals(tables).splitlines()}
    zeros = lines["| `zeros`"].split(" | ")[1:]
    assert zeros[0].startswith("**+30**")
    assert zeros[3].startswith("**−50**")
    assert all("†" in zeros[column] for column in (0, 1, 3))
    assert "**" not in lines["| `extrapolate`"]


def test_a_task_without_a_table_or_a_method_is_told(tables):
    with pytest.raises(FileNotFoundError, match="make reproduce"):
        against(tables / "elsewhere", "segmentation")
    path = tables / "segmentation_runs.csv"
    runs = pd.read_csv(path)
    runs[runs["method"] != "partial"].to_csv(path, index=False)
    with pytest.raises(ValueError, match="no mean_iou of `diff` and `partial`"):
        against(tables, "segmentation")


def test_what_the_prose_says_of_the_findings_is_so():
    """Shift consistency is worse with all three that extrapolate; `adaptive` beats Diff in super-resolution."""
    rows = claims(TABLES, "classification")
    shift = rows[rows["metric"] == "shift_consistency"]
    worse = {row["method"] for row in shift.to_dict("records") if verdict(row) == "resolved, worse"}
    assert worse == {"diff", "extrapolate", "diff_explicit"}
    rows = claims(TABLES, "super_resolution")
    row = rows[(rows["method"] == "adaptive") & (rows["other"] == "diff")].iloc[0]
    assert verdict(row) == "resolved, better"
    micro = against(TABLES, "segmentation").query("metric == 'iou_micro' and other == 'zeros'").iloc[0]
    assert verdict(micro).startswith("open")
    # The last row leans against Diff-EBH, unresolved.
    own = against(TABLES, "super_resolution").query("metric == 'mse' and other == @OWN")
    assert (own["high"] < 0).all()
    assert (own["corrected"] >= 0.05).all()
