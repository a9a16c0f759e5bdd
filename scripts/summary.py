"""From a row per run to a row per method: means, intervals, and paired differences to zero padding."""

import numpy as np
import pandas as pd

from scripts.intervals import estimate
from scripts.sweeps import METRICS, REFERENCE

__all__ = [
    "BLOCK_COLUMNS",
    "CELL",
    "INTERVALS",
    "RATIO",
    "RUN_COLUMNS",
    "SUMMARY_COLUMNS",
    "differences",
    "summarise",
]

RUN_COLUMNS = ["data", "model", "method", "seed", "metric", "region", "value"]
CELL = ["data", "model", "method", "metric", "region"]
# A value that is left when a block of the test set is left out.
BLOCK_COLUMNS = ["data", "model", "method", "seed", "metric", "region", "block", "value"]
INTERVALS = ["low", "high", "difference", "difference_low", "difference_high", "p"]
SUMMARY_COLUMNS = [*CELL, "seeds", "blocks", "mean", *INTERVALS]

# A region that is computed here, run by run: the frame's error over the interior's. Only for metrics that are errors.
RATIO = "frame/interior"
RATIO_METRICS = ("mse",)


def summarise(runs: pd.DataFrame, left_out: pd.DataFrame | None = None) -> pd.DataFrame:
    """Average over seeds.

    A method is compared with zeros on the seeds that both have, and its whole row is of these seeds, so that its mean
    and its difference are of the same runs. Where zeros has more seeds, its own row is of all of them.

    Args:
        runs: a row per run, metric and region, with `RUN_COLUMNS`; zeros among the methods.
        left_out: the values without each block of the test set, with `BLOCK_COLUMNS`; None where no blocks are known.

    Returns:
        A row per method, metric and region, in the order of the runs: `mean` over `seeds` with its interval `low` to
        `high`, and `difference`, the mean over seeds of the value minus that of zeros with the same seed, with its
        own and the p-value `p` of no difference; `mean` less `difference` is the mean of zeros over the same seeds.
        Intervals are those of `scripts.intervals`; they count the choice of the test set where `blocks` is above 0.
        They are empty (NaN) for one seed, and a difference is empty for zeros itself.

    Raises:
        ValueError: a cell occurs twice, a value is not finite, or no run of a method has a partner among those of
            zeros.
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
    by_block = {} if left_out is None else _by_block(left_out)
    for cell, own in by_cell.items():
        data, model, method, metric, region = cell
        reference = by_cell.get((data, model, REFERENCE, metric, region), pd.Series(dtype=float))
        values = own[own.index.isin(reference.index)]
        if values.empty:
            raise ValueError(
                f"{model} {method}, {metric} of {region}: seeds {_listed(own.index)}, but {REFERENCE} has "
                f"{_listed(reference.index)}; differences are between runs of one seed"
            )
        without = by_block.get(cell)
        left = None if without is None else without.loc[values.index]
        found = estimate(values.to_numpy(), None if left is None else left.to_numpy())
        row = {**dict(zip(CELL, cell, strict=True)), "seeds": len(values), "mean": found.mean}
        row |= {"blocks": 0 if left is None else left.shape[1], "low": found.low, "high": found.high}
        if method != REFERENCE:
            difference = (values - reference.loc[values.index]).to_numpy()
            if left is not None:
                left = left - by_block[data, model, REFERENCE, metric, region].loc[values.index]
            found = estimate(difference, None if left is None else left.to_numpy())
            row |= {
                "difference": found.mean,
                "difference_low": found.low,
                "difference_high": found.high,
                "p": found.p,
            }
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
    shown = chosen.drop(index=REFERENCE, errors="ignore")
    # The mean of zeros over the seeds that the method has, too.
    whole = shown["mean"] - shown["difference"]
    factor = pd.Series(100.0, shown.index) if METRICS[metric].higher_is_better else 100.0 / whole
    columns = ["difference", "difference_low", "difference_high"]
    return shown[columns].set_axis(["centre", "low", "high"], axis=1).mul(factor, axis=0)


def _by_block(left_out: pd.DataFrame) -> dict[tuple[str, ...], pd.DataFrame]:
    """For each cell a table of seeds by blocks.

    Raises:
        ValueError: a value is missing.
    """
    missing = [column for column in BLOCK_COLUMNS if column not in left_out]
    if missing:
        raise ValueError(f"the table of blocks has no column {missing[0]}")
    blocks = _with_ratio(left_out, [c for c in BLOCK_COLUMNS if c not in ("region", "value")])
    found = {cell: group.pivot(index="seed", columns="block", values="value") for cell, group in blocks.groupby(CELL)}
    for cell, table in found.items():
        if table.isna().to_numpy().any():
            raise ValueError(f"the table of blocks lacks a block of {' '.join(map(str, cell))}")
    return found


def _with_ratio(runs: pd.DataFrame, index: list[str] | None = None) -> pd.DataFrame:
    """Add the ratio of the frame's to the interior's value of each run, or block, after its other regions."""
    chosen = runs[runs["metric"].isin(RATIO_METRICS)]
    index = index or [column for column in RUN_COLUMNS if column not in ("region", "value")]
    frame, interior = (chosen[chosen["region"] == region].set_index(index)["value"] for region in RATIO.split("/"))
    ratio = (frame / interior).dropna().reset_index().assign(region=RATIO)
    return pd.concat([runs, ratio[[*index, "region", "value"]]], ignore_index=True)


def _listed(seeds: pd.Index) -> str:
    return ", ".join(map(str, sorted(seeds))) or "none"
