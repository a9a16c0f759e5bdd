"""What the report shows of each study: how its tables were made, whether they are current, tables, figures."""

import base64
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import markdown
import pandas as pd

from experiments.manifest import FOLDER, read_manifest
from experiments.training.finished_runs import flatten
from scripts.check_tables import stale
from scripts.prose import significant
from scripts.site.figures import SHOWS
from scripts.site.tables import MOST_ROWS, columns_of, rows_of

__all__ = ["Picture", "Study", "studies_of", "with_intervals"]


@dataclass(frozen=True)
class Picture:
    """A figure within the page, and what it shows."""

    address: str
    words: str


@dataclass(frozen=True)
class Study:
    """A study as the report shows it.

    Attributes:
        name: of its manifest.
        made: when, where and with what.
        status: whether its tables are current, in a few words.
        settings: that decide its result, by their dotted names.
        tables: as HTML, by name.
        pictures: its figures.
    """

    name: str
    made: str
    status: str
    settings: dict[str, Any]
    tables: dict[str, str] = field(default_factory=dict)
    pictures: list[Picture] = field(default_factory=list)


def studies_of(results: Path) -> Iterator[Study]:
    """Read the studies of a folder of results.

    Args:
        results: the folder that holds `tables` and `figures`.

    Raises:
        ValueError: a manifest or a table cannot be read.
    """
    for path in sorted((results / "tables" / FOLDER).glob("*.json")):
        manifest = read_manifest(path)
        tables = {
            name: _table(results / "tables" / name)
            for name in manifest["tables"]
            if name.endswith(".csv") and (results / "tables" / name).is_file()
        }
        figure = results / "figures" / f"{path.stem}.png"
        yield Study(
            path.stem,
            f"{manifest['date']}, {manifest['machine']}, torch {manifest['torch']}",
            _status(path, manifest),
            flatten(manifest["settings"]),
            tables,
            [Picture(_address(figure), SHOWS.get(path.stem, path.stem))] if figure.is_file() else [],
        )


def with_intervals(table: pd.DataFrame) -> pd.DataFrame:
    """The table with each mean and its interval in one column, to two significant digits.

    Example:
        >>> ends = {"mean": [0.654], "low": [0.61], "high": [0.70], "difference": [None]}
        >>> with_intervals(pd.DataFrame(ends | {"difference_low": [None], "difference_high": [None]}))
                       mean difference
        0  0.65 [0.61, 0.70]
    """
    table = table.copy()
    for value, low, high in (("mean", "low", "high"), ("difference", "difference_low", "difference_high")):
        if {value, low, high} <= set(table):
            cells = zip(table[value], table[low], table[high], strict=True)
            table[value] = [_interval(*cell) for cell in cells]
            table = table.drop(columns=[low, high])
    return table


def _interval(value: float, low: float, high: float) -> str:
    if pd.isna(value):
        return ""
    ends = "" if pd.isna(low) else f" [{significant(low)}, {significant(high)}]"
    return significant(value) + ends


def _table(path: Path) -> str:
    table = pd.read_csv(path)
    if len(table) > MOST_ROWS:
        return markdown.markdown(columns_of(table), extensions=["tables"])
    return rows_of(with_intervals(table))


def _status(path: Path, manifest: dict[str, Any]) -> str:
    if manifest.get("stale"):
        return f"marked stale: {manifest['stale']}"
    why = stale(path)
    return f"STALE: {'; '.join(why)}" if why else "current"


def _address(path: Path) -> str:
    return "data:image/png;base64," + base64.b64encode(path.read_bytes()).decode()
