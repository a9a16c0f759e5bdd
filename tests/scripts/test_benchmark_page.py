import pandas as pd

from experiments.paths import REPOSITORY
from scripts.benchmark_page import END, START, markdown
from scripts.pages import filled


def test_the_page_shows_the_table_that_is_kept():
    page = (REPOSITORY / "docs" / "speed.md").read_text()
    assert (
        filled(page, START, END, markdown(pd.read_csv(REPOSITORY / "results" / "tables" / "benchmark.csv"))) == page
    )


def test_means_are_geometric_and_the_reference_is_left_out():
    about = {"device": "A", "threads": 2, "torch": "2", "rounds": 3}
    rows = [("cnn", "a", "zeros", 1, 1), ("cnn", "a", "diff", 1, 2), ("cnn", "b", "diff", 1, 8)]
    rows += [("filtering", "filter, 2048x2048, 3x3", "diff", 0.005, 0.1)]
    table = pd.DataFrame(rows, columns=["group", "case", "method", "seconds", "ratio"]).assign(**about)
    lines = markdown(table).splitlines()
    assert lines[2:5] == ["| method | layers, training step |", "|---|---|", "| `diff` | 4.00 (8.00) |"]
    assert lines[-1] == "| `diff` | 5.0 |"
