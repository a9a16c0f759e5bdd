"""The findings of the training experiments as a Markdown table: `python -m scripts.findings`.

It is made of results/tables alone, so that no number is typed by hand. With --update it takes its place in the
README, between the lines <!-- findings --> and <!-- end of findings -->.
"""

import argparse
import sys
from pathlib import Path

import numpy as np
import pandas as pd

from experiments.paths import REPOSITORY
from scripts.figures.style import in_order
from scripts.figures.tables import TABLES
from scripts.pages import update
from scripts.summary import differences
from scripts.sweeps import METRICS

__all__ = ["END", "START", "findings", "main"]

START, END = "<!-- findings -->", "<!-- end of findings -->"

# Experiment, metric, region, and what the column is called.
COLUMNS = (
    ("classification", "accuracy", "whole", "classification, accuracy"),
    ("segmentation", "mean_iou", "whole", "segmentation, mean IoU"),
    ("segmentation", "mean_iou", "frame", "the same, frame of 8 px"),
    ("super_resolution", "mse", "frame", "super-resolution, error in the frame of 8 px"),
    ("super_resolution", "mse", "interior", "the same, interior"),
)


def findings(tables: Path) -> str:
    """Write the table of all experiments that have one; nothing when there is none.

    Args:
        tables: folder of the tables.
    """
    columns: dict[str, pd.Series] = {}
    seeds: set[int] = set()
    for experiment, metric, region, title in COLUMNS:
        path = tables / f"{experiment}.csv"
        if not path.is_file():
            continue
        table = pd.read_csv(path)
        numbers = differences(table, metric, region)
        seeds |= set(table["seeds"])
        columns[title] = numbers.apply(_cell, axis=1, higher_is_better=METRICS[metric].higher_is_better)
    if not columns:
        return ""
    methods = in_order(method for column in columns.values() for method in column.index)
    lines = ["| method | " + " | ".join(columns) + " |", "|---" * (len(columns) + 1) + "|"]
    for method in methods:
        cells = (column.get(method, "") for column in columns.values())
        lines.append(f"| `{method}` | " + " | ".join(cells) + " |")
    reading = (
        f"Difference to `zeros` with the same seed: {_counted(seeds)} (`scripts/bootstrap.py`).\n"
        "Accuracy and IoU are in points (more is better), errors in % of that of `zeros` (less is better). Bold:\n"
        "better than `zeros`. *Not resolved*: the interval holds 0, or there is only one seed. `halo` is no mode:\n"
        "it is the control that is given the true context."
    )
    return "\n".join([reading, "", *lines])


def main() -> None:
    """Print the table, or put it into the README."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--tables", type=Path, default=TABLES, help="folder to read (default: %(default)s)")
    parser.add_argument("--update", action="store_true", help="put the table into the README")
    parser.add_argument("--readme", type=Path, default=REPOSITORY / "README.md", help="(default: %(default)s)")
    arguments = parser.parse_args()
    text = findings(arguments.tables)
    if not arguments.update:
        print(text)
        return
    try:
        update(arguments.readme, START, END, text)
    except ValueError as error:
        sys.exit(f"scripts.findings: {arguments.readme}: {error}")


def _cell(row: pd.Series, higher_is_better: bool) -> str:
    """A difference in words."""
    centre, low, high = row["centre"], row["low"], row["high"]
    if not np.isfinite(low):
        return f"*not resolved* {_number(centre)}"
    interval = f"[{_number(low)}, {_number(high)}]"
    if low <= 0 <= high:
        return f"*not resolved* {interval}"
    better = (centre > 0) == higher_is_better
    return f"**{_number(centre)}** {interval}" if better else f"{_number(centre)} {interval}"


def _number(value: float) -> str:
    """Two digits or more, with its sign, as a minus and not a hyphen."""
    value = float(f"{value:.2g}")
    digits = min(max(0, 1 - int(np.floor(np.log10(abs(value))))), 4) if value else 0
    return f"{value:+.{digits}f}".replace("-", "−")


def _counted(seeds: set[int]) -> str:
    least, most = int(min(seeds)), int(max(seeds))
    if most == 1:
        return "one seed"
    count = str(most) if least == most else f"{least} to {most}"
    return f"the mean over {count} seeds with its 95 % interval"


if __name__ == "__main__":
    main()
