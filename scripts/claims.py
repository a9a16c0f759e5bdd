"""Every comparison that the findings rest on: estimate, interval, p-value, p-value corrected for their number."""

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pandas as pd

from experiments.training.finished_runs import HALO
from scripts.intervals import estimate, holm
from scripts.summary import BLOCK_COLUMNS, RUN_COLUMNS
from scripts.sweeps import METRICS, REFERENCE, SWEEPS, Comparison

__all__ = ["COLUMNS", "LEVEL", "TASKS", "Contrast", "claims"]

# A corrected p-value below this is called resolved.
LEVEL = 0.05


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
}
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


def claims(tables: Path, task: str) -> pd.DataFrame:
    """Compare the methods of a task.

    Args:
        tables: folder of the tables.
        task: of `TASKS`.

    Returns:
        A row for each comparison: `estimate`, `low` and `high` in points for shares, in % of the other method's mean
        for errors; `p` of no difference; `corrected`, which is `p` for the primary comparison of the task, and Holm's
        correction over all others. Without rows when the task has no table.
    """
    path = tables / f"{task}_runs.csv"
    if not path.is_file():
        return pd.DataFrame(columns=CLAIM_COLUMNS)
    runs = pd.read_csv(path)[RUN_COLUMNS]
    blocks = tables / f"{task}_blocks.csv"
    left_out = pd.read_csv(blocks)[BLOCK_COLUMNS] if blocks.is_file() else pd.DataFrame(columns=BLOCK_COLUMNS)
    model = MODELS.get(task)
    if model:
        runs, left_out = (table[table["model"] == model] for table in (runs, left_out))
    rows = [row for contrast in _contrasts(task, runs) if (row := _row(task, contrast, runs, left_out))]
    table = pd.DataFrame(rows, columns=CLAIM_COLUMNS)
    others = ~table["primary"].astype(bool)
    table["corrected"] = table["p"].astype(float)
    table.loc[others, "corrected"] = holm(table.loc[others, "p"].to_numpy(float))
    return table


def _contrasts(task: str, runs: pd.DataFrame) -> Iterator[Contrast]:
    """All comparisons of a task: with zero padding, then the others."""
    for metric, region in COLUMNS[task]:
        for method in runs["method"].unique():
            if method != REFERENCE:
                yield Contrast(method, REFERENCE, metric, region)
    yield from BESIDES.get(task, ())


def _row(task: str, contrast: Contrast, runs: pd.DataFrame, left_out: pd.DataFrame) -> dict[str, object] | None:
    """One comparison; None when a method has no runs."""
    place = (runs["metric"] == contrast.metric) & (runs["region"] == contrast.region)
    values = runs[place].pivot(index="seed", columns="method", values="value")
    if not {contrast.method, contrast.other} <= set(values):
        return None
    pair = values[[contrast.method, contrast.other]].dropna()
    place = (left_out["metric"] == contrast.metric) & (left_out["region"] == contrast.region)
    without = left_out[place].pivot(index="seed", columns=["method", "block"], values="value")
    has_blocks = {contrast.method, contrast.other} <= set(without.columns.get_level_values(0))
    paired = (without[contrast.method] - without[contrast.other]).loc[pair.index] if has_blocks else None
    difference = (pair[contrast.method] - pair[contrast.other]).to_numpy()
    found = estimate(difference, None if paired is None else paired.to_numpy())
    points = METRICS[contrast.metric].higher_is_better
    factor = 100.0 if points else 100.0 / pair[contrast.other].mean()
    primary = SWEEPS[task].primary
    of_task = contrast.other == REFERENCE and primary == Comparison(contrast.method, contrast.metric, contrast.region)
    return {
        "task": task,
        "model": runs["model"].iloc[0],
        **vars(contrast),
        "primary": of_task,
        "seeds": len(pair),
        "blocks": 0 if paired is None else paired.shape[1],
        "estimate": found.mean * factor,
        "low": found.low * factor,
        "high": found.high * factor,
        "p": found.p,
        "corrected": np.nan,
    }
