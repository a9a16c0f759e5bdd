"""The study of adaptive boundaries: `python -m scripts.figures.adaptive`."""

import matplotlib.pyplot as plt
import numpy as np
import pandas as pd
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.ticker import LogLocator, NullFormatter, NullLocator

from experiments.adaptive.summary import best_degree, ratios, summary
from experiments.sentences import in_one_sentence
from scripts.figures.beyond import mark_beyond, power_of_ten, write_beyond
from scripts.figures.program import parser_of, write_figure
from scripts.figures.style import METHODS, PAGE_WIDTH, in_order, place
from scripts.figures.tables import read_tables

__all__ = ["draw", "draw_ablation", "draw_fields", "draw_sizes", "main"]

COMMAND = "python -m experiments.adaptive"

# Methods shown field by field; all of them would hide each other.
SHOWN = ("diff", "replicate", "linear_prediction", "adaptive")
# Ratios beyond are marked at the rim with their number.
LOW, HIGH = 1e-3, 1e3

# Inches.
TOP, ROW, LEFT, FIELDS_WIDTH, RIGHT_LEFT, MARGIN = 0.62, 0.142, 2.03, 1.48, 4.83, 0.05
# For numbers beyond the rim of the variants.
BEYOND = 0.3
SIZES_HEIGHT, BELOW, BOTTOM = 2.3, 0.72, 0.42


def draw_fields(ax: Axes, table: pd.DataFrame, fields: list[str]) -> None:
    """Draw the ratios of each field: a row of markers, the geometric mean over kernel sizes."""
    shown = [method for method in SHOWN if method in table]
    means = np.exp(np.log(table[shown]).groupby(level="field", sort=False).mean())
    places = {field: row for row, field in enumerate(fields)}
    for method in shown:
        style = METHODS[method].line | {"linestyle": "", "markersize": 4}
        within = means[method][means[method].between(LOW, HIGH)]
        ax.plot(within, [places[field] for field in within.index], **style)
    below = 0.0
    for field, row in means.iterrows():
        mark_beyond(ax, places[field], dict(row[row > HIGH]), power_of_ten)
        below = max(below, mark_beyond(ax, places[field], dict(row[row < LOW]), power_of_ten, below=True))
    ax.axvline(1, color="#888888", linewidth=0.6, zorder=0)
    ax.set_xscale("log")
    ax.set_xlim(LOW / 1.5, HIGH * 1.5)
    ax.set_ylim(len(fields) - 0.4, -0.6)
    ax.set_yticks(range(len(fields)), [field.replace("_", " ") for field in fields])
    ax.tick_params(pad=2, length=2)
    ax.tick_params(axis="y", length=0, pad=2 + below)
    ax.grid(axis="y", linewidth=0.3, color="#DDDDDD")
    # Lead the eye from the names to the rim.
    lines = {"transform": ax.get_yaxis_transform(), "clip_on": False, "zorder": 0}
    ax.hlines(range(len(fields)), -below / 72 / FIELDS_WIDTH, 0, linewidth=0.3, color="#DDDDDD", **lines)
    ax.set_axisbelow(True)
    ax.xaxis.set_minor_locator(NullLocator())
    ax.set_xlabel("Error / error of the best degree", labelpad=2)


def draw_sizes(ax: Axes, table: pd.DataFrame) -> None:
    """Draw the geometric mean over fields and kernel sizes against the size of the image, one line a method."""
    means = summary(table)["mean"].unstack()
    for method in reversed(in_order(means)):
        ax.plot(means.index, means[method], **METHODS[method].line)
    ax.axhline(1, color="#888888", linewidth=0.6, zorder=0)
    ax.set_xscale("log", base=2)
    ax.set_yscale("log")
    ax.set_xticks(means.index, [str(size) for size in means.index])
    ax.xaxis.set_minor_locator(NullLocator())
    ax.yaxis.set_major_locator(LogLocator(numticks=8))
    ax.yaxis.set_minor_formatter(NullFormatter())
    ax.tick_params(pad=2, length=2.5)
    ax.tick_params(which="minor", length=1.5)
    ax.grid(axis="y", linewidth=0.3, color="#DDDDDD")
    ax.set_xlabel("Size of the image (px)", labelpad=2)
    ax.set_ylabel("Error / error of the best degree", labelpad=2)


