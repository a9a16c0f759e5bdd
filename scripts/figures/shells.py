"""The study of shells, the error by distance to the edge: `python -m scripts.figures.shells`."""

import matplotlib.pyplot as plt
import numpy as np
import pandas as pd
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.ticker import LogLocator, NullFormatter, NullLocator

from experiments.sentences import in_one_sentence
from scripts.figures.program import parser_of, write_figure
from scripts.figures.style import METHODS, PAGE_WIDTH, family, place
from scripts.figures.tables import read_tables

__all__ = ["draw", "draw_shells", "main"]

COMMAND = "python -m experiments.shells"
COLUMNS = ["field", "kernel_size", "method", "part", "shell", "l1_error"]

FIELDS = {
    "chebyshev": "Chebyshev",
    "spherical_harmonics": "Spherical harmonics",
    "navier_stokes": "Navier–Stokes",
    "terrain": "Terrain",
}
PARTS = {"edges": "Error along edges", "corners": "Error in corners"}

# Inches.
TOP, HEIGHT, GAP, LEFT, BETWEEN, RIGHT, BOTTOM = 0.78, 1.7, 0.22, 0.5, 0.36, 0.05, 0.4


def draw_shells(ax: Axes, means: pd.DataFrame) -> None:
    """Draw the errors against the distance to the edge, one line a method; a column a shell."""
    for method in reversed(family(means.index, METHODS)):
        ax.plot(means.columns, means.loc[method], **METHODS[method].line)
    ax.set_yscale("log")
    ax.set_xticks(means.columns)
    ax.set_xlim(means.columns.min() - 0.25, means.columns.max() + 0.25)
    ax.xaxis.set_minor_locator(NullLocator())
    ax.yaxis.set_major_locator(LogLocator(numticks=7))
    ax.yaxis.set_minor_formatter(NullFormatter())
    ax.yaxis.set_minor_locator(NullLocator())
    ax.tick_params(pad=2, length=2.5)
    ax.grid(axis="y", linewidth=0.3, color="#DDDDDD")


def draw(errors: pd.DataFrame) -> Figure:
    """Draw the whole figure from the table: the largest kernels, which have the most shells."""
    size = errors["kernel_size"].max()
    chosen = errors[errors["kernel_size"] == size].assign(log=lambda table: np.log(table["l1_error"].clip(1e-300)))
    fields = [name for name in FIELDS if name in set(errors["field"])]
    width = (PAGE_WIDTH - LEFT - RIGHT + BETWEEN) / len(fields) - BETWEEN
    height = TOP + 2 * HEIGHT + GAP + BOTTOM
    figure = plt.figure(figsize=(PAGE_WIDTH, height))
    for column, field in enumerate(fields):
        panels = []
        for row, (part, label) in enumerate(PARTS.items()):
            ax = place(figure, LEFT + column * (width + BETWEEN), TOP + row * (HEIGHT + GAP), width, HEIGHT)
            of_part = chosen[(chosen["field"] == field) & (chosen["part"] == part)]
            # Errors of one method differ by powers of ten between orders: the geometric mean.
            draw_shells(ax, np.exp(of_part.pivot_table("log", "method", "shell")))
            panels.append(ax)
            if column == 0:
                ax.set_ylabel(label, labelpad=2)
            if row == 0:
                ax.set_title(FIELDS[field], pad=3)
                ax.tick_params(axis="x", labelbottom=False)
            else:
                ax.set_xlabel("Distance to the edge (px)", labelpad=2)
        # One scale for edges and corners.
        low, high = min(ax.get_ylim()[0] for ax in panels), max(ax.get_ylim()[1] for ax in panels)
        for ax in panels:
            ax.set_ylim(low, high)
    figure.text(0.05 / PAGE_WIDTH, 1 - 0.16 / height, f"{size} × {size} kernels", fontweight="bold")
    handles = [plt.Line2D([], [], **METHODS[method].line) for method in family(chosen["method"], METHODS)]
    figure.legend(
        handles=handles,
        loc="upper center",
        bbox_to_anchor=(0.5, 1 - 0.2 / height),
        ncols=min(len(handles), 6),
        frameon=False,
        handlelength=2.2,
        columnspacing=1.4,
        handletextpad=0.4,
        borderpad=0,
        labelspacing=0.25,
    )
    return figure


@in_one_sentence("scripts.figures.shells")
def main() -> None:
    """Read the table and write the figure."""
    arguments = parser_of(__doc__).parse_args()
    tables = {"shells": COLUMNS}
    write_figure("shells", arguments.output, lambda: read_tables(arguments.tables, tables, COMMAND), draw)


if __name__ == "__main__":
    main()
