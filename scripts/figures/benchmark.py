"""What boundaries cost: `python -m scripts.figures.benchmark`."""

from collections.abc import Collection, Sequence

import matplotlib.pyplot as plt
import pandas as pd
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.ticker import FixedLocator, FuncFormatter, LogLocator, NullFormatter, NullLocator

from experiments.sentences import in_one_sentence
from scripts.figures.beyond import mark_beyond
from scripts.figures.program import parser_of, write_figure
from scripts.figures.style import PAGE_WIDTH, STYLES, in_order, place
from scripts.figures.tables import read_tables

__all__ = ["draw", "draw_ratios", "main", "ratio_axes"]

COLUMNS = ["group", "case", "method", "seconds", "ratio", "ratio_low", "ratio_high", "device", "threads"]
COMMAND = "python -m experiments.benchmark"

# Layers of networks: all of the modes would hide each other.
SHOWN = ("torch_reflect", "torch_replicate", "diff", "adaptive", "diff_memory")
FILTERS = ("zeros", "replicate", "diff", "adaptive", "scipy", "opencv")
# The axis begins here, or lower where a ratio does. Ratios beyond its end are marked at the rim with their number.
SMALLEST, LARGEST = 0.5, 8.0

# Inches.
TOP, ROW, LEFT, WIDTH, BOTTOM = 0.55, 0.16, 1.95, 2.6, 0.45
RIGHT, FILTER_WIDTH, FILTER_HEIGHT = 5.3, 1.8, 2.0


def ratio_axes(ax: Axes, rows: Sequence[str], ticks: Sequence[float], label: str) -> None:
    """Lay out ratios to zero padding: a logarithmic axis with a line at 1, and a row for each name."""
    ax.axvline(1, color="#888888", linewidth=0.6, zorder=0)
    ax.set_xscale("log")
    ax.xaxis.set_major_locator(FixedLocator(ticks))
    ax.xaxis.set_minor_locator(NullLocator())
    ax.xaxis.set_major_formatter(FuncFormatter(lambda value, _: f"{value:g}"))
    ax.set_ylim(len(rows) - 0.5, -0.5)
    ax.set_yticks(range(len(rows)), rows)
    ax.tick_params(pad=2, length=2)
    ax.tick_params(axis="y", length=0)
    ax.grid(axis="both", linewidth=0.3, color="#DDDDDD")
    ax.set_axisbelow(True)
    ax.set_xlabel(label, labelpad=2)


def draw_ratios(ax: Axes, table: pd.DataFrame, methods: Collection[str] = SHOWN) -> None:
    """Draw for each case the median ratio to zero padding, with its interval, of some methods."""
    cases = list(dict.fromkeys(table["case"]))
    for method in reversed(in_order(set(methods) & set(table["method"]))):
        rows = table[(table["method"] == method) & (table["ratio"] <= LARGEST)]
        places = [cases.index(case) for case in rows["case"]]
        style = STYLES[method].line | {"linestyle": "", "markersize": 4}
        ax.hlines(places, rows["ratio_low"], rows["ratio_high"], color=STYLES[method].color, linewidth=0.6)
        ax.plot(rows["ratio"], places, **style)
    shown = table[table["method"].isin(methods)]
    for case, rows in shown.groupby("case", sort=False):
        ratios = rows.set_index("method")["ratio"]
        mark_beyond(ax, cases.index(case), dict(ratios[ratios > LARGEST]))
    ratio_axes(ax, cases, (0.5, 0.7, 1, 1.5, 2, 4, 8), "Time / time with zero padding")
    ax.set_xlim(min(SMALLEST, shown["ratio_low"].min()), LARGEST)
    ax.set_ylim(len(cases) - 0.4, -0.6)


def draw_filters(ax: Axes, table: pd.DataFrame) -> None:
    """Draw the milliseconds of filtering one image, against the size of the kernel."""
    sizes = table["case"].str.extract(r"(\d+)x\d+$")[0].astype(float)
    table = table.assign(size=sizes).dropna(subset="size")
    for method in reversed(in_order(set(FILTERS) & set(table["method"]))):
        rows = table[table["method"] == method].sort_values("size")
        style = STYLES[method].line
        label = "torch, Zero" if method == "zeros" else style["label"]
        ax.plot(rows["size"], 1e3 * rows["seconds"], **style | {"label": label})
    ax.set_yscale("log")
    ax.set_xticks([3, 5, 7], ["3x3", "5x5", "7x7"])
    ax.set_xlim(2.6, 7.4)
    ax.yaxis.set_major_locator(LogLocator(subs=(1.0, 3.0)))
    ax.yaxis.set_major_formatter("{x:g}")
    ax.yaxis.set_minor_formatter(NullFormatter())
    ax.tick_params(pad=2, length=2.5)
    ax.tick_params(which="minor", length=1.5)
    ax.grid(axis="y", linewidth=0.3, color="#DDDDDD")
    ax.set_xlabel("Kernel", labelpad=2)
    ax.set_ylabel("Milliseconds", labelpad=2)


def draw(table: pd.DataFrame) -> Figure:
    """Draw the figure."""
    # Sides, other layers and filters of arrays have their sentences on the page.
    layers = table[~table["group"].isin(("filtering", "sides", "layers", "ndimage"))]
    filters = table[(table["group"] == "filtering") & table["case"].str.contains("2048")]
    rows = layers["case"].nunique()
    height = TOP + max(ROW * rows, FILTER_HEIGHT + 0.9) + BOTTOM
    figure = plt.figure(figsize=(PAGE_WIDTH, height))
    left = place(figure, LEFT, TOP, WIDTH, height - TOP - BOTTOM)
    draw_ratios(left, layers)
    left.set_title("(a) Layers and networks", loc="left", fontweight="bold", x=-0.69)
    handles = dict(zip(*left.get_legend_handles_labels()[::-1], strict=True))
    names = [STYLES[name].label for name in in_order(set(SHOWN) & set(layers["method"]))]
    figure.legend(
        [handles[name] for name in names],
        names,
        loc="upper center",
        ncols=len(names),
        frameon=False,
        handletextpad=0.3,
        columnspacing=1.2,
        bbox_to_anchor=(0.5, 1.0),
    )
    if not filters.empty:
        right = place(figure, RIGHT, TOP, FILTER_WIDTH, FILTER_HEIGHT)
        draw_filters(right, filters)
        right.set_title("(b) One filter, 2048 x 2048", loc="left", fontweight="bold")
        right.legend(
            loc="upper left",
            bbox_to_anchor=(-0.05, -0.22),
            ncols=2,
            frameon=False,
            handletextpad=0.4,
            columnspacing=0.9,
            fontsize=7,
        )
    first = table.iloc[0]
    note = f"{first['device']}, {first['threads']} threads. Medians; bars: quartiles."
    figure.text(0.99, 0.01, note, ha="right", va="bottom", fontsize=6, color="#555555")
    return figure


@in_one_sentence("scripts.figures.benchmark")
def main() -> None:
    """Read the table, write the figure."""
    arguments = parser_of("The figure of the benchmark, from its table.").parse_args()
    write_figure(
        "benchmark", arguments.output, lambda: read_tables(arguments.tables, {"benchmark": COLUMNS}, COMMAND), draw
    )


if __name__ == "__main__":
    main()
