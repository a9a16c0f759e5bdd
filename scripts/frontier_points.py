"""Error, seam and cost of every mode and halo of the frontier, and which of them nothing beats."""

from typing import Any

import pandas as pd

from experiments.training.finished_runs import HALO
from scripts.sweeps import METRICS, REFERENCE

__all__ = ["ERRORS", "LEAST_SEAM", "best", "cheapest", "points"]

# What is called the error of a task, the first one that its table has.
ERRORS = ("mse", "mean_iou")
# A seam below this many standard deviations of the image, or this probability, is seen by nobody.
LEAST_SEAM = 1e-3
# What is as good as the best: within this share of it.
AS_GOOD = 0.01


def points(table: pd.DataFrame, cost: pd.DataFrame) -> pd.DataFrame:
    """Means over the seeds that all methods of a network have.

    Args:
        table: as `experiments.frontier` writes it.
        cost: as `experiments.frontier_cost` writes it.

    Returns:
        A row for each data, model, method and halo: `error`, of the whole of all tiles, 1 - IoU for a segmentation;
        `seam`; `time`, relative to zeros without a halo; `multiply_adds` of a useful pixel; and `seeds`.

    Raises:
        ValueError: no seed is there for all methods, or a cost is missing.
    """
    tiled = table[(table["tile"] == table["tile"].min()) & (table["region"] == "whole")]
    parts = []
    for (data, model), of_model in tiled.groupby(["data", "model"], sort=False):
        seeds = set.intersection(*(set(one) for _, one in of_model.groupby("method")["seed"]))
        if not seeds:
            raise ValueError(f"no seed of {data} {model} is there for all of its methods")
        means = of_model[of_model["seed"].isin(seeds)].pivot_table("value", ["method", "halo"], "metric")
        name = next(metric for metric in ERRORS if metric in means)
        error = 1 - means[name] if METRICS[name].higher_is_better else means[name]
        found = pd.DataFrame({"error": error, "seam": means["seam"], "seeds": len(seeds)}).reset_index()
        parts.append(found.assign(data=data, model=model))
    together = pd.concat(parts, ignore_index=True)
    # A network that was trained with a halo is one of zeros.
    together["costs"] = together["method"].replace(HALO, REFERENCE)
    costs = cost.rename(columns={"method": "costs", "ratio": "time"})
    keys = ["data", "model", "costs", "halo"]
    together = together.merge(costs[[*keys, "time", "multiply_adds"]], "left", keys)
    if (missing := together["time"].isna()).any():
        row = together.loc[missing.idxmax(), keys].to_dict()
        raise ValueError(f"the table of costs has nothing of {row}; `python -m experiments.frontier_cost` makes it")
    return together.drop(columns="costs")


def best(of_model: pd.DataFrame, value: str, cost: str = "time") -> pd.DataFrame:
    """The points of one network that no point of at most the same cost beats, from the cheapest on.

    Args:
        of_model: rows of `points`.
        value: a column of which less is better.
        cost: another one.

    Example:
        >>> best(pd.DataFrame({"error": [3.0, 2.0, 2.5], "time": [1.0, 2.0, 3.0]}), "error")["error"].tolist()
        [3.0, 2.0]
    """
    ordered = of_model.sort_values([cost, value])
    before = ordered[value].cummin().shift(fill_value=float("inf"))
    return ordered[ordered[value] < before]


def cheapest(of_model: pd.DataFrame, value: str) -> "pd.Series[Any]":
    """The cheapest of the points of one network that are within a hundredth of the least error or seam.

    Args:
        of_model: rows of `points`.
        value: `error`, or `seam`, of which those below `LEAST_SEAM` are equal.
    """
    values = of_model[value].clip(lower=LEAST_SEAM if value == "seam" else 0)
    good = of_model[values <= (1 + AS_GOOD) * values.min()]
    return good.loc[good["time"].idxmin()]
