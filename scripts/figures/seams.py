"""Seams of tiled images, seen and measured: `python -m scripts.figures.seams`."""

import argparse
import sys
from pathlib import Path

import matplotlib.pyplot as plt
import numpy as np
import pandas as pd
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.ticker import LogLocator, NullFormatter

from scripts.figures.style import METHODS, PAGE_WIDTH, RC, in_order, place, save
from scripts.figures.tables import FIGURES, TABLES, read_arrays, read_table

__all__ = ["draw", "draw_distance", "draw_maps", "main"]

COMMAND = "python -m experiments.seams"
COLUMNS = ["method", "seed", "measure", "distance", "value"]

# Inches.
MARGIN, TITLE, GAP, ACROSS, BAR = 0.05, 0.2, 0.06, 4, 0.5
LINES_HEIGHT, LINES_LEFT, LINES_GAP, BELOW, BOTTOM, LEGEND = 1.9, 0.42, 0.42, 0.3, 0.38, 0.5
PANELS = {
    "to_whole": "Tile minus whole image (RMS)",
    "overlap": "Tile minus overlapping tile (RMS)",
    "error": "Tile minus truth (RMS)",
}


def draw_maps(figure: Figure, arrays: dict[str, np.ndarray], top: float) -> float:
    """Draw the truth and, for each method, where the tiled result differs from the whole one; return the height."""
    differences = {name.partition("/")[2]: array for name, array in arrays.items() if "/" in name}
    methods = in_order(differences)
    # Some pixels at corners are far out; the rest would be pale.
    limit = max(float(np.quantile(np.abs(differences[m].astype(np.float32)), 0.99)) for m in methods)
    side = (PAGE_WIDTH - 2 * MARGIN - BAR - (ACROSS - 1) * GAP) / ACROSS
    shown = None
    for number, name in enumerate(["clear", *methods]):
        row, column = divmod(number, ACROSS)
        ax = place(figure, MARGIN + column * (side + GAP), top + TITLE + row * (side + TITLE + GAP), side, side)
        if name == "clear":
            ax.imshow(arrays["clear"].astype(np.float32), cmap="gray", interpolation="nearest")
            ax.set_title("Truth", pad=2)
        else:
            picture = differences[name].astype(np.float32)
            shown = ax.imshow(picture, cmap="RdBu_r", vmin=-limit, vmax=limit, interpolation="nearest")
            ax.set_title(f"{METHODS[name].label}: RMS {np.sqrt((picture**2).mean()):.3f}", pad=2)
        ax.set_axis_off()
    height = (number // ACROSS + 1) * (side + TITLE + GAP)
    bar = place(figure, PAGE_WIDTH - BAR + 0.02, top + TITLE, 0.09, side)
    figure.colorbar(shown, cax=bar)
    bar.tick_params(pad=1, length=2)
    return height


def draw_distance(ax: Axes, table: pd.DataFrame) -> None:
    """Draw one measure by distance, a line for each method: the mean over seeds, and from least to largest a band."""
    by_seed = table.groupby(["method", "distance"])["value"].agg(["mean", "min", "max"])
    for method in reversed(in_order(table["method"])):
        values = by_seed.loc[method]
        ax.plot(values.index, values["mean"], **METHODS[method].line)
        ax.fill_between(values.index, values["min"], values["max"], color=METHODS[method].color, alpha=0.12, lw=0)
    ax.set_yscale("log")
    ax.yaxis.set_major_locator(LogLocator(subs=(1.0, 2.0, 5.0), numticks=10))
    ax.yaxis.set_major_formatter("{x:g}")
    ax.yaxis.set_minor_formatter(NullFormatter())
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
    side = (PAGE_WIDTH - 2 * MARGIN - BAR - (ACROSS - 1) * GAP) / ACROSS
    maps_height = -(-pictures // ACROSS) * (side + TITLE + GAP)
    height = LEGEND + maps_height + BELOW + LINES_HEIGHT + BOTTOM
    figure = plt.figure(figsize=(PAGE_WIDTH, height))
    draw_maps(figure, arrays, LEGEND)
    width = (PAGE_WIDTH - LINES_LEFT - MARGIN - (len(PANELS) - 1) * LINES_GAP) / len(PANELS)
    for number, (measure, title) in enumerate(PANELS.items()):
        left = LINES_LEFT + number * (width + LINES_GAP)
        ax = place(figure, left, LEGEND + maps_height + BELOW, width, LINES_HEIGHT)
        draw_distance(ax, table[table["measure"] == measure])
        ax.set_title(title, pad=3)
    handles = [plt.Line2D([], [], **METHODS[method].line) for method in in_order(table["method"])]
    place_of_legend = {"loc": "upper center", "bbox_to_anchor": (0.5, 1 - 0.02 / height)}
    figure.legend(handles=handles, ncols=7, frameon=False, handlelength=2.2, columnspacing=1.2, **place_of_legend)
    return figure


def main() -> None:
    """Read the table and the arrays and write the figure; what is wrong with them is told in one sentence."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--tables", type=Path, default=TABLES, help="folder to read (default: %(default)s)")
    parser.add_argument("--output", type=Path, default=FIGURES, help="folder to write (default: %(default)s)")
    arguments = parser.parse_args()
    plt.switch_backend("agg")
    try:
        table = read_table(arguments.tables / "seams.csv", COLUMNS, COMMAND)
        arrays = read_arrays(arguments.tables / "seams_pictures.npz", COMMAND)
        with plt.rc_context(RC):
            for path in save(draw(table, arrays), arguments.output, "seams"):
                print(path)
    except (FileNotFoundError, ValueError) as error:
        sys.exit(f"scripts.figures.seams: {error}")


if __name__ == "__main__":
    main()
