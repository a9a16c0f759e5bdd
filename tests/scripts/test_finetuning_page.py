import pandas as pd
import pytest
from scipy import stats

from experiments.finetuning.summary import sentence
from experiments.paths import REPOSITORY
from scripts.figures.tables import TABLES
from scripts.finetuning_page import END, START, intervals, lacking, markdown, texts
from scripts.pages import filled

TABLE = TABLES / "finetuning.csv"
needs_the_table = pytest.mark.skipif(not TABLE.is_file(), reason="the table has not been made")


def small_table():
    accuracies = {"zeros": 0.6, "replicate": 0.4, "adaptive": 0.4, "diff": 0.2, "most_frequent_class": 0.17}
    errors = {"zeros": 0.2, "adaptive": 0.18, "diff": 0.21, "partial": 0.6}
    rows = []
    for steps in (0, 60):
        rows += [(method, 0, steps, "accuracy", "whole", value) for method, value in accuracies.items()]
        rows += [(method, 0, steps, "mse", "frame", value) for method, value in errors.items()]
    return pd.DataFrame(rows, columns=["method", "seed", "steps", "metric", "region", "value"])


def test_words_are_found_whatever_their_lines_and_other_numbers_are_not():
    said = sentence(small_table())
    of = {"same": markdown(small_table()).replace("\n", "\n    "), "other": said.replace("0.400", "0.401")}
    assert lacking(small_table(), of) == ["other"]
    assert max(map(len, markdown(small_table()).splitlines())) <= 118
    assert " ".join(markdown(small_table()).split()) == f"{said} {intervals(small_table())}"


def test_differences_are_told_with_the_intervals_of_the_seeds():
    """In points of accuracy, in per cent of the error of zeros; the noise of a seed that all share plays no part."""
    parts = [small_table().assign(seed=seed) for seed in range(3)]
    for seed, part in enumerate(parts):
        part["value"] += 0.05 * seed + 0.01 * seed * (part["method"] == "diff")
    told = intervals(pd.concat(parts))
    expected = stats.ttest_1samp([-0.4, -0.39, -0.38], 0)
    low, high = (100 * end for end in expected.confidence_interval(0.95))
    assert (
        f"not trained further, −20 [−20, −20] (`replicate`), −20 [−20, −20] (`adaptive`) and −39 [−{-low:.0f},"
        in told
    )
    assert f"−{-high:.0f}] (`diff`); accuracy in points, after 60 steps" in told
    # Zeros has 0.2, 0.25 and 0.3.
    assert "error in the frame in %, not trained further, −8.0 [−8.0, −8.0] (`adaptive`)" in told


def test_the_texts_are_those_of_the_docstring_and_the_notebook():
    docstring, notebook = texts().values()
    assert "Change the boundary mode of every layer of a network that has a boundary" in docstring
    assert "## Convert a network" in notebook


@needs_the_table
def test_the_readme_shows_the_table_that_is_kept():
    page = (REPOSITORY / "README.md").read_text(encoding="utf-8")
    assert filled(page, START, END, markdown(pd.read_csv(TABLE))) == page


@needs_the_table
def test_the_docstring_and_the_notebook_show_it_too():
    assert lacking(pd.read_csv(TABLE), texts()) == []
