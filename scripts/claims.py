"""Every comparison that the findings rest on: estimate, interval, p-value, p-value corrected for their number."""

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import NamedTuple

import numpy as np
import pandas as pd

from experiments.training.finished_runs import HALO
from scripts.intervals import estimate, holm
from scripts.smallest_difference import LEVEL
from scripts.summary import BLOCK_COLUMNS, RUN_COLUMNS
from scripts.sweeps import METRICS, REFERENCE, SWEEPS, Comparison

__all__ = ["COLUMNS", "LEVEL", "SEEN", "TASKS", "Contrast", "Paired", "claims", "paired", "task_tables", "tested"]


@dataclass(frozen=True)
class Contrast:
    """A method against another, by one metric in one region of one network."""

    method: str
    other: str
    metric: str
    region: str


# For each task, what every method is compared with zero padding by.
COLUMNS: dict[str, tuple[tuple[str, str], ...]] = {
    "classification": (("accuracy", "whole"), ("shift_consistency", "whole")),
    "segmentation": (("mean_iou", "whole"), ("mean_iou", "frame"), ("accuracy", "shell_0")),
    "super_resolution": (("mse", "frame"), ("mse", "interior")),
    "normalization": (("mse", "frame"), ("mse", "interior")),
    "surrogate": (("mse", "frame"), ("mse", "interior")),
}
# Seeds that had been looked at with the final settings before the primary comparison was to be tested, as
# docs/primary.md tells: its test leaves them out.
SEEN = {"surrogate": (0,)}
# The experiment on normalization has no claim of the paper's; its network without BatchNorm is the one in question.
MODELS = {"normalization": "unet_no_norm"}
# Comparisons between methods other than zero padding.
_AGAINST_CONTEXT = tuple(
    Contrast(method, HALO, "mse", region) for method in ("adaptive", "diff") for region in ("frame", "interior")
)
BESIDES: dict[str, tuple[Contrast, ...]] = {
    "super_resolution": (
        *_AGAINST_CONTEXT,
        Contrast("diff", "replicate", "mse", "frame"),
        Contrast("adaptive", "diff", "mse", "frame"),
        # Kept weights against the own fit, and their rivals against them.
        *(Contrast("adaptive_running", other, "mse", "frame") for other in ("replicate", "adaptive")),
        *(
            Contrast(rival, "adaptive_running", "mse", "frame")
            for rival in ("learned", "peripheral", "peripheral_shared", "linear_prediction")
        ),
    ),
    "normalization": (
        *_AGAINST_CONTEXT,
        *(Contrast(method, HALO, "mse", "shell_0") for method in ("adaptive", "diff")),
        *(Contrast("diff", "adaptive", "mse", region) for region in ("frame", "interior")),
    ),
}
TASKS = tuple(COLUMNS)
CLAIM_COLUMNS = [
    "task",
    "model",
    "method",
    "other",
    "metric",
    "region",
    "primary",
    "seeds",
    "blocks",
    "estimate",
    "low",
    "high",
    "p",
    "corrected",
]


class Paired(NamedTuple):
    """Differences of two methods with the same seeds.

    Attributes:
        values: one for each seed that both have, (S,).
        without: the same without each block of the test set, (S, B); None where no blocks are known.
        factor: what makes points of a share, and per cent of the other method's mean of an error.
    """

    values: np.ndarray
    without: np.ndarray | None
    factor: float


def claims(tables: Path, task: str) -> pd.DataFrame:
    """Compare the methods of a task.

    Args:
        tables: folder of the tables.
        task: of `TASKS`.

    Returns:
        A row for each comparison: `estimate`, `low` and `high` in points for shares, in % of the other method's mean
        for errors, over the `seeds` that both methods have; `p` of no difference; `corrected`, which is `p` for the
        primary comparison of the task, and Holm's correction over all others. Without rows when the task has no
        table.
    """
    found = task_tables(tables, task)
    if found is None:
        return pd.DataFrame(columns=CLAIM_COLUMNS)
    rows = [row for contrast in _contrasts(task, found[0]) if (row := _row(task, contrast, *found))]
    return corrected(pd.DataFrame(rows, columns=CLAIM_COLUMNS))


