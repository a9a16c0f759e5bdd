"""Lines of error against the distance to the edge, and against the width that is cropped."""

from collections.abc import Sequence
from typing import TypeAlias

import pandas as pd
from matplotlib.axes import Axes
from matplotlib.ticker import LogLocator, NullFormatter

from scripts.figures.forest import FAR
from scripts.figures.style import METHODS, in_order
from scripts.sweeps import METRICS, REFERENCE

__all__ = [
    "BAND_ALPHA",
    "INTERIOR",
    "SHELLS",
    "draw_band",
    "draw_crops",
    "draw_lines",
    "draw_shells",
    "errors_by_region",
    "intervals_by_region",
    "relative_by_region",
]

# Least and largest of what `errors_by_region` has.
Interval: TypeAlias = tuple[pd.DataFrame, pd.DataFrame]

SHELLS = tuple(f"shell_{shell}" for shell in range(8))
CROPS = {"whole": 0, "crop1": 1, "crop2": 2, "crop4": 4, "crop8": 8}
# Where the interior is drawn, in pixels from the edge: beyond the shells.
INTERIOR = 9.5
# How much of a band is seen.
BAND_ALPHA = 0.2
# Errors whose largest is more than this many times their least are drawn on a log scale.
WIDE = 8.0


def errors_by_region(table: pd.DataFrame, metric: str) -> pd.DataFrame:
    """The mean error of each method, a column, in each region, a row; of a share, what is missing to 100 %."""
    return _by_region(table, metric, "mean")


def intervals_by_region(table: pd.DataFrame, metric: str) -> Interval:
    """The intervals of `errors_by_region`, least and largest; one seed has none (NaN)."""
    return _ordered(*(_by_region(table, metric, end) for end in ("low", "high")))


def relative_by_region(table: pd.DataFrame, metric: str) -> tuple[pd.DataFrame, Interval]:
    """Errors in % of those of zeros, and the intervals of the paired differences in the same unit.

    Args:
        table: of one model, as `scripts.summary` makes it.
        metric: of `scripts.sweeps.METRICS`.

    Returns:
        As of `errors_by_region` and `intervals_by_region`, without zeros.
    """
    errors = errors_by_region(table, metric)
    # Where errors are what is missing to 100 %, their differences have the other sign.
    factor = -100.0 if METRICS[metric].higher_is_better else 1.0
    differences = [factor * _pivot(table, metric, end) for end in ("difference_low", "difference_high")]
    ends = [100 + 100 * difference.div(errors[REFERENCE], axis=0) for difference in differences]
    relative = 100 * errors.div(errors[REFERENCE], axis=0)
    least, largest = _ordered(*(end.drop(columns=REFERENCE) for end in ends))
    return relative.drop(columns=REFERENCE), (least, largest)


def _ordered(one: pd.DataFrame, other: pd.DataFrame) -> Interval:
    """The lesser of two ends first."""
    return one.where(one <= other, other), other.where(one <= other, one)


def _by_region(table: pd.DataFrame, metric: str, column: str) -> pd.DataFrame:
    values = _pivot(table, metric, column)
    return 100 * (1 - values) if METRICS[metric].higher_is_better else values


def _pivot(table: pd.DataFrame, metric: str, column: str) -> pd.DataFrame:
    return table[table["metric"] == metric].pivot(index="region", columns="method", values=column)


def draw_shells(ax: Axes, errors: pd.DataFrame, label: str, intervals: Interval | None = None) -> None:
    """Draw the error by distance to the edge, with the interior set apart.

    Args:
        ax: axes.
        errors: from `errors_by_region`.
        label: of the axis of errors.
        intervals: from `intervals_by_region`; that of zeros is drawn, for all of them would hide each other.
    """
    shells = errors.reindex(SHELLS)
    # Powers of ten in a narrow range would leave an axis without numbers.
    wide = shells.max(axis=None) > WIDE * shells.min(axis=None)
    draw_lines(ax, shells, range(len(SHELLS)), log=wide)
    if intervals is not None:
        low, high = (end[REFERENCE].reindex([*SHELLS, "interior"]) for end in intervals)
        draw_band(ax, low[:-1], high[:-1], range(len(SHELLS)))
        ax.vlines(INTERIOR, low.iloc[-1], high.iloc[-1], color=METHODS[REFERENCE].color, alpha=0.4, linewidth=3)
    if "interior" in errors.index:
        for method in reversed(in_order(errors)):
            style = METHODS[method].line | {"linestyle": "", "label": None}
            ax.plot(INTERIOR, errors.loc["interior", method], **style)
    ax.axvline(8.25, color="#AAAAAA", linewidth=0.5, linestyle=":")
    ax.set_xticks([*range(len(SHELLS)), INTERIOR], [*map(str, range(len(SHELLS))), "interior"])
    ax.set_xlabel("Distance to the edge (px)", labelpad=2)
    ax.set_ylabel(label, labelpad=2)


def draw_crops(ax: Axes, errors: pd.DataFrame, label: str, intervals: Interval | None = None) -> None:
    """Draw the error of what is left when the output is cropped, with intervals as in `draw_shells`."""
    present = [region for region in CROPS if region in errors.index]
    positions = [CROPS[region] for region in present]
    draw_lines(ax, errors.loc[present], positions, log=False)
    if intervals is not None:
        draw_band(ax, *(end[REFERENCE].loc[present] for end in intervals), positions)
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


def draw_band(ax: Axes, low: pd.Series, high: pd.Series, positions: Sequence[int]) -> None:
    """Draw the interval of zeros as a band, if there is one; what the axes show grows if it must."""
    if low.isna().all():
        return
    bottom, top = ax.get_ylim()
    ax.fill_between(positions, low, high, color=METHODS[REFERENCE].color, alpha=BAND_ALPHA, linewidth=0, zorder=0)
    ax.set_ylim(min(bottom, low.min()), max(top, high.max()))


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
