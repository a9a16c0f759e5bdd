"""Patches of several sizes that make up the same squares."""

from collections.abc import Iterator, Sequence

import numpy as np
from omegaconf import DictConfig
from torch import Tensor
from torch.utils.data import DataLoader

from experiments.data.deblurring import BlurredPatches
from experiments.data.load import load_data
from experiments.data.splits import Splits
from experiments.models.halo import crop

__all__ = ["batches", "chosen_squares", "squares", "within"]

# Pixels at a time, without a halo.
PIXELS = 2**18


def squares(config: DictConfig, side: int) -> Splits:
    """The test squares of the data that a network was trained on.

    Args:
        config: settings of the run.
        side: rows and columns of a square.

    Raises:
        ValueError: the data has no squares of this size, or is none of a super-resolution.
        FileNotFoundError: it is missing.
    """
    size = "test_size" if "test_size" in config.data else "size"
    try:
        data = load_data(config.data, **{size: side}, train_patches=1, augment=False, halo=0)
    except ValueError as error:
        raise ValueError(f"no squares of {side} pixels, of which all sizes are parts: {error}") from error
    if not isinstance(data.test, BlurredPatches):
        raise ValueError(f"sizes are those of a super-resolution; the data is for {data.task}")
    return data


def within(corners: np.ndarray, side: int, size: int) -> np.ndarray:
    """List the patches that make up squares.

    Args:
        corners: map, row and column of each square, (N, 3).
        side: rows and columns of a square, a multiple of `size`.
        size: rows and columns of a patch.

    Returns:
        Map, row and column of each patch, square by square, (N (side / size)^2, 3).

    Example:
        >>> within(np.array([[0, 10, 20]]), side=4, size=2).tolist()
        [[0, 10, 20], [0, 10, 22], [0, 12, 20], [0, 12, 22]]
    """
    steps = range(0, side, size)
    offsets = np.array([(0, row, column) for row in steps for column in steps])
    return (corners[:, None] + offsets).reshape(-1, 3)


def batches(
    test: BlurredPatches, corners: np.ndarray, size: int, halo: int, workers: int
) -> Iterator[tuple[Tensor, Tensor]]:
    """Yield patches of one size, normalised as `test` is: with a halo, (N, 1, S + 2 halo, S + 2 halo), and clear."""
    patches = BlurredPatches(test.fields, corners, size, halo, test.normalisation, False, test.least_scale)
    count = max(1, PIXELS // size**2)
    for images, clear in DataLoader(patches, count, num_workers=workers):
        # The clear patch comes with its halo.
        yield images, crop(clear, halo) if clear.shape[-1] > size else clear


def chosen_squares(
    test: BlurredPatches, sizes: Sequence[int], least_deviation: float, limit: int | None
) -> np.ndarray:
    """Choose the squares that are used.

    Args:
        test: the squares.
        sizes: of the patches that they are divided into.
        least_deviation: of the height in each patch, in metres; a square with a flatter one is left out.
        limit: number of squares, chosen evenly; None takes all.

    Returns:
        Map, row and column of each, (N, 3).

    Raises:
        ValueError: none is left.
    """
    corners = test.corners
    if least_deviation > 0:
        rough = [
            all(
                test.fields.window(*corner, size, size)[0].std(correction=0).item() >= least_deviation
                for size in sizes
                for corner in within(square[None], test.size, size).tolist()
            )
            for square in corners
        ]
        corners = corners[np.array(rough)]
    if not len(corners):
        raise ValueError(f"no test square has a deviation of {least_deviation} in all of its patches")
    if limit is not None and limit < len(corners):
        corners = corners[np.linspace(0, len(corners) - 1, limit).round().astype(int)]
    return corners
