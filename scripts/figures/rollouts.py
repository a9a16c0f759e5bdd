"""The study of long rollouts: `python -m scripts.figures.rollouts`."""

import matplotlib.pyplot as plt
import pandas as pd
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.ticker import LogLocator, NullFormatter, NullLocator

from experiments.sentences import in_one_sentence
from scripts.figures.program import parser_of, write_figure
from scripts.figures.style import DEGREES, METHODS, PAGE_WIDTH, STYLES, family, place
from scripts.figures.tables import read_tables

__all__ = ["draw", "draw_errors", "main"]

COMMAND = "python -m experiments.rollouts"
KEYS = ["problem", "kernel_size", "method"]

PROBLEMS = {"heat": "Heat", "advection_diffusion": "Advection-diffusion"}
# Errors beyond are drawn at the edge of a panel.
LOW, HIGH = 1e-8, 1e3

# Inches.
TOP, HEIGHT, GAP, LEFT, BETWEEN, RIGHT, BOTTOM = 0.78, 2.1, 0.98, 0.48, 0.12, 0.05, 0.4


def draw_errors(ax: Axes, errors: pd.DataFrame, blow_ups: pd.Series, methods: list[str]) -> None:
    """Draw the error against the step, one line a method; a cross where it has blown up."""
    for method in reversed(methods):
        line = errors[errors["method"] == method].sort_values("step")
        steps, values = line["step"].tolist(), line["error"].clip(LOW, HIGH).tolist()
        look = STYLES[method].line
        if method in blow_ups:
            steps, values = [*steps, blow_ups[method]], [*values, HIGH]
            ax.plot(steps[-1], HIGH, marker="x", markersize=5, color=look["color"], clip_on=False, zorder=5)
        ax.plot(steps, values, markevery=4, **look)
    ax.set_xscale("log")
    ax.set_yscale("log")
    ax.set_ylim(LOW, HIGH)
    ax.xaxis.set_major_locator(LogLocator(numticks=6))
    ax.xaxis.set_minor_locator(NullLocator())
    ax.yaxis.set_major_locator(LogLocator(numticks=7))
    ax.yaxis.set_minor_locator(NullLocator())
    ax.yaxis.set_minor_formatter(NullFormatter())
    ax.tick_params(pad=2, length=2.5)
    ax.grid(linewidth=0.3, color="#DDDDDD")
    ax.set_xlabel("Step", labelpad=2)
    ax.text(0.98, 0.03, "×: blown up", transform=ax.transAxes, ha="right", va="bottom", color="#666666", fontsize=7)


def draw(errors: pd.DataFrame, stability: pd.DataFrame) -> Figure:
    """Draw the whole figure from the tables: a column a problem and kernel size, modes above polynomials."""
    errors = errors[errors["region"] == "image"]
    blow_ups = stability[stability["quantity"] == "blow_up_step"].set_index(KEYS)["value"]
    columns = [
        (problem, size)
        for problem in PROBLEMS
        for size in sorted(set(errors.loc[errors["problem"] == problem, "kernel_size"]))
    ]
    width = (PAGE_WIDTH - LEFT - RIGHT + BETWEEN) / len(columns) - BETWEEN
    height = TOP + 2 * HEIGHT + GAP + BOTTOM
    figure = plt.figure(figsize=(PAGE_WIDTH, height))
    for row, (title, styles) in enumerate((("(a) Modes", METHODS), ("(b) Polynomials", DEGREES))):
        top = TOP + row * (HEIGHT + GAP)
        names = family(stability["method"], styles)
        for column, (problem, size) in enumerate(columns):
            ax = place(figure, LEFT + column * (width + BETWEEN), top, width, HEIGHT)
            chosen = errors[(errors["problem"] == problem) & (errors["kernel_size"] == size)]
            here = blow_ups[
                (blow_ups.index.get_level_values(0) == problem) & (blow_ups.index.get_level_values(1) == size)
            ].droplevel([0, 1])
            draw_errors(ax, chosen, here, names)
            ax.set_title(f"{PROBLEMS[problem]}, {size} × {size}", pad=6)
            if column == 0:
                ax.set_ylabel("Error / standard deviation", labelpad=2)
            else:
                ax.tick_params(axis="y", labelleft=False)
        handles = [plt.Line2D([], [], **STYLES[name].line) for name in names]
        lines = -(-len(handles) // 7)
        y = top - 0.26
        figure.text(0.05 / PAGE_WIDTH, 1 - (y - 0.145 * lines - 0.05) / height, title, va="bottom", fontweight="bold")
        figure.legend(
            handles=handles,
            loc="lower center",
            bbox_to_anchor=(0.5, 1 - y / height),
            ncols=7,
            frameon=False,
            handlelength=2.0,
            columnspacing=1.2,
            handletextpad=0.4,
            borderaxespad=0,
            borderpad=0,
            labelspacing=0.25,
        )
    return figure


@in_one_sentence("scripts.figures.rollouts")
def main() -> None:
    """Read the tables and write the figure."""
    arguments = parser_of(__doc__).parse_args()
    tables = {
        "rollouts": [*KEYS, "region", "step", "error"],
        "rollouts_stability": [*KEYS, "quantity", "value"],
    }
    write_figure("rollouts", arguments.output, lambda: read_tables(arguments.tables, tables, COMMAND), draw)


if __name__ == "__main__":
    main()
