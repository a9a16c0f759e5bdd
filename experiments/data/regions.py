"""Held-out regions: blocks of columns with a gap between them, and the windows that lie inside."""

from collections.abc import Iterable
from itertools import pairwise

import numpy as np
import torch
from torch import Tensor

__all__ = ["SPLITS", "Block", "spatial_blocks", "split_columns", "window_corners"]

SPLITS = ("train", "validation", "test")
# Rows and columns of a block of test items: four tiles of 64, so that few tiles share pixels with another block.
BLOCK_SIZE = 256

# (split, first column, column after the last)
Block = tuple[str, int, int]


def split_columns(blocks: Iterable[Block], gap: int, cyclic: bool = False) -> dict[str, list[tuple[int, int]]]:
    """Give each split its columns, with a gap between one block and the next.

    Neighbouring windows of a map resemble each other and may share pixels. Both would flatter a network that
    is tested next to where it was trained, so that half the gap is taken from each side of every border.

    Args:
        blocks: Neighbouring blocks of columns, from left to right.
        gap: Columns between two blocks that neither of them uses, at least 0.
        cyclic: Whether the last block is followed by the first, as on a map of the whole Earth.

    Returns:
        For each split its stretches of columns, (first, after the last); those that nothing is left of are absent.

    Raises:
        ValueError: A split is not one of ``SPLITS``, or the blocks do not touch.

    Example:
        >>> split_columns([("train", 0, 100), ("test", 100, 200)], gap=20)
        {'train': [(0, 90)], 'validation': [], 'test': [(110, 200)]}
        >>> split_columns([("train", 0, 100), ("test", 100, 200)], gap=20, cyclic=True)
        {'train': [(10, 90)], 'validation': [], 'test': [(110, 190)]}
    """
    blocks = list(blocks)
    if any(left[2] != right[1] for left, right in pairwise(blocks)):
        raise ValueError(f"blocks must follow each other without a hole, got {blocks}")
    columns: dict[str, list[tuple[int, int]]] = {split: [] for split in SPLITS}
    for number, (split, start, stop) in enumerate(blocks):
        if split not in columns:
            raise ValueError(f"a split must be one of {', '.join(SPLITS)}, got {split!r}")
        # An odd gap leaves its extra column to neither side: (gap + 1) // 2 twice is at least gap.
        start += (gap + 1) // 2 if cyclic or number > 0 else 0
        stop -= (gap + 1) // 2 if cyclic or number < len(blocks) - 1 else 0
        if start < stop:
            columns[split].append((start, stop))
    return columns


def window_corners(rows: tuple[int, int], columns: Iterable[tuple[int, int]], size: int, stride: int) -> np.ndarray:
    """List the top left corners of all square windows that lie inside stretches of columns.

    Args:
        rows: First row and the row after the last.
        columns: Stretches of columns, as from :func:`split_columns`.
        size: Rows and columns of a window.
        stride: Pixels between neighbouring windows; ``size`` makes them disjoint.

    Returns:
        Pairs (row, column), int64, :math:`(N, 2)`, by stretch, then by row.

    Example:
        >>> window_corners((0, 4), [(10, 15)], size=4, stride=1).tolist()
        [[0, 10], [0, 11]]
    """
    corners = [np.empty((0, 2), np.int64)]
    for start, stop in columns:
        tops = np.arange(rows[0], rows[1] - size + 1, stride)
        lefts = np.arange(start, stop - size + 1, stride)
        corners.append(np.stack(np.meshgrid(tops, lefts, indexing="ij"), axis=-1).reshape(-1, 2))
    return np.concatenate(corners)


def spatial_blocks(corners: np.ndarray, size: int) -> Tensor:
    """Number the block of the map that each window's centre lies in.

    Windows that overlap or adjoin tell nearly the same about a network: how far a result depends on the test set must
    be judged by blocks of the map, not by windows. Blocks are the squares of a grid of 256 pixels.

    Args:
        corners: Pairs (row, column), :math:`(N, 2)`.
        size: Rows and columns of a window.

    Returns:
        The number of each window's block, from 0 on without a hole, int64, :math:`(N)`.

    Example:
        >>> spatial_blocks(np.array([[0, 0], [0, 300], [100, 100]]), size=64).tolist()
        [0, 1, 0]
    """
    cells = (corners + size // 2) // BLOCK_SIZE
    return torch.from_numpy(np.unique(cells, axis=0, return_inverse=True)[1].reshape(-1).astype(np.int64))
