"""The tables of docs/surrogate.md: differences to zero padding, errors as they are, spectra."""

import numpy as np
import pandas as pd

from experiments.surrogate.rows import DOMAIN, PERSISTENCE, WINDOW
from scripts.figures.style import METHODS, in_order
from scripts.prose import span
from scripts.surrogate_comparisons import cell

__all__ = ["TIMES", "differences", "levels", "resolved", "spectra"]

REGIONS = ("frame", "interior")
TIMES = {"stable_time": "stable time", "bounded_time": "bounded time"}


def differences(compared: pd.DataFrame) -> str:
    """A row for each method: differences to zeros in the frame, in the interior, and of the stable time."""
    steps = sorted(set(compared.loc[compared["metric"] == "mse", "step"]))
    columns = [("mse", region, step) for step in steps for region in REGIONS]
    heads = [f"{'one step' if step == 1 else f'step {step}'}, {region}, %" for _, region, step in columns]
    for metric, name in TIMES.items():
        columns.append((metric, "whole", compared.loc[compared["metric"] == metric, "step"].max()))
        heads.append(f"{name}, steps")
    lines = ["| mode | seeds | " + " | ".join(heads) + " |", "|---" * (len(heads) + 2) + "|"]
    keys = compared.set_index(["method", "metric", "region", "step"], drop=False)
    for method in in_order(compared["method"]):
        cells = [cell(keys.loc[(method, *column)]) if (method, *column) in keys.index else "" for column in columns]
        seeds = span(compared.loc[compared["method"] == method, "seeds"], ".0f")
        lines.append(f"| `{method}` | {seeds} | " + " | ".join(cells) + " |")
    tests = int((~compared["primary"].astype(bool) & compared["p"].notna()).sum())
    return "\n".join([*lines, "", f"Secondary comparisons that Holm's correction counts: {tests}."])


def levels(rollouts: pd.DataFrame, flows: pd.DataFrame) -> str:
    """A row for each method: mean errors in the window, and those of the same networks on the whole domain."""
    steps = sorted(set(flows.loc[flows["metric"] == "mse", "step"]))
    means = rollouts.groupby(["method", "region", "step", "context"])["value"].mean()
    times = flows[flows["metric"].isin(TIMES)].groupby(["metric", "method", "context"])["value"].mean()
    heads = [f"step {step}, {region}" for step in steps for region in REGIONS]
    heads += TIMES.values()
    lines = ["| mode | seeds | " + " | ".join(heads) + " |", "|---" * (len(heads) + 2) + "|"]
    for method in [*_methods(rollouts), PERSISTENCE]:
        cells = [_of_contexts(means, (method, region, step), "#.3g") for step in steps for region in REGIONS]
        cells += [_of_contexts(times, (metric, method), ".1f") for metric in TIMES]
        seeds = rollouts.loc[rollouts["method"] == method, "seed"].nunique() if method != PERSISTENCE else ""
        lines.append(f"| `{method}` | {seeds} | " + " | ".join(cells) + " |")
    return "\n".join(lines)


def resolved(of_lines: pd.DataFrame) -> pd.DataFrame:
    """The waves that the solver keeps: two thirds of all, after Orszag. Beyond, the truth has no power."""
    return of_lines[of_lines["wave"] <= of_lines["wave"].max() * 2 / 3]


def spectra(of_lines: pd.DataFrame) -> str:
    """A row for each method: power of short waves along lines at each distance, over that of the truth."""
    short = resolved(of_lines)
    short = short[short["wave"] > short["wave"].max() / 2].assign(log=lambda table: np.log(table["value"]))
    by_seed = short[short["context"] == WINDOW].groupby(["method", "step", "distance", "seed"])["log"].mean()
    means = np.exp(by_seed.groupby(["method", "step", "distance"]).mean())
    columns = sorted({(step, distance) for _, step, distance in means.index})
    heads = [f"step {step}, {distance} px" for step, distance in columns]
    lines = ["| mode | " + " | ".join(heads) + " |", "|---" * (len(heads) + 1) + "|"]
    for method in [*_methods(of_lines), PERSISTENCE]:
        lines.append(f"| `{method}` | " + " | ".join(f"{means[(method, *column)]:.2f}" for column in columns) + " |")
    return "\n".join(lines)


def _methods(table: pd.DataFrame) -> list[str]:
    return in_order(set(table["method"]) & METHODS.keys())


def _of_contexts(means: pd.Series, place: tuple[str, ...], form: str) -> str:
    """A mean in windows, and in brackets on the domain; those that there are."""
    found = [format(means[(*place, context)], form) for context in (WINDOW, DOMAIN) if (*place, context) in means]
    return " (".join(found) + ")" * (len(found) - 1)
