"""The study of convergence at the edge: `python -m scripts.figures.convergence`."""

import matplotlib.pyplot as plt
import numpy as np
import pandas as pd
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.ticker import LogLocator, NullFormatter, NullLocator

from experiments.sentences import in_one_sentence
from scripts.figures.program import parser_of, write_figure
from scripts.figures.style import DEGREES, METHODS, PAGE_WIDTH, STYLES, family, place
from scripts.figures.tables import read_tables

__all__ = ["draw", "draw_errors", "draw_slopes", "main"]

COMMAND = "python -m experiments.convergence"

# Title, and how many orders a division by the spacing takes.
OPERATORS = {"smoothing": ("Smoothing", 0), "gradient": ("First derivatives", 1), "laplacian": ("Laplacian", 2)}
SIZES = {3: "o", 5: "s", 7: "^"}

# Inches.
TOP, HEIGHT, GAP, LEFT, BETWEEN, RIGHT, BOTTOM = 0.58, 1.6, 1.06, 0.52, 0.42, 0.05, 0.42
WIDTH = (PAGE_WIDTH - LEFT - RIGHT - 2 * BETWEEN) / 3


def draw_errors(ax: Axes, errors: pd.DataFrame, methods: list[str]) -> None:
    """Draw the error at the edges against the samples along an axis, one line a method."""
    for method in reversed(methods):
        line = errors[errors["method"] == method].sort_values("samples")
        ax.plot(line["samples"], line["l1_error"], **STYLES[method].line)
    floor = errors.groupby("samples")["rounding"].min()
    ax.fill_between(floor.index, floor, 1e-20, color="#EEEEEE", linewidth=0, zorder=0)
    ax.text(0.98, 0.02, "rounding", transform=ax.transAxes, ha="right", va="bottom", color="#666666", fontsize=7)
    samples = sorted(set(errors["samples"]))
    ax.set_xscale("log", base=2)
    ax.set_yscale("log")
    ax.set_ylim(max(errors["rounding"].min() / 3, 1e-18), errors["l1_error"].max() * 3)
    ax.set_xticks(samples, [str(count) for count in samples])
    ax.xaxis.set_minor_locator(NullLocator())
    ax.yaxis.set_major_locator(LogLocator(numticks=7))
    ax.yaxis.set_minor_formatter(NullFormatter())
    ax.yaxis.set_minor_locator(NullLocator())
    ax.tick_params(pad=2, length=2.5)
    ax.grid(axis="y", linewidth=0.3, color="#DDDDDD")
    ax.set_xlabel("Samples along an axis", labelpad=2)


def draw_slopes(ax: Axes, slopes: pd.DataFrame, order: int) -> None:
    """Draw the fitted slopes of the polynomials against their degree, and the line d + 1 - m."""
    degrees = [int(name.removeprefix("degree_")) for name in family(slopes["method"], DEGREES)]
    ends = np.array([min(degrees, default=0), max(degrees, default=1)])
    ax.plot(ends, ends + 1 - order, color="#888888", linewidth=0.8, zorder=0)
    label = {0: "d + 1", 1: "d", 2: "d − 1"}[order]
    ax.text(0.04, 0.95, f"line: {label}", transform=ax.transAxes, va="top", color="#666666", fontsize=7)
    sizes = sorted(set(slopes["kernel_size"]))
    for (size, part), group in slopes[slopes["method"].isin(DEGREES)].groupby(["kernel_size", "part"], sort=False):
        degree = group["method"].str.removeprefix("degree_").astype(int)
        # Side by side: they would hide each other.
        shift = 0.16 * (sizes.index(size) - (len(sizes) - 1) / 2) + (0.05 if part == "corners" else -0.05)
        look = {"marker": SIZES[size], "linestyle": "", "markersize": 3.4, "markeredgewidth": 0.7, "color": "#0072B2"}
        if part == "corners":
            look |= {"color": "#D55E00", "markerfacecolor": "white"}
        ax.plot(degree + shift, group["slope"], **look)
    ax.set_xticks(range(ends[0], ends[1] + 1))
    ax.set_yticks(range(ends[0] + 1 - order, ends[1] + 2 - order))
    ax.tick_params(pad=2, length=2.5)
    ax.grid(linewidth=0.3, color="#DDDDDD")
    ax.set_axisbelow(True)
    ax.set_xlabel("Degree d", labelpad=2)


