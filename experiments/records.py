"""Tables and arrays on disk: a file is either complete or what it was before."""

import os
from collections.abc import Collection, Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path

import numpy as np
import pandas as pd
from numpy.typing import ArrayLike

__all__ = ["replacing", "write_arrays", "write_table"]


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
    # inf is no missing value to pandas.
    missing = table.isna() & ~table.columns.isin(list(may_be_empty)) | table.isin([np.inf, -np.inf])
    if missing.to_numpy().any():
        row, column = np.argwhere(missing.to_numpy())[0]
        raise ValueError(f"{path.name}: no finite {table.columns[column]} for {table.iloc[row].to_dict()}")
    with replacing(path) as partial:
        table.to_csv(partial, index=False, float_format="%.6e", lineterminator="\n")


def write_arrays(path: Path, arrays: Mapping[str, ArrayLike]) -> None:
    """Write named arrays as a compressed NumPy archive, in one move.

    Args:
        path: The file to make or replace, ``.npz``.
        arrays: The arrays by name; slashes in a name are allowed.

    """
    with replacing(path) as partial, partial.open("wb") as stream:
        np.savez_compressed(stream, **{name: np.asarray(array) for name, array in arrays.items()})