def draw_ablation(ax: Axes, table: pd.DataFrame) -> None:
    """Draw, for each variant of adaptive, the geometric mean and the largest of the ratios."""
    numbers = pd.DataFrame({"mean": np.exp(np.log(table).mean()), "largest": table.max()})
    color, rim = METHODS["adaptive"].color, 1.5 * max(HIGH, numbers["mean"].max())
    for row, (mean, largest) in enumerate(numbers.to_numpy()):
        ax.plot([mean, min(largest, rim)], [row, row], color=color, linewidth=0.6)
        ax.plot(mean, row, marker="P", markersize=4, color=color)
        if largest <= HIGH:
            ax.plot(largest, row, marker="|", markersize=4, color=color)
        else:
            write_beyond(ax, row, power_of_ten(largest), color)
    ax.axvline(1, color="#888888", linewidth=0.6, zorder=0)
    ax.set_xscale("log")
    ax.set_xlim(min(0.04, numbers["mean"].min() / 1.5), rim)
    ax.set_ylim(len(numbers) - 0.4, -0.6)
    ax.set_yticks(range(len(numbers)), numbers.index)
    ax.tick_params(pad=2, length=2)
    ax.tick_params(axis="y", length=0)
    ax.xaxis.set_minor_locator(NullLocator())
    ax.grid(axis="y", linewidth=0.3, color="#DDDDDD")
    ax.set_axisbelow(True)
    ax.set_xlabel("Error / error of the best degree", labelpad=2)


def draw(modes: pd.DataFrame, variants: pd.DataFrame, size: int = 128) -> Figure:
    """Draw the whole figure from the tables; fields and variants are shown at one size, the largest up to `size`."""
    sizes = [s for s in sorted(set(variants["size"])) if s <= size] or sorted(set(variants["size"]))
    table, best = ratios(modes), best_degree(modes)
    ablation = ratios(variants, best).xs(sizes[-1], level="size")
    at_size = table.xs(sizes[-1], level="size")
    fields = list(dict.fromkeys(at_size.index.get_level_values("field")))
    ablation_height = max(len(ablation.columns) * ROW, 0.5)
    height = TOP + max(len(fields) * ROW, SIZES_HEIGHT + BELOW + ablation_height) + BOTTOM
    figure = plt.figure(figsize=(PAGE_WIDTH, height))
    right = PAGE_WIDTH - RIGHT_LEFT - MARGIN
    draw_fields(place(figure, LEFT, TOP, FIELDS_WIDTH, height - TOP - BOTTOM), at_size, fields)
    draw_sizes(place(figure, RIGHT_LEFT, TOP, right, SIZES_HEIGHT), table)
    top = TOP + SIZES_HEIGHT + BELOW
    left = RIGHT_LEFT + 0.62
    draw_ablation(place(figure, left, top, PAGE_WIDTH - left - BEYOND - MARGIN, ablation_height), ablation)
    for x, y, title in (
        (0.05, TOP, f"(a) Fields of {sizes[-1]} px; numbers: beyond the axis"),
        (RIGHT_LEFT - 0.45, TOP, "(b) Mean over fields"),
        (RIGHT_LEFT - 0.45, top, f"(c) Variants, {sizes[-1]} px: mean, largest"),
    ):
        figure.text(x / PAGE_WIDTH, 1 - (y - 0.06) / height, title, va="bottom", fontweight="bold")
    handles = [plt.Line2D([], [], **METHODS[method].line) for method in in_order(table)]
    place_of_legend = {"loc": "upper center", "bbox_to_anchor": (0.5, 1 - 0.02 / height)}
    figure.legend(handles=handles, ncols=6, frameon=False, handlelength=2.2, columnspacing=1.4, **place_of_legend)
    return figure


@in_one_sentence("scripts.figures.adaptive")
def main() -> None:
    """Read the tables and write the figure."""
    arguments = parser_of(__doc__).parse_args()
    columns = ["field", "size", "kernel_size", "method", "l1_error"]
    tables = {"adaptive": columns, "adaptive_ablation": columns}
    write_figure("adaptive", arguments.output, lambda: read_tables(arguments.tables, tables, COMMAND), draw)


if __name__ == "__main__":
    main()
