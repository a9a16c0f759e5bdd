"""The study of adaptive boundaries in a few numbers: errors relative to the best polynomial degree in hindsight."""

import numpy as np
import pandas as pd
from rich.table import Table

__all__ = ["best_degree", "field_means", "ratios", "summary", "summary_table"]

# A cell of the table; ``crop`` where each crop has rows of its own.
KEYS = ["field", "size", "crop", "kernel_size"]

# Errors below this share of the field's standard deviation are rounding, and count as equal.
ROUNDING = 1e-9


def ratios(errors: pd.DataFrame, best: pd.Series | None = None) -> pd.DataFrame:
    r"""Divide each error by that of the best polynomial degree of 0 to k - 1, chosen with hindsight.

    .. math:: \frac{\max(E, \varepsilon)}{\max(\min_{0 \le d < k} E_d, \varepsilon)}

    Args:
        errors: Columns ``field, size, kernel_size, method, l1_error``, and maybe ``crop``.
        best: The denominators, if the table does not hold them: as :func:`best_degree` gives them.

    Returns:
        Ratios: a row for each field, size, kernel size and crop, a column for each method but the degrees.

    """
    cells = errors.pivot_table("l1_error", _keys(errors), "method", sort=False)
    best = best_degree(errors) if best is None else best
    methods = [method for method in cells if not method.startswith("degree_")]
    return cells[methods].clip(lower=ROUNDING).div(best.loc[cells.index].clip(lower=ROUNDING), axis=0)


def best_degree(errors: pd.DataFrame) -> pd.Series:
    """Return the error of the best degree for each field, size, kernel size and crop."""
    degrees = errors[errors["method"].str.startswith("degree_")]
    return degrees.groupby(_keys(errors), sort=False)["l1_error"].min()


def _keys(errors: pd.DataFrame) -> list[str]:
    return [key for key in KEYS if key in errors]


def field_means(table: pd.DataFrame) -> pd.DataFrame:
    """Return the geometric mean of the ratios of each field over its cells, a row for each field."""
    return np.exp(np.log(table).groupby(level="field", sort=False).mean())


def summary(table: pd.DataFrame) -> pd.DataFrame:
    """Return for each method and size the geometric mean, the largest ratio, and how many exceed 1.1."""
    by_size = table.groupby(level="size", sort=True)
    mean = np.exp(np.log(table).groupby(level="size", sort=True).mean())
    above = (table > 1.1).groupby(level="size", sort=True).sum()
    parts = {"mean": mean, "largest": by_size.max(), "above": above}
    return pd.concat({name: part.stack() for name, part in parts.items()}, axis=1)


def summary_table(table: pd.DataFrame, title: str) -> Table:
    """Lay the summary out for a terminal, the best mean over all sizes first."""
    numbers = summary(table)
    sizes = sorted(set(numbers.index.get_level_values("size")))
    printed = Table(title=f"{title}: geometric mean (largest) of the ratio to the best degree")
    printed.add_column("method")
    for size in sizes:
        printed.add_column(f"{size} px", justify="right")
    for method in np.log(table).mean().sort_values().index:
        cells = (numbers.loc[size, method] for size in sizes)
        printed.add_row(str(method), *(f"{cell['mean']:.2f} ({cell['largest']:.3g})" for cell in cells))
    return printed
