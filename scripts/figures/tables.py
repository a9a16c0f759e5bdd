"""Tables of results, as the figures read them."""

from collections.abc import Mapping, Sequence
from pathlib import Path

import numpy as np
import pandas as pd

from experiments.manifest import FOLDER, digest, read_manifest

__all__ = ["FIGURES", "TABLES", "read_arrays", "read_table", "read_tables"]

RESULTS = Path(__file__).resolve().parents[2] / "results"
TABLES, FIGURES = RESULTS / "tables", RESULTS / "figures"


def read_table(path: Path, columns: Sequence[str], command: str) -> pd.DataFrame:
    """Read a table.

    Args:
        path: The CSV file.
        columns: What it must hold at least.
        command: What makes it, for who does not have it.

    Returns:
        The table.

    Raises:
        FileNotFoundError: There is no such file.
        ValueError: It is empty, a column is missing, or it is not the table that its program wrote.

    """
    _check_as_written(path, command)
    try:
        table = pd.read_csv(path)
    except pd.errors.EmptyDataError:
        table = pd.DataFrame()
    except ValueError as error:
        raise ValueError(f"the table {path} cannot be read ({error}); `{command}` makes it again") from error
    missing = [column for column in columns if column not in table]
    if missing or table.empty:
        lack = f"has no column {missing[0]}" if missing else "has no rows"
        raise ValueError(f"the table {path} {lack}; `{command}` makes it again")
    return table


def read_tables(folder: Path, columns: Mapping[str, Sequence[str]], command: str) -> list[pd.DataFrame]:
    """Read several tables of a folder as `read_table` does: for each name, without suffix, what it must hold."""
    return [read_table(folder / f"{name}.csv", needed, command) for name, needed in columns.items()]


def read_arrays(path: Path, command: str) -> dict[str, np.ndarray]:
    """Read the named arrays of a NumPy archive.

    Args:
        path: The file, ``.npz``.
        command: What makes it, for who does not have it.

    Returns:
        The arrays by name.

    Raises:
        FileNotFoundError: There is no such file.
        ValueError: It holds no arrays, or not those that its program wrote.

    """
    _check_as_written(path, command)
    try:
        with np.load(path, allow_pickle=False) as archive:
            return {name: archive[name] for name in archive.files}
    # The reader raises errors of any kind at bytes that nobody wrote.
    except Exception as error:
        raise ValueError(f"{path} is no archive of arrays; `{command}` makes it again") from error


def _check_as_written(path: Path, command: str) -> None:
    """Refuse a file that is not there, or is not as its program wrote it, where a manifest knows."""
    if not path.is_file():
        raise FileNotFoundError(f"no table {path}; `{command}` makes it")
    for manifest in sorted((path.parent / FOLDER).glob("*.json")):
        kept = read_manifest(manifest)["tables"].get(path.name)
        if kept is not None and kept != digest(path):
            raise ValueError(f"the table {path} is not the one that was written; `{command}` makes it again")
