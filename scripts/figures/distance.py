"""Lines of error against the distance to the edge, and against the width that is cropped."""

import pandas as pd
from matplotlib.axes import Axes
from matplotlib.ticker import LogLocator, NullFormatter

from scripts.figures.forest import FAR
from scripts.figures.style import METHODS, in_order
from scripts.sweeps import METRICS, REFERENCE

__all__ = ["draw_crops", "draw_lines", "draw_shells", "errors_by_region"]

SHELLS = tuple(f"shell_{shell}" for shell in range(8))
CROPS = {"whole": 0, "crop1": 1, "crop2": 2, "crop4": 4, "crop8": 8}
# Where the interior is drawn, in pixels from the edge: beyond the shells.
INTERIOR = 9.5
# Errors whose largest is more than this many times their least are drawn on a log scale.
WIDE = 8.0


def errors_by_region(table: pd.DataFrame, metric: str) -> pd.DataFrame:
    """The mean error of each method, a column, in each region, a row; of a share, what is missing to 100 %."""
    means = table[table["metric"] == metric].pivot(index="region", columns="method", values="mean")
    return 100 * (1 - means) if METRICS[metric].higher_is_better else means


def draw_shells(ax: Axes, errors: pd.DataFrame, label: str, relative: bool = False) -> None:
    """Draw the error by distance to the edge, with the interior set apart; `relative`: in % of that of zeros."""
    shown = errors.div(errors[REFERENCE], axis=0) * 100 if relative else errors
    shells = shown.reindex(SHELLS)
    # Powers of ten in a narrow range would leave an axis without numbers.
    wide = not relative and shells.max(axis=None) > WIDE * shells.min(axis=None)
    draw_lines(ax, shells, range(len(SHELLS)), log=wide)
    if "interior" in shown.index:
        for method in reversed(in_order(shown)):
            style = METHODS[method].line | {"linestyle": "", "label": None}
            ax.plot(INTERIOR, shown.loc["interior", method], **style)
    ax.axvline(8.25, color="#AAAAAA", linewidth=0.5, linestyle=":")
    ax.set_xticks([*range(len(SHELLS)), INTERIOR], [*map(str, range(len(SHELLS))), "interior"])
    ax.set_xlabel("Distance to the edge (px)", labelpad=2)
    ax.set_ylabel(label, labelpad=2)


def draw_crops(ax: Axes, errors: pd.DataFrame, label: str) -> None:
    """Draw the error of what is left when the output is cropped."""
    present = [region for region in CROPS if region in errors.index]
    draw_lines(ax, errors.loc[present], [CROPS[region] for region in present], log=False)
    ax.set_xticks(list(CROPS.values()))
    ax.set_xlabel("Cropped off each side (px)", labelpad=2)
    ax.set_ylabel(label, labelpad=2)


def draw_lines(ax: Axes, table: pd.DataFrame, positions: range | list[int], log: bool) -> None:
    """Draw a line for each method."""
    for method in reversed(in_order(table)):
        ax.plot(positions, table[method], **METHODS[method].line)
    if log:
        ax.set_yscale("log")
        ax.yaxis.set_major_locator(LogLocator(subs=(1.0, 2.0, 5.0), numticks=8))
        ax.yaxis.set_major_formatter("{x:g}")
        ax.yaxis.set_minor_formatter(NullFormatter())
    else:
        _leave_out_the_far(ax, table)
    ax.tick_params(pad=2, length=2.5)
    ax.tick_params(which="minor", length=1.5)
    ax.grid(axis="y", linewidth=0.3, color="#DDDDDD")


def _leave_out_the_far(ax: Axes, table: pd.DataFrame) -> None:
    """Choose the range without methods that are far from zeros, unlike the others; they are named at the top."""
    distances = table.sub(table[REFERENCE], axis=0).abs().max()
    far = distances[distances > FAR * distances.quantile(0.75)].index
    if len(distances) < 4 or not len(far):
        return
    near = table.drop(columns=far)
    low, high = near.min(axis=None), near.max(axis=None)
    margin = 0.06 * (high - low)
    ax.set_ylim(low - margin, high + 3 * margin)
    names = ", ".join(METHODS[method].label for method in in_order(far))
    ax.text(0.97, 0.97, f"beyond: {names}", transform=ax.transAxes, ha="right", va="top", fontsize=6.5)
