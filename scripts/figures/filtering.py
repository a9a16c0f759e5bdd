"""The paper's figure 2, with terrain: `python -m scripts.figures.filtering`."""

from typing import Any

import matplotlib.pyplot as plt
import numpy as np
import pandas as pd
from matplotlib.figure import Figure
from matplotlib.ticker import LogLocator, MaxNLocator, NullFormatter

from experiments.sentences import in_one_sentence
from scripts.figures.laplacian import HEIGHT as LAPLACIAN_HEIGHT
from scripts.figures.laplacian import draw_laplacian
from scripts.figures.program import parser_of, write_figure
from scripts.figures.style import METHODS, PAGE_WIDTH, in_order, place
from scripts.figures.tables import read_arrays, read_tables

__all__ = ["draw", "draw_errors", "draw_samples", "main"]

COMMAND = "python -m experiments.filtering"

# Title, what is counted along the axis, and colours; the terrain is the one field without a sign.
FIELDS = {
    "chebyshev": ("Chebyshev", "Order", "RdBu_r"),
    "spherical_harmonics": ("Spherical harmonics", "Order", "RdBu_r"),
    "navier_stokes": ("Navier–Stokes", "Snapshot", "RdBu_r"),
    "terrain": ("Terrain", "Patch", "cividis"),
}

# Inches. A row is a field: four samples, then a panel for each kernel size.
TOP, ROW, GAP = 0.62, 1.12, 0.48
THUMB, PANELS_LEFT, PANELS_RIGHT, PANEL_GAP = 0.55, 1.76, 0.05, 0.12


def draw_samples(figure: Figure, top: float, field: str, pictures: dict[str, np.ndarray]) -> None:
    """Draw up to four images of a field, each in colours of its own range."""
    prefix = f"field/{field}/"
    chosen = sorted((int(key.removeprefix(prefix)), key) for key in pictures if key.startswith(prefix))
    for index, (order, key) in enumerate(chosen[:4]):
        row, column = divmod(index, 2)
        step = THUMB + 0.02
        ax = place(figure, 0.05 + column * step, top + row * step, THUMB, THUMB)
        picture = pictures[key].astype(np.float32)
        low, high = np.percentile(picture, (1, 99))
        if FIELDS[field][2] == "RdBu_r":
            high = np.abs(picture).max()
            low = -high
        ax.imshow(picture, cmap=FIELDS[field][2], vmin=low, vmax=high, interpolation="bilinear")
        ax.set_axis_off()
        box = {"facecolor": "white", "edgecolor": "none", "alpha": 0.85, "pad": 0.8}
        ax.text(0.05, 0.94, str(order), transform=ax.transAxes, va="top", fontsize=7, bbox=box)


def draw_errors(figure: Figure, top: float, errors: pd.DataFrame, sizes: list[int], is_first: bool) -> None:
    """Draw the error of one field against its order: one panel for each kernel size, one line a method."""
    width = (PAGE_WIDTH - PANELS_LEFT - PANELS_RIGHT + PANEL_GAP) / len(sizes) - PANEL_GAP
    panels = []
    for index, size in enumerate(sizes):
        ax = place(figure, PANELS_LEFT + index * (width + PANEL_GAP), top, width, ROW)
        panels.append(ax)
        of_size = errors[errors["kernel_size"] == size]
        for method in reversed(in_order(of_size["method"])):
            line = of_size[of_size["method"] == method].sort_values("order")
            ax.plot(line["order"], line["l1_error"], **METHODS[method].line)
        ax.set_yscale("log")
        ax.xaxis.set_major_locator(MaxNLocator(nbins=6, integer=True))
        ax.set_xlabel(FIELDS[errors["field"].iloc[0]][1], labelpad=1.5)
        ax.tick_params(pad=2, length=2.5)
        ax.tick_params(which="minor", length=1.5)
        ax.grid(axis="y", linewidth=0.3, color="#DDDDDD")
        if is_first:
            ax.set_title(f"{size} × {size} kernels", pad=4)
    # One scale for a row, so that kernel sizes can be compared; ticks at every second power of ten fit.
    low, high = min(ax.get_ylim()[0] for ax in panels), max(ax.get_ylim()[1] for ax in panels)
    for ax in panels:
        ax.set_ylim(low, high)
        ax.yaxis.set_major_locator(LogLocator(numticks=6))
        ax.yaxis.set_minor_formatter(NullFormatter())
        if ax is not panels[0]:
            ax.tick_params(axis="y", which="both", labelleft=False)
    panels[0].set_ylabel("L1 error", labelpad=2)


def draw(errors: pd.DataFrame, laplacian: pd.DataFrame, pictures: dict[str, np.ndarray]) -> Figure:
    """Draw the whole figure from the tables, whatever fields, kernel sizes and methods they hold."""
    fields = [field for field in FIELDS if field in set(errors["field"])]
    sizes = sorted(set(errors["kernel_size"]))
    height = TOP + len(fields) * (ROW + GAP) + LAPLACIAN_HEIGHT
    figure = plt.figure(figsize=(PAGE_WIDTH, height))
    for index, field in enumerate(fields):
        top = TOP + index * (ROW + GAP)
        title = f"({'abcd'[index]}) {FIELDS[field][0]}"
        figure.text(0.05 / PAGE_WIDTH, 1 - (top - 0.05) / height, title, va="bottom", fontweight="bold")
        draw_samples(figure, top, field, pictures)
        draw_errors(figure, top, errors[errors["field"] == field], sizes, is_first=index == 0)
    methods = in_order(errors["method"])
    handles = [plt.Line2D([], [], **METHODS[method].line) for method in methods]
    figure.legend(
        handles=handles,
        loc="upper center",
        bbox_to_anchor=(0.5, 1 - 0.02 / height),
        ncols=9,
        frameon=False,
        handlelength=2.2,
        columnspacing=1.4,
        handletextpad=0.4,
    )
    draw_laplacian(figure, TOP + len(fields) * (ROW + GAP), "abcde"[len(fields)], laplacian, pictures)
    return figure


@in_one_sentence("scripts.figures.filtering")
def main() -> None:
    """Read the tables and write the figure."""
    arguments = parser_of(__doc__).parse_args()
    columns = ["field", "order", "kernel_size", "method", "l1_error"]
    tables = {"filtering": columns, "laplacian": columns[2:]}

    def read() -> list[Any]:
        pictures = read_arrays(arguments.tables / "filtering_pictures.npz", COMMAND)
        return [*read_tables(arguments.tables, tables, COMMAND), pictures]

    write_figure("filtering", arguments.output, read, draw)


if __name__ == "__main__":
    main()
