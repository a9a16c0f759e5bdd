import itertools
import subprocess
import sys

import pandas as pd
import pytest

from experiments.paths import REPOSITORY
from scripts.filtering_page import END, START, markdown, numbers
from scripts.pages import filled


def test_the_readme_shows_the_table_that_is_kept():
    page = (REPOSITORY / "README.md").read_text(encoding="utf-8")
    table = markdown(pd.read_csv(REPOSITORY / "results" / "tables" / "filtering.csv"))
    assert filled(page, START, END, table) == page, "`make pages` brings it up to date"


def table_of(errors, field="terrain", images=(0.5, 2.0)):
    """A table with two images of a field, whose errors have the given geometric mean."""
    rows = [
        (field, order, 3, method, error * image, 100)
        for (order, image), (method, error) in itertools.product(enumerate(images), errors.items())
    ]
    return pd.DataFrame(rows, columns=["field", "order", "kernel_size", "method", "l1_error", "num_kernels"])


def test_means_are_geometric_and_ties_in_two_digits_are_bold():
    text = markdown(table_of({"replicate": 0.1302, "diff": 0.274, "adaptive": 0.1274, "symmetric": 0.1302}))
    assert "mean over 100 kernels and 2 images" in text
    assert "| field | k | `replicate` | `diff` | `adaptive` |" in text
    assert "| 3 | **0.13** | 0.27 | **0.13** |" in text
    assert "Not shown, and nowhere below the least of a row: `symmetric`." in text


def test_a_method_that_is_left_out_and_better_is_told():
    text = markdown(table_of({"replicate": 0.2, "symmetric": 0.1}))
    assert "Not shown, and below the least of the row in 1 rows: `symmetric`." in text


def test_numbers_follow_the_table_whichever_method_is_better():
    errors = {"replicate": 1.0, "reflect": 2.0, "extrapolate": 0.5, "diff": 4.0}
    assert numbers(table_of(errors)) == {
        "filtering.replicate_over_reflect.terrain": "0.50",
        "filtering.diff_over_replicate.terrain": "4.0 (k = 3)",
    }
    assert numbers(table_of(errors, "navier_stokes"))["filtering.best_fixed.navier_stokes"] == "`extrapolate` (k = 3)"
    assert numbers(table_of(errors, "chebyshev"))["filtering.replicate_over_diff.analytic"] == "0.25 to 0.25"


@pytest.mark.parametrize(("arguments", "is_called"), [("", True), ("output_dir=/elsewhere", False)])
def test_the_target_writes_the_page_from_the_tables_of_the_repository_alone(arguments, is_called):
    command = ["make", "--dry-run", "reproduce-filtering", f"VENV={sys.prefix}", f"ARGS={arguments}"]
    planned = subprocess.run(command, cwd=REPOSITORY, capture_output=True, text=True, check=True).stdout
    assert ("scripts.filtering_page" in planned) == is_called
