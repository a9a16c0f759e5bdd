"""The table of docs/masks.md, made from results/tables/masks.csv: `python -m scripts.masks_page`."""

import numpy as np
import pandas as pd

from experiments.paths import REPOSITORY
from experiments.sentences import in_one_sentence
from scripts.figures.tables import TABLES, read_table
from scripts.pages import update
from scripts.prose import significant, span

__all__ = ["END", "START", "main", "markdown", "ratios"]

START, END = "<!-- table of masks -->", "<!-- end of table of masks -->"

FIELDS = {
    "terrain_mountains": "terrain",
    "navier_stokes_11": "Navier-Stokes vorticity",
    "spherical_harmonics_50": "spherical harmonics",
    "cells": "cells (piecewise constant)",
    "photograph": "photograph",
    "white": "white noise",
}
METHODS = {
    "zeros": "`zeros`",
    "nearest": "`nearest`",
    "degree_0": "degree 0",
    "degree_1": "degree 1",
    "degree_2": "degree 2",
    "degree_3": "degree 3",
    "adaptive": "`adaptive`",
}
# Errors below this share of the field's standard deviation are rounding, and count as equal.
ROUNDING = 1e-9


def means(errors: pd.DataFrame) -> pd.DataFrame:
    """Average the errors over the masks: a row for each field and kernel size, a column a method."""
    return errors.pivot_table("l1_error", ["field", "kernel_size"], "method", sort=False)


def ratios(errors: pd.DataFrame) -> pd.Series:
    """Divide the error of adaptive by that of the best other method of each row."""
    table = means(errors).clip(lower=ROUNDING)
    return table["adaptive"] / table.drop(columns="adaptive").min(axis=1)


def markdown(errors: pd.DataFrame) -> str:
    """Write the table, in bold the least error of a row and what equals it in two digits, and a summary."""
    table, ratio = means(errors), ratios(errors)
    methods = [method for method in METHODS if method in table]
    text = (
        f"Error of random k x k kernels where a window meets the mask, in standard deviations of the field, mean "
        f"over {span(errors['num_kernels'], 'd')} kernels\nand {errors['mask'].nunique()} masks "
        "(`results/tables/masks.csv`, `make reproduce-masks`). Bold: the least of the row, and what equals it in two "
        "digits.\n\n"
    )
    text += "| field | k | " + " | ".join(METHODS[method] for method in methods) + " |\n"
    text += "|---" * (len(methods) + 2) + "|\n"
    for field, title in FIELDS.items():
        for size in sorted(set(table.index.get_level_values("kernel_size"))):
            if (field, size) in table.index:
                row = table.loc[(field, size), methods]
                least = significant(row.min())
                cells = (f"**{cell}**" if cell == least else cell for cell in map(significant, row))
                text += f"| {title} | {size} | " + " | ".join(cells) + " |\n"
    above = ratio[ratio > 1.05]
    worst = ", ".join(f"{value:.3f} ({field}, k = {size})" for (field, size), value in above.items())
    held_out = ratio[ratio.index.isin(set(errors.loc[errors["set"] == "held_out", "field"]), level="field")]
    mean, of_held_out = (f"{np.exp(np.log(part).mean()):.3f}" for part in (ratio, held_out))
    return text + (
        f"\nOn all {errors['field'].nunique()} fields the error of `adaptive`, relative to the best other column of "
        f"its row, is {mean} in the geometric mean\n({of_held_out} on held-out fields), at most {ratio.max():.3f}; "
        f"{len(above)} of {len(ratio)} rows exceed 1.05{': ' + worst if worst else ''}.\n"
    )


@in_one_sentence("scripts.masks_page")
def main() -> None:
    """Write the table into the page."""
    table = markdown(read_table(TABLES / "masks.csv", (), "make reproduce-masks"))
    update(REPOSITORY / "docs" / "masks.md", START, END, table)


if __name__ == "__main__":
    main()
