"""Rollouts of the surrogate by method, compared with zero padding, with intervals over seeds and held-out flows."""

from pathlib import Path

import numpy as np
import pandas as pd

from experiments.surrogate.rows import PERSISTENCE, WINDOW
from scripts.claims import LEVEL, Contrast, claims, corrected, paired, task_tables
from scripts.finding_sentences import rounded
from scripts.intervals import estimate
from scripts.sweeps import REFERENCE, SWEEPS

__all__ = ["TASK", "all_seeds", "cell", "comparisons", "relative", "rollout_comparisons"]

TASK = "surrogate"
COLUMNS = ["method", "metric", "region", "step", "primary", "seeds", "flows", "estimate", "low", "high", "p"]


def rollout_comparisons(flows: pd.DataFrame, first: int = 2) -> pd.DataFrame:
    """Compare every method with zero padding on the seeds that both have, in windows.

    Args:
        flows: the table `surrogate_flows`.
        first: step whose errors are the first to be compared; those of one step are in the sweep's own tables.

    Returns:
        A row for each method, metric, region and step: `estimate`, `low` and `high` in % of the mean of
        zeros for errors, in steps for times; `p` of no difference.
    """
    own = flows[(flows["context"] == WINDOW) & (flows["method"] != PERSISTENCE)]
    rows = []
    for (metric, region, step), at in own.groupby(["metric", "region", "step"], sort=False):
        if metric == "mse" and step < first:
            continue
        by = at.pivot(index=["method", "seed"], columns="flow", values="value")
        zeros = by.loc[REFERENCE]
        for method in at["method"].unique():
            seeds = by.loc[method].index.intersection(zeros.index)
            if method == REFERENCE or seeds.empty:
                continue
            difference = (by.loc[method].loc[seeds] - zeros.loc[seeds]).to_numpy()
            count = difference.shape[1]
            without = (difference.sum(1, keepdims=True) - difference) / (count - 1)
            found = estimate(difference.mean(1), without)
            factor = 100 / zeros.loc[seeds].to_numpy().mean() if metric == "mse" else 1.0
            values = factor * found.mean, factor * found.low, factor * found.high, found.p
            rows.append((method, metric, region, step, False, len(seeds), count, *values))
    return pd.DataFrame(rows, columns=COLUMNS)


def comparisons(tables: Path, flows: pd.DataFrame) -> pd.DataFrame:
    """All comparisons with zero padding: errors of one step by the sweep's tables, then those of rollouts.

    Args:
        tables: folder of the tables of the sweep.
        flows: the table `surrogate_flows`.

    Returns:
        As `rollout_comparisons`, and `corrected`: p for the primary comparison, Holm's correction over all others.
    """
    one = claims(tables, TASK)
    one = one[one["other"] == REFERENCE].assign(step=1).rename(columns={"blocks": "flows"})
    parts = one[COLUMNS], rollout_comparisons(flows)
    return corrected(pd.concat([part for part in parts if len(part)], ignore_index=True))


def all_seeds(tables: Path) -> tuple[int, float, float, float] | None:
    """The primary comparison over all seeds, those that had been seen too: how many, and the estimate in %.

    Args:
        tables: folder of the tables of the sweep.
    """
    found, primary = task_tables(tables, TASK), SWEEPS[TASK].primary
    if found is None or primary is None:
        return None
    pair = paired(Contrast(primary.method, REFERENCE, primary.metric, primary.region), *found)
    if pair is None:
        return None
    of = estimate(pair.values, pair.without)
    return len(pair.values), pair.factor * of.mean, pair.factor * of.low, pair.factor * of.high


def cell(row: pd.Series) -> str:
    """A difference with its interval: bold if resolved and better than zeros, italic if resolved and worse."""
    told = rounded(row["estimate"])
    if np.isfinite(row["low"]):
        told = f"{told} [{rounded(row['low'])}, {rounded(row['high'])}]"
    if row["corrected"] < LEVEL:
        better = (row["estimate"] < 0) == (row["metric"] == "mse")
        told = f"**{told}**" if better else f"*{told}*"
    return told + ("†" if row["primary"] else "")


def relative(table: pd.DataFrame, column: str) -> pd.DataFrame:
    """By how many per cent each value differs from that of zeros with the same seed: `method, column, seed, value`.

    Args:
        table: of one context, with a row for each method, seed and value of `column`.
        column: what the lines are drawn over.
    """
    values = table.pivot(index=[column, "seed"], columns="method", values="value")
    others = values.drop(columns=REFERENCE)
    # Of the mean of zeros over the seeds that the method has, as in the findings.
    means = others.notna().mul(values[REFERENCE], axis=0).where(others.notna()).groupby(column).transform("mean")
    percent = 100 * others.sub(values[REFERENCE], axis=0) / means
    return percent.stack().dropna().rename("value").reset_index()