def corrected(table: pd.DataFrame) -> pd.DataFrame:
    """Comparisons with `corrected`: p for the primary one, Holm's correction over all others."""
    table = table.assign(corrected=table["p"].astype(float))
    others = ~table["primary"].astype(bool)
    table.loc[others, "corrected"] = holm(table.loc[others, "p"].to_numpy(float))
    return table


def task_tables(tables: Path, task: str) -> tuple[pd.DataFrame, pd.DataFrame] | None:
    """The runs of a task's network, and their values without each block; None when the task has no table."""
    path = tables / f"{task}_runs.csv"
    if not path.is_file():
        return None
    runs = pd.read_csv(path)[RUN_COLUMNS]
    blocks = tables / f"{task}_blocks.csv"
    left_out = pd.read_csv(blocks)[BLOCK_COLUMNS] if blocks.is_file() else pd.DataFrame(columns=BLOCK_COLUMNS)
    model = MODELS.get(task)
    if model:
        runs, left_out = (table[table["model"] == model] for table in (runs, left_out))
    return runs, left_out


def tested(
    task: str, contrast: Contrast, runs: pd.DataFrame, left_out: pd.DataFrame
) -> tuple[pd.DataFrame, pd.DataFrame]:
    """The runs that a comparison is tested on: of the primary one not those of seeds that had been seen.

    Args:
        task: of `TASKS`.
        contrast: the comparison.
        runs: of `task_tables`.
        left_out: of `task_tables`.
    """
    seen = SEEN.get(task, ()) if _is_primary(task, contrast) else ()
    return runs[~runs["seed"].isin(seen)], left_out[~left_out["seed"].isin(seen)]


def paired(contrast: Contrast, runs: pd.DataFrame, left_out: pd.DataFrame) -> Paired | None:
    """Pair the runs of two methods, by the seeds that both have; None when there are none.

    Args:
        contrast: the methods, metric and region.
        runs: of `task_tables`.
        left_out: of `task_tables`.
    """
    place = (runs["metric"] == contrast.metric) & (runs["region"] == contrast.region)
    values = runs[place].pivot(index="seed", columns="method", values="value")
    if not {contrast.method, contrast.other} <= set(values):
        return None
    pair = values[[contrast.method, contrast.other]].dropna()
    if pair.empty:
        return None
    place = (left_out["metric"] == contrast.metric) & (left_out["region"] == contrast.region)
    without = left_out[place].pivot(index="seed", columns=["method", "block"], values="value")
    has_blocks = {contrast.method, contrast.other} <= set(without.columns.get_level_values(0))
    left = (without[contrast.method] - without[contrast.other]).loc[pair.index] if has_blocks else None
    points = METRICS[contrast.metric].higher_is_better
    return Paired(
        (pair[contrast.method] - pair[contrast.other]).to_numpy(),
        None if left is None else left.to_numpy(),
        100.0 if points else 100.0 / float(pair[contrast.other].mean()),
    )


def _contrasts(task: str, runs: pd.DataFrame) -> Iterator[Contrast]:
    """All comparisons of a task: with zero padding, then the others."""
    for metric, region in COLUMNS[task]:
        for method in runs["method"].unique():
            if method != REFERENCE:
                yield Contrast(method, REFERENCE, metric, region)
    yield from BESIDES.get(task, ())


def _is_primary(task: str, contrast: Contrast) -> bool:
    """Whether a comparison is the primary one of its task."""
    compared = Comparison(contrast.method, contrast.metric, contrast.region)
    return contrast.other == REFERENCE and SWEEPS[task].primary == compared


def _row(task: str, contrast: Contrast, runs: pd.DataFrame, left_out: pd.DataFrame) -> dict[str, object] | None:
    """One comparison; None when a method has no runs."""
    pair = paired(contrast, *tested(task, contrast, runs, left_out))
    if pair is None:
        return None
    found = estimate(pair.values, pair.without)
    return {
        "task": task,
        "model": runs["model"].iloc[0],
        **vars(contrast),
        "primary": _is_primary(task, contrast),
        "seeds": len(pair.values),
        "blocks": 0 if pair.without is None else pair.without.shape[1],
        "estimate": found.mean * pair.factor,
        "low": found.low * pair.factor,
        "high": found.high * pair.factor,
        "p": found.p,
        "corrected": np.nan,
    }
