"""BatchNorm against none in the UNet: `python -m scripts.figures.normalization`."""

import matplotlib.pyplot as plt
import pandas as pd
from matplotlib.figure import Figure

from experiments.sentences import in_one_sentence
from scripts.figures import program
from scripts.figures.distance import draw_shells, errors_by_region
from scripts.figures.forest import (
    SHAPES,
    Panel,
    absolute,
    absolute_title,
    differences_title,
    draw_forest,
    forest_height,
)
from scripts.figures.style import METHODS, PAGE_WIDTH, in_order, place
from scripts.summary import RATIO, differences

__all__ = ["draw", "main"]

MODELS = {"unet": "with BatchNorm", "unet_no_norm": "without normalisation"}

# Inches.
TOP, TITLE, BELOW, MARGIN, LINES_HEIGHT, BOTTOM = 0.28, 0.36, 0.42, 0.05, 1.7, 0.4
RIGHT, LINES_TITLE = 0.14, 0.22
LINES_LEFT, LINES_GAP = 0.5, 0.3


def draw(table: pd.DataFrame) -> Figure:
    """Draw the error of both networks by method and region, and by distance to the edge."""
    models = [model for model in MODELS if model in set(table["model"])]
    if len(models) < 2:
        raise ValueError(f"the table must hold the models {' and '.join(MODELS)}; it has {models or 'neither'}")
    parts = [table[table["model"] == model] for model in models]
    shown = {"frame": "Frame of 8 px", "interior": "Interior", RATIO: "Frame / interior"}
    levels = [
        Panel(title, [absolute(part, "mse", region) for part in parts], "Ratio" if region == RATIO else "MSE")
        for region, title in shown.items()
    ]
    paired = [
        Panel(title, [differences(part, "mse", region) for part in parts], "%, ← better", zero=True)
        for region, title in {"whole": "Whole", "frame": "Frame of 8 px", "interior": "Interior"}.items()
    ]
    tops = [TOP + TITLE]
    tops.append(tops[0] + forest_height(levels) + BELOW + TITLE)
    tops.append(tops[1] + forest_height(paired) + BELOW + LINES_TITLE)
    height = tops[2] + LINES_HEIGHT + BOTTOM
    figure = plt.figure(figsize=(PAGE_WIDTH, height))
    width = PAGE_WIDTH - MARGIN - RIGHT
    draw_forest(figure, levels, tops[0], MARGIN, width)
    draw_forest(figure, paired, tops[1], MARGIN, width)

    each = (width - LINES_LEFT - LINES_GAP) / 2
    axes = [
        place(figure, MARGIN + LINES_LEFT + i * (each + LINES_GAP), tops[2], each, LINES_HEIGHT) for i in range(2)
    ]
    for ax, part in zip(axes, parts, strict=True):
        draw_shells(ax, errors_by_region(part, "mse"), "MSE" if ax is axes[0] else "")
    low, high = min(ax.get_ylim()[0] for ax in axes), max(ax.get_ylim()[1] for ax in axes)
    for ax in axes:
        ax.set_ylim(low, high)
    axes[1].tick_params(axis="y", which="both", labelleft=False)
    axes[0].legend(
        handles=[plt.Line2D([], [], **METHODS[m].line) for m in in_order(table["method"])],
        ncols=2 if table["method"].nunique() > 4 else 1,
        fontsize=7,
        frameon=False,
        loc="upper right",
    )
    titles = [
        (MARGIN, tops[0] - 0.2, f"(a) {absolute_title(table, 'MSE')}"),
        (MARGIN, tops[1] - 0.2, f"(b) {differences_title(table, 'MSE')}"),
        (MARGIN + 0.1, tops[2], f"(c) MSE by distance, {MODELS[models[0]]}"),
        (MARGIN + LINES_LEFT + each + LINES_GAP, tops[2], f"(d) {MODELS[models[1]].replace('with', 'With')}"),
    ]
    for x, y, title in titles:
        figure.text(x / PAGE_WIDTH, 1 - (y - 0.06) / height, title, va="bottom", fontweight="bold")
    marks = {"color": "#444444", "linestyle": "", "markersize": 4}
    figure.legend(
        handles=[plt.Line2D([], [], marker=SHAPES[i], label=MODELS[m], **marks) for i, m in enumerate(models)],
        loc="upper center",
        bbox_to_anchor=(0.5, 1 - 0.02 / height),
        ncols=2,
        frameon=False,
        handletextpad=0.2,
    )
    return figure


@in_one_sentence("scripts.figures.normalization")
def main() -> None:
    """Write the figure."""
    program.run("normalization", draw)


if __name__ == "__main__":
    main()
