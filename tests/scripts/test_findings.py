import re
import sys

import numpy as np
import pandas as pd
import pytest
from scipy import stats

from experiments.data.landcover import CLASSES, landcover, landcover_scenes
from experiments.models.build import build_model
from experiments.paths import REPOSITORY
from experiments.records import write_table
from scripts import findings, power_page
from scripts.claims import LEVEL, claims
from scripts.figures.tables import TABLES
from scripts.finding_sentences import column, rounded
from scripts.intervals import estimate, holm
from scripts.pages import between_marks
from scripts.summary import BLOCK_COLUMNS, RUN_COLUMNS
from tests.networks import model

MARKS, POWER_MARKS = (findings.START, findings.END), (power_page.START, power_page.END)
NOISE = np.array([-0.002, 0.001, 0.0, 0.003, -0.002])


def write(folder, task, places, levels, seeds=5, blocks=None):
    """Runs of each method at its level, with a little noise that no two methods share."""
    rows, left = [], []
    for number, (method, level) in enumerate(levels.items()):
        for seed in range(seeds):
            value = level + np.roll(NOISE, number)[seed % 5]
            for metric, region in places:
                rows.append(("d", "unet", method, seed, metric, region, value))
                left += [("d", "unet", method, seed, metric, region, b, value) for b in range(blocks or 0)]
    write_table(folder / f"{task}_runs.csv", pd.DataFrame(rows, columns=RUN_COLUMNS))
    if blocks:
        write_table(folder / f"{task}_blocks.csv", pd.DataFrame(left, columns=BLOCK_COLUMNS))


def test_each_kind_of_finding_is_told(tmp_path):
    places = [("accuracy", "whole"), ("shift_consistency", "whole")]
    levels = {"zeros": 0.6, "diff": 0.63, "replicate": 0.55, "circular": 0.6005}
    write(tmp_path, "classification", places, levels)
    text = findings.findings(tmp_path)
    assert "| `diff` | **+3.0** [" in text
    assert "]† |" in text
    assert "| `replicate` | *−5.0* [" in text
    circular = next(line for line in text.splitlines() if line.startswith("| `circular`"))
    assert circular.split("|")[2].strip().startswith("[−")
    assert "Primary comparison (5 seeds): `diff` with zero padding, accuracy, +3.0 points [+2." in text
    assert "; resolved, better.\n" in text
    assert "- Accuracy (secondary, 5 seeds): worse with `replicate` (−5.0 points [−5." in text
    open_ = estimate(0.0005 + np.roll(NOISE, 3) - NOISE)
    ends = f"at most {100 * open_.high:.2g} points better and {-100 * open_.low:.2g} worse"
    assert f"; the others are not resolved: each is {ends}." in text
    assert "| classification, accuracy (5 seeds) |" in text
    assert "The intervals of classification count the seeds alone" in text


def test_errors_are_in_percent_of_the_other_and_less_is_better(tmp_path):
    places = [("mse", "frame"), ("mse", "interior")]
    levels = {"zeros": 0.5, "diff": 0.4, "random": 0.6, "adaptive": 0.3, "halo": 0.4, "replicate": 0.45}
    write(tmp_path, "super_resolution", places, levels, blocks=4)
    text = findings.findings(tmp_path)
    assert "| `diff` | **−20** [" in text
    assert "| `random` | *+20* [" in text
    better = text.partition("Error in the frame (secondary, 5 seeds): better than zero padding with ")[2]
    names = re.findall(r"(`\w+` \([−+]\d+) % \[", better.partition("\n")[0])
    assert names == ["`adaptive` (−40", "`halo` (−20", "`replicate` (−10", "`random` (+20"]
    assert "`adaptive` compared with true context (`halo`) (secondary, 5 seeds): error in the frame −25 % [" in text
    assert "count the seeds alone" not in text


def test_all_but_the_primary_comparison_are_corrected(tmp_path):
    write(
        tmp_path,
        "segmentation",
        [("mean_iou", "whole"), ("mean_iou", "frame")],
        {"zeros": 0.4, "diff": 0.41, "halo": 0.405},
    )
    table = claims(tmp_path, "segmentation")
    assert table["primary"].tolist() == [True, False, False, False]
    assert table["corrected"][0] == table["p"][0]
    np.testing.assert_allclose(table["corrected"][1:], holm(table["p"][1:].to_numpy()))
    differences = 0.01 + np.roll(NOISE, 1) - NOISE
    assert table["p"][0] == pytest.approx(stats.ttest_1samp(differences, 0).pvalue, rel=1e-4)
    assert table["estimate"][0] == pytest.approx(1.0)


