"""The report of a folder of results: what is there, and what is missing."""

import json
import re
import shutil

import pandas as pd
import pytest

from experiments.manifest import FOLDER
from experiments.paths import REPOSITORY
from experiments.training.cells import composed, sweep_cells
from experiments.training.run_folder import run_name
from scripts.manifests import sweep_config
from scripts.report.__main__ import _target, page
from scripts.report.missing import COMMANDS, missing_cells, missing_studies
from scripts.report.studies import studies_of, with_intervals
from scripts.site.check import Page

TABLES = REPOSITORY / "results" / "tables"


@pytest.fixture
def results(tmp_path):
    """A folder with one study, its figure and one manifest of a sweep."""
    (tmp_path / "tables" / FOLDER).mkdir(parents=True)
    (tmp_path / "figures").mkdir()
    for name in ("slopes.csv", f"{FOLDER}/slopes.json"):
        shutil.copy(TABLES / name, tmp_path / "tables" / name)
    shutil.copy(REPOSITORY / "results/figures/slopes.png", tmp_path / "figures")
    return tmp_path


def test_every_study_has_a_command_that_there_is():
    made = {path.stem for path in (TABLES / FOLDER).glob("*.json")}
    assert made <= set(COMMANDS)
    makefile = (REPOSITORY / "Makefile").read_text(encoding="utf-8")
    for command in COMMANDS.values():
        if command.startswith("make "):
            assert re.search(rf"^([\w-]+ )*{command.removeprefix('make ')}( [\w-]+)*:", makefile, re.MULTILINE), (
                command
            )


def test_what_is_missing_is_told_with_its_command(results):
    missing = {one.what: one.command for one in missing_studies(results)}
    assert set(missing) == set(COMMANDS) - {"slopes"}
    assert missing["shells"] == f"make reproduce-shells RESULTS={results}"
    assert missing["coverage"] == f"python -m scripts.coverage --tables {results}/tables"


def test_runs_that_lack_seeds_are_told_together(results):
    cells = sweep_cells(sweep_config("normalization", [0, 1]))
    undone = ("unet", "diff", 1), ("unet", "halo", 1), ("unet_no_norm", "zeros", 0)
    done = [cell for cell in cells if (cell.variant, cell.method, cell.seed) not in undone]
    names = [run_name(composed(cell)).as_posix() for cell in done]
    # One is in the folder of runs alone.
    record = results / "runs" / "train" / names.pop() / "record.json"
    record.parent.mkdir(parents=True)
    record.write_text(json.dumps({"results": {"mse": {"whole": 0.5}}}))
    manifest = {"tables": {}, "modules": [], "settings": {"runs": names}, "sources": {}}
    (results / "tables" / FOLDER / "normalization.json").write_text(json.dumps(manifest))
    missing = missing_cells(results, "normalization", [0, 1])
    assert [one.what for one in missing] == [
        "normalization unet_no_norm: zeros; seeds 0",
        "normalization unet: diff, halo; seeds 1",
    ]
    assert missing[1].command == (
        "python -m experiments.reproduce sweep=normalization seeds=[1] only=[diff,halo] "
        f"runs_dir={results}/runs/train"
    )


def test_networks_that_another_study_was_measured_on_are_there(results):
    """The frontier's networks have no table of their own; its manifest names them beside its settings."""
    names = [run_name(composed(cell)).as_posix() for cell in sweep_cells(sweep_config("frontier_landcover", [0]))]
    manifest = {"tables": {}, "modules": [], "settings": {}, "sources": {}, "runs": names}
    (results / "tables" / FOLDER / "frontier.json").write_text(json.dumps(manifest))
    assert missing_cells(results, "frontier_landcover", [0]) == []
    assert len(missing_cells(results, "frontier_landcover", [1])) == 3
    assert _target("frontier_landcover") == "make reproduce-frontier"
    assert _target("surrogate_unrolled") == "make reproduce-surrogate-unrolled"
    assert _target("paper_segmentation") == "make reproduce-segmentation SCALE=paper"


def test_a_study_that_was_changed_is_told(results):
    (study,) = studies_of(results)
    assert study.name == "slopes"
    assert study.settings["terrains"]
    assert "<table>" in study.tables["slopes.csv"]
    with (results / "tables" / "slopes.csv").open("a") as table:
        table.write("\n")
    (study,) = studies_of(results)
    assert study.status.startswith("STALE: slopes.csv is not the table that was written")


def test_intervals_stand_beside_their_means():
    table = pd.DataFrame({"mean": [0.5], "low": [0.4], "high": [0.6], "p": [0.1]})
    assert with_intervals(table).to_dict("list") == {"mean": ["0.50 [0.40, 0.60]"], "p": [0.1]}


def test_the_page_holds_everything_itself(results):
    text = page(results, [0], [])
    parsed = Page()
    parsed.feed(text)
    assert parsed.fetched
    assert all(address.startswith("data:") for address in parsed.fetched)
    assert not parsed.wordless
    assert {"missing", "slopes"} <= parsed.anchors
    assert "AMD EPYC" in text or "Made 20" in text
    assert f"make reproduce-shells RESULTS={results}" in text
    assert {address.removeprefix("#") for address in parsed.links} <= parsed.anchors
