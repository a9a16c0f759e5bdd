"""Networks of super-resolution on patches of several sizes: `python -m scripts.figures.super_resolution_sizes`."""

import matplotlib.pyplot as plt
import pandas as pd
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.ticker import NullLocator

from experiments.sentences import in_one_sentence
from scripts.figures.program import parser_of, write_figure
from scripts.figures.style import METHODS, PAGE_WIDTH, in_order, legend_of_methods, place
from scripts.figures.tables import read_tables
from scripts.summary import RATIO
from scripts.sweeps import PAPER, REFERENCE, SCALES

__all__ = ["draw", "main", "relative_to_zeros"]

COLUMNS = ["method", "seed", "size", "metric", "region", "value"]
PANELS = {"frame": "Frame of 8 px", "interior": "Interior", RATIO: "Frame / interior"}

# Inches.
LEFT, RIGHT, GAP, HEIGHT, TITLE, BOTTOM = 0.5, 0.08, 0.55, 1.9, 0.22, 0.4
COLUMNS_OF_LEGEND, LEGEND_ROW = 7, 0.17


def relative_to_zeros(table: pd.DataFrame, region: str) -> pd.DataFrame:
    """The error of each method in % of that of zeros with the same seed and size.

    Args:
        table: as `experiments.sizes` writes it.
        region: of the table.

    Returns:
        Rows with `method`, `seed`, `size` and `value`.

    Raises:
        ValueError: the table has no zeros to compare with.
    """
    chosen = table[(table["metric"] == "mse") & (table["region"] == region)]
    reference = chosen[chosen["method"] == REFERENCE].set_index(["seed", "size"])["value"]
    keys = pd.MultiIndex.from_frame(chosen[["seed", "size"]])
    if not keys.isin(reference.index).all():
        raise ValueError(f"the table has no {REFERENCE}, with which the others are compared, for each seed and size")
    values = 100 * chosen["value"].to_numpy() / reference.loc[keys].to_numpy()
    return chosen[["method", "seed", "size"]].assign(value=values)


def draw(table: pd.DataFrame) -> Figure:
    """Draw errors relative to zero padding, and the ratio of frame and interior, by the size of the patch."""
    methods = in_order(table["method"])
    top = -(-len(methods) // COLUMNS_OF_LEGEND) * LEGEND_ROW + 0.08 + TITLE
    height = top + HEIGHT + BOTTOM
    figure = plt.figure(figsize=(PAGE_WIDTH, height))
    each = (PAGE_WIDTH - LEFT - RIGHT - (len(PANELS) - 1) * GAP) / len(PANELS)
    for number, (region, title) in enumerate(PANELS.items()):
        ax = place(figure, LEFT + number * (each + GAP), top, each, HEIGHT)
        if region == RATIO:
            chosen, label = table[(table["metric"] == "mse") & (table["region"] == region)], "MSE ratio"
        else:
            chosen, label = relative_to_zeros(table, region), "MSE (% of zero padding's)"
        _draw_lines(ax, chosen)
        ax.set_title(f"({'abc'[number]}) {title}", pad=3, fontweight="bold")
        ax.set_ylabel(label, labelpad=2)
    legend_of_methods(figure, methods, COLUMNS_OF_LEGEND)
    return figure


def _draw_lines(ax: Axes, chosen: pd.DataFrame) -> None:
    """Draw a line for each method: the mean over seeds, and from least to largest a band."""
    by_size = chosen.groupby(["method", "size"])["value"].agg(["mean", "min", "max"])
    for method in reversed(in_order(chosen["method"])):
        values = by_size.loc[method]
        ax.plot(values.index, values["mean"], **METHODS[method].line)
        ax.fill_between(values.index, values["min"], values["max"], color=METHODS[method].color, alpha=0.12, lw=0)
    sizes = sorted(chosen["size"].unique())
    ax.set_xscale("log")
    ax.set_xticks(sizes, [str(size) for size in sizes])
    ax.xaxis.set_minor_locator(NullLocator())
    ax.set_xlabel("Rows and columns of a patch (px)", labelpad=2)
    ax.tick_params(pad=2, length=2.5)
    ax.grid(axis="y", linewidth=0.3, color="#DDDDDD")


@in_one_sentence("scripts.figures.super_resolution_sizes")
def main() -> None:
    """Read the table and write the figure."""
    parser = parser_of(__doc__)
    parser.add_argument("--scale", choices=SCALES, default=SCALES[0], help="data and settings (default: %(default)s)")
    arguments = parser.parse_args()
    paper = arguments.scale == PAPER
    name = f"{'paper_' if paper else ''}super_resolution_sizes"
    command = f"python -m experiments.sizes{' scale=paper' if paper else ''}"
    write_figure(
        "super_resolution_sizes",
        arguments.output,
        lambda: read_tables(arguments.tables, {name: COLUMNS}, command),
        draw,
        name,
    )


if __name__ == "__main__":
    main()
