"""Caltech 101: photographs of objects, for classification as in the paper."""

from pathlib import Path

import torch
from torch import Tensor
from torch.utils.data import Dataset, random_split
from torchvision import datasets

from experiments.data.pictures import normalise, read_picture
from experiments.data.splits import Splits
from experiments.data.tiles import flip_together

__all__ = ["Photographs", "caltech101"]

PAGE = "https://data.caltech.edu/records/mzrjq-6wc02"
# The paper's: a random fifth to test on, drawn with this seed.
SPLIT_SEED = 42
SHARES = (0.8, 0.2)
# One in eight training photographs, a tenth of all, chooses settings.
VALIDATION_STEP = 8


def caltech101(
    root: str | Path, image_size: int = 448, paper_split: bool = False, augment: bool = False, download: bool = False
) -> Splits:
    """Photographs of 101 kinds of objects, resized to a square, for classification.

    A random fifth of the photographs, drawn with seed 42, is the test, as in the paper. The paper has no
    validation; by default every eighth of the other photographs, in the order of the draw, validates here.

    References:
        | L. Fei-Fei, R. Fergus and P. Perona, Learning generative visual models from few training examples,
        | CVPR Workshop, 2004; data of 2022, doi 10.22002/D1.20086

    Args:
        root: Folder that holds ``caltech101/101_ObjectCategories``.
        image_size: Rows and columns that photographs are resized to, whatever their shape.
        paper_split: Train on all four fifths, as in the paper. Validation is the test then: settings must not
            be chosen by it.
        augment: Whether training photographs are swapped left and right at random. The paper does not.
        download: Whether to fetch the 131 MB if they are missing.

    Returns:
        Images of 3 channels, normalised as for ImageNet; 101 classes.

    Raises:
        FileNotFoundError: The data is missing; the message says where to get it.
        ValueError: The folder holds something else, or ``image_size`` is below 1.

    Example:
        >>> caltech101("nowhere")  # doctest: +ELLIPSIS
        Traceback (most recent call last):
        ...
        FileNotFoundError: no Caltech 101 in nowhere: ...
    """
    root = Path(root)
    if image_size < 1:
        raise ValueError(f"image_size must be at least 1, got {image_size}")
    # Asked first, because torchvision makes an empty folder before it finds nothing in it.
    if not download and not (root / "caltech101" / "101_ObjectCategories").is_dir():
        raise FileNotFoundError(
            f"no Caltech 101 in {root}: set data.download=true, or download caltech-101.zip from {PAGE} and unpack "
            f"it and its 101_ObjectCategories.tar.gz, so that {root / 'caltech101' / '101_ObjectCategories'} is there"
        )
    try:
        listing = datasets.Caltech101(str(root), download=download)
    except ValueError as error:
        raise ValueError(
            f"{root / 'caltech101' / '101_ObjectCategories'} must hold the 102 folders of the archive, "
            "BACKGROUND_Google too"
        ) from error

    folder = Path(listing.root) / "101_ObjectCategories"
    numbered = zip(listing.y, listing.index, strict=True)
    paths = [folder / listing.categories[kind] / f"image_{index:04d}.jpg" for kind, index in numbered]
    drawn, test = random_split(
        range(len(paths)),
        SHARES,
        generator=torch.Generator().manual_seed(SPLIT_SEED),
    )
    chosen = {"train": list(drawn), "validation": list(test), "test": list(test)}
    if not paper_split:
        chosen["validation"] = chosen["train"][::VALIDATION_STEP]
        del chosen["train"][::VALIDATION_STEP]
    parts = {
        split: Photographs(
            [paths[index] for index in indices],
            torch.tensor([listing.y[index] for index in indices]),
            image_size,
            augment=augment and split == "train",
        )
        for split, indices in chosen.items()
    }
    size = (image_size, image_size)
    return Splits("classification", **parts, in_channels=3, image_size=size, classes=tuple(listing.categories))


class Photographs(Dataset[tuple[Tensor, Tensor]]):
    """Photographs in files, resized to a square and normalised as for ImageNet, with a class each.

    Args:
        paths: The files.
        targets: Class of each, int64, :math:`(N)`.
        size: Rows and columns.
        augment: Whether to swap left and right at random, with torch's random numbers.

    Example:
        >>> len(Photographs([Path("a.jpg")], torch.tensor([0]), size=448))
        1
    """

    def __init__(self, paths: list[Path], targets: Tensor, size: int, augment: bool = False):
        # Text is shared between worker processes and pickled faster than paths.
        self.paths, self.targets = [str(path) for path in paths], targets
        self.size, self.augment = size, augment

    def __len__(self) -> int:
        return len(self.paths)

    def __getitem__(self, index: int) -> tuple[Tensor, Tensor]:
        image = normalise(read_picture(self.paths[index], "RGB", (self.size, self.size)))
        if self.augment:
            (image,) = flip_together(image, axes=(-1,))
        return image, self.targets[index]
