import pandas as pd
import pytest

from experiments.finetuning.summary import sentence
from experiments.paths import REPOSITORY
from scripts.figures.tables import TABLES
from scripts.finetuning_page import END, START, lacking, markdown, texts
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
    assert " ".join(markdown(small_table()).split()) == said


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
