"""What docs/findings.md says of the differences that could be resolved, from results/tables/power.csv."""

import textwrap
from collections.abc import Iterator
from pathlib import Path
from typing import NamedTuple

import numpy as np
import pandas as pd
from scipy import stats

from scripts.figures.tables import read_table
from scripts.finding_sentences import place, rounded
from scripts.power import BLOCKS, SEEDS
from scripts.prose import listed, span

__all__ = ["END", "START", "text"]

START, END = "<!-- power -->", "<!-- end of power -->"
WIDTH = 118
PLACE = ["task", "metric", "region"]


class _Told(NamedTuple):
    """The comparisons that a row tells together: as they are, by few seeds, by more, and by more blocks, too."""

    task: str
    name: str
    present: pd.DataFrame
    few: pd.DataFrame
    more: pd.DataFrame
    most: pd.DataFrame


def text(tables: Path) -> str:
    """Write the section: how well its numbers are known, what can be resolved, how much noise the test set makes.

    Args:
        tables: folder of the tables; nothing is written where it has no power.csv.
    """
    if not (tables / "power.csv").is_file():
        return ""
    table = read_table(tables / "power.csv", PLACE, "python -m scripts.power")
    coverage = read_table(tables / "coverage_power.csv", ["noise", "resolved"], "python -m scripts.coverage")
    rows = list(_told(table))
    lines = [_reading(table, coverage), "", *_resolved(rows)]
    if with_blocks := [row for row in rows if row.present["blocks"].all()]:
        lines += ["", *_own_noise(with_blocks)]
    return "\n".join(lines)


def _told(table: pd.DataFrame) -> Iterator[_Told]:
    """For each metric of a task the primary comparison, if it is one of this metric, and all the others together."""
    for (task, metric, region), at in table.groupby(PLACE, sort=False):
        name = place(metric, region)
        for primary, rows in sorted(at.groupby("primary"), reverse=True):
            label = f"{name}, `{rows['method'].iloc[0]}`, primary" if primary else name
            present = rows[rows["present"].astype(bool)]
            few, more = (rows["seeds"] == count for count in SEEDS)
            same, larger = (rows["blocks"] == times * present["blocks"].max() for times in (1, BLOCKS[-1]))
            yield _Told(task, label, present, rows[few & same], rows[more & same], rows[more & larger])


def _resolved(rows: list[_Told]) -> list[str]:
    """The table of smallest differences."""
    head = ["task", "metric", "seeds, blocks of the table"]
    head += [name for count in SEEDS for name in (f"{count} seeds", "corrected")]
    head.append(f"{SEEDS[-1]} seeds, {BLOCKS[-1]} times the blocks")
    lines = [_row(head), "|---" * len(head) + "|"]
    for row in rows:
        counts = f"{span(row.present['seeds'], '.0f')}, {span(row.present['blocks'], '.0f')}"
        cells = [_middle(part[name]) for part in (row.few, row.more) for name in ("resolves", "resolves_corrected")]
        lines.append(_row([row.task, row.name, counts, *cells, _middle(row.most["resolves"])]))
    return lines


def _reading(table: pd.DataFrame, coverage: pd.DataFrame) -> str:
    """How well the numbers are known, and how well the formula does."""
    now = table[table["present"].astype(bool)]
    freedom = float(now["freedom"].median())
    low, high = np.sqrt(freedom / stats.chi2.ppf([0.975, 0.025], freedom))
    seeds, blocks = (span(coverage[name].unique(), ".0f") for name in ("seeds", "blocks"))
    normal, skewed = (
        span(100 * coverage.loc[coverage["noise"] == noise, "resolved"], ".0f") for noise in ("normal", "skewed")
    )
    return _paragraph(
        f"""A smallest difference is itself an estimate: with {freedom:.0f} degrees of freedom, the median here, the
        true one is {low:.1f} to {high:.1f} times as large (95 %). Tried by simulation ({seeds} seeds, {blocks}
        blocks), such differences are resolved in {normal} % of cases if what seeds and blocks add is normal, in
        {skewed} % if it is skewed (`results/tables/coverage_power.csv`)."""
    )


def _own_noise(rows: list[_Told]) -> list[str]:
    """The table of the test set's share of the variance, and of the blocks that would make it less than half."""
    of_seeds = [f"{count} seeds" for count in SEEDS]
    head = ["task", "metric", "blocks", *(f"share, {seeds}" for seeds in of_seeds)]
    head += [*(f"blocks needed, {seeds}" for seeds in of_seeds), "below the noise of the seeds"]
    lines, below = [_row(head), "|---" * len(head) + "|"], [0, 0]
    for row in rows:
        parts = (row.few, row.more)
        shares = [100 * float(part["of_test_set"].median()) for part in parts]
        told = [f"{share:.0f} %" for share in shares] + [_needed(part["blocks_needed"]) for part in parts]
        holds = [seeds for seeds, share in zip(of_seeds, shares, strict=True) if share < 50]
        below = [count + (share < 50) for count, share in zip(below, shares, strict=True)]
        blocks = span(row.present["blocks"], ".0f")
        lines.append(_row([row.task, row.name, blocks, *told, f"with {listed(holds)}" if holds else "no"]))
    told_below = listed([f"{count} with {seeds}" for count, seeds in zip(below, of_seeds, strict=True)])
    return [*lines, "", f"Of {len(rows)} rows the test set's own noise is below that of the seeds in {told_below}."]


def _row(cells: list[str]) -> str:
    return "| " + " | ".join(cells) + " |"


def _paragraph(text: str) -> str:
    return textwrap.fill(" ".join(text.split()), WIDTH, break_on_hyphens=False, break_long_words=False)


def _middle(values: pd.Series) -> str:
    """The median of some numbers, with the least and the largest."""
    if len(values) == 1:
        return rounded(values.iloc[0], sign=False)
    ends = ", ".join(rounded(end, sign=False) for end in (values.min(), values.max()))
    return f"{rounded(values.median(), sign=False)} [{ends}]"


def _needed(values: pd.Series) -> str:
    """The median of numbers of blocks, where an empty one is without end."""
    middle = float(values.fillna(np.inf).median())
    return f"{middle:.0f}" if np.isfinite(middle) else "no number"
