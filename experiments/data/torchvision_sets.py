"""Small pictures of objects and clothes that torchvision downloads, for classification."""

from pathlib import Path
from typing import Any

import numpy as np
import torch
from torchvision import datasets

from experiments.data.splits import Splits
from experiments.data.tiles import Tiles, channel_moments

__all__ = ["cifar10", "fashion_mnist"]

# Drawn from the training part with a seed of its own, the same for every run.
VALIDATION_SEED = 0


def cifar10(root: str | Path, validation_images: int = 5000, augment: bool = True, download: bool = False) -> Splits:
    """Ten kinds of animals and vehicles, 32 x 32 pixels in colour, for classification.

    References:
        | A. Krizhevsky, Learning Multiple Layers of Features from Tiny Images, 2009

    Args:
        root: Folder that holds ``cifar-10-batches-py``.
        validation_images: How many of the 50,000 training images validate.
        augment: Whether training images are swapped left and right at random.
        download: Whether to fetch the 170 MB if they are missing.

    Returns:
        Images of 3 channels, normalised by mean and standard deviation of the training images; 10 classes.

    Raises:
        FileNotFoundError: The data is missing or damaged; the message says where to get it.
        ValueError: ``validation_images`` leaves nothing to validate or to train on.

    Example:
        >>> cifar10("nowhere")  # doctest: +ELLIPSIS
        Traceback (most recent call last):
        ...
        FileNotFoundError: no CIFAR-10 in nowhere: ...
    """
    advice = "cifar-10-python.tar.gz from https://www.cs.toronto.edu/~kriz/cifar.html, and unpack it there"
    parts = _load(datasets.CIFAR10, "CIFAR-10", root, download, advice)
    images, targets = zip(*((np.transpose(part.data, (0, 3, 1, 2)), part.targets) for part in parts), strict=True)
    return _splits(images, targets, parts[0].classes, validation_images, augment)


def fashion_mnist(
    root: str | Path, validation_images: int = 5000, augment: bool = False, download: bool = False
) -> Splits:
    """Ten kinds of clothes, 28 x 28 pixels in grey, for classification.

    References:
        | H. Xiao, K. Rasul and R. Vollgraf, Fashion-MNIST, arXiv 1708.07747

    Args:
        root: Folder that holds ``FashionMNIST/raw``.
        validation_images: How many of the 60,000 training images validate.
        augment: Whether training images are swapped left and right at random.
        download: Whether to fetch the 31 MB if they are missing.

    Returns:
        Images of 1 channel, normalised by mean and standard deviation of the training images; 10 classes.

    Raises:
        FileNotFoundError: The data is missing or damaged; the message says where to get it.
        ValueError: ``validation_images`` leaves nothing to validate or to train on.

    Example:
        >>> fashion_mnist("nowhere")  # doctest: +ELLIPSIS
        Traceback (most recent call last):
        ...
        FileNotFoundError: no Fashion-MNIST in nowhere: ...
    """
    advice = (
        "the four files *-ubyte.gz from https://github.com/zalandoresearch/fashion-mnist, and unpack them into "
        f"{Path(root) / 'FashionMNIST' / 'raw'}"
    )
    parts = _load(datasets.FashionMNIST, "Fashion-MNIST", root, download, advice)
    images, targets = zip(*((part.data.numpy()[:, None], part.targets.tolist()) for part in parts), strict=True)
    return _splits(images, targets, parts[0].classes, validation_images, augment)


def _load(kind: type[Any], name: str, root: str | Path, download: bool, advice: str) -> list:
    """Return torchvision's training and test parts, or say where to get them."""
    try:
        return [kind(str(root), train=train, download=download) for train in (True, False)]
    # torchvision says RuntimeError for what is missing or fails its checksum; a cut-off file fails when parsed.
    except (RuntimeError, ValueError, EOFError) as error:
        reason = "missing or damaged" if Path(root).is_dir() else "missing"
        raise FileNotFoundError(
            f"no {name} in {root}: files are {reason}; set data.download=true, or download {advice}"
        ) from error


def _splits(images: Any, targets: Any, classes: list[str], validation_images: int, augment: bool) -> Splits:
    """Hold out validation images and normalise all by what is left to train on."""
    count = len(images[0])
    if not 0 < validation_images < count:
        raise ValueError(f"validation_images must be within 1 and {count - 1}, got {validation_images}")
    order = np.random.default_rng(VALIDATION_SEED).permutation(count)
    held, kept = np.sort(order[:validation_images]), np.sort(order[validation_images:])
    train, test = (torch.from_numpy(np.ascontiguousarray(part)) for part in images)
    train_targets, test_targets = (torch.tensor(part) for part in targets)
    moments = channel_moments(train[kept])
    return Splits(
        "classification",
        train=Tiles(train[kept], train_targets[kept], *moments, (-1,) if augment else ()),
        validation=Tiles(train[held], train_targets[held], *moments),
        test=Tiles(test, test_targets, *moments),
        in_channels=train.shape[1],
        image_size=(train.shape[2], train.shape[3]),
        classes=tuple(classes),
    )
