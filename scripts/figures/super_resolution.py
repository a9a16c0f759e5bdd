"""Super-resolution, the removal of a blur: `python -m scripts.figures.super_resolution`."""

import pandas as pd
from matplotlib.figure import Figure

from experiments.sentences import in_one_sentence
from scripts.figures import dense, program

__all__ = ["draw", "main"]


def draw(table: pd.DataFrame) -> Figure:
    """Draw the figure: mean squared error by method and region."""
    return dense.draw(table, "mse", "mse")


@in_one_sentence("scripts.figures.super_resolution")
def main() -> None:
    """Write the figure."""
    program.run("super_resolution", draw)


if __name__ == "__main__":
    main()
