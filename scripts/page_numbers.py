"""The numbers within the sentences of all pages, made from results/tables: `python -m scripts.page_numbers`.

A page gives the name of a number between marks (`scripts.pages`); the first part of a name tells the table that it is
made from. `python -m scripts.page_numbers filtering` writes the numbers of that table alone.
"""

import argparse
import sys
from collections.abc import Callable, Iterable
from pathlib import Path

import pandas as pd

from experiments.adaptive.summary import ratios
from experiments.paths import REPOSITORY
from experiments.sentences import in_one_sentence
from scripts import benchmark_page, filtering_page, studies_page
from scripts.figures.tables import TABLES, read_table
from scripts.pages import number_names, update_numbers
from scripts.prose import span

__all__ = ["SOURCES", "adaptive", "coverage", "main", "numbers", "pages"]

# Samples from which on an image is large to `adaptive`, as on its own page.
LARGE = 128


def adaptive(errors: pd.DataFrame) -> dict[str, str]:
    """Write the numbers of the study of ``adaptive`` that other pages than its own mention, by name."""
    table = ratios(errors)["adaptive"]
    large = table[table.index.get_level_values("size") >= LARGE]
    return {
        "adaptive.fields": f"{errors['field'].nunique()}",
        "adaptive.large.below_best_degree": f"{(large < 1).sum()} of {len(large)}",
    }


def coverage(table: pd.DataFrame) -> dict[str, str]:
    """Write how often the intervals over five seeds and blocks hold the truth, in per cent by the noise."""
    chosen = table[(table["seeds"] == 5) & (table["interval"] == "seeds and blocks")]
    return {
        f"coverage.{noise}": span(100 * part["coverage"], ".0f") + " %" for noise, part in chosen.groupby("noise")
    }


# Tables, and what makes numbers of them.
SOURCES: dict[str, tuple[tuple[str, ...], Callable[..., dict[str, str]]]] = {
    "adaptive": (("adaptive",), adaptive),
    "benchmark": (("benchmark",), benchmark_page.numbers),
    "coverage": (("coverage",), coverage),
    "convergence": (("convergence_slopes",), studies_page.convergence),
    "filtering": (("filtering",), filtering_page.numbers),
    "regimes": (("regimes", "regimes_rounding", "regimes_best"), studies_page.regimes),
    "rollouts": (("rollouts", "rollouts_stability"), studies_page.rollouts),
    "shells": (("shells",), studies_page.shells),
    "slopes": (("slopes",), studies_page.slopes),
}


def pages() -> list[Path]:
    """Every page and notebook that may hold numbers."""
    found = [REPOSITORY / "README.md", *(REPOSITORY / "docs").rglob("*.md")]
    found += [REPOSITORY / folder / "README.md" for folder in ("data", "experiments", "results")]
    return sorted([*found, *(REPOSITORY / "notebooks").glob("*.ipynb")])


def numbers(sources: Iterable[str], tables: Path = TABLES) -> dict[str, str]:
    """Write the numbers of some sources, by name.

    Args:
        sources: of :data:`SOURCES`.
        tables: folder of the tables.
    """
    result: dict[str, str] = {}
    for source in sources:
        names, make = SOURCES[source]
        command = f"python -m experiments.{source}"
        result |= make(*(read_table(tables / f"{name}.csv", (), command) for name in names))
    return result


@in_one_sentence("scripts.page_numbers")
def main() -> None:
    """Write the numbers into all pages; a mark without a number is told in one sentence."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    known = ", ".join(SOURCES)
    parser.add_argument("sources", nargs="*", metavar="SOURCE", help=f"of {known} (default: all)")
    chosen = parser.parse_args().sources or list(SOURCES)
    if unknown := [source for source in chosen if source not in SOURCES]:
        parser.error(f"SOURCE must be one of {known}, but got {unknown[0]}")
    values = numbers(chosen)
    for page in pages():
        place = page.relative_to(REPOSITORY)
        try:
            wanted = number_names(page.read_text(encoding="utf-8"))
        except ValueError as error:
            sys.exit(f"scripts.page_numbers: {place}: {error}")
        missing = [name for name in wanted if name.split(".")[0] in chosen and name not in values]
        if missing:
            sys.exit(f"scripts.page_numbers: {place} names {missing[0]}, which the tables do not have")
        if update_numbers(page, values):
            print(f"{place}: numbers brought up to date")


if __name__ == "__main__":
    main()
