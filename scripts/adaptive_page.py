"""The table of docs/adaptive.md, made from results/tables/adaptive.csv: `python -m scripts.adaptive_page`."""

from pathlib import Path

import numpy as np
import pandas as pd

from experiments.adaptive_summary import ratios
from experiments.paths import REPOSITORY
from experiments.records import replacing

__all__ = ["filled", "main", "markdown"]

START, END = "<!-- adaptive table -->\n", "<!-- end -->"
LARGE = 128


def markdown(errors: pd.DataFrame) -> str:
    """Write the table of modes, the best mean first, for large and for small images."""
    table = ratios(errors)
    large = table.index.get_level_values("size") >= LARGE
    parts = {f"{LARGE} px and more": table[large], "below, mean over crops": table[~large]}
    lines = ["| mode | " + " | ".join(f"{name} ({len(part)} cells)" for name, part in parts.items()) + " |"]
    lines.append("|---|" + "---|" * len(parts))
    for mode in np.log(parts[f"{LARGE} px and more"]).mean().sort_values().index:
        cells = (
            f"{np.exp(np.log(part[mode]).mean()):.2f}, {part[mode].max():.3g}, {int((part[mode] > 1.1).sum())}"
            for part in parts.values()
        )
        lines.append(f"| `{mode}` | " + " | ".join(cells) + " |")
    return "\n".join(lines) + "\n"


def filled(page: str, table: str) -> str:
    """Put the table between the two marks of the page."""
    before, rest = page.split(START)
    return before + START + table + END + rest.split(END, 1)[1]


def main() -> None:
    """Write the page anew."""
    path: Path = REPOSITORY / "docs" / "adaptive.md"
    table = markdown(pd.read_csv(REPOSITORY / "results" / "tables" / "adaptive.csv"))
    with replacing(path) as partial:
        partial.write_text(filled(path.read_text(), table))


if __name__ == "__main__":
    main()
