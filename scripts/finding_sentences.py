"""What a task shows, in sentences: each with its interval, its number of seeds, and whether it is the primary one."""

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd

from experiments.manifest import FOLDER, read_manifest
from experiments.training.finished_runs import HALO
from scripts.claims import COLUMNS, LEVEL
from scripts.prose import listed, span
from scripts.sweeps import METRICS, REFERENCE

__all__ = ["column", "excluded", "p_value", "place", "rounded", "sentences", "verdict"]

WHERE = {
    "whole": "",
    "frame": " in the frame",
    "interior": " in the interior",
    "shell_0": " of the outermost pixel",
}
# So many methods are told with an interval each; of more, the first and the last.
FEW = 4


def sentences(tables: Path, task: str, table: pd.DataFrame) -> list[str]:
    """Tell what a task shows, the primary comparison first.

    Args:
        tables: folder of the tables.
        task: of `scripts.claims.TASKS`.
        table: of `scripts.claims.claims`.
    """
    primary = table[table["primary"].astype(bool)]
    parts = [f"Primary comparison ({_seeds(primary)}): {_told(row)}" for row in primary.to_dict("records")]
    if primary.empty:
        parts.append("No primary comparison was named before the runs: all are secondary.")
    for metric, region in COLUMNS[task]:
        cells = column(table, metric, region)
        cells = cells[~cells["primary"].astype(bool) & cells["low"].notna()]
        if not cells.empty:
            name = place(metric, region)
            parts.append(f"{name[0].upper()}{name[1:]} (secondary, {_seeds(cells)}): {_of_methods(cells, metric)}.")
    besides = table[table["other"] != REFERENCE]
    for (method, other), group in besides.groupby(["method", "other"], sort=False):
        told = "; ".join(
            f"{place(row['metric'], row['region'])} {_difference(row)} ({_resolved(row)})"
            for row in group.to_dict("records")
        )
        parts.append(f"`{method}` compared with {_name(str(other))} (secondary, {_seeds(group)}): {told}.")
    manifest = tables / FOLDER / f"{task}.json"
    if manifest.is_file() and (why := read_manifest(manifest).get("stale")):
        parts.append(f"This table is marked stale: {why}")
    return parts


def column(table: pd.DataFrame, metric: str, region: str) -> pd.DataFrame:
    """The comparisons of every method with zero padding, by method."""
    chosen = (table["metric"] == metric) & (table["region"] == region) & (table["other"] == REFERENCE)
    return table[chosen].set_index("method")


def excluded(low: float, high: float, metric: str) -> str:
    """Say how large a difference an interval leaves possible, in each direction that it reaches into.

    Args:
        low: its end below, in points or per cent.
        high: its end above.
        metric: of `scripts.sweeps.METRICS`.

    Example:
        >>> excluded(-5.0, 4.31, "accuracy"), excluded(0.2, 1.3, "accuracy"), excluded(-5.0, 4.31, "mse")
        ('at most 4.3 points better and 5.0 worse', 'at most 1.3 points better', 'at most 5.0 % better and 4.3 worse')
    """
    unit, better_up = ("points", True) if METRICS[metric].higher_is_better else ("%", False)
    better, worse = (high, -low) if better_up else (-low, high)
    ends = [f"{rounded(end, sign=False)} {word}" for end, word in ((better, "better"), (worse, "worse")) if end > 0]
    if not ends:
        return f"at most 0 {unit}"
    ends[0] = ends[0].replace(" ", f" {unit} ", 1)
    return f"at most {listed(ends)}"


def verdict(row: Mapping[str, Any]) -> str:
    """Say whether a comparison is resolved, and if not, how large a difference is possible."""
    if row["corrected"] < LEVEL:
        better = (row["estimate"] > 0) == METRICS[row["metric"]].higher_is_better
        return f"resolved, {'better' if better else 'worse'}"
    return f"open: {excluded(row['low'], row['high'], row['metric'])}" if np.isfinite(row["low"]) else "open"


def place(metric: str, region: str) -> str:
    """A metric and a region in words."""
    name = {"mse": "error", "mean_iou": "mean IoU"}.get(metric, METRICS[metric].label.lower())
    return name + WHERE[region]


def rounded(value: object, sign: bool = True) -> str:
    """Two digits or more, with its sign, as a minus and not a hyphen.

    Example:
        >>> rounded(-0.01234), rounded(17.4, sign=False)
        ('−0.012', '17')
    """
    number = float(f"{float(str(value)):.2g}")
    if not np.isfinite(number):
        return "?"
    digits = min(max(0, 1 - int(np.floor(np.log10(abs(number))))), 4) if number else 0
    return f"{number:{'+' if sign else ''}.{digits}f}".replace("-", "−")


def p_value(value: object) -> str:
    """A p-value with two digits."""
    number = float(str(value))
    return "p = ?" if not np.isfinite(number) else "p < 0.0001" if number < 1e-4 else f"p = {number:.2g}"


def _of_methods(cells: pd.DataFrame, metric: str) -> str:
    """Which methods are better and worse than zero padding, by how much, and what is possible for the others."""
    better_up = METRICS[metric].higher_is_better
    resolved = cells[cells["corrected"] < LEVEL]
    words = []
    for what, up in (("better than zero padding", better_up), ("worse", not better_up)):
        part = resolved[(resolved["estimate"] > 0) == up]
        if len(part):
            words.append(f"{what} with {_ranked(part.sort_values('estimate', ascending=not up))}")
    rest = cells.drop(index=resolved.index)
    if len(rest):
        which = "the others are not resolved" if words else "no method is resolved"
        words.append(f"{which}: each is {excluded(rest['low'].min(), rest['high'].max(), metric)}")
    return "; ".join(words)


def _ranked(part: pd.DataFrame) -> str:
    """Methods from the largest difference to the least; of many, the first and the last with their intervals."""
    rows = part.reset_index().to_dict("records")
    told = [f"`{row['method']}` ({_difference(row)})" for row in rows]
    if len(rows) <= FEW:
        return listed(told)
    between = ", ".join(f"`{row['method']}`" for row in rows[1:-1])
    return f"{told[0]}, {between} and {told[-1]}"


def _seeds(rows: pd.DataFrame) -> str:
    """How many seeds comparisons are over."""
    counts = span(rows["seeds"], ".0f")
    return "one seed" if counts == "1" else f"{counts} seeds"


def _name(method: str) -> str:
    return {REFERENCE: "zero padding", HALO: "true context (`halo`)"}.get(method, f"`{method}`")


def _difference(row: Mapping[str, Any]) -> str:
    """A difference with its unit and interval."""
    unit = "points" if METRICS[row["metric"]].higher_is_better else "%"
    return f"{rounded(row['estimate'])} {unit} [{rounded(row['low'])}, {rounded(row['high'])}]"


def _told(row: Mapping[str, Any]) -> str:
    """A primary comparison in words."""
    where = place(row["metric"], row["region"])
    told = f"`{row['method']}` with {_name(row['other'])}, {where}, {_difference(row)}, {p_value(row['p'])}"
    return f"{told}; {verdict(row).replace('open', 'not resolved', 1)}."


def _resolved(row: Mapping[str, Any]) -> str:
    """Whether a comparison is resolved, in brackets at the end of a sentence."""
    corrected = float(row["corrected"])
    return f"{'' if corrected < LEVEL else 'not '}resolved, {p_value(corrected)}"
