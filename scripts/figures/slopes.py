"""The study of slopes at the rim of a map: `python -m scripts.figures.slopes`."""

import matplotlib.pyplot as plt
import numpy as np
import pandas as pd
from matplotlib.figure import Figure
from matplotlib.ticker import FixedLocator, NullFormatter, NullLocator

from experiments.sentences import in_one_sentence
from scripts.figures.program import parser_of, write_figure
from scripts.figures.style import METHODS, PAGE_WIDTH, PROGRAMS, MethodStyle, place
from scripts.figures.tables import read_tables

__all__ = ["draw", "main", "ratios"]

COMMAND = "python -m experiments.slopes"
COLUMNS = ["terrain", "size", "method", "rim_error"]

TERRAINS = {
    "mountains": "Mountains",
    "plateau": "Plateau",
    "plain": "Plain",
    "desert": "Desert",
    "fault": "Fault",
    "sea_floor": "Sea floor",
}
STYLES = {
    **METHODS,
    "gdal": MethodStyle("GDAL", PROGRAMS["opencv"].color, "-", "h"),
    "richdem": MethodStyle("richdem", PROGRAMS["opencv"].color, "-", "d", filled=False),
}
# Inches.
TOP, ROW, BETWEEN, LEFT, RIGHT, BOTTOM = 0.3, 0.16, 0.1, 0.6, 0.1, 0.42
# Beyond it a method is not drawn but named: the others would be squeezed together.
MOST = 4.0


def ratios(errors: pd.DataFrame) -> pd.DataFrame:
    """The error of each method over GDAL's, a row for each terrain and size: roots of mean squares over windows."""
    squares = errors.assign(square=errors["rim_error"] ** 2)
    roots = np.sqrt(squares.pivot_table("square", ["terrain", "size"], "method"))
    return roots.div(roots["gdal"], axis=0)


def draw(errors: pd.DataFrame) -> Figure:
    """Draw the ratios, a panel for each terrain and a row for each method; open marks are the smaller windows."""
    found = ratios(errors)
    terrains = [name for name in TERRAINS if name in found.index.get_level_values("terrain")]
    typical = np.exp(found.map(np.log).mean()).sort_values(ascending=False)
    methods, beyond = list(typical.index[typical <= MOST]), list(typical.index[typical > MOST])
    width = (PAGE_WIDTH - LEFT - RIGHT + BETWEEN) / len(terrains) - BETWEEN
    height = TOP + ROW * len(methods) + BOTTOM
    figure = plt.figure(figsize=(PAGE_WIDTH, height))
    low, high = 0.9 * found[methods].min(axis=None), 1.1 * found[methods].max(axis=None)
    for column, terrain in enumerate(terrains):
        ax = place(figure, LEFT + column * (width + BETWEEN), TOP, width, ROW * len(methods))
        of_terrain = found.loc[terrain]
        for size, row in of_terrain.iterrows():
            whole = size == of_terrain.index.max()
            for y, method in enumerate(methods):
                style = STYLES[method]
                face = style.color if whole else "white"
                ax.plot(row[method], y, style.marker, color=style.color, markersize=4, markerfacecolor=face)
        ax.axvline(1, linewidth=0.6, color="#8C510A")
        ax.set_xscale("log")
        ax.set_xlim(low, high)
        ax.set_ylim(-0.6, len(methods) - 0.4)
        ax.xaxis.set_major_locator(FixedLocator([0.5, 1, 2]))
        ax.xaxis.set_major_formatter("{x:g}")
        ax.xaxis.set_minor_locator(NullLocator())
        ax.xaxis.set_minor_formatter(NullFormatter())
        ax.tick_params(pad=2, length=2.5)
        ax.grid(axis="both", linewidth=0.3, color="#DDDDDD")
        ax.set_axisbelow(True)
        ax.set_title(TERRAINS[terrain], pad=3)
        ax.set_yticks(range(len(methods)), [STYLES[name].label for name in methods] if column == 0 else [])
    sizes = sorted(set(errors["size"]))
    opened = f"; open marks: {sizes[0]} px" if len(sizes) > 1 else ""
    text = f"Error of the slope along the rim, as a multiple of GDAL's (windows of {sizes[-1]} px{opened}"
    for name in beyond:
        text += f"; {STYLES[name].label}: {found[name].min():.0f} to {found[name].max():.0f}"
    text += ")"
    figure.text(0.5, 0.05 / height, text, ha="center", va="bottom")
    return figure


@in_one_sentence("scripts.figures.slopes")
def main() -> None:
    """Read the table and write the figure."""
    arguments = parser_of(__doc__).parse_args()
    tables = {"slopes": COLUMNS}
    write_figure("slopes", arguments.output, lambda: read_tables(arguments.tables, tables, COMMAND), draw)


if __name__ == "__main__":
    main()
