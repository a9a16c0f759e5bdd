"""Lines of error against the distance to the edge, and against the width that is cropped.

An interval that counts the seeds alone is part of a band; one that counts the places of the test set too is a bar.
"""

from collections.abc import Sequence
from dataclasses import dataclass

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
    "Intervals",
    "counts_places",
    "draw_crops",
    "draw_intervals",
    "draw_lines",
    "draw_shells",
    "errors_by_region",
    "intervals_by_region",
    "relative_by_region",
]

SHELLS = tuple(f"shell_{shell}" for shell in range(8))
CROPS = {"whole": 0, "crop1": 1, "crop2": 2, "crop4": 4, "crop8": 8}
# Where the interior is drawn, in pixels from the edge: beyond the shells.
INTERIOR = 9.5
# How much of a band is seen.
BAND_ALPHA = 0.2
# Errors whose largest is more than this many times their least are drawn on a log scale.
WIDE = 8.0


@dataclass(frozen=True)
class Intervals:
    """Intervals of what `errors_by_region` has.

    Attributes:
        low: least, by region and method.
        high: largest.
        places: by region, whether they count the places of the test set beside the seeds.
    """

    low: pd.DataFrame
    high: pd.DataFrame
    places: pd.Series


def errors_by_region(table: pd.DataFrame, metric: str) -> pd.DataFrame:
    """The mean error of each method, a column, in each region, a row; of a share, what is missing to 100 %."""
    return _by_region(table, metric, "mean")


def intervals_by_region(table: pd.DataFrame, metric: str) -> Intervals:
    """The intervals of `errors_by_region`; one seed has none (NaN)."""
    return _ordered(*(_by_region(table, metric, end) for end in ("low", "high")), counts_places(table, metric))


def relative_by_region(table: pd.DataFrame, metric: str) -> tuple[pd.DataFrame, Intervals]:
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
    intervals = _ordered(*(end.drop(columns=REFERENCE) for end in ends), counts_places(table, metric))
    return relative.drop(columns=REFERENCE), intervals


def _ordered(one: pd.DataFrame, other: pd.DataFrame, places: pd.Series) -> Intervals:
    """The lesser of two ends first."""
    return Intervals(one.where(one <= other, other), other.where(one <= other, one), places)


def counts_places(table: pd.DataFrame, metric: str) -> pd.Series:
    """By region, whether the intervals count the places of the test set beside the seeds."""
    return table[table["metric"] == metric].groupby("region")["blocks"].min() > 0


def _by_region(table: pd.DataFrame, metric: str, column: str) -> pd.DataFrame:
    values = _pivot(table, metric, column)
    return 100 * (1 - values) if METRICS[metric].higher_is_better else values


def _pivot(table: pd.DataFrame, metric: str, column: str) -> pd.DataFrame:
    return table[table["metric"] == metric].pivot(index="region", columns="method", values=column)


def draw_shells(ax: Axes, errors: pd.DataFrame, label: str, intervals: Intervals | None = None) -> None:
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
        draw_intervals(ax, intervals, REFERENCE, SHELLS, range(len(SHELLS)))
        draw_intervals(ax, intervals, REFERENCE, ["interior"], [INTERIOR])
    if "interior" in errors.index:
        for method in reversed(in_order(errors)):
            style = METHODS[method].line | {"linestyle": "", "label": None}
            ax.plot(INTERIOR, errors.loc["interior", method], **style)
    ax.axvline(8.25, color="#AAAAAA", linewidth=0.5, linestyle=":")
    ax.set_xticks([*range(len(SHELLS)), INTERIOR], [*map(str, range(len(SHELLS))), "interior"])
    ax.set_xlabel("Distance to the edge (px)", labelpad=2)
    ax.set_ylabel(label, labelpad=2)


def draw_crops(ax: Axes, errors: pd.DataFrame, label: str, intervals: Intervals | None = None) -> None:
    """Draw the error of what is left when the output is cropped, with intervals as in `draw_shells`."""
    present = [region for region in CROPS if region in errors.index]
    positions = [CROPS[region] for region in present]
    draw_lines(ax, errors.loc[present], positions, log=False)
    if intervals is not None:
        draw_intervals(ax, intervals, REFERENCE, present, positions)
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


def draw_intervals(
    ax: Axes,
    intervals: Intervals,
    method: str,
    regions: Sequence[str],
    positions: Sequence[float],
    width: float = 3.0,
) -> None:
    """Draw the intervals of a method, if it has some: a band over the seeds alone, and bars of seeds and places.

    What the axes show grows if it must.

    Args:
        ax: axes.
        intervals: from `intervals_by_region` or `relative_by_region`.
        method: one of theirs.
        regions: from left to right.
        positions: where these are.
        width: of a bar, in points.
    """
    low, high = (end[method].reindex(regions).set_axis(positions) for end in (intervals.low, intervals.high))
    if low.isna().all():
        return
    # A single region is no band.
    bars = intervals.places.reindex(regions, fill_value=False).set_axis(positions) | (len(regions) == 1)
    color, (bottom, top) = METHODS[method].color, ax.get_ylim()
    if not bars.all():
        band = low.mask(bars), high.mask(bars)
        ax.fill_between(positions, *band, color=color, alpha=BAND_ALPHA, linewidth=0, zorder=0)
    if bars.any():
        at = low.index[bars]
        ax.vlines(at, low[bars], high[bars], color=color, alpha=2 * BAND_ALPHA, linewidth=width, zorder=0)
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
