import sys

import pandas as pd
import pytest

from experiments.paths import REPOSITORY
from experiments.records import write_table
from scripts import findings
from scripts.figures.tables import TABLES
from scripts.pages import between_marks
from scripts.summary import INTERVALS, SUMMARY_COLUMNS


def write(folder, experiment, metric, region, differences, mean=0.5):
    """A table with zeros at `mean`, and (difference, low, high) for each other method."""
    none = (None, None, None)
    rows = [
        ("d", "m", method, metric, region, 5, mean, mean, mean, *values)
        for method, values in {"zeros": none, **differences}.items()
    ]
    write_table(folder / f"{experiment}.csv", pd.DataFrame(rows, columns=SUMMARY_COLUMNS), may_be_empty=INTERVALS)


def test_each_kind_of_finding_is_told(tmp_path):
    accuracies = {
        "diff": (0.012, 0.004, 0.02),
        "replicate": (-0.03, -0.04, -0.02),
        "circular": (0.001, -0.01, 0.012),
        "halo": (0.02, None, None),
    }
    write(tmp_path, "classification", "accuracy", "whole", accuracies)
    text = findings.findings(tmp_path)
    assert "| `diff` | **+1.2** [+0.40, +2.0] |" in text
    assert "| `replicate` | −3.0 [−4.0, −2.0] |" in text
    assert "| `circular` | *not resolved* [−1.0, +1.2] |" in text
    assert "| `halo` | *not resolved* +2.0 |" in text
    assert "the mean over 5 seeds with its 95 % interval" in text
    assert "`zeros` |" not in text


def test_errors_are_in_percent_of_zeros_and_less_is_better(tmp_path):
    errors = {"diff": (-0.05, -0.1, -0.01), "random": (0.05, 0.01, 0.1)}
    write(tmp_path, "super_resolution", "mse", "frame", errors)
    text = findings.findings(tmp_path)
    assert "| `diff` | **−10** [−20, −2.0] |" in text
    assert "| `random` | +10 [+2.0, +20] |" in text


def test_without_tables_there_is_nothing_to_tell(tmp_path):
    assert findings.findings(tmp_path) == ""


def test_the_readme_has_what_the_tables_say():
    readme = (REPOSITORY / "README.md").read_text(encoding="utf-8")
    expected = findings.findings(TABLES)
    assert between_marks(readme, findings.START, findings.END) == expected, (
        "`python -m scripts.findings --update` brings it up to date"
    )


def update(monkeypatch, *arguments):
    monkeypatch.setattr(sys, "argv", ["findings", "--update", *map(str, arguments)])
    findings.main()


def test_update_changes_what_is_between_the_marks_alone(tmp_path, monkeypatch):
    write(tmp_path, "classification", "accuracy", "whole", {"diff": (0.012, 0.004, 0.02)})
    readme = tmp_path / "README.md"
    readme.write_text(f"before\n{findings.START}\nold\n{findings.END}\nafter\n", encoding="utf-8")
    for _ in range(2):
        update(monkeypatch, "--readme", readme, "--tables", tmp_path)
        text = readme.read_text(encoding="utf-8")
        assert between_marks(text, findings.START, findings.END) == findings.findings(tmp_path)
        assert text.startswith(f"before\n{findings.START}\n")
        assert text.endswith(f"\n{findings.END}\nafter\n")
    readme.write_text("no marks")
    with pytest.raises(SystemExit, match="must have the lines <!-- findings -->"):
        update(monkeypatch, "--readme", readme, "--tables", tmp_path)
