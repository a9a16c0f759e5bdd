"""Diff against every method of the paper in the trained networks, of the tables of runs."""

from pathlib import Path

import pandas as pd

from scripts.claims import Contrast, corrected, paired, task_tables
from scripts.intervals import estimate
from scripts.sweeps import REFERENCE, SWEEPS, Comparison

__all__ = ["OWN", "RIVALS", "TASKS", "against"]

# What the paper compares Diff with, in its order, and its own variant with a trained kernel for the edge.
RIVALS = ("zeros", "reflect", "replicate", "circular", "extrapolate", "random", "partial", "explicit")
OWN = "diff_explicit"
# Metrics and regions: the one of the primary comparison first, then what the paper reports beside it.
TASKS: dict[str, tuple[tuple[str, str], ...]] = {
    "classification": (("accuracy", "whole"),),
    "segmentation": (("mean_iou", "whole"), ("iou_micro", "whole")),
    "super_resolution": (("mse", "frame"), ("mse", "interior")),
}


def against(tables: Path, task: str) -> pd.DataFrame:
    """Compare Diff with each method of the paper.

    Args:
        tables: folder of the tables.
        task: of `TASKS`.

    Returns:
        A row for each `other` method, `metric` and `region`: `estimate`, `low` and `high` of Diff less the other, in
        points for shares and in % of the other's mean for errors; `seeds`; `p`; `corrected`, which is `p` for the
        `primary` comparison of the task, and Holm's correction over all other rows.

    Raises:
        FileNotFoundError: the task has no table.
        ValueError: a method has no runs in it.
    """
    found = task_tables(tables, task)
    if found is None:
        raise FileNotFoundError(f"there is no {tables / f'{task}_runs.csv'}; `make reproduce` makes it")
    runs, left_out = found
    rows = []
    for metric, region in TASKS[task]:
        for other in (*RIVALS, OWN):
            pair = paired(Contrast("diff", other, metric, region), runs, left_out)
            if pair is None:
                raise ValueError(f"{task}_runs.csv has no {metric} of `diff` and `{other}` with the same seeds")
            difference = estimate(pair.values, pair.without)
            primary = other == REFERENCE and SWEEPS[task].primary == Comparison("diff", metric, region)
            rows.append(
                {
                    "other": other,
                    "metric": metric,
                    "region": region,
                    "primary": primary,
                    "seeds": len(pair.values),
                    "estimate": difference.mean * pair.factor,
                    "low": difference.low * pair.factor,
                    "high": difference.high * pair.factor,
                    "p": difference.p,
                }
            )
    return corrected(pd.DataFrame(rows))
