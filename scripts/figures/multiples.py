"""A small panel for each method: its error by distance to the edge, with its interval, among the lines of all."""

import pandas as pd
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.ticker import MaxNLocator

from scripts.figures.distance import INTERIOR, SHELLS, Intervals, draw_intervals, relative_by_region
from scripts.figures.forest import FAR
from scripts.figures.style import METHODS, in_order, place
from scripts.sweeps import REFERENCE

__all__ = ["draw_multiples", "multiples_height"]

# Inches.
COLUMNS, EACH, GAP, BETWEEN, LEFT, BELOW = 6, 0.72, 0.09, 0.2, 0.5, 0.36
# Behind letters, so that no line goes through them.
PLATE = {"facecolor": "white", "edgecolor": "none", "pad": 1.5}
# What all methods of a figure are compared with, in %.
LEVEL = 100.0


def multiples_height(table: pd.DataFrame) -> float:
    """Inches that the panels need, with the labels below them."""
    rows = -(-len(set(table["method"]) - {REFERENCE}) // COLUMNS)
    return rows * (EACH + BETWEEN) - BETWEEN + BELOW if rows else 0.0


def draw_multiples(figure: Figure, table: pd.DataFrame, metric: str, top: float, left: float, width: float) -> None:
    """Draw the errors in % of those of zeros, with the intervals of the paired differences.

    Args:
        figure: to draw in.
        table: of one model, as `scripts.summary` makes it.
        metric: of `scripts.sweeps.METRICS`.
        top: in inches from the figure's top.
        left: in inches, where the label of the first axis begins.
        width: in inches, labels included.
    """
    errors, intervals = relative_by_region(table, metric)
    methods = in_order(errors)
    if not methods:
        return
    each = (width - LEFT - (COLUMNS - 1) * GAP) / COLUMNS
    limits = _limits(errors, intervals)
    for index, method in enumerate(methods):
        row, column = divmod(index, COLUMNS)
        ax = place(figure, left + LEFT + column * (each + GAP), top + row * (EACH + BETWEEN), each, EACH)
        _draw_panel(ax, errors, intervals, method)
        ax.set_ylim(limits)
        if not errors[method].reindex(SHELLS).between(*limits).all():
            least, most = errors[method].reindex(SHELLS).agg(["min", "max"])
            text = {"ha": "center", "va": "center", "fontsize": 7, "color": METHODS[method].color, "bbox": PLATE}
            ax.text(0.45, 0.5, f"beyond:\n{least:.0f} to {most:.0f}", transform=ax.transAxes, **text)
        ax.tick_params(labelleft=column == 0, labelbottom=index + COLUMNS >= len(methods))
        if column == 0:
            ax.set_ylabel("% of Zero's", labelpad=2, fontsize=7)
        if index + COLUMNS >= len(methods):
            ax.set_xlabel("Distance (px)", labelpad=1, fontsize=7)


def _draw_panel(ax: Axes, errors: pd.DataFrame, intervals: Intervals, method: str) -> None:
    """Draw the lines of all methods in grey, and over them that of one of them with its interval."""
    for other in errors:
        ax.plot(range(len(SHELLS)), errors[other].reindex(SHELLS), color="#CCCCCC", linewidth=0.5, zorder=0)
    style, small = METHODS[method], {"markersize": 2.2, "linewidth": 1.0}
    shells = errors[method].reindex(SHELLS)
    draw_intervals(ax, intervals, method, SHELLS, range(len(SHELLS)), width=1.5)
    ax.plot(range(len(SHELLS)), shells, **style.line | small)
    if "interior" in errors.index:
        draw_intervals(ax, intervals, method, ["interior"], [INTERIOR], width=1.5)
        ax.plot(INTERIOR, errors.loc["interior", method], **style.line | small)
    ax.axhline(LEVEL, color="#888888", linewidth=0.6, zorder=0)
    ax.axvline(8.25, color="#AAAAAA", linewidth=0.5, linestyle=":")
    ax.set_xlim(-0.6, INTERIOR + 0.9)
    ax.set_xticks([0, 2, 4, 6, INTERIOR], ["0", "2", "4", "6", "int."])
    ax.yaxis.set_major_locator(MaxNLocator(nbins=4))
    ax.set_title(style.label, pad=2, fontsize=7.5)
    ax.tick_params(pad=1.5, length=2)
    ax.grid(axis="y", linewidth=0.3, color="#DDDDDD")
    ax.set_axisbelow(True)


def _limits(errors: pd.DataFrame, intervals: Intervals) -> tuple[float, float]:
    """The range of all panels: without methods that are far out, unlike the others."""
    distances = (errors - LEVEL).abs().max()
    near = distances[distances <= FAR * distances.quantile(0.75)].index if len(distances) > 3 else distances.index
    shown = [*SHELLS, "interior"]
    numbers = pd.concat([of.reindex(shown)[near] for of in (errors, intervals.low, intervals.high)])
    least, most = min(numbers.min(axis=None), LEVEL), max(numbers.max(axis=None), LEVEL)
    margin = 0.05 * (most - least) or 1.0
    return least - margin, most + margin
