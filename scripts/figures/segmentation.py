"""Segmentation: `python -m scripts.figures.segmentation`."""

import pandas as pd
from matplotlib.figure import Figure

from experiments.sentences import in_one_sentence
from scripts.figures import dense, program

__all__ = ["draw", "main"]


def draw(table: pd.DataFrame) -> Figure:
    """Draw the figure: mean IoU by method and region, and the share of wrong pixels by distance to the edge."""
    return dense.draw(table, "mean_iou", "accuracy")


@in_one_sentence("scripts.figures.segmentation")
def main() -> None:
    """Write the figure."""
    program.run("segmentation", draw)


if __name__ == "__main__":
    main()
