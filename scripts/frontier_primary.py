"""The frontier's primary comparison, as docs/primary.md fixed it before the networks of its seeds were trained."""

from collections.abc import Mapping

import numpy as np
import pandas as pd

from scripts.intervals import estimate
from scripts.saved_halo import by_seed
from scripts.sweeps import REFERENCE, SWEEPS

__all__ = ["UNSEEN", "primary_comparison"]

SWEEP = SWEEPS["frontier_globe"]
# Networks of the other seeds had been looked at.
UNSEEN = range(5, 12)


def primary_comparison(table: pd.DataFrame, arrays: Mapping[str, np.ndarray]) -> str:
    """Tell the primary comparison in words: a mode less zero padding, both read without a halo.

    Args:
        table: as `experiments.frontier` writes it.
        arrays: the values without each block of the test set, as it writes them.

    Returns:
        The difference in % of the mean of zero padding, with its interval and p-value, by the seeds that nobody had
        seen; then the estimate over all.
    """
    primary = SWEEP.primary
    if primary is None:
        raise ValueError("the sweep frontier_globe must have a primary comparison in configs/reproduce.yaml")
    model, measure = next(iter(SWEEP.models)), (primary.metric, primary.region)
    zeros, mode = (
        by_seed(table, arrays, (SWEEP.config, model, method), measure) for method in (REFERENCE, primary.method)
    )
    seeds = sorted(zeros.keys() & mode.keys())
    unseen = [seed for seed in seeds if seed in UNSEEN]
    if len(unseen) < 2:
        what = f"`{primary.method}` with zero padding, error in the {primary.region}, neither with a halo"
        seeds_of_it = f"seeds {UNSEEN[0]} to {UNSEEN[-1]}, of which the table has {len(unseen) or 'none'}"
        return f"The primary comparison ({what}) is of the {seeds_of_it}."
    left = set(UNSEEN) - set(unseen)
    what = f"the error of `{primary.method}` in the {primary.region} differs from that of `{REFERENCE}`"
    return (
        f"Primary comparison, by the {len(unseen)} seeds from {UNSEEN[0]} on, whose networks nobody had seen: "
        f"without a halo {what} by {_told(zeros, mode, unseen)}. "
        f"By all {len(seeds)} seeds: {_told(zeros, mode, seeds)}."
        + (f" Not yet trained: {len(left)} of the seeds." if left else "")
    )


def _told(
    zeros: Mapping[int, tuple[np.ndarray, np.ndarray | None]],
    mode: Mapping[int, tuple[np.ndarray, np.ndarray | None]],
    seeds: list[int],
) -> str:
    """The difference without a halo, in % of zero padding, with its interval and its p-value."""
    values = np.array([mode[seed][0][0] - zeros[seed][0][0] for seed in seeds])
    pairs = [(mode[seed][1], zeros[seed][1]) for seed in seeds]
    blocks = [own[0] - other[0] for own, other in pairs if own is not None and other is not None]
    found = estimate(values, np.stack(blocks) if len(blocks) == len(seeds) else None)
    scale = float(np.mean([zeros[seed][0][0] for seed in seeds])) / 100
    told = f"{found.mean / scale:+.1f} % [{found.low / scale:+.1f}, {found.high / scale:+.1f}]".replace("-", "−")
    return f"{told}, p {'< 0.0001' if found.p < 1e-4 else f'= {found.p:.2g}'}"
