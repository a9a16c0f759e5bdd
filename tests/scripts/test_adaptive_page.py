import itertools
import re
from dataclasses import replace

import pandas as pd
import pytest
import torch

from diff_conv2d.modes import adaptive, prediction_weights
from experiments.adaptive.summary import ROUNDING
from experiments.paths import REPOSITORY
from scripts.adaptive_page import PARTS, Tables, kinds_table, markdown, marks, read_tables, with_parts
from scripts.pages import filled

COLUMNS = ["field", "size", "kernel_size", "method", "l1_error"]


def page():
    return (REPOSITORY / "docs" / "adaptive.md").read_text(encoding="utf-8")


def by_hand():
    """What the program does not write."""
    text = page()
    for part in PARTS:
        text = filled(text, *marks(part), "")
    return " ".join(text.split())


def errors(values, sizes=(64, 128)):
    """A table of errors by field and method, the same for every size."""
    rows = [
        (field, size, 3, method, error)
        for field, size in itertools.product(values, sizes)
        for method, error in values[field].items()
    ]
    return pd.DataFrame(rows, columns=COLUMNS)


@pytest.fixture(scope="module")
def kept():
    return read_tables()


# The page


def test_the_page_shows_the_tables_that_are_kept(kept):
    assert with_parts(page(), kept) == page()


def test_another_table_makes_another_page(kept):
    larger = kept.held_out.copy()
    larger.loc[larger["method"] == "adaptive", "l1_error"] *= 2
    changed = with_parts(page(), replace(kept, held_out=larger))
    assert changed != page()
    assert "*128 px and more: confirmed.*" in page()
    assert "*128 px and more: not confirmed.*" in changed


def test_numbers_written_by_hand_are_those_of_the_code():
    text = by_hand()
    exponent = re.search(r"ridge of \$10\^\{(-\d+)\}\$", text)[1]
    assert float(f"1e{exponent}") == adaptive._RIDGES[torch.float64]
    assert f"weighted by $e^{{-{prediction_weights._SHARPNESS}}}$" in text
    assert re.search(r"count errors below \$10\^\{(-\d+)\}\$", text)[1] == f"{ROUNDING:.0e}"[2:].replace("-0", "-")
    most, *fewer = adaptive._SIZES.values()
    first_fewer = next(size for size, fit in adaptive._SIZES.items() if fit.taps < most.taps)
    full = min(size for size, fit in adaptive._SIZES.items() if fit.taps == most.taps)
    assert first_fewer < full
    assert f"Images below {full} samples take fewer taps" in text
    assert f"which is `replicate`, below {min(adaptive._SIZES)}." in text
    assert fewer[-1].taps == 1


def test_no_other_result_is_written_by_hand():
    """Decimals and percentages belong to the program; what is left is 10 %, the width of "level", and 1.10."""
    start = by_hand().index("## What it gives")
    numbers = set(re.findall(r"\d+\.\d+|\d+ %", by_hand()[start:]))
    assert numbers <= {"10 %", "1.10"}


# Its parts


def test_ratios_are_summed_up_by_size():
    values = {"degree_0": 2.0, "degree_1": 4.0, "adaptive": 1.0, "zeros": 8.0}
    table = errors({"a": values}, sizes=(64, 128, 256))
    table.loc[(table["size"] == 64) & (table["method"] == "adaptive"), "l1_error"] = 4.0
    assert markdown(table).splitlines() == [
        "| mode | 128 px and more (2 cells) | below, mean over crops (1 cells) |",
        "|---|---|---|",
        "| `adaptive` | 0.50, 0.5, 0 | 2.00, 2, 1 |",
        "| `zeros` | 4.00, 4, 2 | 4.00, 4, 1 |",
    ]


def test_kinds_are_told_apart_and_fields_counted():
    index = pd.MultiIndex.from_tuples(
        [(f, 128, k) for f, k in itertools.product("abcd", (3, 5))], names=["field", "size", "kernel_size"]
    )
    # Geometric means over kernel sizes: 0.2, 1.0, 1.2, 0.95.
    table = pd.DataFrame({"adaptive": [0.1, 0.4, 0.5, 2.0, 1.2, 1.2, 0.95, 0.95]}, index=index)
    kinds = {"smooth": dict.fromkeys("ac"), "real": dict.fromkeys("bd")}
    assert kinds_table(table, kinds).splitlines()[:3] == [
        "| 128 px and more | all (4) | smooth (2) | real (2) | better, level, worse |",
        "|---|---|---|---|---|",
        "| `adaptive` | 0.97 | 0.70 (0.20 to 1.20) | 0.97 (0.95 to 1.00) | 1, 2, 1 |",
    ]


