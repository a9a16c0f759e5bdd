"""What each mode costs in training, as the paper asks: `python -m scripts.figures.walltime`."""

from itertools import cycle

import matplotlib.pyplot as plt
import numpy as np
import pandas as pd
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from experiments.sentences import in_one_sentence
from scripts.figures.benchmark import ratio_axes
from scripts.figures.program import parser_of, write_figure
from scripts.figures.style import METHODS, PAGE_WIDTH, family, place
from scripts.figures.tables import read_tables

__all__ = ["draw", "main"]

COLUMNS = ["group", "case", "method", "ratio", "ratio_low", "ratio_high", "peak_bytes", "device", "threads"]
COMMAND = "make reproduce-walltime"
TICKS = (0.5, 0.7, 1, 1.5, 2, 3, 5, 10, 20, 50, 100)
FINE_TICKS = (0.8, 0.9, 1, 1.1, 1.2, 1.3, 1.4, 1.5)

# Inches.
LEFT, TOP, ROW, GAP, RIGHT, BOTTOM = 0.75, 0.25, 0.17, 0.15, 0.1, 0.75
# The marker of each layer, in the order of the table.
MARKERS = "osv^D*"


def draw_layers(ax: Axes, table: pd.DataFrame, methods: list[str]) -> None:
    """Draw each layer's ratio as a small marker, their geometric mean as a bar."""
    for marker, (case, rows) in zip(cycle(MARKERS), table.groupby("case", sort=False), strict=False):
        places = [methods.index(method) for method in rows["method"]]
        style = {"marker": marker, "markersize": 3.2, "markerfacecolor": "none", "markeredgewidth": 0.6}
        ax.plot(rows["ratio"], places, linestyle="", color="#555555", label=case, **style)
    means = table.groupby("method")["ratio"].apply(lambda ratios: float(np.exp(np.log(ratios).mean())))
    for method, mean in means.items():
        ax.plot([mean] * 2, methods.index(method) + np.array([-0.4, 0.4]), color=METHODS[method].color, linewidth=1.6)


def draw_network(ax: Axes, table: pd.DataFrame, methods: list[str]) -> None:
    """Draw the median ratio of the network's step with its quartiles, and the ratio of the peaks of memory."""
    peak = table.set_index("method")["peak_bytes"]
    for row in table.itertuples():
        place_of_row, color = methods.index(row.method), METHODS[row.method].color
        ax.plot([row.ratio_low, row.ratio_high], [place_of_row] * 2, color=color, linewidth=0.8)
        ax.plot(row.ratio, place_of_row, color=color, marker="o", markersize=3.5, linestyle="")
        style = {"marker": "|", "markersize": 7, "markeredgewidth": 1.0, "linestyle": ""}
        ax.plot(row.peak_bytes / peak["zeros"], place_of_row, color="#999999", zorder=1, **style)
    ax.plot([], [], color="#555555", marker="o", markersize=3.5, linewidth=0.8, label="time (bar: quartiles)")
    ax.plot([], [], color="#999999", marker="|", markersize=7, linestyle="", label="peak of memory")


def draw(table: pd.DataFrame) -> Figure:
    """Draw the figure.

    Raises:
        ValueError: layers or the network are not in the table.
    """
    parts = {group: table[(table["group"] == group) & table["method"].isin(METHODS)] for group in ("cnn", "walltime")}
    if missing := [group for group, rows in parts.items() if rows.empty]:
        raise ValueError(f"the table has no cases of the group {missing[0]!r}; `{COMMAND}` makes it")
    layers, network = parts.values()
    methods = family(table["method"], METHODS)
    height = TOP + ROW * len(methods) + BOTTOM
    width = (PAGE_WIDTH - LEFT - GAP - RIGHT) / 2
    figure = plt.figure(figsize=(PAGE_WIDTH, height))
    panels = [place(figure, LEFT + n * (width + GAP), TOP, width, ROW * len(methods)) for n in range(2)]
    draw_layers(panels[0], layers, methods)
    draw_network(panels[1], network, methods)
    for ax, title in zip(panels, ("(a) Single layers", f"(b) {network['case'].iloc[0]}"), strict=True):
        ticks = FINE_TICKS if ax.get_xlim()[1] < FINE_TICKS[-1] else TICKS
        names = [METHODS[method].label if ax is panels[0] else "" for method in methods]
        ratio_axes(ax, names, ticks, "Training step / step with zero padding")
        ax.set_title(title, loc="left", fontweight="bold", pad=3)
        below = {"loc": "upper center", "bbox_to_anchor": (0.5, -0.3 / (ROW * len(methods)))}
        ax.legend(
            ncols=3 if ax is panels[0] else 2,
            frameon=False,
            fontsize=6.5,
            handletextpad=0.3,
            columnspacing=0.8,
            **below,
        )
    first = table.iloc[0]
    note = f"{first['device']}, {first['threads']} threads. Medians of ratios; thick bars in (a): geometric means."
    figure.text(1 - RIGHT / PAGE_WIDTH, 0.01, note, ha="right", va="bottom", fontsize=6, color="#555555")
    return figure


@in_one_sentence("scripts.figures.walltime")
def main() -> None:
    """Read the table, write the figure."""
    arguments = parser_of("The figure of wall time, from its table.").parse_args()
    write_figure(
        "walltime", arguments.output, lambda: read_tables(arguments.tables, {"walltime": COLUMNS}, COMMAND), draw
    )


if __name__ == "__main__":
    main()
