"""A network run tile by tile, and how far from the whole image's result that is, by distance to the seams."""

from collections.abc import Callable

import torch
from torch import Tensor

from experiments.models.halo import crop
from experiments.tiling import edge_distance

__all__ = ["MEASURES", "measure_tiling", "overlapping_tiles"]

Network = Callable[[Tensor], Tensor]

# What is measured, each a difference of two results at the same pixels:
#   to_whole     the tile's and the whole image's
#   overlap      those of two tiles that share half their area
#   error        the tile's and the truth
#   error_whole  the whole image's and the truth, at the same places
MEASURES = ("to_whole", "overlap", "error", "error_whole")


def overlapping_tiles(network: Network, image: Tensor, context: int, tile: int, halo: int) -> Tensor:
    """Run a network on every tile of an image, at steps of half a tile.

    Args:
        network: gives (N, 1, H, W) for (N, 1, H, W).
        image: with its context, (1, S + 2 context, S + 2 context).
        context: pixels around the image that are not part of it.
        tile: rows and columns of a tile, even; S is a multiple of it.
        halo: pixels of its surroundings that each tile is given and its result is cut by; at most `context`.

    Returns:
        The tiles' results, (n, n, tile, tile) with n = 2 S / tile - 1; every other one makes up the image.
    """
    seen = crop(image, context - halo)
    wide = tile + 2 * halo
    windows = seen[0].unfold(0, wide, tile // 2).unfold(1, wide, tile // 2)
    results = crop(network(windows.reshape(-1, 1, wide, wide)), halo)
    return results.view(*windows.shape[:2], tile, tile)


def measure_tiling(tiles: Tensor, whole: Tensor, clear: Tensor) -> dict[str, Tensor]:
    """Mean squares of the differences named in `MEASURES`, by distance to the nearest edge of a tile.

    Args:
        tiles: as from `overlapping_tiles`.
        whole: the result of the whole image, (S, S).
        clear: the truth, (S, S).

    Returns:
        For each measure one value for each distance from 0 on, float64: tile / 2 of them, for `overlap` half as many.
    """
    size, half = tiles.shape[-1], tiles.shape[-1] // 2
    apart = tiles[::2, ::2]
    cut = {name: image.unfold(0, size, size).unfold(1, size, size) for name, image in (("w", whole), ("c", clear))}
    inside = edge_distance(size, size)
    # The lower half of a tile and the upper half of the next; the same to the right, turned.
    pairs = (
        (tiles[:-1, :, half:], tiles[1:, :, :half]),
        (tiles[:, :-1, :, half:].transpose(-1, -2), tiles[:, 1:, :, :half].transpose(-1, -2)),
    )
    shared = edge_distance(half, size)
    overlap = torch.stack([_mean_squares(first - second, shared) for first, second in pairs]).mean(0)
    return {
        "to_whole": _mean_squares(apart - cut["w"], inside),
        "overlap": overlap,
        "error": _mean_squares(apart - cut["c"], inside),
        "error_whole": _mean_squares(cut["w"] - cut["c"], inside),
    }


def _mean_squares(difference: Tensor, distance: Tensor) -> Tensor:
    """The mean of the squares at each distance: of (..., H, W) and (H, W)."""
    squares = difference.double().square().flatten(0, -3).mean(0).flatten()
    index = distance.flatten().to(squares.device)
    sums = squares.new_zeros(int(index.max()) + 1).index_add(0, index, squares)
    return sums / torch.bincount(index)
