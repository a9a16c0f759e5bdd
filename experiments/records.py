"""Tables and arrays on disk: a file is either complete or what it was before."""

import errno
import os
from collections.abc import Collection, Iterator, Mapping
from contextlib import ExitStack, contextmanager
from pathlib import Path

import numpy as np
import pandas as pd
from numpy.typing import ArrayLike

__all__ = ["replacing", "write_arrays", "write_table", "write_together"]


@contextmanager
def replacing(path: Path) -> Iterator[Path]:
    """Give a path to write to, and move it to its place when that has ended well.

    Whoever reads ``path`` meanwhile, or after an interruption, finds the old file whole.

    Args:
        path: The file to make or replace; its folder is made if needed.

    Yields:
        A path in the same folder, for a rename is atomic only within one file system.

    """
    path.parent.mkdir(parents=True, exist_ok=True)
    # The process number keeps two runs that end at the same moment from writing into one file.
    partial = path.with_name(f".{path.name}.{os.getpid()}.partial")
    try:
        yield partial
        partial.replace(path)
    finally:
        partial.unlink(missing_ok=True)


def write_table(path: Path, table: pd.DataFrame, may_be_empty: Collection[str] = ()) -> None:
    """Write a table as CSV, in one move.

    Numbers keep seven digits: float32 has no more, and a rerun that differs in rounding then shows no change.

    Args:
        path: The file to make or replace.
        table: Rows, in the order in which they are to be kept; the index is not written.
        may_be_empty: Columns in which a cell may be empty (NaN), because there is nothing to say there.

    Raises:
        ValueError: Another cell is empty, or one is infinite, which means that a measurement has failed.

    """
    with replacing(path) as partial:
        _write_table(partial, path.name, table, may_be_empty)


def write_arrays(path: Path, arrays: Mapping[str, ArrayLike]) -> None:
    """Write named arrays as a compressed NumPy archive, in one move.

    Args:
        path: The file to make or replace, ``.npz``.
        arrays: The arrays by name; slashes in a name are allowed.

    """
    with replacing(path) as partial:
        _write_arrays(partial, arrays)


def write_together(contents: Mapping[Path, pd.DataFrame | Mapping[str, ArrayLike]]) -> list[Path]:
    """Write the tables and arrays of one run: all of them are written before the first takes its place.

    Args:
        contents: A table (``.csv``) or named arrays (``.npz``) for each file to make or replace.

    Returns:
        The paths.

    Raises:
        ValueError: A table cannot be written, see `write_table`; nothing has changed then.

    """
    with ExitStack() as moves:
        for path, content in contents.items():
            if path.is_dir():
                raise IsADirectoryError(errno.EISDIR, "a folder is in the place of a table", str(path))
            partial = moves.enter_context(replacing(path))
            if isinstance(content, pd.DataFrame):
                _write_table(partial, path.name, content)
            else:
                _write_arrays(partial, content)
    return list(contents)


def _write_table(path: Path, name: str, table: pd.DataFrame, may_be_empty: Collection[str] = ()) -> None:
    """Write a table that has its final name only later."""
    # inf is no missing value to pandas.
    missing = table.isna() & ~table.columns.isin(list(may_be_empty)) | table.isin([np.inf, -np.inf])
    if missing.to_numpy().any():
        row, column = np.argwhere(missing.to_numpy())[0]
        raise ValueError(f"{name}: no finite {table.columns[column]} for {table.iloc[row].to_dict()}")
    table.to_csv(path, index=False, float_format="%.6e", lineterminator="\n")


def _write_arrays(path: Path, arrays: Mapping[str, ArrayLike]) -> None:
    with path.open("wb") as stream:
        np.savez_compressed(stream, **{name: np.asarray(array) for name, array in arrays.items()})
