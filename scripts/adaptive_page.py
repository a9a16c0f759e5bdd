"""The table of docs/adaptive.md, made from results/tables/adaptive.csv: `python -m scripts.adaptive_page`."""

import numpy as np
import pandas as pd

from experiments.adaptive_summary import ratios
from experiments.paths import REPOSITORY
from scripts.pages import update

__all__ = ["END", "START", "main", "markdown"]

START, END = "<!-- adaptive table -->", "<!-- end -->"
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


def main() -> None:
    """Write the page anew."""
    table = markdown(pd.read_csv(REPOSITORY / "results" / "tables" / "adaptive.csv"))
    update(REPOSITORY / "docs" / "adaptive.md", START, END, table)


if __name__ == "__main__":
    main()
