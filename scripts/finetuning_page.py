"""What the README, `convert` and the quickstart say of trained networks: `python -m scripts.finetuning_page`.

The sentences come from results/tables/finetuning.csv. Those of the README are written; a docstring and a notebook are
written by hand, and the program tells which of the two says something else.
"""

import json
import sys
import textwrap
from collections.abc import Mapping

import pandas as pd

from diff_conv2d import convert
from experiments.finetuning.summary import sentence
from experiments.paths import REPOSITORY
from experiments.sentences import in_one_sentence
from scripts.figures.tables import TABLES, read_table
from scripts.pages import update

__all__ = ["END", "NOTEBOOK", "START", "lacking", "main", "markdown", "texts"]

START, END = "<!-- fine-tuning -->", "<!-- end of fine-tuning -->"
NOTEBOOK = REPOSITORY / "notebooks" / "01_quickstart.ipynb"
WIDTH = 118


def markdown(table: pd.DataFrame) -> str:
    """The sentences in lines of the README's width."""
    return textwrap.fill(sentence(table), WIDTH, break_on_hyphens=False) + "\n"


def texts() -> dict[str, str]:
    """What is written by hand and must hold the sentences, by its name."""
    cells = json.loads(NOTEBOOK.read_text(encoding="utf-8"))["cells"]
    said = "\n".join("".join(cell["source"]) for cell in cells if cell["cell_type"] == "markdown")
    return {"the docstring of diff_conv2d.convert": convert.__doc__ or "", f"notebooks/{NOTEBOOK.name}": said}


def lacking(table: pd.DataFrame, of: Mapping[str, str]) -> list[str]:
    """The names of the texts that do not hold the sentences; line breaks do not count."""
    said = sentence(table)
    return [name for name, text in of.items() if said not in " ".join(text.split())]


@in_one_sentence("scripts.finetuning_page")
def main() -> None:
    """Write the README anew, and tell what is to be written by hand."""
    table = read_table(TABLES / "finetuning.csv", (), "make reproduce-finetuning")
    try:
        update(REPOSITORY / "README.md", START, END, markdown(table))
    except ValueError as error:
        sys.exit(f"finetuning_page: README.md: {error}")
    if names := lacking(table, texts()):
        sys.exit(f"finetuning_page: {' and '.join(names)} must hold these words:\n{markdown(table)}")


if __name__ == "__main__":
    main()
