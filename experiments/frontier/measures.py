"""What is measured of a network that runs on an image tile by tile: errors and seams, by block of the test set."""

import warnings
from collections.abc import Callable

import torch
from torch import Tensor

from experiments.metrics.dense import RegionConfusion, RegionError
from experiments.models.halo import crop

__all__ = ["JUMP", "LEFT_OUT", "SEAM", "Measured", "TiledMeasures", "cut", "run_tiles", "steps", "windows"]

Network = Callable[[Tensor], Tensor]

# Root mean squares of differences between the tiled and the whole result: of each pixel, and of the step from the
# last pixel of a tile to the first of the next.
SEAM, JUMP = "seam", "jump"
# Of the errors: regions of a tile that are told, and those that are also told without each block of the test set.
REGIONS, LEFT_OUT = ("whole", "frame", "interior"), ("whole", "frame")

# By metric and region: the value, and the value without each block of the test set, where it is told.
Measured = dict[tuple[str, str], tuple[float, list[float]]]


def windows(image: Tensor, context: int, tile: int, halo: int) -> Tensor:
    """Cut an image into tiles with their true surroundings.

    Args:
        image: with its context, (C, S + 2 context, S + 2 context).
        context: pixels around the image that are not part of it.
        tile: rows and columns of a tile; S is a multiple of it.
        halo: pixels of its surroundings that each tile is given, at most `context`.

    Returns:
        (n^2, C, tile + 2 halo, tile + 2 halo) with n = S / tile, row by row.

    Example:
        >>> windows(torch.arange(16).view(1, 4, 4), context=1, tile=1, halo=1)[1, 0]
        tensor([[ 1,  2,  3],
                [ 5,  6,  7],
                [ 9, 10, 11]])
    """
    wide = tile + 2 * halo
    found = crop(image, context - halo).unfold(1, wide, tile).unfold(2, wide, tile)
    return found.permute(1, 2, 0, 3, 4).reshape(-1, len(image), wide, wide)


def cut(image: Tensor, tile: int) -> Tensor:
    """Cut an image without context into tiles: (n^2, ..., tile, tile) of (..., S, S)."""
    found = image.unfold(-2, tile, tile).unfold(-2, tile, tile)
    return found.movedim((-4, -3), (0, 1)).flatten(0, 1)


def steps(tiles: Tensor) -> Tensor:
    """The steps from the last pixel of a tile to the first of the next one, to the right and downwards.

    Args:
        tiles: of one image, row by row, (n^2, C, tile, tile).

    Returns:
        (2 n (n - 1), C, tile, 1).

    Example:
        >>> steps(torch.tensor([1.0, 2.0, 4.0, 8.0]).view(4, 1, 1, 1)).flatten().tolist()
        [1.0, 4.0, 3.0, 6.0]
    """
    n = round(len(tiles) ** 0.5)
    grid = tiles.unflatten(0, (n, n))
    right = grid[:, 1:, ..., 0] - grid[:, :-1, ..., -1]
    down = grid[1:, ..., 0, :] - grid[:-1, ..., -1, :]
    return torch.cat([right.flatten(0, 1), down.flatten(0, 1)])[..., None]


class TiledMeasures:
    """Errors and seams of tiled results over all images.

    Args:
        classes: number of classes of a segmentation; 0 for a field, whose error is squared.
        ignore_index: a target of a segmentation that does not count.
        blocks: number of independent parts of the test set.
        tile: rows and columns of a tile.
    """

    def __init__(self, classes: int, ignore_index: int | None, blocks: int, tile: int) -> None:
        self.classes, self.tile = classes, tile
        self.error = RegionConfusion(classes, ignore_index, blocks) if classes else RegionError(blocks)
        self.differences = {SEAM: RegionError(blocks), JUMP: RegionError(blocks)}

    def update(self, tiled: Tensor, whole: Tensor, target: Tensor, block: int) -> None:
        """Add an image.

        Args:
            tiled: the network's results of the tiles, (n^2, C, tile, tile).
            whole: its result of the whole image, (C, S, S).
            target: the truth, (1, S, S), or of a segmentation (S, S).
            block: the part of the test set that the image belongs to.
        """
        truth = cut(target, self.tile)
        self.error.update(tiled.argmax(1) if self.classes else tiled, truth, self._blocks(block, len(tiled)))
        if self.classes:
            # What differs is told in probabilities: scores have no unit.
            tiled, whole = tiled.softmax(1), whole.softmax(0)
        pair = tiled, cut(whole, self.tile)
        self.differences[SEAM].update(*pair, self._blocks(block, len(tiled)))
        if len(tiled) > 1:
            tiled_step, whole_step = map(steps, pair)
            self.differences[JUMP].update(tiled_step, whole_step, self._blocks(block, len(tiled_step)))

    @staticmethod
    def _blocks(block: int, count: int) -> Tensor:
        return torch.full((count,), block)

    def compute(self) -> Measured:
        """All that was measured, by metric and region."""
        with warnings.catch_warnings():
            # Of the metrics' library, on sums that were never added to: images of one tile have no jump.
            warnings.simplefilter("ignore", UserWarning)
            values, without = self.error.compute(), self.error.without_each_block()
            names = ("mean_iou", "accuracy") if self.classes else ("mse",)
            found: Measured = {
                (name, region): (
                    values[name][region],
                    without.get(name, {}).get(region, []) if region in LEFT_OUT else [],
                )
                for name in names
                for region in REGIONS
                if region in values[name]
            }
            for name, error in self.differences.items():
                whole = error.compute()["mse"].get("whole")
                left_out = error.without_each_block().get("mse", {}).get("whole", []) if name == SEAM else []
                if whole is not None:
                    found[name, "whole"] = whole**0.5, [value**0.5 for value in left_out]
        return found


@torch.no_grad()
def run_tiles(network: Network, image: Tensor, context: int, tile: int, halo: int) -> Tensor:
    """The results of a network for every tile of an image, without their halos, (n^2, C, tile, tile)."""
    return crop(network(windows(image, context, tile, halo)), halo)