def held_out(**adaptive_errors):
    """Tables of one field of each kind; the held-out crops have the given errors, the best degree 1."""
    degrees = {"degree_0": 1.0, "degree_1": 2.0, "replicate": 1.0}
    study = errors({name: {**degrees, "adaptive": 0.9} for name in ("scan", "waves", "white", "discs")})
    variants = errors({"scan": {"default": 0.9, "select=False": 3.0}})
    rows = [
        (field, size, crop, 3, method, error)
        for size, (field, each) in itertools.product((64, 128), adaptive_errors.items())
        for crop, value in enumerate(each)
        for method, error in (
            {**degrees, "adaptive": value} if value else dict.fromkeys(degrees, 0.0) | {"adaptive": 0.0}
        ).items()
    ]
    crops = pd.DataFrame(rows, columns=["field", "size", "crop", *COLUMNS[2:]])
    lent = errors({"scan": {**degrees, "adaptive": 0.5, "adaptive_fitted_to_others": 0.6}}, sizes=(10, 14))
    rows = [
        ("d", "unet", method, 0, step, metric, region, value + step / 100)
        for (metric, region) in (("accuracy", "whole"), ("mse", "frame"))
        for method, value in (("zeros", 0.5), ("adaptive", 0.4), ("adaptive_running", 0.3))
        for step in (0, 20)
    ]
    tuned = pd.DataFrame(rows, columns=["data", "model", "method", "seed", "steps", "metric", "region", "value"])
    layers = pd.DataFrame({"model": "unet", "layer": ["a", "b"], "relative_error": [0.25, 1.5]})
    return Tables(study, variants, crops, lent, lent, tuned, layers)


def test_held_out_fields_confirm_or_do_not():
    good = PARTS["summary"](held_out(runge=[0.5, 1.3], forest=[1.0, 0.9]))
    assert good.count(": confirmed.*") == 2
    bad = PARTS["summary"](held_out(runge=[0.5, 1.0], forest=[1.5, 0.9]))
    assert bad.count(": not confirmed.*") == 2
    assert "These are `forest` 1.16." in bad


def test_flat_crops_are_left_out_and_counted():
    tables = held_out(runge=[0.5, 0.5], forest=[None, 2.0])
    assert "Left out: 2 cells of flat crops" in PARTS["held out"](tables)
    assert "1 of 3 cells above 1.10 (1 at 128 px): `forest` 128 px k=3 (2.00)." in PARTS["losses"](tables)


def test_what_selection_is_worth():
    text = PARTS["rivals"](held_out(runge=[0.5]))
    assert "by more than 0 %" in text
    assert "the worst case from 0.90 to 3.00 times" in " ".join(text.split())


def test_weights_of_others_are_compared_with_the_own_ones():
    tables = held_out(runge=[0.5])
    text = PARTS["others"](tables)
    assert "| first set (1) | 10 px | 0.50, 0.50 | 0.60, 0.60 | 1.20 | 1.00 |" in text
    assert "From 14 px on, by others' weights the geometric mean is 1.20 times that of the own fit, the worst" in text
    worse = tables.others.copy()
    worse.loc[worse["method"] == "adaptive_fitted_to_others", "l1_error"] *= 2
    assert "2.40 times that of the own fit" in PARTS["others"](replace(tables, others=worse))


def test_what_calibration_does_is_told():
    text = " ".join(PARTS["calibrated"](held_out(runge=[0.5])).split())
    assert (
        "In 1 of the 2 layers the new weights predict hidden samples better than zeros do: with 0.25 to 1.50" in text
    )
    assert (
        "UNet, error in the frame after 0, 20 steps of fine-tuning: kept weights 0.300, 0.500; the own fit 0.4"
        in text
    )


def test_only_what_is_between_the_marks_is_replaced():
    start, end = marks("table")
    assert filled(f"a\n{start}\nold\n{end}\nb", start, end, "new\n") == f"a\n{start}\nnew\n{end}\nb"
