"""Seams of tiled images, seen and measured: `python -m scripts.figures.seams`."""

from typing import Any

import matplotlib.pyplot as plt
import numpy as np
import pandas as pd
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.ticker import LogFormatterMathtext, LogLocator, MaxNLocator, NullFormatter

from experiments.sentences import in_one_sentence
from scripts.figures.program import parser_of, write_figure
from scripts.figures.style import METHODS, PAGE_WIDTH, in_order, place
from scripts.figures.tables import read_arrays, read_tables

__all__ = ["draw", "draw_distance", "draw_maps", "main"]

COMMAND = "python -m experiments.seams"
COLUMNS = ["method", "seed", "measure", "distance", "value"]

# Inches.
MARGIN, TITLE, GAP, ACROSS, BAR = 0.05, 0.18, 0.06, 4, 0.62
SIDE = (PAGE_WIDTH - 2 * MARGIN - BAR - (ACROSS - 1) * GAP) / ACROSS
LINES_HEIGHT, LINES_LEFT, LINES_GAP, BELOW, BOTTOM, CAPTION = 1.9, 0.6, 0.48, 0.34, 0.54, 0.2
COLUMNS_OF_LEGEND, LEGEND_ROW = 7, 0.17
PANELS = {
    "to_whole": "(b) Tile minus whole image",
    "overlap": "(c) Tile minus overlapping tile",
    "error": "(d) Tile minus truth",
}
CAPTION_OF_MAPS = "(a) Tiled minus whole result on one test image, in standard deviations of the image, as below"
# A ratio of largest to least from which ticks are powers of ten; below it, they are 1, 2 and 5 of each decade.
WIDE = 300


def draw_maps(figure: Figure, arrays: dict[str, np.ndarray], top: float) -> None:
    """Draw the truth and, for each method, where the tiled result differs from the whole one."""
    differences = {name.partition("/")[2]: array for name, array in arrays.items() if "/" in name}
    methods = in_order(differences)
    # Some pixels at corners are far out; the rest would be pale.
    limit = max(float(np.quantile(np.abs(differences[m].astype(np.float32)), 0.99)) for m in methods)
    shown = None
    for number, name in enumerate(["clear", *methods]):
        row, column = divmod(number, ACROSS)
        ax = place(figure, MARGIN + column * (SIDE + GAP), top + TITLE + row * (SIDE + TITLE + GAP), SIDE, SIDE)
        if name == "clear":
            ax.imshow(arrays["clear"].astype(np.float32), cmap="gray", interpolation="nearest")
            ax.set_title("Truth", pad=2)
        else:
            picture = differences[name].astype(np.float32)
            shown = ax.imshow(picture, cmap="RdBu_r", vmin=-limit, vmax=limit, interpolation="nearest")
            ax.set_title(f"{METHODS[name].label}: RMS {np.sqrt((picture**2).mean()):#.2g}", pad=2)
        ax.set_axis_off()
    bar = place(figure, PAGE_WIDTH - BAR + 0.02, top + TITLE, 0.09, SIDE)
    figure.colorbar(shown, cax=bar, extend="both")
    bar.set_ylabel("Standard deviations", labelpad=2, fontsize=7)
    bar.tick_params(pad=1, length=2)


def draw_distance(ax: Axes, table: pd.DataFrame, log: bool, powers: bool = True) -> None:
    """Draw one measure by distance, a line for each method: the mean over seeds, and from least to largest a band.

    Args:
        ax: axes.
        table: of the measure.
        log: whether the axis of the measure is logarithmic.
        powers: whether a logarithmic axis is numbered by powers of ten, not by decimals.
    """
    by_seed = table.groupby(["method", "distance"])["value"].agg(["mean", "min", "max"])
    for method in reversed(in_order(table["method"])):
        values = by_seed.loc[method]
        ax.plot(values.index, values["mean"], **METHODS[method].line)
        ax.fill_between(values.index, values["min"], values["max"], color=METHODS[method].color, alpha=0.12, lw=0)
    if log:
        ax.set_yscale("log")
        ax.yaxis.set_major_locator(LogLocator(subs=(1.0,) if powers else (1.0, 2.0, 5.0), numticks=10))
        ax.yaxis.set_major_formatter(LogFormatterMathtext() if powers else "{x:g}")
        ax.yaxis.set_minor_formatter(NullFormatter())
    else:
        ax.yaxis.set_major_locator(MaxNLocator(nbins=6, steps=[1, 2, 5, 10]))
    ax.tick_params(pad=2, length=2.5)
    ax.tick_params(which="minor", length=1.5)
    ax.grid(axis="y", linewidth=0.3, color="#DDDDDD")
    ax.set_xlabel("Distance to the tile's edge (px)", labelpad=2)


