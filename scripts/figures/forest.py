"""Rows of methods with intervals: a column of panels that share their rows."""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import pandas as pd
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.ticker import MaxNLocator

from scripts.figures.style import METHODS, in_order, place
from scripts.prose import span

__all__ = [
    "FAR",
    "ROW",
    "SHAPES",
    "Panel",
    "absolute",
    "absolute_title",
    "differences_title",
    "draw_forest",
    "forest_height",
]

# Inches: a row, the names of the methods, the space between panels.
ROW, NAMES, GAP = 0.142, 0.72, 0.2
# The marker of each model, where there are several.
SHAPES = ("o", "s")
# A mean farther out than this many times the upper quartile of the distances is written, not drawn to scale.
FAR = 4.0


@dataclass(frozen=True)
class Panel:
    """One panel.

    Attributes:
        title: above it.
        series: for each model the numbers `centre, low, high` by method; drawn one below the other.
        label: of its axis.
        zero: whether 0 is the reference, and a marker is filled when its interval does not hold it.
    """

    title: str
    series: Sequence[pd.DataFrame]
    label: str
    zero: bool = False

    @property
    def methods(self) -> list[str]:
        """The methods of all its series, in order."""
        return in_order(method for numbers in self.series for method in numbers.index)


def absolute(table: pd.DataFrame, metric: str, region: str, factor: float = 1.0) -> pd.DataFrame:
    """The mean of each method with its interval; empty when there is no such region."""
    chosen = table[(table["metric"] == metric) & (table["region"] == region)].set_index("method")
    return chosen[["mean", "low", "high"]].set_axis(["centre", "low", "high"], axis=1) * factor


def absolute_title(table: pd.DataFrame, name: str) -> str:
    """What panels of means show, for the seeds that the table has."""
    if int(table["seeds"].max()) == 1:
        return f"{name}, one seed"
    return f"{name}, mean over {span(table['seeds'], '.0f')} seeds and 95 % interval"


def differences_title(table: pd.DataFrame, name: str) -> str:
    """What panels of differences show, and how to read their markers."""
    one = int(table["seeds"].max()) == 1
    reading = "one seed, which resolves nothing" if one else "filled: 0 is not in the 95 % interval"
    return f"{name}, paired difference to zero padding ({reading})"


def forest_height(panels: Sequence[Panel]) -> float:
    """Inches that the rows need."""
    # One row says that there are none.
    return max(1, len(_all_methods(panels))) * ROW * _step(panels)


def draw_forest(figure: Figure, panels: Sequence[Panel], top: float, left: float, width: float) -> None:
    """Draw panels side by side, with the methods as rows.

    A dot is the mean over seeds and a bar its interval; one seed has no bar. Where zero is the reference, a filled
    dot has an interval without it. What lies far out is at the rim, as an arrow with its number; an interval that
    goes on beyond the rim ends in an arrow.

    Args:
        figure: to draw in.
        panels: from left to right.
        top: in inches from the figure's top.
        left: in inches, where the methods' names begin.
        width: in inches, names included.
    """
    methods, step = _all_methods(panels), _step(panels)
    if not methods:
        # A table of zeros alone has no differences.
        ax = place(figure, left, top, width, forest_height(panels))
        ax.set_axis_off()
        ax.text(0, 0.5, "No other method to compare.", va="center", transform=ax.transAxes)
        return
    each = (width - NAMES - GAP * (len(panels) - 1)) / len(panels)
    for index, panel in enumerate(panels):
        ax = place(figure, left + NAMES + index * (each + GAP), top, each, forest_height(panels))
        low, high = _limits(panel)
        for offset, numbers in enumerate(panel.series):
            for method, row in numbers.iterrows():
                y = methods.index(str(method)) * step + offset - (len(panel.series) - 1) / 2
                _draw_row(ax, y, row, str(method), panel.zero, SHAPES[offset], (low, high))
        ax.set_xlim(low, high)
        ax.set_ylim((len(methods) - 0.45) * step, -0.55 * step)
        ax.set_title(panel.title, pad=3)
        ax.set_xlabel(panel.label, labelpad=2)
        ax.xaxis.set_major_locator(MaxNLocator(nbins=max(2, int(each / 0.36)), min_n_ticks=2))
        ax.tick_params(pad=2, length=2.5)
        ax.tick_params(axis="y", length=0)
        ax.grid(axis="y", linewidth=0.3, color="#DDDDDD")
        ax.set_axisbelow(True)
        if panel.zero:
            ax.axvline(0, color="#888888", linewidth=0.6, zorder=0)
        labels = [METHODS[method].label for method in methods] if index == 0 else [""] * len(methods)
        ax.set_yticks([row * step for row in range(len(methods))], labels)


def _draw_row(
    ax: Axes, y: float, row: pd.Series, method: str, zero: bool, shape: str, limits: tuple[float, float]
) -> None:
    color = METHODS[method].color
    low, high = limits
    if not low <= row["centre"] <= high:
        above = row["centre"] > high
        inwards = (low - high) / 100 if above else (high - low) / 100
        rim = high if above else low
        ax.plot(rim + 2.5 * inwards, y, marker=">" if above else "<", color=color, markersize=4)
        # A minus sign as the axis has it.
        number = f"{row['centre']:.3g}".replace("-", "−")
        place_of_text = {"xytext": (-7 if above else 7, 0), "textcoords": "offset points", "va": "center"}
        align = "right" if above else "left"
        ax.annotate(number, (rim, y), ha=align, fontsize=6.5, color=color, **place_of_text)
        return
    if np.isfinite(row["low"]):
        ax.plot([max(row["low"], low), min(row["high"], high)], [y, y], color=color, linewidth=1.0)
        for end, rim, marker in ((row["low"], low, "<"), (row["high"], high, ">")):
            if end < low if marker == "<" else end > high:
                ax.plot(rim, y, marker=marker, color=color, markersize=3, clip_on=False)
    # One seed resolves nothing: its dot is open.
    filled = not zero or row["low"] > 0 or row["high"] < 0
    face = color if filled else "white"
    ax.plot(row["centre"], y, marker=shape, color=color, markersize=3.6, markerfacecolor=face, markeredgewidth=0.8)


def _limits(panel: Panel) -> tuple[float, float]:
    """The range that is drawn: everything, but for what lies far out."""
    numbers = pd.concat(list(panel.series))
    ends = numbers.to_numpy().ravel()
    ends = ends[np.isfinite(ends)]
    origin = 0.0 if panel.zero else float(np.median(numbers["centre"]))
    distances = np.abs(numbers["centre"] - origin)
    reach = FAR * np.quantile(distances, 0.75) if len(distances) > 3 else np.inf
    kept = numbers[distances <= reach].to_numpy().ravel() if reach > 0 else ends
    kept = kept[np.isfinite(kept)]
    low, high = min(kept.min(initial=origin), origin), max(kept.max(initial=origin), origin)
    margin = 0.06 * (high - low) or abs(origin) * 0.05 or 1.0
    return low - margin, high + margin


def _all_methods(panels: Sequence[Panel]) -> list[str]:
    return in_order(method for panel in panels for method in panel.methods)


def _step(panels: Sequence[Panel]) -> float:
    """Rows of one method: as many as there are models."""
    return max(len(panel.series) for panel in panels) * 1.0
