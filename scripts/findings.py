"""The findings of the training experiments: `python -m scripts.findings`.

They are made of results/tables alone, so that no number is typed by hand. With --update they take their place in the
README, between the lines <!-- findings --> and <!-- end of findings -->, and in docs/findings.md, which lists the
evidence behind every sentence: table, row, interval, seeds, blocks of the test set, p-value, correction; and, from
the tables of `scripts.power` and `scripts.coverage`, which differences could have been resolved.
"""

import argparse
import sys
from pathlib import Path

import numpy as np
import pandas as pd

from experiments.paths import REPOSITORY
from experiments.sentences import in_one_sentence
from scripts import power_page
from scripts.claims import COLUMNS, LEVEL, TASKS, claims
from scripts.figures.style import in_order
from scripts.figures.tables import TABLES
from scripts.finding_sentences import column, p_value, rounded, sentences, verdict
from scripts.pages import update
from scripts.prose import listed
from scripts.sweeps import METRICS

__all__ = ["END", "START", "evidence", "findings", "main"]

START, END = "<!-- findings -->", "<!-- end of findings -->"

TITLES = {
    ("classification", "accuracy", "whole"): "classification, accuracy",
    ("classification", "shift_consistency", "whole"): "the same, shift consistency",
    ("segmentation", "mean_iou", "whole"): "segmentation, mean IoU",
    ("segmentation", "mean_iou", "frame"): "the same, frame of 8 px",
    ("segmentation", "accuracy", "shell_0"): "the same, accuracy of the outermost pixel",
    ("super_resolution", "mse", "frame"): "super-resolution, error in the frame of 8 px",
    ("super_resolution", "mse", "interior"): "the same, error in the interior",
    ("surrogate", "mse", "frame"): "surrogate of a flow, error of a step in the frame",
    ("surrogate", "mse", "interior"): "the same, error in the interior",
}
ABOUT = {
    "classification": "a ResNet-18 on land-cover scenes of 64 px",
    "segmentation": "a UNet on land cover",
    "super_resolution": "a UNet that undoes a blur of terrain",
    "normalization": "the same UNet without BatchNorm",
    "surrogate": "a network that steps a flow on in a window, [docs/surrogate.md](docs/surrogate.md)",
}
NAMES = {
    "classification": "Classification",
    "segmentation": "Segmentation",
    "super_resolution": "Super-resolution",
    "normalization": "No BatchNorm",
    "surrogate": "Surrogate",
}


def findings(tables: Path) -> str:
    """Write the table and the sentences of all experiments that have a table; nothing when there is none.

    Args:
        tables: folder of the tables.
    """
    found = {task: table for task in TASKS if not (table := claims(tables, task)).empty}
    if not found:
        return ""
    columns: dict[str, pd.Series] = {}
    for task, table in found.items():
        for metric, region in COLUMNS[task]:
            cells = column(table, metric, region)
            # The network without BatchNorm has few methods: it is told in sentences.
            if not cells.empty and (task, metric, region) in TITLES:
                most = int(cells["seeds"].mode().max())
                title = f"{TITLES[task, metric, region]} ({_counted(most)})"
                columns[title] = cells.apply(_cell, axis=1, most=most)
    methods = in_order(method for column in columns.values() for method in column.index)
    lines = ["| method | " + " | ".join(columns) + " |", "|---" * (len(columns) + 1) + "|"]
    for method in methods:
        cells = (column.get(method, "") for column in columns.values())
        lines.append(f"| `{method}` | " + " | ".join(cells) + " |")
    told: list[str] = []
    for task, table in found.items():
        told.append(f"- **{NAMES[task]}** ({ABOUT[task]}).")
        told += [f"  - {sentence}" for sentence in sentences(tables, task, table)]
    return "\n".join([_reading(found), "", *lines, "", *told])


