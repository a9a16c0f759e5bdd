"""From a row per run to a row per method: means, intervals, and paired differences to zero padding."""

import numpy as np
import pandas as pd

from scripts.bootstrap import bootstrap_interval
from scripts.sweeps import METRICS, REFERENCE

__all__ = ["CELL", "INTERVALS", "RATIO", "RUN_COLUMNS", "SUMMARY_COLUMNS", "differences", "summarise"]

RUN_COLUMNS = ["data", "model", "method", "seed", "metric", "region", "value"]
CELL = ["data", "model", "method", "metric", "region"]
INTERVALS = ["low", "high", "difference", "difference_low", "difference_high"]
SUMMARY_COLUMNS = [*CELL, "seeds", "mean", *INTERVALS]

# A region that is made here: the frame's error over the interior's, run by run. Only where 0 is no error.
RATIO = "frame/interior"
RATIO_METRICS = ("mse",)


def summarise(runs: pd.DataFrame) -> pd.DataFrame:
    """Average over seeds.

    Args:
        runs: a row per run, metric and region, with `RUN_COLUMNS`; zeros among the methods.

    Returns:
        A row per method, metric and region, in the order of the runs: `mean` over `seeds` with its interval `low` to
        `high`, and `difference`, the mean over seeds of the value minus that of zeros with the same seed, with its
        own. Intervals are those of `scripts.bootstrap`. They are empty (NaN) for one seed, and a difference is empty
        for zeros itself.

    Raises:
        ValueError: a cell occurs twice, a value is not finite, or a run has no partner among those of zeros.
    """
    missing = [column for column in RUN_COLUMNS if column not in runs]
    if missing:
        raise ValueError(f"the table of runs has no column {missing[0]}")
    keys = [column for column in RUN_COLUMNS if column != "value"]
    if (twice := runs.duplicated(keys)).any():
        raise ValueError(f"the table of runs holds twice {runs.loc[twice.idxmax(), keys].to_dict()}")
    if (bad := ~np.isfinite(runs["value"].astype(float))).any():
        raise ValueError(f"no finite value for {runs.loc[bad.idxmax(), keys].to_dict()}")

    rows = []
    by_cell = {cell: group.set_index("seed")["value"] for cell, group in _with_ratio(runs).groupby(CELL, sort=False)}
    for cell, values in by_cell.items():
        data, model, method, metric, region = cell
        low, high = bootstrap_interval(values.to_numpy())
        row = {**dict(zip(CELL, cell, strict=True)), "seeds": len(values), "mean": values.mean(), "low": low}
        row["high"] = high
        if method != REFERENCE:
            reference = by_cell.get((data, model, REFERENCE, metric, region), pd.Series(dtype=float))
            if set(reference.index) != set(values.index):
                raise ValueError(
                    f"{model} {method}, {metric} of {region}: seeds {_listed(values.index)}, but {REFERENCE} has "
                    f"{_listed(reference.index)}; differences are between runs of one seed"
                )
            differences = (values - reference.loc[values.index]).to_numpy()
            row["difference"] = differences.mean()
            row["difference_low"], row["difference_high"] = bootstrap_interval(differences)
        rows.append(row)
    return pd.DataFrame(rows, columns=SUMMARY_COLUMNS)


def differences(table: pd.DataFrame, metric: str, region: str) -> pd.DataFrame:
    """The paired difference of each method to zeros, as it is shown to people.

    Args:
        table: of one model, as `summarise` makes it.
        metric: of `scripts.sweeps.METRICS`. A share is given in points of 100, an error in % of that of zeros.
        region: of the table.

    Returns:
        `centre, low, high` by method, without zeros; empty when there is no such metric or region.
    """
    chosen = table[(table["metric"] == metric) & (table["region"] == region)].set_index("method")
    factor = 100.0 if METRICS[metric].higher_is_better else 100.0 / chosen["mean"].get(REFERENCE, np.nan)
    columns = ["difference", "difference_low", "difference_high"]
    shown = chosen.drop(index=REFERENCE, errors="ignore")[columns]
    return shown.set_axis(["centre", "low", "high"], axis=1) * factor


def _with_ratio(runs: pd.DataFrame) -> pd.DataFrame:
    """Add the ratio of the frame's to the interior's value of each run, after its other regions."""
    chosen = runs[runs["metric"].isin(RATIO_METRICS)]
    index = [column for column in RUN_COLUMNS if column not in ("region", "value")]
    frame, interior = (chosen[chosen["region"] == region].set_index(index)["value"] for region in RATIO.split("/"))
    ratio = (frame / interior).dropna().reset_index().assign(region=RATIO)
    return pd.concat([runs, ratio[RUN_COLUMNS]], ignore_index=True)


def _listed(seeds: pd.Index) -> str:
    return ", ".join(map(str, sorted(seeds))) or "none"
