"""The figure of a dense task: methods compared by region, by distance to the edge, and with the cropping control."""

import matplotlib.pyplot as plt
import pandas as pd
from matplotlib.artist import Artist
from matplotlib.figure import Figure
from matplotlib.patches import Patch

from scripts.figures.distance import (
    BAND_ALPHA,
    counts_places,
    draw_crops,
    draw_shells,
    errors_by_region,
    intervals_by_region,
)
from scripts.figures.forest import (
    Panel,
    absolute,
    absolute_title,
    differences_title,
    draw_forest,
    forest_height,
)
from scripts.figures.multiples import draw_multiples, multiples_height
from scripts.figures.style import METHODS, PAGE_WIDTH, in_order, place
from scripts.summary import RATIO, differences
from scripts.sweeps import METRICS, REFERENCE

__all__ = ["draw"]

# Inches.
TITLE, BELOW, MARGIN, LINES_HEIGHT = 0.36, 0.42, 0.05, 1.5
COLUMNS_OF_LEGEND, LEGEND_ROW = 6, 0.17
RIGHT, LINES_TITLE = 0.14, 0.22
LINES_LEFT, LINES_GAP = 0.5, 0.62

REGIONS = {"whole": "Whole", "frame": "Frame of 8 px", "edges": "Edges", "corners": "Corners", "interior": "Interior"}


def draw(table: pd.DataFrame, metric: str, line_metric: str) -> Figure:
    """Draw the whole figure from the table, whatever methods it holds.

    Args:
        table: of one model, as `scripts.collect` writes it.
        metric: what the rows compare.
        line_metric: whose error the lines show.
    """
    better = METRICS[metric].higher_is_better
    name, factor = METRICS[metric].label, 100.0 if better else 1.0
    unit = f"{name} (%)" if better else name
    shown = (
        {"whole": "Whole", "frame": "Frame of 8 px", "interior": "Interior"}
        if better
        else {"frame": "Frame of 8 px", "interior": "Interior", RATIO: "Frame / interior"}
    )
    levels = [
        Panel(
            title,
            [absolute(table, metric, region, 1.0 if region == RATIO else factor)],
            "Ratio" if region == RATIO else unit,
        )
        for region, title in shown.items()
    ]
    label = "points, better →" if better else "%, ← better"
    places = counts_places(table, metric)
    marked = [region for region in REGIONS if places.any() and not places.get(region, True)]
    paired = [
        Panel(title + " *" * (region in marked), [differences(table, metric, region)], label, zero=True)
        for region, title in REGIONS.items()
    ]
    several = int(table["seeds"].max()) > 1
    errors, intervals = errors_by_region(table, line_metric), intervals_by_region(table, line_metric)
    handles: list[Artist] = [plt.Line2D([], [], **METHODS[method].line) for method in in_order(errors)]
    if several:
        zero = METHODS[REFERENCE]
        handles.append(Patch(color=zero.color, alpha=BAND_ALPHA, linewidth=0, label=f"{zero.label}, 95 % over seeds"))
        if intervals.places.any():
            label = f"{zero.label}, 95 % over seeds and places"
            handles.append(plt.Line2D([], [], color=zero.color, alpha=2 * BAND_ALPHA, linewidth=3, label=label))
    tops = [-(-len(handles) // COLUMNS_OF_LEGEND) * LEGEND_ROW + 0.12 + TITLE]
    tops.append(tops[0] + forest_height(levels) + BELOW + TITLE)
    tops.append(tops[1] + forest_height(paired) + BELOW + LINES_TITLE)
    tops.append(tops[2] + LINES_HEIGHT + BELOW + TITLE)
    height = tops[3] + multiples_height(table) + MARGIN
    figure = plt.figure(figsize=(PAGE_WIDTH, height))
    width = PAGE_WIDTH - MARGIN - RIGHT
    draw_forest(figure, levels, tops[0], MARGIN, width)
    draw_forest(figure, paired, tops[1], MARGIN, width)

    of_pixels = METRICS[line_metric].higher_is_better
    what = "Wrong pixels (%)" if of_pixels else METRICS[line_metric].label
    each = (width - LINES_LEFT - LINES_GAP) / 2
    axes = [
        place(figure, MARGIN + LINES_LEFT + i * (each + LINES_GAP), tops[2], each, LINES_HEIGHT) for i in range(2)
    ]
    draw_shells(axes[0], errors, what, intervals)
    draw_crops(axes[1], errors, what, intervals)
    draw_multiples(figure, table, line_metric, tops[3], MARGIN, width)

    what = what.removesuffix(" (%)")
    bands = "; 95 % of the paired differences" if several else ""
    titles = [
        (MARGIN, tops[0] - 0.2, f"(a) {absolute_title(table, name)}"),
        (MARGIN, tops[1] - 0.2, f"(b) {differences_title(table, name)}{'; *: over seeds alone' if marked else ''}"),
        (MARGIN, tops[2], f"(c) {what} by distance"),
        (MARGIN + each + LINES_GAP, tops[2], "(d) With the output cropped"),
    ]
    if set(table["method"]) != {REFERENCE}:
        title = f"(e) {what} by distance, in relation to zero padding{bands}"
        titles.append((MARGIN, tops[3] - 0.14, title))
    for x, y, title in titles:
        figure.text(x / PAGE_WIDTH, 1 - (y - 0.06) / height, title, va="bottom", fontweight="bold")
    figure.legend(
        handles=handles,
        loc="upper center",
        bbox_to_anchor=(0.5, 1 - 0.02 / height),
        ncols=COLUMNS_OF_LEGEND,
        frameon=False,
        handlelength=2.2,
        columnspacing=1.1,
        handletextpad=0.4,
    )
    return figure
