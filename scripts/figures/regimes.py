"""The regime map: `python -m scripts.figures.regimes`."""

import matplotlib.pyplot as plt
import numpy as np
import pandas as pd
from matplotlib.axes import Axes
from matplotlib.colors import to_rgb
from matplotlib.figure import Figure
from matplotlib.patches import Rectangle
from matplotlib.ticker import LogLocator, NullFormatter, NullLocator

from experiments.sentences import in_one_sentence
from scripts.figures.program import parser_of, write_figure
from scripts.figures.style import DEGREES, METHODS, PAGE_WIDTH, STYLES, family, place
from scripts.figures.tables import read_tables

__all__ = ["draw", "draw_curves", "draw_map", "draw_rounding", "main"]

COMMAND = "python -m experiments.regimes"

FIELDS = {
    "blurred_noise": ("White noise, blurred", "Blur (px)"),
    "blurred_terrain": ("Terrain, blurred", "Blur (px)"),
    "noise_added": ("Smooth field, noise added", "Noise / standard deviation"),
}
# The map of the blur ends here; beyond it every field is smooth.
LARGEST_BLUR = 4
# A best method that wins on fewer of the crops than this share is drawn as not resolved.
SHARE = 7 / 8

# Inches.
TOP, MAP_GAP, LEFT, BETWEEN, RIGHT, BOTTOM = 0.5, 0.1, 0.52, 0.2, 0.05, 0.42
CURVES, CURVES_TOP_GAP, ROUNDING_GAP = 1.6, 1.14, 1.14
# Names stand upright in their cells, which must be as high as they are long.
HEIGHTS = {"mode": 1.26, "fixed mode": 1.0, "degree": 0.66}
WIDTH = (PAGE_WIDTH - LEFT - RIGHT - 2 * BETWEEN) / 3


def draw_map(ax: Axes, best: pd.DataFrame) -> None:
    """Draw a cell for each level and kernel size in the colour of the best method, with its name."""
    levels, sizes = sorted(set(best["level"])), sorted(set(best["kernel_size"]))
    for row in best.itertuples():
        x, y = levels.index(row.level), sizes.index(row.kernel_size)
        style = STYLES[row.best]
        sure = row.wins >= SHARE * row.crops
        color = np.array(to_rgb(style.color))
        face = color if sure else 0.35 * color + 0.65
        # Hatched: one of two methods of one colour.
        hatch = None if style.filled else "////"
        ax.add_patch(Rectangle((x, y), 1, 1, facecolor=face, edgecolor="white", linewidth=0.6, hatch=hatch))
        dark = face @ [0.299, 0.587, 0.114] < 0.55
        box = None if style.filled else {"facecolor": face, "edgecolor": "none", "pad": 0.6}
        ax.text(
            x + 0.5,
            y + 0.48,
            _short(row.best),
            ha="center",
            va="center",
            fontsize=7,
            rotation=0 if row.best in DEGREES else 90,
            color="white" if dark else "black",
            bbox=box,
        )
    ax.set_xlim(0, len(levels))
    ax.set_ylim(0, len(sizes))
    ax.set_yticks(np.arange(len(sizes)) + 0.5, [str(size) for size in sizes])
    shown = range(0, len(levels), 4 if len(levels) > 10 else 3)
    ax.set_xticks([i + 0.5 for i in shown], [_level(levels[i]) for i in shown])
    ax.tick_params(pad=2, length=0)
    for spine in ax.spines.values():
        spine.set_visible(False)


def draw_curves(ax: Axes, errors: pd.DataFrame) -> None:
    """Draw the error against the level, one line a mode."""
    for method in reversed(family(errors["method"], METHODS)):
        line = errors[errors["method"] == method].sort_values("level")
        ax.plot(line["level"], line["l1_error"], markevery=2, **STYLES[method].line)
    _scale(ax, errors["level"])
    ax.set_ylabel("")


def draw_rounding(ax: Axes, errors: pd.DataFrame, rounding: pd.DataFrame) -> None:
    """Draw the error of the polynomials in float64, and the effect of float32 on them, against the blur."""
    for method in reversed(family(errors["method"], DEGREES)):
        look = {"color": STYLES[method].color, "linewidth": 1.0}
        for table, column, dashes in ((errors, "l1_error", "-"), (rounding, "rounding", ":")):
            line = table[table["method"] == method].sort_values("level")
            ax.plot(line["level"], line[column], linestyle=dashes, **look)
    ax.set_xscale("symlog", linthresh=1, linscale=0.5)
    ticks = [tick for tick in (0, 1, 2, 4, 8, 16, 32) if tick <= errors["level"].max()]
    ax.set_xticks(ticks, [str(tick) for tick in ticks])
    _finish(ax)
    ax.set_xlabel("Blur (px)", labelpad=2)


def _short(method: str) -> str:
    """Name a method in a cell: its label, or the degree alone."""
    return method.removeprefix("degree_") if method in DEGREES else METHODS[method].label


def _level(level: float) -> str:
    """Write a blur, or a noise level as a power of ten."""
    if level == 0 or level >= 0.1:
        return f"{level:g}"
    return f"$10^{{{round(np.log10(level))}}}$"


def _scale(ax: Axes, levels: pd.Series) -> None:
    """Spread the levels: evenly for blurs, by powers of ten for noise."""
    positive = levels[levels > 0]
    if positive.min() < 0.1:
        ax.set_xscale("symlog", linthresh=positive.min(), linscale=0.6)
        ticks = [0, *np.sort(positive.unique())[1::2]]
        ax.set_xticks(ticks, [_level(tick) for tick in ticks])
    _finish(ax)


