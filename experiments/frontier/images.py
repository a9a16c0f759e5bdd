"""The large test images that are cut into tiles, from the held-out regions of the data of a network."""

import dataclasses
from collections.abc import Mapping, Sequence
from typing import Any

import torch
from omegaconf import DictConfig
from torch.utils.data import Subset

from experiments.data.load import load_data
from experiments.data.splits import Splits
from experiments.data.tiles import Tiles
from experiments.training.run_folder import data_name

__all__ = ["chosen_images", "large_images"]


def large_images(config: DictConfig, images: Mapping[str, Any], tile: int, context: int, most: int) -> Splits:
    """Load large test images with true context, normalised as the images that the network was trained on.

    Args:
        config: settings of the network's run.
        images: for each data set, by its name, arguments of its function that make large images of it.
        tile: rows and columns of a tile, of which an image must be a multiple.
        context: pixels of true context around each image.
        most: images, at most.

    Raises:
        ValueError: there are no settings for this data, or its images are no multiple of a tile.
        FileNotFoundError: the data is missing.
    """
    name = data_name(config)
    if name not in images:
        raise ValueError(f"images must say how large images of {name} are made; got {', '.join(images) or 'nothing'}")
    data = load_data(config.data, **{**images[name], "halo": context})
    sides = [side - 2 * context for side in data.image_size]
    if sides[0] != sides[1] or sides[0] % tile or sides[0] < tile:
        raise ValueError(f"images of {name} must be squares of a multiple of tile={tile} pixels; got {sides}")
    test = data.test
    if isinstance(test, Tiles):
        # Moments of the training images: those of the few large ones would be others.
        trained = load_data(config.data).test
        test = Tiles(test.images, test.targets, trained.mean.flatten(), trained.std.flatten())
    chosen, blocks = chosen_images(len(test), data.test_blocks, most)
    return dataclasses.replace(data, test=Subset(test, chosen), test_blocks=blocks)


def chosen_images(count: int, blocks: torch.Tensor | None, most: int) -> tuple[list[int], torch.Tensor]:
    """Choose images so that few of them share pixels: those of a block come one by one, and every block has its turn.

    Args:
        count: of images.
        blocks: the number of the block of the map that each lies in, (N,); None gives each image a block of its own.
        most: how many to choose, at most.

    Returns:
        The images' numbers in order, and the block of each, numbered from 0 on without a hole.

    Example:
        >>> chosen_images(5, torch.tensor([0, 0, 0, 2, 2]), most=3)
        ([0, 1, 3], tensor([0, 0, 1]))
    """
    numbers = torch.arange(count) if blocks is None else blocks
    seen: dict[int, int] = {}
    turns = []
    for number in numbers.tolist():
        turns.append(seen.get(number, 0))
        seen[number] = turns[-1] + 1
    chosen: Sequence[int] = sorted(sorted(range(count), key=lambda image: turns[image])[:most])
    return list(chosen), torch.unique(numbers[list(chosen)], return_inverse=True)[1]
