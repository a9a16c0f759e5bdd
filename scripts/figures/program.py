"""What the programs of the experiments' figures share: arguments, one table in, one figure out."""

import argparse
import sys
from collections.abc import Callable
from pathlib import Path

import matplotlib.pyplot as plt
import pandas as pd
from matplotlib.figure import Figure

from scripts.figures.style import RC, save
from scripts.figures.tables import FIGURES, TABLES, read_table
from scripts.summary import SUMMARY_COLUMNS
from scripts.sweeps import SCALES, full_name

__all__ = ["run"]


def run(experiment: str, draw: Callable[[pd.DataFrame], Figure]) -> None:
    """Read the table of an experiment and write its figure; what is wrong is told in one sentence.

    Args:
        experiment: without its scale.
        draw: makes the figure of the table.
    """
    parser = argparse.ArgumentParser(description=f"The figure of {experiment}, from its table.")
    parser.add_argument("--scale", choices=SCALES, default=SCALES[0], help="data and settings (default: %(default)s)")
    parser.add_argument("--tables", type=Path, default=TABLES, help="folder to read (default: %(default)s)")
    parser.add_argument("--output", type=Path, default=FIGURES, help="folder to write (default: %(default)s)")
    arguments = parser.parse_args()
    plt.switch_backend("agg")
    scale = "" if arguments.scale == SCALES[0] else f" --scale {arguments.scale}"
    try:
        name = full_name(experiment, arguments.scale)
        command = f"python -m scripts.collect {experiment}{scale}"
        table = read_table(arguments.tables / f"{name}.csv", SUMMARY_COLUMNS, command)
        with plt.rc_context(RC):
            for path in save(draw(table), arguments.output, name):
                print(path)
    except (FileNotFoundError, ValueError) as error:
        sys.exit(f"scripts.figures.{experiment}: {error}")