def _finish(ax: Axes) -> None:
    ax.set_yscale("log")
    ax.xaxis.set_minor_locator(NullLocator())
    ax.yaxis.set_major_locator(LogLocator(numticks=8))
    ax.yaxis.set_minor_locator(NullLocator())
    ax.yaxis.set_minor_formatter(NullFormatter())
    ax.tick_params(pad=2, length=2.5)
    ax.grid(axis="y", linewidth=0.3, color="#DDDDDD")


def draw(errors: pd.DataFrame, rounding: pd.DataFrame, best: pd.DataFrame, size: int = 5) -> Figure:
    """Draw the whole figure from the tables; curves are shown for one kernel size."""
    sizes = sorted(set(errors["kernel_size"]))
    size = size if size in sizes else sizes[0]
    fields = [field for field in FIELDS if field in set(errors["field"])]
    kinds = [kind for kind in HEIGHTS if kind in set(best["family"])]
    tops = np.cumsum([TOP, *(HEIGHTS[kind] + MAP_GAP for kind in kinds)])
    curves_top = tops[-1] - MAP_GAP + CURVES_TOP_GAP
    rounding_top = curves_top + CURVES + ROUNDING_GAP
    height = rounding_top + CURVES + BOTTOM
    figure = plt.figure(figsize=(PAGE_WIDTH, height))
    shown = _mapped(errors)
    for column, field in enumerate(fields):
        left = LEFT + column * (WIDTH + BETWEEN)
        title, label = FIELDS[field]
        for row, kind in enumerate(kinds):
            ax = place(figure, left, tops[row], WIDTH, HEIGHTS[kind])
            cells = best[(best["field"] == field) & (best["family"] == kind)]
            draw_map(ax, _mapped(cells))
            if row == 0:
                ax.set_title(title, pad=4)
            if kind == kinds[-1]:
                ax.set_xlabel(label, labelpad=2)
            else:
                ax.tick_params(labelbottom=False)
            if column == 0:
                ax.set_ylabel(f"Best {kind}\nk", labelpad=2)
        ax = place(figure, left + (0.12 if column else 0), curves_top, WIDTH - (0.12 if column else 0), CURVES)
        draw_curves(ax, shown[(shown["field"] == field) & (shown["kernel_size"] == size)])
        ax.set_title(title, pad=3)
        ax.set_xlabel(label, labelpad=2)
        if column == 0:
            ax.set_ylabel("Error at the edge", labelpad=2)
    for column, kernel in enumerate(sizes):
        left = LEFT + column * (WIDTH + BETWEEN)
        ax = place(figure, left + (0.12 if column else 0), rounding_top, WIDTH - (0.12 if column else 0), CURVES)
        chosen = (table[table["kernel_size"] == kernel] for table in (errors, rounding))
        draw_rounding(ax, *(table[table["field"] == fields[0]] for table in chosen))
        ax.set_title(f"{kernel} × {kernel} kernels", pad=3)
        if column == 0:
            ax.set_ylabel("Error at the edge", labelpad=2)
    modes = [plt.Line2D([], [], **STYLES[name].line) for name in family(errors["method"], METHODS)]
    degrees = [
        plt.Line2D([], [], color=STYLES[name].color, label=STYLES[name].label)
        for name in family(errors["method"], DEGREES)
    ]
    degrees += [
        plt.Line2D([], [], color="#666666", label="float64"),
        plt.Line2D([], [], color="#666666", linestyle=":", label="float32 − float64"),
    ]
    heads = (
        (TOP - 0.2, "(a) Least error at the edge; pale: not resolved", []),
        (curves_top - 0.2, f"(b) Error of the modes, {size} × {size} kernels", modes),
        (rounding_top - 0.2, f"(c) Rounding in float32, polynomials, {FIELDS[fields[0]][0].lower()}", degrees),
    )
    for y, text, handles in heads:
        lines = -(-len(handles) // 6)
        place_of_text = 1 - (y - 0.15 * lines - (0.05 if handles else 0)) / height
        figure.text(0.05 / PAGE_WIDTH, place_of_text, text, va="bottom", fontweight="bold")
        if handles:
            figure.legend(
                handles=handles,
                loc="lower center",
                bbox_to_anchor=(0.5, 1 - y / height),
                ncols=6,
                frameon=False,
                handlelength=2.0,
                columnspacing=1.2,
                handletextpad=0.4,
                borderaxespad=0,
                borderpad=0,
                labelspacing=0.25,
            )
    return figure


def _mapped(table: pd.DataFrame) -> pd.DataFrame:
    """Leave out the blurs beyond the map."""
    return table[~table["field"].str.startswith("blurred") | (table["level"] <= LARGEST_BLUR)]


@in_one_sentence("scripts.figures.regimes")
def main() -> None:
    """Read the tables and write the figure."""
    arguments = parser_of(__doc__).parse_args()
    columns = ["field", "level", "kernel_size"]
    tables = {
        "regimes": [*columns, "method", "l1_error"],
        "regimes_rounding": [*columns, "method", "rounding"],
        "regimes_best": [*columns, "family", "best", "wins"],
    }
    write_figure("regimes", arguments.output, lambda: read_tables(arguments.tables, tables, COMMAND), draw)


if __name__ == "__main__":
    main()
