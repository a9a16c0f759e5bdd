"""What conversion does to trained networks, and fine-tuning after it: `python -m scripts.figures.finetuning`."""

import matplotlib.pyplot as plt
import pandas as pd
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.ticker import LogLocator, NullFormatter

from experiments.finetuning.summary import MOST_FREQUENT
from experiments.sentences import in_one_sentence
from scripts.figures.program import parser_of, write_figure
from scripts.figures.style import METHODS, PAGE_WIDTH, in_order, place
from scripts.figures.tables import read_tables

__all__ = ["draw", "draw_steps", "main"]

COMMAND = "python -m experiments.finetuning"
COLUMNS = ["method", "seed", "steps", "metric", "region", "value"]

# What the networks were trained with.
TRAINED = "zeros"
# Metric, region, axis.
PANELS = {
    "Classification": ("accuracy", "whole", "Accuracy"),
    "Super-resolution": ("mse", "frame", "MSE in the frame of 8 px"),
}
REFERENCE = {"color": "#444444", "linewidth": 0.8, "linestyle": "--", "zorder": 0}
CHANCE = {**REFERENCE, "linestyle": ":"}

# Inches.
LEFT, GAP, RIGHT, HEIGHT, TITLE, BOTTOM, LEGEND_ROW = 0.5, 0.6, 0.08, 2.2, 0.24, 0.4, 0.17
COLUMNS_OF_LEGEND = 5


def draw_steps(ax: Axes, table: pd.DataFrame, log: bool) -> None:
    """Draw one value by steps, a line for each method: the mean over seeds, and from least to largest a band."""
    methods = in_order(set(table["method"]) - {MOST_FREQUENT})
    by_seed = table.groupby(["method", "steps"])["value"].agg(["mean", "min", "max"])
    steps = sorted(set(table["steps"]))
    # Equally far apart: most happens in the first steps.
    position = {step: number for number, step in enumerate(steps)}
    for method in reversed(methods):
        values, style = by_seed.loc[method], METHODS[method]
        x = [position[step] for step in values.index]
        ax.plot(x, values["mean"], **style.line)
        ax.fill_between(x, values["min"], values["max"], color=style.color, alpha=0.12, lw=0)
    ax.axhline(by_seed.loc[(TRAINED, 0), "mean"], **REFERENCE)
    if MOST_FREQUENT in by_seed.index:
        ax.axhline(by_seed.loc[(MOST_FREQUENT, 0), "mean"], **CHANCE)
    if log:
        ax.set_yscale("log")
        ax.yaxis.set_major_locator(LogLocator(subs=(1.0, 1.5, 2.0, 3.0, 5.0), numticks=10))
        ax.yaxis.set_major_formatter("{x:g}")
        ax.yaxis.set_minor_formatter(NullFormatter())
    ax.set_xticks(range(len(steps)), [str(step) for step in steps])
    ax.tick_params(pad=2, length=2.5)
    ax.tick_params(which="minor", length=0)
    ax.grid(axis="y", linewidth=0.3, color="#DDDDDD")
    ax.set_xlabel("Steps of fine-tuning after the conversion", labelpad=2)


def draw(table: pd.DataFrame) -> Figure:
    """Draw a panel for each task that the table has.

    Raises:
        ValueError: it has none, or lacks the network as it was trained.
    """
    parts = {}
    for title, (metric, region, label) in PANELS.items():
        part = table[(table["metric"] == metric) & (table["region"] == region)]
        if not part.empty:
            if part[(part["method"] == TRAINED) & (part["steps"] == 0)].empty:
                raise ValueError(f"the table has no {metric} of {TRAINED} after 0 steps; `{COMMAND}` makes it again")
            parts[title] = part, metric == "mse", label
    if not parts:
        raise ValueError(f"the table has neither accuracy nor error of the frame; `{COMMAND}` makes it again")
    methods = in_order(set(table["method"]) - {MOST_FREQUENT})
    handles = [plt.Line2D([], [], **METHODS[method].line) for method in methods]
    handles.append(plt.Line2D([], [], label="As trained", **REFERENCE))
    if MOST_FREQUENT in set(table["method"]):
        handles.append(plt.Line2D([], [], label="Most frequent class", **CHANCE))
    top = -(-len(handles) // COLUMNS_OF_LEGEND) * LEGEND_ROW + 0.06 + TITLE
    height = top + HEIGHT + BOTTOM
    figure = plt.figure(figsize=(PAGE_WIDTH, height))
    width = (PAGE_WIDTH - LEFT - RIGHT - (len(PANELS) - 1) * GAP) / len(PANELS)
    for number, (title, (part, log, label)) in enumerate(parts.items()):
        ax = place(figure, LEFT + number * (width + GAP), top, width, HEIGHT)
        draw_steps(ax, part, log)
        ax.set_title(f"({'ab'[number]}) {title}", pad=3, fontweight="bold")
        ax.set_ylabel(label, labelpad=2)
    figure.legend(
        handles=handles,
        ncols=COLUMNS_OF_LEGEND,
        frameon=False,
        handlelength=2.2,
        columnspacing=1.2,
        loc="upper center",
        bbox_to_anchor=(0.5, 1 - 0.02 / height),
    )
    return figure


@in_one_sentence("scripts.figures.finetuning")
def main() -> None:
    """Read the table and write the figure."""
    arguments = parser_of(__doc__).parse_args()
    needed = {"finetuning": COLUMNS}
    write_figure("finetuning", arguments.output, lambda: read_tables(arguments.tables, needed, COMMAND), draw)


if __name__ == "__main__":
    main()