def test_one_seed_resolves_nothing(tmp_path):
    write(tmp_path, "segmentation", [("mean_iou", "whole")], {"zeros": 0.4, "diff": 0.45}, seeds=1)
    text = findings.findings(tmp_path)
    assert "| method | segmentation, mean IoU (one seed) |" in text
    assert "| `diff` | +5.0† |" in text
    assert (
        "Primary comparison (one seed): `diff` with zero padding, mean IoU, +5.0 points [?, ?], p = ?; not resolved."
        in text
    )
    assert "at most" not in text


def test_methods_with_other_numbers_of_seeds_say_so(tmp_path):
    places = [("mean_iou", "whole")]
    write(tmp_path, "segmentation", places, {"zeros": 0.4, "diff": 0.45, "halo": 0.42, "random": 0.3}, seeds=12)
    runs = pd.read_csv(tmp_path / "segmentation_runs.csv")
    write_table(tmp_path / "segmentation_runs.csv", runs[(runs["seed"] < 5) | (runs["method"] != "random")])
    text = findings.findings(tmp_path)
    assert "| method | segmentation, mean IoU (12 seeds) |" in text
    row = next(line for line in text.splitlines() if line.startswith("| `random`"))
    assert row.endswith("] (5 seeds) |")
    assert "(seeds)" not in next(line for line in text.splitlines() if line.startswith("| `halo`"))
    assert "Primary comparison (12 seeds)" in text
    assert "Mean IoU (secondary, 5 to 12 seeds): better" in text


def test_many_methods_are_told_by_the_first_and_the_last(tmp_path):
    names = ["adaptive", "learned", "halo", "replicate", "reflect"]
    levels = {"zeros": 0.5, "diff": 0.5} | {name: 0.4 + 0.01 * i for i, name in enumerate(names)}
    write(tmp_path, "super_resolution", [("mse", "interior")], levels)
    told = findings.findings(tmp_path).partition("Error in the interior (secondary, 5 seeds): ")[2].partition(";")[0]
    assert re.sub(r"\[.*?\]", "[]", told) == (
        "better than zero padding with `adaptive` (−20 % []), `learned`, `halo`, `replicate` and `reflect` (−12 % [])"
    )


def test_every_sentence_has_its_seeds_and_its_interval_and_says_whether_it_is_the_primary_one():
    told = [line for line in findings.findings(TABLES).splitlines() if line.startswith("  - ")]
    facts = [line for line in told if "marked stale" not in line and "No primary comparison was named" not in line]
    assert len(facts) > 20
    for line in facts:
        assert re.search(r"Primary comparison \(\d+ seeds\)|\(secondary, \d+( to \d+)? seeds\)", line), line
        assert re.search(r"\[[−+][\d.]+, [−+][\d.]+\]|each is at most [\d.]+", line), line


def test_what_is_open_says_how_large_a_difference_is_possible():
    rows = [line.split(" | ") for line in findings.evidence(TABLES).splitlines()[2:]]
    for *_, difference, _, p, _, so in rows:
        if p == "none":
            # Of one seed nothing is known.
            assert so == "open |"
            continue
        low, high = (float(end.replace("−", "-")) for end in re.findall(r"[\[ ]([−+][\d.]+)[,\]]", difference)[-2:])
        so = so.removesuffix(" |")
        if so.startswith("open"):
            better, worse = (high, -low) if "points" in difference else (-low, high)
            told = dict(zip(("better", "worse"), (better, worse), strict=True))
            found = {word: float(n) for n, word in re.findall(r"([\d.]+)(?: points| %)? (better|worse)", so)}
            assert found == {word: value for word, value in told.items() if value > 0}, so
        else:
            assert so in ("resolved, better", "resolved, worse")
            assert low * high > 0


def test_without_tables_there_is_nothing_to_tell(tmp_path):
    assert findings.findings(tmp_path) == ""


