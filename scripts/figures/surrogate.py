"""Networks that step a flow on, by mode: `python -m scripts.figures.surrogate`."""

import matplotlib.pyplot as plt
import numpy as np
import pandas as pd
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.ticker import LogLocator, MaxNLocator, NullLocator

from experiments.sentences import in_one_sentence
from experiments.surrogate.rows import DOMAIN, PERSISTENCE, TABLES, WINDOW
from scripts.figures.program import parser_of, write_figure
from scripts.figures.style import METHODS, PAGE_WIDTH, in_order, legend_of_methods, place
from scripts.figures.tables import read_tables
from scripts.surrogate_comparisons import relative
from scripts.surrogate_tables import resolved
from scripts.sweeps import REFERENCE

__all__ = ["draw", "main"]

COMMAND = "make reproduce-surrogate"
# Drawn as they are: what the others are compared with, and its rival.
ABSOLUTE = (REFERENCE, "adaptive")
# Inches.
LEFT, RIGHT, GAP, BETWEEN, HEIGHT, TITLE, BOTTOM, ACROSS = 0.52, 0.06, 0.5, 0.56, 1.5, 0.2, 0.78, 3
COLUMNS_OF_LEGEND, LEGEND_ROW = 4, 0.17


def draw(rollouts: pd.DataFrame, flows: pd.DataFrame, spectra: pd.DataFrame) -> Figure:
    """Draw errors by step and by distance to the edge, stable times, and spectra by distance."""
    methods = in_order(set(rollouts["method"]) & METHODS.keys())
    legend = -(-len(methods) // COLUMNS_OF_LEGEND) * LEGEND_ROW + 0.1
    height = legend + 3 * (TITLE + HEIGHT) + 2 * (BETWEEN - TITLE) + BOTTOM
    width = (PAGE_WIDTH - LEFT - RIGHT - (ACROSS - 1) * GAP) / ACROSS
    figure = plt.figure(figsize=(PAGE_WIDTH, height))
    axes = [
        place(figure, LEFT + column * (width + GAP), legend + TITLE + row * (HEIGHT + BETWEEN), width, HEIGHT)
        for row in range(3)
        for column in range(ACROSS)
    ]
    own = rollouts[(rollouts["context"] == WINDOW) & (rollouts["method"] != PERSISTENCE)]
    _absolute(axes[0], rollouts[rollouts["region"] == "frame"])
    for ax, letter, region in ((axes[1], "b", "frame"), (axes[2], "c", "interior")):
        _relative(ax, own[own["region"] == region], "step", f"({letter}) Error in the {region}", "Step")
    shells = own[own["region"].str.startswith("shell_")]
    shells = shells.assign(distance=shells["region"].str.removeprefix("shell_").astype(int))
    for ax, letter, step in ((axes[3], "d", shells["step"].min()), (axes[4], "e", shells["step"].max())):
        title = f"({letter}) Error by distance, step {step}"
        _relative(ax, shells[shells["step"] == step], "distance", title, "Distance to the edge (px)")
    _times(axes[5], flows[flows["metric"] == "stable_time"], methods)
    lines = resolved(spectra[(spectra["context"] == WINDOW) & (spectra["step"] == spectra["step"].max())])
    for ax, letter, distance in zip(axes[6:], "ghi", sorted(set(lines["distance"]))[:ACROSS], strict=False):
        _spectrum(
            ax, lines[lines["distance"] == distance], f"({letter}) Lines at {distance} px, step {lines['step'].max()}"
        )
    axes[6].set_ylabel("Power / true power", labelpad=2)
    for ax in axes:
        ax.tick_params(pad=2, length=2.5)
        ax.grid(axis="y", linewidth=0.3, color="#DDDDDD")
    counts = own.groupby("method")["seed"].nunique()
    seeds = ", ".join(f"{METHODS[method].label} {counts[method]}" for method in methods)
    lines = "Lines: means over seeds; bands: from the least to the largest of them. % of Zero: same seeds."
    note = f"{lines}\nSeeds: {seeds}."
    figure.text(0.05 / PAGE_WIDTH, 0.05 / height, note, va="bottom", fontsize=7)
    legend_of_methods(figure, methods, COLUMNS_OF_LEGEND)
    return figure


def _absolute(ax: Axes, table: pd.DataFrame) -> None:
    """Draw root mean square errors in windows, and those of the same networks on the whole domain."""
    means = table.groupby(["method", "context", "step"])["value"].mean() ** 0.5
    for method in ABSOLUTE:
        if (method, WINDOW) in means.index:
            look = METHODS[method].line | {"marker": "", "label": "_"}
            ax.plot(means[method, WINDOW], **look)
            ax.plot(means[method, DOMAIN], **look | {"linestyle": (0, (1, 2))})
    if PERSISTENCE in means.index:
        ax.plot(means[PERSISTENCE, WINDOW], color="#AAAAAA", linewidth=2.5, zorder=0)
        ax.text(0.04, 0.96, "grey: no change\ndots: whole domain", transform=ax.transAxes, va="top", fontsize=6.5)
    ax.set_ylim(bottom=0)
    ax.set_title("(a) Error in the frame", pad=3, fontweight="bold")
    ax.set_xlabel("Step", labelpad=2)
    ax.set_ylabel("RMS (standard deviations)", labelpad=2)
    ax.xaxis.set_major_locator(MaxNLocator(5, integer=True))


def _relative(ax: Axes, table: pd.DataFrame, column: str, title: str, label: str) -> None:
    """Draw lines of the differences to zeros, with bands over seeds."""
    found = relative(table, column)
    ax.axhline(0, color=METHODS[REFERENCE].color, linewidth=1, zorder=1)
    for method in reversed(in_order(found["method"])):
        of_method = found[found["method"] == method].groupby(column)["value"]
        style = METHODS[method]
        mean, low, high = of_method.mean(), of_method.min(), of_method.max()
        ax.fill_between(mean.index, low, high, color=style.color, alpha=0.12, linewidth=0)
        ax.plot(mean, **style.line)
    ax.set_title(title, pad=3, fontweight="bold")
    ax.set_xlabel(label, labelpad=2)
    if title[1] in "bd":
        ax.set_ylabel("% of Zero", labelpad=1)
    ax.xaxis.set_major_locator(MaxNLocator(5, integer=True))


def _times(ax: Axes, times: pd.DataFrame, methods: list[str]) -> None:
    """Draw a point for each seed, filled in windows, a cross on the whole domain; a line at the control."""
    means = times.groupby(["method", "context", "seed"])["value"].mean()
    for row, method in enumerate(methods):
        style = METHODS[method]
        for context, marker in ((WINDOW, "o"), (DOMAIN, "x")):
            if (method, context) in means.index:
                values = means[method, context]
                ax.plot(values, np.full(len(values), row), marker, color=style.color, markersize=3, linestyle="")
    if PERSISTENCE in means.index:
        ax.axvline(means[PERSISTENCE].iloc[0], color="#AAAAAA", linewidth=2.5, zorder=0)
    ax.set_yticks(range(len(methods)), [METHODS[method].label.replace(" ", "\n") for method in methods], fontsize=6)
    ax.set_ylim(len(methods) - 0.5, -0.5)
    ax.set_title("(f) Stable time", pad=3, fontweight="bold")
    ax.set_xlabel("Steps (○ window, × whole domain)", labelpad=2)


def _spectrum(ax: Axes, lines: pd.DataFrame, title: str) -> None:
    """Draw the power of each wave number over the truth's, geometric means over seeds."""
    ax.axhline(1, color="#BBBBBB", linewidth=1, zorder=0)
    means = np.exp(lines.assign(value=np.log(lines["value"])).groupby(["method", "wave"])["value"].mean())
    for method in reversed(in_order(set(lines["method"]) & METHODS.keys())):
        ax.plot(means[method], **METHODS[method].line | {"marker": ""})
    ax.set_yscale("log")
    ax.yaxis.set_major_locator(LogLocator(subs=(1, 2, 5)))
    ax.yaxis.set_major_formatter("{x:g}")
    ax.yaxis.set_minor_locator(NullLocator())
    ax.set_title(title, pad=3, fontweight="bold")
    ax.set_xlabel("Waves per line", labelpad=2)


@in_one_sentence("scripts.figures.surrogate")
def main() -> None:
    """Read the tables and write the figure."""
    arguments = parser_of(__doc__).parse_args()
    write_figure("surrogate", arguments.output, lambda: read_tables(arguments.tables, TABLES, COMMAND), draw)


if __name__ == "__main__":
    main()