def evidence(tables: Path) -> str:
    """Write the page of evidence: a row for each comparison that a cell or a sentence of the findings rests on."""
    lines = [
        "| task, network | compared | metric, region | difference [95 %] | seeds, blocks | p | corrected | so |",
        "|---|---|---|---|---|---|---|---|",
    ]
    for task in TASKS:
        for row in claims(tables, task).to_dict("records"):
            unit = "points" if METRICS[row["metric"]].higher_is_better else f"% of `{row['other']}`"
            interval = f" [{rounded(row['low'])}, {rounded(row['high'])}]" if np.isfinite(row["low"]) else ""
            cells = (
                f"{task}, {row['model']}",
                f"`{row['method']}` − `{row['other']}`",
                f"{row['metric']}, {row['region']}",
                f"{rounded(row['estimate'])}{interval} {unit}",
                f"{row['seeds']}, {row['blocks'] or 'none'}",
                _p_cell(row["p"]),
                "primary" if row["primary"] else _p_cell(row["corrected"]),
                verdict(row),
            )
            lines.append("| " + " | ".join(cells) + " |")
    return "\n".join(lines)


@in_one_sentence("scripts.findings")
def main() -> None:
    """Print the findings, or put them into the pages."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--tables", type=Path, default=TABLES, help="folder to read (default: %(default)s)")
    parser.add_argument("--update", action="store_true", help="put them into the README and the page of evidence")
    parser.add_argument("--readme", type=Path, default=REPOSITORY / "README.md", help="(default: %(default)s)")
    parser.add_argument(
        "--page", type=Path, default=REPOSITORY / "docs" / "findings.md", help="(default: %(default)s)"
    )
    arguments = parser.parse_args()
    text = findings(arguments.tables)
    if not arguments.update:
        print(text)
        return
    marks, power = (START, END), power_page.text(arguments.tables)
    contents = [
        (arguments.readme, *marks, text),
        (arguments.page, *marks, evidence(arguments.tables)),
        (arguments.page, power_page.START, power_page.END, power),
    ]
    for page, start, end, content in contents:
        try:
            update(page, start, end, content)
        except (OSError, ValueError) as error:
            sys.exit(f"scripts.findings: {page}: {error}")


def _reading(found: dict[str, pd.DataFrame]) -> str:
    """How the table is read."""
    without = [task for task, table in found.items() if not table["blocks"].any()]
    lines = [
        "Difference to `zeros` with the same seed: mean and 95 % interval over seeds, whose number each column has,",
        "and over blocks of the test set, 256 px of a map or a flow (`scripts/intervals.py`; how often such",
        "intervals hold the truth: `results/tables/coverage.csv`). Accuracy, IoU and consistency are in points (more",
        "is better), errors in % of that of `zeros` (less is better). One comparison of each task is primary, marked",
        "† ([when it was named, and what had been seen before](docs/primary.md)); all others of the task are",
        "secondary, and corrected for their number (Holm). **Bold**: better than `zeros`, p < 0.05 after correction;",
        "*italic*: worse. A plain interval is not resolved: it tells how large a difference is possible. `halo` is",
        "no mode but the control that is given the true context. The evidence behind each cell and sentence, and how",
        "small a difference these seeds and test sets can resolve: [docs/findings.md](docs/findings.md).",
    ]
    if without:
        lines += ["", f"The intervals of {listed(without)} count the seeds alone, not the choice of the test set."]
    return "\n".join(lines)


def _p_cell(value: float) -> str:
    return p_value(value).removeprefix("p = ") if np.isfinite(value) else "none"


def _counted(seeds: int) -> str:
    return f"{seeds} seeds" if seeds > 1 else "one seed"


def _cell(row: pd.Series, most: int) -> str:
    """A difference in a cell of the table, with its number of seeds where that is not the column's."""
    centre, low, high = row["estimate"], row["low"], row["high"]
    mark = ("†" if row["primary"] else "") + (f" ({_counted(row['seeds'])})" if row["seeds"] != most else "")
    if not np.isfinite(low):
        return f"{rounded(centre)}{mark}"
    interval = f"[{rounded(low)}, {rounded(high)}]"
    if not row["corrected"] < LEVEL:
        return f"{interval}{mark}"
    better = (centre > 0) == METRICS[row["metric"]].higher_is_better
    return f"**{rounded(centre)}** {interval}{mark}" if better else f"*{rounded(centre)}* {interval}{mark}"


if __name__ == "__main__":
    main()