@pytest.mark.parametrize(
    ("page", "marks", "content"),
    [
        ("README.md", MARKS, findings.findings),
        ("docs/findings.md", MARKS, findings.evidence),
        ("docs/findings.md", POWER_MARKS, power_page.text),
    ],
)
def test_the_pages_have_what_the_tables_say(page, marks, content):
    text = (REPOSITORY / page).read_text(encoding="utf-8")
    assert between_marks(text, *marks) == content(TABLES), "`make findings` brings it up to date"


def test_every_sentence_of_the_findings_has_its_row_of_evidence():
    sentences, rows = findings.findings(TABLES), findings.evidence(TABLES)
    for task in findings.TASKS:
        for row in claims(TABLES, task).to_dict("records"):
            assert f"`{row['method']}` − `{row['other']}` | {row['metric']}, {row['region']}" in rows
            if row["primary"]:
                assert rounded(row["low"]) in sentences


def test_update_changes_what_is_between_the_marks_alone(tmp_path, monkeypatch):
    write(tmp_path, "classification", [("accuracy", "whole")], {"zeros": 0.6, "diff": 0.63})
    pages = [tmp_path / name for name in ("README.md", "page.md")]
    for page in pages:
        page.write_text(f"before\n{findings.START}\nold\n{findings.END}\nafter\n", encoding="utf-8")
    with pages[1].open("a", encoding="utf-8") as page:
        page.write("{}\n{}\n".format(*POWER_MARKS))
    places = ["--readme", pages[0], "--page", pages[1], "--tables", tmp_path]
    monkeypatch.setattr(sys, "argv", ["findings", "--update", *map(str, places)])
    for _ in range(2):
        findings.main()
        for page, content in zip(pages, (findings.findings, findings.evidence), strict=True):
            text = page.read_text(encoding="utf-8")
            assert between_marks(text, findings.START, findings.END) == content(tmp_path)
            assert text.startswith(f"before\n{findings.START}\n")
            assert f"\n{findings.END}\nafter\n" in text
        assert text.endswith("{}\n{}\n".format(*POWER_MARKS))
    pages[0].write_text("no marks")
    with pytest.raises(SystemExit, match="must have the lines <!-- findings -->"):
        findings.main()


def test_what_could_confound_them():
    """The facts of the page that no table has."""
    page = " ".join((REPOSITORY / "docs" / "findings.md").read_text(encoding="utf-8").split())
    data = landcover_scenes(train_tiles=6, validation_tiles=6, test_tiles=6)
    count = {
        mode: sum(p.numel() for p in build_model(model("resnet18"), {"mode": mode}, data).parameters())
        for mode in ("zeros", "explicit")
    }
    assert f"{count['explicit'] / count['zeros']:.1f} times the parameters" in page
    pixels = landcover().test.targets
    share = (pixels == CLASSES.index("snow")).double().mean().item()
    assert f"Snow is {100 * share:.1f} % of the pixels of the test" in page


def test_the_advice_in_short_is_what_the_tables_say():
    """README, "Start" and "In short": written by hand, so that a table made again must not leave it behind."""
    readme = " ".join((REPOSITORY / "README.md").read_text(encoding="utf-8").split())
    assert (
        "no mode's accuracy or mean IoU is resolved as better than that of zero padding, and some are worse" in readme
    )
    assert "super-resolution, a step of a flow): `adaptive`, or `adaptive_running`" in readme
    resolved = {}
    for task, metric, region in (
        ("classification", "accuracy", "whole"),
        ("segmentation", "mean_iou", "whole"),
        ("super_resolution", "mse", "frame"),
        ("surrogate", "mse", "frame"),
    ):
        cells = column(claims(TABLES, task), metric, region).drop(index="halo", errors="ignore")
        cells = cells[cells["corrected"] < LEVEL]
        resolved[task] = {method: row["estimate"] > 0 for method, row in cells.iterrows()}
    assert not any(resolved["classification"].values())
    assert not any(resolved["segmentation"].values())
    assert len(resolved["classification"]) + len(resolved["segmentation"]) > 0
    assert {"adaptive": False, "adaptive_running": False}.items() <= resolved["super_resolution"].items()
    assert resolved["surrogate"] == {"adaptive": False}