def draw(table: pd.DataFrame, arrays: dict[str, np.ndarray]) -> Figure:
    """Draw the whole figure from the table and the arrays.

    Raises:
        ValueError: an array is missing, or a measure.
    """
    if "clear" not in arrays or not any(name.startswith("difference/") for name in arrays):
        raise ValueError(f"the arrays hold no picture to show; `{COMMAND}` makes them")
    if missing := [measure for measure in PANELS if measure not in set(table["measure"])]:
        raise ValueError(f"the table has no {missing[0]}; `{COMMAND}` makes it again")
    pictures = sum("/" in name for name in arrays) + 1
    maps_height = -(-pictures // ACROSS) * (SIDE + TITLE + GAP)
    methods = in_order(table["method"])
    maps_top = -(-len(methods) // COLUMNS_OF_LEGEND) * LEGEND_ROW + 0.08 + CAPTION
    height = maps_top + maps_height + BELOW + LINES_HEIGHT + BOTTOM
    figure = plt.figure(figsize=(PAGE_WIDTH, height))
    figure.text(MARGIN / PAGE_WIDTH, 1 - (maps_top - 0.04) / height, CAPTION_OF_MAPS, va="bottom", fontweight="bold")
    draw_maps(figure, arrays, maps_top)
    width = (PAGE_WIDTH - LINES_LEFT - MARGIN - (len(PANELS) - 1) * LINES_GAP) / len(PANELS)
    logarithmic = [measure for measure in PANELS if measure != "error"]
    means = table[table["measure"].isin(logarithmic)].groupby(["measure", "method", "distance"])["value"].mean()
    # One notation for all logarithmic axes.
    powers = any(of.max() > WIDE * of.min() for _, of in means.groupby("measure"))
    for number, (measure, title) in enumerate(PANELS.items()):
        left = LINES_LEFT + number * (width + LINES_GAP)
        ax = place(figure, left, maps_top + maps_height + BELOW, width, LINES_HEIGHT)
        draw_distance(ax, table[table["measure"] == measure], measure in logarithmic, powers)
        ax.set_title(title, pad=3, fontweight="bold")
        if number == 0:
            ax.set_ylabel("RMS (standard deviations)", labelpad=2)
    seeds = table["seed"].nunique()
    bands = f"Lines: mean over {seeds} seeds; bands: from the least to the largest of them."
    note = bands if seeds > 1 else f"(b) to (d): one seed, {table['seed'].iloc[0]}."
    figure.text(1 - MARGIN / PAGE_WIDTH, 0.04 / height, note, ha="right", va="bottom", fontsize=7)
    handles = [plt.Line2D([], [], **METHODS[method].line) for method in methods]
    place_of_legend = {"loc": "upper center", "bbox_to_anchor": (0.5, 1 - 0.02 / height)}
    figure.legend(
        handles=handles,
        ncols=COLUMNS_OF_LEGEND,
        frameon=False,
        handlelength=2.2,
        columnspacing=1.2,
        **place_of_legend,
    )
    return figure


@in_one_sentence("scripts.figures.seams")
def main() -> None:
    """Read the table and the arrays and write the figure."""
    arguments = parser_of(__doc__).parse_args()

    def read() -> list[Any]:
        tables = read_tables(arguments.tables, {"seams": COLUMNS}, COMMAND)
        return [*tables, read_arrays(arguments.tables / "seams_pictures.npz", COMMAND)]

    write_figure("seams", arguments.output, read, draw)


if __name__ == "__main__":
    main()
