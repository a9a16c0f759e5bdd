"""The order of convergence: slopes fitted to errors on finer and finer grids."""

import numpy as np
import pandas as pd
from rich.table import Table

__all__ = ["fit_slopes", "slopes_table"]

KEYS = ["operator", "kernel_size", "method", "part"]

# Grids of a fit, and how far above rounding an error must be to say something about the method.
POINTS, MARGIN = 3, 100


def fit_slopes(errors: pd.DataFrame) -> pd.DataFrame:
    r"""Fit the slope of log error against log spacing.

    .. math:: \log E(h) = p \log h + c

    by least squares to the three finest grids on which the error is more than a hundred times the effect of
    rounding. A method with fewer than three such grids has no slope.

    Args:
        errors: Columns ``operator, kernel_size, method, part, samples, l1_error, l1_error_analytical, rounding``.

    Returns:
        A row for each method, operator, kernel size, part and reference: ``slope``, and the ``coarsest`` and
        ``finest`` grid of the fit, in samples. The reference is ``kernel``, the same kernel on the field itself,
        or ``operator``, the derivative.

    """
    rows = []
    for key, group in errors.groupby(KEYS, sort=False):
        for reference, column in (("kernel", "l1_error"), ("operator", "l1_error_analytical")):
            clear = group[group[column] > MARGIN * group["rounding"]].sort_values("samples").tail(POINTS)
            if len(clear) < POINTS:
                continue
            # The spacing is the inverse of the samples.
            slope = -np.polyfit(np.log(clear["samples"]), np.log(clear[column]), 1)[0]
            found = {"slope": slope, "coarsest": clear["samples"].min(), "finest": clear["samples"].max()}
            rows.append({**dict(zip(KEYS, key, strict=True)), "reference": reference, **found})
    columns = [*KEYS, "reference", "slope", "coarsest", "finest"]
    return pd.DataFrame(rows, columns=columns)


def slopes_table(slopes: pd.DataFrame) -> Table:
    """Lay the slopes at the edges, against the same kernel on the field itself, out for a terminal."""
    chosen = slopes[(slopes["part"] == "edges") & (slopes["reference"] == "kernel")]
    cells = chosen.pivot_table("slope", "method", ["operator", "kernel_size"], sort=False)
    printed = Table(title="Order of convergence at the edges (error of the method alone)")
    printed.add_column("method")
    for operator, size in cells.columns:
        printed.add_column(f"{operator} {size}", justify="right")
    for method, row in cells.iterrows():
        printed.add_row(str(method), *("rounding" if np.isnan(value) else f"{value:.2f}" for value in row))
    return printed
