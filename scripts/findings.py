"""The findings of the training experiments: `python -m scripts.findings`.

They are made of results/tables alone, so that no number is typed by hand. With --update they take their place in the
README, between the lines <!-- findings --> and <!-- end of findings -->, and in docs/findings.md, which lists the
evidence behind every sentence: table, row, interval, seeds, blocks of the test set, p-value, correction.
"""

import argparse
import sys
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd

from experiments.manifest import FOLDER, read_manifest
from experiments.paths import REPOSITORY
from experiments.sentences import in_one_sentence
from experiments.training.finished_runs import HALO
from scripts.claims import COLUMNS, LEVEL, TASKS, claims
from scripts.figures.style import in_order
from scripts.figures.tables import TABLES
from scripts.pages import update
from scripts.prose import listed
from scripts.sweeps import METRICS, REFERENCE

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
}
WHERE = {
    "whole": "",
    "frame": " in the frame",
    "interior": " in the interior",
    "shell_0": " of the outermost pixel",
}
ABOUT = {
    "classification": "a ResNet-18 on land-cover scenes of 64 px",
    "segmentation": "a UNet on land cover",
    "super_resolution": "a UNet that undoes a blur of terrain",
    "normalization": "the same UNet without BatchNorm",
}
NAMES = {
    "classification": "Classification",
    "segmentation": "Segmentation",
    "super_resolution": "Super-resolution",
    "normalization": "No BatchNorm",
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
            cells = _column(table, metric, region)
            # The network without BatchNorm has few methods: it is told in sentences.
            if not cells.empty and (task, metric, region) in TITLES:
                columns[TITLES[task, metric, region]] = cells.apply(_cell, axis=1)
    methods = in_order(method for column in columns.values() for method in column.index)
    lines = ["| method | " + " | ".join(columns) + " |", "|---" * (len(columns) + 1) + "|"]
    for method in methods:
        cells = (column.get(method, "") for column in columns.values())
        lines.append(f"| `{method}` | " + " | ".join(cells) + " |")
    sentences: list[str] = []
    for task, table in found.items():
        sentences.append(f"- **{NAMES[task]}** ({ABOUT[task]}).")
        sentences += [f"  - {sentence}" for sentence in _sentences(tables, task, table)]
    return "\n".join([_reading(found), "", *lines, "", *sentences])


def evidence(tables: Path) -> str:
    """Write the page of evidence: a row for each comparison that a cell or a sentence of the findings rests on."""
    lines = [
        "| task, network | compared | metric, region | difference [95 %] | seeds, blocks | p | corrected | so |",
        "|---|---|---|---|---|---|---|---|",
    ]
    for task in TASKS:
        for row in claims(tables, task).to_dict("records"):
            unit = "points" if METRICS[row["metric"]].higher_is_better else f"% of `{row['other']}`"
            interval = f"{_number(row['estimate'])} [{_number(row['low'])}, {_number(row['high'])}] {unit}"
            verdict = "resolved" if row["corrected"] < LEVEL else "open"
            corrected = "primary" if row["primary"] else _p(row["corrected"]).removeprefix("p = ")
            cells = (
                f"{task}, {row['model']}",
                f"`{row['method']}` − `{row['other']}`",
                f"{row['metric']}, {row['region']}",
                interval,
                f"{row['seeds']}, {row['blocks'] or 'none'}",
                _p(row["p"]).removeprefix("p = "),
                corrected,
                verdict,
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
    for page, content in ((arguments.readme, text), (arguments.page, evidence(arguments.tables))):
        try:
            update(page, START, END, content)
        except (OSError, ValueError) as error:
            sys.exit(f"scripts.findings: {page}: {error}")


def _column(table: pd.DataFrame, metric: str, region: str) -> pd.DataFrame:
    """The comparisons of every method with zero padding, by method."""
    chosen = (table["metric"] == metric) & (table["region"] == region) & (table["other"] == REFERENCE)
    return table[chosen].set_index("method")


def _reading(found: dict[str, pd.DataFrame]) -> str:
    """How the table is read."""
    seeds = sorted({int(count) for table in found.values() for count in table["seeds"]})
    counts = listed([str(count) for count in seeds])
    without = [task for task, table in found.items() if not table["blocks"].any()]
    lines = [
        f"Difference to `zeros` with the same seed: mean and 95 % interval over seeds ({counts})",
        "and over blocks of 256 px of the test set (`scripts/intervals.py`; how often such intervals hold the truth:",
        "`results/tables/coverage.csv`). Accuracy, IoU and consistency are in points (more is better), errors in %",
        "of that of `zeros` (less is better). One comparison of each task is primary, that of the paper's claim,",
        "marked †; all others of the task are corrected for their number (Holm). **Bold**: better than `zeros`,",
        "p < 0.05 after correction; *italic*: worse. A plain interval is not resolved: it tells how large a",
        "difference is possible. `halo` is no mode but the control that is given the true context. The evidence",
        "behind each cell and sentence: [docs/findings.md](docs/findings.md).",
    ]
    if without:
        lines += ["", f"The intervals of {listed(without)} count the seeds alone, not the choice of the test set."]
    return "\n".join(lines)


def _sentences(tables: Path, task: str, table: pd.DataFrame) -> list[str]:
    """What a task shows, in words, a sentence each."""
    parts = []
    for row in table[table["primary"].astype(bool)].to_dict("records"):
        parts.append(f"Primary comparison: {_told(row)}, {_p(row['p'])}.")
    for metric, region in COLUMNS[task]:
        cells = _column(table, metric, region)
        cells = cells[~cells["primary"].astype(bool) & cells["low"].notna()]
        if cells.empty:
            continue
        better_up = METRICS[metric].higher_is_better
        resolved = cells[cells["corrected"] < LEVEL]
        signs = (("better than zero padding", True), ("worse", False))
        words = [
            f"{what} with {listed([f'`{method}`' for method in part.index])}"
            for what, up in signs
            if len(part := resolved[(resolved["estimate"] > 0) == (better_up == up)])
        ]
        rest = cells.drop(index=resolved.index)
        if len(rest):
            unit = "points" if better_up else "%"
            excluded = _number(max(rest["low"].abs().max(), rest["high"].abs().max()), sign=False)
            which = "the others are" if words else "no method is"
            words.append(
                f"{which} {'not ' if words else ''}resolved, and their intervals end within {excluded} {unit}"
            )
        place = _place(metric, region)
        parts.append(f"{place[0].upper()}{place[1:]}: {'; '.join(words)}.")
    besides = table[table["other"] != REFERENCE]
    for (method, other), group in besides.groupby(["method", "other"], sort=False):
        told = "; ".join(
            f"{_place(row['metric'], row['region'])} {_difference(row)}{_verdict(row)}"
            for row in group.to_dict("records")
        )
        parts.append(f"`{method}` compared with {_name(str(other))}: {told}.")
    manifest = tables / FOLDER / f"{task}.json"
    if manifest.is_file() and (why := read_manifest(manifest).get("stale")):
        parts.append(f"This table is marked stale: {why}")
    return parts


def _name(method: str) -> str:
    return {REFERENCE: "zero padding", HALO: "true context (`halo`)"}.get(method, f"`{method}`")


def _difference(row: dict[str, Any]) -> str:
    """A difference with its unit and interval."""
    unit = "points" if METRICS[row["metric"]].higher_is_better else "%"
    return f"{_number(row['estimate'])} {unit} [{_number(row['low'])}, {_number(row['high'])}]"


def _told(row: dict[str, Any]) -> str:
    """A comparison in words."""
    place = _place(row["metric"], row["region"])
    return f"`{row['method']}` with {_name(row['other'])}, {place}, {_difference(row)}"


def _verdict(row: dict[str, Any]) -> str:
    """Whether a comparison is resolved, for the end of a sentence."""
    corrected = float(row["corrected"])
    return f" ({'' if corrected < LEVEL else 'not '}resolved, {_p(corrected)})"


def _place(metric: str, region: str) -> str:
    name = {"mse": "error", "mean_iou": "mean IoU"}.get(metric, METRICS[metric].label.lower())
    return name + WHERE[region]


def _cell(row: pd.Series) -> str:
    """A difference in a cell of the table."""
    centre, low, high = row["estimate"], row["low"], row["high"]
    mark = "†" if row["primary"] else ""
    if not np.isfinite(low):
        return f"{_number(centre)}{mark} (one seed)"
    interval = f"[{_number(low)}, {_number(high)}]"
    if not row["corrected"] < LEVEL:
        return f"{interval}{mark}"
    better = (centre > 0) == METRICS[row["metric"]].higher_is_better
    return f"**{_number(centre)}** {interval}{mark}" if better else f"*{_number(centre)}* {interval}{mark}"


def _number(value: object, sign: bool = True) -> str:
    """Two digits or more, with its sign, as a minus and not a hyphen."""
    number = float(f"{float(value):.2g}")
    if not np.isfinite(number):
        return "?"
    digits = min(max(0, 1 - int(np.floor(np.log10(abs(number))))), 4) if number else 0
    return f"{number:{'+' if sign else ''}.{digits}f}".replace("-", "−")


def _p(value: object) -> str:
    """A p-value with two digits."""
    number = float(value)
    return "p = ?" if not np.isfinite(number) else "p < 0.0001" if number < 1e-4 else f"p = {number:.2g}"


if __name__ == "__main__":
    main()
