"""Blocks of neighbouring test patches."""

from collections.abc import Sequence
from functools import cache
from pathlib import Path

import numpy as np

from experiments.data.deblurring import BlurredPatches, InMemoryFields

__all__ = ["chosen_block", "extent"]

# Blocks that are looked at, at most: on a map of the whole Earth there are thousands, and each has to be read.
CANDIDATES = 128


def chosen_block(patches: BlurredPatches, block: int, corner: Sequence[int | str] | None) -> np.ndarray:
    """Choose patches side by side.

    Args:
        patches: of the test.
        block: patches along each side.
        corner: map, row and column of the first, the map by its number or by the name of a tile of ETOPO; None takes
            the complete block whose flattest patch has the largest standard deviation, of 128 all over the test.

    Returns:
        Map, row and column of each patch, row by row, (block * block, 3).

    Raises:
        ValueError: the test has no such block, or the corner is none.
    """
    offsets = [(0, i * patches.size, j * patches.size) for i in range(block) for j in range(block)]
    if corner is not None:
        return _checked(patches, corner, block) + np.array(offsets)
    there = set(map(tuple, patches.corners.tolist()))
    blocks = [np.array(first) + np.array(offsets) for first in sorted(there)]
    whole = [corners for corners in blocks if there.issuperset(map(tuple, corners.tolist()))]
    if not whole:
        raise ValueError(f"the test has no {block} x {block} patches side by side; take a smaller block, or a corner")

    # Blocks overlap: each patch is read once.
    @cache
    def relief(corner: tuple[int, ...]) -> float:
        return patches.fields.window(*corner, patches.size, patches.size)[1].std().item()

    # A plain shows nothing.
    step = -(-len(whole) // CANDIDATES)
    return max(whole[::step], key=lambda corners: min(relief(tuple(corner)) for corner in corners.tolist()))


def _checked(patches: BlurredPatches, corner: Sequence[int | str], block: int) -> np.ndarray:
    """The corner of a block as three numbers, where there are pixels for all of the block."""
    if len(corner) != 3 or not all(isinstance(place, int) for place in corner[1:]):
        raise ValueError(f"corner must be a map, a row and a column, such as [0,100,200]; got {list(corner)}")
    tiles = [] if isinstance(patches.fields, InMemoryFields) else [Path(p).name for p in patches.fields.paths]
    number, *rest = corner
    top, left = map(int, rest)
    if isinstance(number, str):
        named = [index for index, tile in enumerate(tiles) if f"_{number}_" in tile]
        if not named:
            there = f"of {len(tiles)} tiles, none is" if tiles else "they are not made of tiles, one of them"
            raise ValueError(
                f"corner names the tile {number}, which is not in the data of these runs ({there} {number}); give "
                "another corner, or corner=null"
            )
        number = named[0]
    first, last, maps = extent(patches)
    side = block * patches.size
    fits = all(low <= place <= high - side for place, low, high in zip((top, left), first, last, strict=True))
    if not fits or not 0 <= number < maps:
        raise ValueError(
            f"corner must leave {side} x {side} pixels within the rows {first[0]} to {last[0]} and the columns "
            f"{first[1]} to {last[1]} of one of {maps} maps; got {list(corner)}"
        )
    return np.array([number, top, left])


def extent(patches: BlurredPatches) -> tuple[tuple[int, int], tuple[int, int], int]:
    """First row and column, the row and column after the last, and the number of maps that patches may come from."""
    if isinstance(patches.fields, InMemoryFields):
        return (0, 0), tuple(patches.fields.clear.shape), 1  # type: ignore[return-value]
    # A tile in a file, less what is cut off its edge.
    from experiments.data.etopo import MARGIN, TILE_SIZE

    return (MARGIN, MARGIN), (TILE_SIZE - MARGIN, TILE_SIZE - MARGIN), len(patches.fields.paths)
