"""Which mode and which degree has the least error, and how sure that is."""

from collections.abc import Iterable

import numpy as np
import pandas as pd
from rich.table import Table

__all__ = ["best_of", "best_table", "families"]

# Methods whose errors differ by less are one: symmetric is replicate where the window leaves by one sample.
SAME = 1e-9

FITTED = ("linear_prediction", "adaptive")


def families(methods: Iterable[str]) -> dict[str, list[str]]:
    """Sort methods: all modes as they are by default, those not fitted to the image, the polynomials; none empty."""
    names = list(methods)
    modes = [name for name in names if not name.startswith("degree_")]
    found = {
        "mode": modes,
        "fixed mode": [name for name in modes if name not in FITTED],
        "degree": [name for name in names if name not in modes],
    }
    return {family: members for family, members in found.items() if members}


def best_of(errors: pd.DataFrame) -> dict[str, object]:
    """Find the method of least mean error, and the next that is not the same.

    Args:
        errors: A row for each crop, a column for each method.

    Returns:
        ``best``, its error ``l1_error``, ``runner_up``, the ``ratio`` of its error to that, and ``wins``, the crops
        on which the best has the smaller error. Without another method the ratio is 1 and nothing is won.

    Example:
        >>> best_of(pd.DataFrame({"zeros": [3.0, 1.0], "diff": [1.0, 2.0], "same": [1.0, 2.0]}))["wins"]
        1

    """
    means = errors.mean().sort_values(kind="stable")
    best = means.index[0]
    others = [name for name in means.index[1:] if not np.allclose(errors[name], errors[best], rtol=SAME, atol=0)]
    other = others[0] if others else best
    return {
        "best": best,
        "l1_error": float(means[best]),
        "runner_up": other,
        "ratio": float(means[other] / means[best]),
        "wins": int((errors[best] < errors[other]).sum()),
        "crops": len(errors),
    }


def best_table(best: pd.DataFrame) -> Table:
    """Lay the best modes and degrees out for a terminal."""
    sizes = sorted(set(best["kernel_size"]))
    printed = Table(title="Least error at the edge: mode, fixed mode, degree (crops won against the next)")
    for column in ("field", "level", *(f"k = {size}" for size in sizes)):
        printed.add_column(column)
    for (field, level), group in best.groupby(["field", "level"], sort=False):
        cells = []
        for size in sizes:
            found = group[group["kernel_size"] == size].set_index("family")
            cells.append(
                ", ".join(f"{row['best'].removeprefix('degree_')} ({row['wins']})" for _, row in found.iterrows())
            )
        printed.add_row(field.replace("_", " "), f"{level:g}", *cells)
    return printed
