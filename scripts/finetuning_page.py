"""What the README, `convert` and the quickstart say of trained networks: `python -m scripts.finetuning_page`.

The sentences come from results/tables/finetuning.csv. Those of the README are written, with their intervals; a
docstring and a notebook are written by hand, and the program tells which of the two says something else.
"""

import json
import sys
import textwrap
from collections.abc import Mapping

import pandas as pd

from diff_conv2d import convert
from experiments.finetuning.summary import ACCURACY, FRAME, sentence
from experiments.paths import REPOSITORY
from experiments.sentences import in_one_sentence
from scripts.figures.tables import TABLES, read_table
from scripts.finding_sentences import rounded
from scripts.intervals import estimate
from scripts.pages import update
from scripts.prose import listed
from scripts.sweeps import METRICS, REFERENCE

__all__ = ["END", "NOTEBOOK", "START", "intervals", "lacking", "main", "markdown", "texts"]

START, END = "<!-- fine-tuning -->", "<!-- end of fine-tuning -->"
NOTEBOOK = REPOSITORY / "notebooks" / "01_quickstart.ipynb"
WIDTH = 118


# What the sentences compare with zero padding.
COMPARED = ((ACCURACY, ("replicate", "adaptive", "diff")), (FRAME, ("adaptive", "diff", "partial")))


def markdown(table: pd.DataFrame) -> str:
    """The sentences, and their intervals, in lines of the README's width."""
    parts = (textwrap.fill(part, WIDTH, break_on_hyphens=False) for part in (sentence(table), intervals(table)))
    return "\n\n".join(parts) + "\n"


def intervals(table: pd.DataFrame) -> str:
    """Say how well the differences to zero padding, trained further alike, are known.

    Args:
        table: results/tables/finetuning.csv.
    """
    told = []
    for (metric, region), methods in COMPARED:
        chosen = table[(table["metric"] == metric) & (table["region"] == region)]
        better_up = METRICS[metric].higher_is_better
        for steps in (0, int(table["steps"].max())):
            values = chosen[chosen["steps"] == steps].pivot(index="seed", columns="method", values="value")
            factor = 100.0 if better_up else 100.0 / float(values[REFERENCE].mean())
            found = {method: estimate(factor * (values[method] - values[REFERENCE]).to_numpy()) for method in methods}
            parts = [
                f"{rounded(one.mean)} [{rounded(one.low)}, {rounded(one.high)}] (`{method}`)"
                for method, one in found.items()
            ]
            what = "accuracy in points" if better_up else "error in the frame in %"
            told.append(f"{what}, {f'after {steps} steps' if steps else 'not trained further'}, {listed(parts)}")
    return (
        "Differences to zero padding with 95 % intervals (over the seeds alone, uncorrected, none named before the "
        f"runs): {'; '.join(told)}."
    )


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
