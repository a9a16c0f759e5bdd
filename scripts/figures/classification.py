"""Classification: `python -m scripts.figures.classification`."""

import matplotlib.pyplot as plt
import pandas as pd
from matplotlib.figure import Figure

from experiments.sentences import in_one_sentence
from scripts.figures import program
from scripts.figures.forest import Panel, absolute, draw_forest, forest_height
from scripts.figures.style import PAGE_WIDTH
from scripts.prose import span
from scripts.summary import differences
from scripts.sweeps import METRICS

__all__ = ["draw", "main"]

# Inches.
TOP, MARGIN, RIGHT, BOTTOM = 0.25, 0.05, 0.14, 0.6


def draw(table: pd.DataFrame) -> Figure:
    """Draw accuracy and, where it was measured, shift consistency: level and difference to zero padding."""
    panels = []
    for metric in [metric for metric in ("accuracy", "shift_consistency") if metric in set(table["metric"])]:
        name = METRICS[metric].label
        panels.append(Panel(name, [absolute(table, metric, "whole", 100.0)], "%"))
        difference = differences(table, metric, "whole")
        panels.append(Panel(f"{name} − Zero's", [difference], "points, better →", zero=True))
    height = TOP + forest_height(panels) + BOTTOM
    figure = plt.figure(figsize=(PAGE_WIDTH, height))
    draw_forest(figure, panels, TOP, MARGIN, PAGE_WIDTH - MARGIN - RIGHT)
    counts = span(table["seeds"], ".0f")
    note = (
        f"Levels: mean of {counts} seeds, 95 % interval. Differences: paired; filled: 0 is not in the interval."
        if int(table["seeds"].max()) > 1
        else "There is one seed, so no interval. Marks of differences are open: one seed resolves nothing."
    )
    figure.text(1 - RIGHT / PAGE_WIDTH, 0.04 / height, note, ha="right", fontsize=7)
    return figure


@in_one_sentence("scripts.figures.classification")
def main() -> None:
    """Write the figure."""
    program.run("classification", draw)


if __name__ == "__main__":
    main()
