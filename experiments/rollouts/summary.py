"""The study of long rollouts in a few numbers, for the terminal."""

import pandas as pd
from rich.table import Table

__all__ = ["final_errors", "stability_table"]

KEYS = ["problem", "kernel_size", "method"]


def final_errors(stability: pd.DataFrame) -> pd.DataFrame:
    """Return the errors at the last step: a row for each problem, kernel size and method, a column for each window.

    A method that blew up has no row.
    """
    chosen = stability[stability["quantity"].str.startswith("final_error_")]
    return chosen.pivot_table("value", KEYS, "quantity", sort=False)


def stability_table(stability: pd.DataFrame) -> Table:
    """Lay out the final error of each method, or the step at which it blew up, and its spectral radius."""
    cells = stability.pivot_table("value", KEYS, "quantity", sort=False)
    finals = (final_errors(stability) ** 2).mean(axis=1) ** 0.5
    problems = list(dict.fromkeys(zip(stability["problem"], stability["kernel_size"], strict=True)))
    printed = Table(title="Error at the last step, in standard deviations of the world (growth of a step)")
    printed.add_column("method")
    for problem, size in problems:
        printed.add_column(f"{problem.replace('_', ' ')} {size}", justify="right")
    for method in dict.fromkeys(stability["method"]):
        row = []
        for key in [(problem, size, method) for problem, size in problems]:
            text = f"{finals[key]:.3g}" if key in finals.index else f"blew up at {cells.loc[key, 'blow_up_step']:.0f}"
            radius = cells.loc[key].get("spectral_radius", float("nan"))
            row.append(text if pd.isna(radius) else f"{text} ({radius:.4f})")
        printed.add_row(method, *row)
    return printed
