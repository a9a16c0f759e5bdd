"""Error and seam of tiled images against what they cost: `python -m scripts.figures.frontier`."""

import matplotlib.pyplot as plt
import pandas as pd
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.ticker import FixedLocator, LogLocator, NullFormatter, NullLocator

from experiments.sentences import in_one_sentence
from experiments.training.finished_runs import HALO
from scripts.figures.program import parser_of, write_figure
from scripts.figures.style import METHODS, PAGE_WIDTH, in_order, legend_of_methods, place
from scripts.figures.tables import read_tables
from scripts.frontier_points import LEAST_SEAM, best, points
from scripts.sweeps import REFERENCE

__all__ = ["COLUMNS", "NORMS", "TASKS", "draw", "main"]

COMMAND = "make reproduce-frontier"
COLUMNS = {
    "frontier": ["data", "model", "method", "seed", "tile", "halo", "metric", "region", "value"],
    "frontier_cost": ["data", "model", "method", "halo", "multiply_adds", "ratio"],
}
NORMS = {"unet": "BatchNorm", "unet_group_norm": "GroupNorm", "unet_no_norm": "no normalisation"}
# By data set: the task, and how its error is called.
TASKS = {"globe": ("Super-resolution", "MSE"), "landcover": ("Segmentation", "1 − mean IoU")}
# Inches.
LEFT, RIGHT, GAP, BETWEEN, HEIGHT, TITLE, BOTTOM = 0.72, 0.06, 0.46, 0.42, 1.45, 0.2, 0.68
COLUMNS_OF_LEGEND, LEGEND_ROW = 4, 0.17


def draw(table: pd.DataFrame, cost: pd.DataFrame) -> Figure:
    """Draw a row of panels for the error and one for the seam of each task, a column for each normalisation."""
    found = points(table, cost)
    methods = in_order(found["method"])
    norms = [norm for norm in NORMS if norm in set(found["model"])]
    tasks = list(dict.fromkeys(found["data"]))
    panels = [(data, value) for data in tasks for value in ("error", "seam")]
    top = -(-len(methods) // COLUMNS_OF_LEGEND) * LEGEND_ROW + 0.1 + TITLE
    height = top + len(panels) * HEIGHT + (len(panels) - 1) * BETWEEN + BOTTOM
    width = (PAGE_WIDTH - LEFT - RIGHT - (len(norms) - 1) * GAP) / len(norms)
    figure = plt.figure(figsize=(PAGE_WIDTH, height))
    for row, (data, value) in enumerate(panels):
        task, error = TASKS.get(data, (data, "Error"))
        for column, norm in enumerate(norms):
            ax = place(figure, LEFT + column * (width + GAP), top + row * (HEIGHT + BETWEEN), width, HEIGHT)
            chosen = found[(found["data"] == data) & (found["model"] == norm)]
            if chosen.empty:
                ax.set_axis_off()
                continue
            _panel(ax, chosen, value)
            ax.set_title(NORMS[norm], pad=3, fontweight="bold")
            if column == 0:
                ax.set_ylabel(f"{task}\n{error if value == 'error' else 'Seam (RMS)'}", labelpad=2)
    middle = (LEFT + (PAGE_WIDTH - LEFT - RIGHT) / 2) / PAGE_WIDTH
    label = "Time of a useful pixel (zeros without a halo: 1)"
    figure.text(middle, (BOTTOM - 0.3) / height, label, ha="center", fontsize=plt.rcParams["axes.labelsize"])
    halos = ", ".join(f"{halo}" for halo in sorted(set(found["halo"])))
    spans = sorted(set(found["seeds"]))
    seeds = f"{spans[0]}" if len(spans) == 1 else f"{spans[0]} to {spans[-1]}"
    note = (
        f"Points along a line: {halos} px of true context around each tile (numbers). "
        f"Means over {seeds} seed{'s' if seeds != '1' else ''}.\n"
        "Grey steps: the least that can be had for a time. Find the time that you have, and take the point on the "
        "steps at or before it."
    )
    figure.text(LEFT / PAGE_WIDTH, 0.04 / height, note, va="bottom", fontsize=7)
    legend_of_methods(figure, methods, COLUMNS_OF_LEGEND)
    return figure


def _panel(ax: Axes, chosen: pd.DataFrame, value: str) -> None:
    """Draw the lines of one network, and the steps of what nothing beats."""
    if value == "seam":
        chosen = chosen.assign(seam=chosen["seam"].clip(lower=LEAST_SEAM))
        ax.set_yscale("log")
    steps = best(chosen, value)
    right = 1.1 * chosen["time"].max()
    ax.step(
        [*steps["time"], right], [*steps[value], steps[value].iloc[-1]], where="post", color="#CCCCCC", lw=4, zorder=0
    )
    for method in reversed(in_order(chosen["method"])):
        line = chosen[chosen["method"] == method].sort_values("halo")
        ax.plot(line["time"], line[value], **METHODS[method].line)
    # Of the points on the steps, and of zeros: the halo.
    for point in pd.concat([chosen[chosen["method"] == REFERENCE], steps]).drop_duplicates().to_dict("records"):
        at, style = (point["time"], point[value]), METHODS[point["method"]]
        ax.annotate(
            f"{point['halo']}",
            at,
            (0, 3),
            textcoords="offset points",
            fontsize=5.5,
            color=style.color,
            ha="center",
            annotation_clip=True,
        )
    ax.set_xscale("log")
    ax.set_xlim(0.93 * chosen["time"].min(), right)
    ax.xaxis.set_major_locator(FixedLocator([1, 1.5, 2, 3, 5, 10, 20]))
    ax.xaxis.set_major_formatter("{x:g}")
    ax.xaxis.set_minor_locator(NullLocator())
    modes = chosen.loc[chosen["method"] != HALO, value]
    if value == "error" and len(modes):
        # A network that never saw an edge in its training fails at one: its line may come in from above.
        least, most = chosen[value].min(), modes.max()
        ax.set_ylim(least - 0.06 * (most - least), most + 0.12 * (most - least))
    if value == "seam":
        decades = chosen[value].max() / chosen[value].min() > 30
        ax.yaxis.set_major_locator(LogLocator(subs=(1,) if decades else (1, 2, 5)))
        if not decades:
            ax.yaxis.set_major_formatter("{x:g}")
        ax.yaxis.set_minor_formatter(NullFormatter())
    ax.tick_params(pad=2, length=2.5)
    ax.tick_params(which="minor", length=1.5)
    ax.grid(axis="y", linewidth=0.3, color="#DDDDDD")


@in_one_sentence("scripts.figures.frontier")
def main() -> None:
    """Read the tables and write the figure."""
    arguments = parser_of(__doc__).parse_args()
    write_figure("frontier", arguments.output, lambda: read_tables(arguments.tables, COLUMNS, COMMAND), draw)


if __name__ == "__main__":
    main()
