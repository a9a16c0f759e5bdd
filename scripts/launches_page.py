"""The part of docs/speed.md on launches, made from results/tables/launches.csv: `python -m scripts.launches_page`."""

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
    """Return for each method with an aim the most operators over the layers, on the device that the aim is for."""
    found = most(table)
    return {key[1]: found[key] for key, bound in BOUNDS.items() if bound.aim and key in found}


def markdown(table: pd.DataFrame) -> str:
    """Write the counts, a table for each device: a row for each method, a column for each layer; then the aims."""
    cells = table.assign(cell=table["forwards"].astype(str) + " + " + table["backwards"].astype(str))
    cells = cells.pivot_table("cell", ["device", "method"], "layer", aggfunc="first", sort=False).fillna("")
    text = ""
    for device, there in {"gpu": "a GPU", "cpu": "a CPU"}.items():
        if device in cells.index.get_level_values("device"):
            text += f"| on {there} | " + " | ".join(map(str, cells)) + " |\n" + "|---" * (cells.shape[1] + 1) + "|\n"
            for method in METHODS:
                if (device, method) in cells.index:
                    text += f"| `{method}` | " + " | ".join(cells.loc[(device, method)]) + " |\n"
            text += "\n"
    reached, missed = [], []
    for (device, method), bound in BOUNDS.items():
        counts = best(table).get(method) if device == "gpu" else None
        if bound.aim is None or counts is None:
            continue
        aim = "{} + {}".format(*bound.aim)
        if any(map(gt, counts, bound.aim)):
            missed.append(f"`{method}` ({aim}; now up to {counts[0]} + {counts[1]})")
        else:
            reached.append(f"`{method}` ({aim})")
    if reached:
        text += f"On a GPU at most what is aimed at, in every layer: {listed(reached)}.\n"
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