def draw(errors: pd.DataFrame, slopes: pd.DataFrame, size: int = 3) -> Figure:
    """Draw the whole figure from the tables; errors are shown for one kernel size."""
    sizes = sorted(set(errors["kernel_size"]))
    size = size if size in sizes else sizes[0]
    edges = errors[(errors["kernel_size"] == size) & (errors["part"] == "edges")]
    height = TOP + 3 * HEIGHT + 2 * GAP + BOTTOM
    figure = plt.figure(figsize=(PAGE_WIDTH, height))
    rows = (
        (f"(a) Polynomials, {size} × {size} kernels", "Error at the edges", DEGREES),
        (f"(b) Modes, {size} × {size} kernels", "Error at the edges", METHODS),
    )
    operators = [name for name in OPERATORS if name in set(errors["operator"])]
    for row, (title, label, styles) in enumerate(rows):
        top = TOP + row * (HEIGHT + GAP)
        names = family(edges["method"], styles)
        for column, operator in enumerate(operators):
            ax = place(figure, LEFT + column * (WIDTH + BETWEEN), top, WIDTH, HEIGHT)
            of_operator = edges[(edges["operator"] == operator) & edges["method"].isin(names)]
            if not of_operator.empty:
                draw_errors(ax, of_operator, names)
            ax.set_title(OPERATORS[operator][0], pad=3)
            if column == 0:
                ax.set_ylabel(label, labelpad=2)
        _head(figure, top, title, [plt.Line2D([], [], **STYLES[name].line) for name in names])
    top = TOP + 2 * (HEIGHT + GAP)
    for column, operator in enumerate(operators):
        ax = place(figure, LEFT + column * (WIDTH + BETWEEN), top, WIDTH, HEIGHT)
        chosen = slopes[(slopes["operator"] == operator) & (slopes["reference"] == "kernel")]
        draw_slopes(ax, chosen, OPERATORS[operator][1])
        ax.set_title(OPERATORS[operator][0], pad=3)
        if column == 0:
            ax.set_ylabel("Order of convergence", labelpad=2)
    handles = [
        plt.Line2D([], [], linestyle="", marker=SIZES[k], color="#666666", markersize=4, label=f"{k} × {k}")
        for k in sizes
    ]
    handles += [
        plt.Line2D([], [], linestyle="", marker="o", color="#0072B2", markersize=4, label="edges"),
        plt.Line2D([], [], linestyle="", marker="o", color="#D55E00", markerfacecolor="white", label="corners"),
    ]
    _head(figure, top, "(c) Slopes", handles)
    return figure


def _head(figure: Figure, top: float, title: str, handles: list[plt.Line2D]) -> None:
    """Write a row's title and legend above it."""
    width, height = figure.get_size_inches()
    columns = min(len(handles), 7)
    lines = -(-len(handles) // columns)
    y = top - 0.2
    figure.text(0.05 / width, 1 - (y - 0.145 * lines - 0.05) / height, title, va="bottom", fontweight="bold")
    figure.legend(
        handles=handles,
        loc="lower center",
        bbox_to_anchor=(0.5, 1 - y / height),
        ncols=columns,
        frameon=False,
        handlelength=2.0,
        columnspacing=1.2,
        handletextpad=0.4,
        borderaxespad=0,
        borderpad=0,
        labelspacing=0.25,
    )


@in_one_sentence("scripts.figures.convergence")
def main() -> None:
    """Read the tables and write the figure."""
    arguments = parser_of(__doc__).parse_args()
    columns = ["operator", "kernel_size", "method", "part"]
    tables = {
        "convergence": [*columns, "samples", "l1_error", "rounding"],
        "convergence_slopes": [*columns, "reference", "slope"],
    }
    write_figure("convergence", arguments.output, lambda: read_tables(arguments.tables, tables, COMMAND), draw)


if __name__ == "__main__":
    main()
