import itertools

import pandas as pd

from experiments.paths import REPOSITORY
from scripts.adaptive_page import END, START, markdown
from scripts.pages import filled


def test_the_page_shows_the_table_that_is_kept():
    page = (REPOSITORY / "docs" / "adaptive.md").read_text()
    assert filled(page, START, END, markdown(pd.read_csv(REPOSITORY / "results" / "tables" / "adaptive.csv"))) == page


def test_ratios_are_summed_up_by_size():
    errors = {"degree_0": 2.0, "degree_1": 4.0, "adaptive": 1.0, "zeros": 8.0}
    rows = [("a", size, 3, method, e) for size, (method, e) in itertools.product((64, 128, 256), errors.items())]
    rows[2] = ("a", 64, 3, "adaptive", 4.0)
    table = pd.DataFrame(rows, columns=["field", "size", "kernel_size", "method", "l1_error"])
    assert markdown(table).splitlines() == [
        "| mode | 128 px and more (2 cells) | below, mean over crops (1 cells) |",
        "|---|---|---|",
        "| `adaptive` | 0.50, 0.5, 0 | 2.00, 2, 1 |",
        "| `zeros` | 4.00, 4, 2 | 4.00, 4, 1 |",
    ]


def test_only_what_is_between_the_marks_is_replaced():
    assert filled(f"a\n{START}\nold\n{END}\nb", START, END, "new\n") == f"a\n{START}\nnew\n{END}\nb"
