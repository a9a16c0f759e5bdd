"""Cityscapes: streets of German cities and Zurich, for segmentation into categories as in the paper."""

from collections.abc import Iterable
from pathlib import Path

import numpy as np
import torch
from torch import Tensor
from torch.utils.data import Dataset
from torchvision import datasets

from experiments.data.pictures import normalise, read_picture
from experiments.data.splits import Splits
from experiments.data.tiles import flip_together

__all__ = ["CATEGORIES", "IGNORED", "Streets", "cityscapes"]

PAGE = "https://www.cityscapes-dataset.com/downloads"
CATEGORIES = ("void", "flat", "construction", "object", "nature", "sky", "human", "vehicle")
# Target of void pixels where they do not count; also what an unknown label is in the table below.
IGNORED = 255
UNKNOWN = 254
IMAGE_SIZE = (1024, 2048)


def cityscapes(
    root: str | Path,
    count_void: bool = False,
    stride: int = 2,
    validation_cities: Iterable[str] = ("ulm", "weimar", "zurich"),
    paper_split: bool = False,
    augment: bool = False,
) -> Splits:
    """Street scenes with fine annotations, for segmentation into the 7 categories, or 8 with void.

    The benchmark keeps the labels of its test cities to itself, so that, as in the paper, its validation
    cities (Frankfurt, Lindau, Münster) are the test here. Whole training cities validate.

    The paper finds a pixel's category by the nearest label colour; the label numbers used here lead to the
    same category for every colour of the annotation.

    References:
        | M. Cordts et al., The Cityscapes Dataset for Semantic Urban Scene Understanding, CVPR 2016

    Args:
        root: Folder that holds ``leftImg8bit`` and ``gtFine``.
        count_void: Count void (the car's own bonnet, the border, what has no label) as a class like any other,
            as in the paper. By default neither loss nor metrics see it.
        stride: Every how manyth row and column is kept, at least 1; the pictures have 1024 x 2048 pixels.
        validation_cities: Training cities held out to validate on.
        paper_split: Train on all training cities, as in the paper. Validation is the test then: settings must
            not be chosen by it.
        augment: Whether training images are swapped left and right at random. The paper does not.

    Returns:
        Images of 3 channels, normalised as for ImageNet; the categories.

    Raises:
        FileNotFoundError: The data is missing; the message says where to get it.
        ValueError: A city to validate on is not there, or ``stride`` is below 1.

    Example:
        >>> cityscapes("nowhere")  # doctest: +ELLIPSIS
        Traceback (most recent call last):
        ...
        FileNotFoundError: no Cityscapes in nowhere: ...
    """
    if stride < 1:
        raise ValueError(f"stride must be at least 1, got {stride}")
    root = Path(root)
    pairs = {split: _pairs(root, split) for split in ("train", "val")}
    chosen = {"train": pairs["train"], "validation": pairs["val"], "test": pairs["val"]}
    if not paper_split:
        held = set(validation_cities)
        cities = {Path(image).parent.name for image, _ in pairs["train"]}
        if not held <= cities:
            missing = ", ".join(sorted(held - cities))
            raise ValueError(f"validation_cities must be training cities, got {missing}; there are {sorted(cities)}")
        chosen["train"] = [pair for pair in pairs["train"] if Path(pair[0]).parent.name not in held]
        chosen["validation"] = [pair for pair in pairs["train"] if Path(pair[0]).parent.name in held]
    parts = {
        split: Streets(listed, count_void, stride, augment and split == "train") for split, listed in chosen.items()
    }
    rows, columns = (-(-side // stride) for side in IMAGE_SIZE)
    return Splits(
        "segmentation",
        **parts,
        in_channels=3,
        image_size=(rows, columns),
        classes=CATEGORIES if count_void else CATEGORIES[1:],
        ignore_index=None if count_void else IGNORED,
    )


class Streets(Dataset[tuple[Tensor, Tensor]]):
    """Street scenes in files with the category of every pixel.

    Args:
        pairs: Files of image and label numbers.
        count_void: Whether void is class 0; else classes begin with flat, and void is :data:`IGNORED`.
        stride: Every how manyth row and column is kept.
        augment: Whether to swap left and right at random, with torch's random numbers.

    Example:
        >>> len(Streets([("a_leftImg8bit.png", "a_gtFine_labelIds.png")]))
        1
    """

    def __init__(
        self, pairs: list[tuple[str, str]], count_void: bool = False, stride: int = 2, augment: bool = False
    ):
        self.pairs, self.stride, self.augment = pairs, stride, augment
        self.table = _categories(count_void)

    def __len__(self) -> int:
        return len(self.pairs)

    def __getitem__(self, index: int) -> tuple[Tensor, Tensor]:
        image_path, label_path = self.pairs[index]
        kept = np.s_[:: self.stride, :: self.stride]
        pixels = read_picture(image_path, "RGB")
        numbers = read_picture(label_path)
        if numbers.shape != pixels.shape[:2] or numbers.dtype != np.uint8:
            raise ValueError(
                f"{label_path} must hold a byte for each of {pixels.shape[:2]} pixels, "
                f"got {numbers.dtype} of shape {numbers.shape}"
            )
        target = self.table[numbers[kept]]
        if (target == UNKNOWN).any():
            raise ValueError(f"{label_path} holds label {numbers[kept][target == UNKNOWN][0]}, which does not exist")
        pair = normalise(pixels[kept]), torch.from_numpy(target.astype(np.int64))
        return flip_together(*pair, axes=(-1,)) if self.augment else pair  # type: ignore[return-value]


def _pairs(root: Path, split: str) -> list[tuple[str, str]]:
    """List the files of image and labels of a split of the benchmark, in a fixed order."""
    needed = [root / kind / split for kind in ("leftImg8bit", "gtFine")]
    if not all(folder.is_dir() for folder in needed):
        raise FileNotFoundError(
            f"no Cityscapes in {root}: download leftImg8bit_trainvaltest.zip and gtFine_trainvaltest.zip from {PAGE} "
            f"(free registration) and unpack both, so that {needed[0]} and {needed[1]} are there"
        )
    listing = datasets.Cityscapes(str(root), split, "fine", "semantic")
    # torchvision lists files as the file system does, which differs from one machine to the next.
    return sorted(zip(listing.images, (labels for (labels,) in listing.targets), strict=True))


def _categories(count_void: bool) -> np.ndarray:
    """Make the table from label number to class, uint8, (256)."""
    table = np.full(256, UNKNOWN, np.uint8)
    for label in datasets.Cityscapes.classes:
        # The number plate is label -1, which a byte holds as 255.
        table[label.id % 256] = label.category_id
    if not count_void:
        known = table != UNKNOWN
        void = table == CATEGORIES.index("void")
        table[known] -= 1
        table[void] = IGNORED
    return table
