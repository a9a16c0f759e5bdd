"""The methods of a run in order, for the terminal: errors relative to zero padding, best first."""

import numpy as np
import pandas as pd
from rich.table import Table

__all__ = ["rank", "ranking_table"]


def rank(errors: pd.DataFrame) -> pd.DataFrame:
    r"""Average the errors of each method over the orders of each field.

    .. math:: r = \exp \operatorname{mean}_n \log \frac{E_n(\text{method})}{E_n(\text{zeros})}

    The geometric mean, since errors of one method differ by powers of ten between orders. Without zero padding
    in the table, the best method of each image takes its place.

    Args:
        errors: Columns ``field, order, kernel_size, method, l1_error``, with a row for every combination.

    Returns:
        Ratios: a row for each kernel size and method, the best over all fields first; a column for each field.

    """
    cells = errors.pivot_table("l1_error", ["field", "order", "kernel_size"], "method", sort=False)
    reference = cells["zeros"] if "zeros" in cells else cells.min(axis=1)
    # An error of exactly 0, as on a polynomial, would rule the mean; it counts as the smallest normal float32.
    tiny = float(np.finfo(np.float32).tiny)
    logs = np.log(cells.clip(lower=tiny)).sub(np.log(reference.clip(lower=tiny)), axis=0)
    means = logs.groupby(["kernel_size", "field"], sort=False).mean().stack().unstack("field")
    means = means[list(dict.fromkeys(errors["field"]))]
    order = means.mean(axis=1).rename("mean").reset_index().sort_values(["kernel_size", "mean"])
    return np.exp(means.loc[pd.MultiIndex.from_frame(order[["kernel_size", "method"]])])


def ranking_table(errors: pd.DataFrame) -> Table:
    """Lay the ranking out for a terminal; the best of each kernel size and field is bold.

    Args:
        errors: As for :func:`rank`.

    Returns:
        A table to print with rich.

    """
    ratios = rank(errors)
    reference = "zero padding's" if "zeros" in set(errors["method"]) else "the best method's"
    table = Table(title=f"Error at invalid pixels over that of {reference} (geometric means over orders)")
    table.add_column("k", justify="right")
    table.add_column("method")
    for field in ratios.columns:
        table.add_column(field.replace("_", " "), justify="right")
    for size, group in ratios.groupby("kernel_size", sort=False):
        best = group.min()
        for index, (key, row) in enumerate(group.iterrows()):
            cells = [f"[bold]{_short(v)}[/]" if v == best[field] else _short(v) for field, v in row.items()]
            table.add_row("" if index else str(size), key[1], *cells, end_section=index == len(group) - 1)
    return table


def _short(value: float) -> str:
    """Write a ratio with two digits."""
    return f"{value:#.2g}" if value < 10 else f"{value:.0f}"
