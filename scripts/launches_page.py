"""The part of docs/speed.md on launches, made from results/tables/launches.csv: `python -m scripts.launches_page`."""

import itertools
from operator import gt

import pandas as pd

from experiments.launches.bounds import BOUNDS, most
from experiments.launches.layers import METHODS
from experiments.paths import REPOSITORY
from experiments.sentences import in_one_sentence
from scripts.figures.tables import TABLES, read_table
from scripts.pages import update
from scripts.prose import listed

__all__ = ["END", "START", "best", "main", "markdown"]

START, END = "<!-- launches -->", "<!-- end of launches -->"


def best(table: pd.DataFrame) -> dict[str, tuple[int, int]]:
    """Return for each method with an aim the most operators over the layers, by the algorithm that has the fewest."""
    aimed, result = {method for (_, method), bound in BOUNDS.items() if bound.aim}, {}
    for (_, method), counts in most(table).items():
        if method in aimed:
            result[method] = min(counts, result.get(method, counts), key=sum)
    return result


def markdown(table: pd.DataFrame) -> str:
    """Write the counts, a row for each method and algorithm, a column for each layer; then the aims."""
    cells = table.assign(cell=table["forwards"].astype(str) + " + " + table["backwards"].astype(str))
    cells = cells.pivot_table("cell", ["method", "algorithm"], "layer", aggfunc="first", sort=False).fillna("")
    text = "| mode | " + " | ".join(map(str, cells)) + " |\n" + "|---" * (cells.shape[1] + 1) + "|\n"
    for key in itertools.product(METHODS, dict.fromkeys(table["algorithm"])):
        if key in cells.index:
            method, algorithm = key
            name = f"`{method}`" if algorithm == "plain" else f"`{method}`, `algorithm={algorithm!r}`"
            text += f"| {name} | " + " | ".join(cells.loc[key]) + " |\n"
    aims, found = {method: bound.aim for (_, method), bound in BOUNDS.items() if bound.aim}, best(table)
    reached, missed = [], []
    for method, counts in found.items():
        aim = "{} + {}".format(*aims[method])
        if any(map(gt, counts, aims[method])):
            missed.append(f"`{method}` ({aim}; now up to {counts[0]} + {counts[1]})")
        else:
            reached.append(f"`{method}` ({aim})")
    if reached:
        text += f"\nAt most what is aimed at, in every layer: {listed(reached)}.\n"
    if missed:
        text += f"\nMore than what is aimed at: {listed(missed)}.\n"
    return text


@in_one_sentence("scripts.launches_page")
def main() -> None:
    """Write the part of the page."""
    table = markdown(read_table(TABLES / "launches.csv", (), "make reproduce-launches"))
    update(REPOSITORY / "docs" / "speed.md", START, END, table)


if __name__ == "__main__":
    main()
