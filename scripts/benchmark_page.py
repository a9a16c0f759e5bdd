"""The tables of docs/speed.md, made from results/tables/benchmark.csv: `python -m scripts.benchmark_page`."""

import numpy as np
import pandas as pd

from experiments.paths import REPOSITORY
from scripts.figures.style import in_order
from scripts.pages import update

__all__ = ["END", "START", "main", "markdown"]

START, END = "<!-- benchmark table -->", "<!-- end -->"
# What the columns are called; the paper's network on wall time is one case of its own.
GROUPS = {
    "cnn": "layers, training step",
    "variants": "other layers, training step",
    "networks": "ResNet-18, UNet, training step",
    "inference": "small inputs, inference",
}


def markdown(table: pd.DataFrame) -> str:
    """Write ratios to zero padding by group of cases, and the milliseconds of filtering one image."""
    first = table.iloc[0]
    ratios = table.pivot_table("ratio", "method", ["group", "case"], sort=False)
    methods = in_order(ratios.index)
    groups = [group for group in GROUPS if group in ratios]
    text = (
        f"Time relative to zero padding: geometric mean over the cases of the medians (largest). {first['device']}, "
        f"{first['threads']} threads, torch {first['torch']}, {first['rounds']} rounds.\n\n"
    )
    text += "| method | " + " | ".join(GROUPS[group] for group in groups) + " |\n|---" + "|---" * len(groups) + "|\n"
    for method in methods:
        parts = [ratios.loc[method, group].dropna() for group in groups]
        if all(part.empty for part in parts) or method == "zeros":
            continue
        cells = ("" if p.empty else f"{np.exp(np.log(p).mean()):.2f} ({p.max():.2f})" for p in parts)
        text += f"| `{method}` | " + " | ".join(cells) + " |\n"
    filters = table[table["case"].str.startswith("filter, 2048")]
    if filters.empty:
        return text
    times = filters.pivot_table("seconds", "method", "case", sort=False) * 1e3
    text += "\nMilliseconds of filtering one image of 2048 x 2048 (`zeros` is torch's convolution):\n\n"
    text += (
        "| method | " + " | ".join(case.rsplit(", ", 1)[1] for case in times) + " |\n|---" + "|---" * times.shape[1]
    )
    text += "|\n"
    for method in in_order(times.index):
        text += f"| `{method}` | " + " | ".join(f"{value:.1f}" for value in times.loc[method]) + " |\n"
    return text


def main() -> None:
    """Write the page anew."""
    table = markdown(pd.read_csv(REPOSITORY / "results" / "tables" / "benchmark.csv"))
    update(REPOSITORY / "docs" / "speed.md", START, END, table)


if __name__ == "__main__":
    main()
