"""What the programs of the experiments' figures share: arguments, one table in, one figure out."""

import argparse
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import matplotlib.pyplot as plt
import pandas as pd
from matplotlib.figure import Figure

from experiments.checks import writable
from scripts.figures.style import RC, save
from scripts.figures.tables import FIGURES, TABLES, read_tables
from scripts.summary import SUMMARY_COLUMNS
from scripts.sweeps import SCALES, full_name

__all__ = ["parser_of", "run", "write_figure"]


def parser_of(description: str | None) -> argparse.ArgumentParser:
    """The arguments of every figure's program: where to read, where to write."""
    parser = argparse.ArgumentParser(description=description)
    parser.add_argument("--tables", type=Path, default=TABLES, help="folder to read (default: %(default)s)")
    parser.add_argument("--output", type=Path, default=FIGURES, help="folder to write (default: %(default)s)")
    return parser


def write_figure(
    program: str,
    output: Path,
    read: Callable[[], Sequence[Any]],
    draw: Callable[..., Figure],
    name: str | None = None,
) -> None:
    """Read what a figure is drawn from, draw it and write it.

    Args:
        program: module of this package.
        output: folder to write to.
        read: returns the arguments of ``draw``; raises FileNotFoundError or ValueError.
        draw: makes the figure.
        name: of the figure; that of the program if None.
    """
    plt.switch_backend("agg")
    found = read()
    writable("--output", output)
    with plt.rc_context(RC):
        for path in save(draw(*found), output, name or program):
            print(path)


def run(experiment: str, draw: Callable[[pd.DataFrame], Figure]) -> None:
    """Write the figure of an experiment from its table, at the scale that the command line asks for.

    Args:
        experiment: without its scale.
        draw: makes the figure of the table.
    """
    parser = parser_of(f"The figure of {experiment}, from its table.")
    parser.add_argument("--scale", choices=SCALES, default=SCALES[0], help="data and settings (default: %(default)s)")
    arguments = parser.parse_args()
    scale = "" if arguments.scale == SCALES[0] else f" --scale {arguments.scale}"
    name = full_name(experiment, arguments.scale)
    command, columns = f"python -m scripts.collect {experiment}{scale}", {name: SUMMARY_COLUMNS}
    write_figure(experiment, arguments.output, lambda: read_tables(arguments.tables, columns, command), draw, name)
