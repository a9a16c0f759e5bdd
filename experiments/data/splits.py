"""What a training run needs to know about a data set, whatever the data."""

from dataclasses import dataclass, fields
from typing import Any

from torch import Tensor
from torch.utils.data import Dataset

__all__ = ["TASKS", "Splits"]

TASKS = ("classification", "segmentation", "super_resolution")


@dataclass(frozen=True)
class Splits:
    """The three fixed parts of a data set, and what a network has to fit.

    An item is a pair of an image, float32, :math:`(C, H, W)`, and a target:

    - classification: the index of a class, int64, a scalar;
    - segmentation: the index of a class at each pixel, int64, :math:`(H, W)`;
    - super_resolution: the clear image, float32, :math:`(1, H, W)`.

    With a halo, an image has that many rows and columns more on each side than the target it is for.

    Args:
        task: One of ``TASKS``.
        train: Items that a network learns from; the only part that may be augmented.
        validation: Items that settings and the best epoch are chosen by.
        test: Items that results are reported on.
        in_channels: Channels :math:`C` of an image.
        image_size: Rows and columns of an image, the halo included where there is one.
        classes: Names of the classes, in the order of their indices; empty for super-resolution.
        halo: Pixels of true context that an image has on each side beyond its target; a network's output is cut
            by as much.
        ignore_index: Target of pixels that neither loss nor metrics count, or ``None``.
        test_blocks: For each item of ``test`` the number of the independent part of the test set that it belongs
            to, such as a block of a map, int64, :math:`(N)`; ``None`` where none is known.

    Raises:
        ValueError: The parts do not fit together, or one of them is empty.

    Example:
        >>> import torch
        >>> from torch.utils.data import TensorDataset
        >>> part = TensorDataset(torch.zeros(2, 1, 8, 8), torch.tensor([0, 1]))
        >>> splits = Splits("classification", part, part, part, 1, (8, 8), classes=("land", "sea"))
        >>> len(splits.classes)
        2
    """

    task: str
    train: Dataset[Any]
    validation: Dataset[Any]
    test: Dataset[Any]
    in_channels: int
    image_size: tuple[int, int]
    classes: tuple[str, ...] = ()
    ignore_index: int | None = None
    halo: int = 0
    test_blocks: Tensor | None = None

    def __post_init__(self) -> None:
        if self.task not in TASKS:
            raise ValueError(f"task must be one of {', '.join(TASKS)}, got {self.task!r}")
        if (self.task == "super_resolution") == bool(self.classes):
            raise ValueError(f"{self.task} with {len(self.classes)} classes: only super_resolution has none")
        for field in fields(self):
            part = getattr(self, field.name)
            if isinstance(part, Dataset) and len(part) == 0:
                raise ValueError(f"the {field.name} part of the data set has no items")
        if self.test_blocks is not None and len(self.test_blocks) != len(self.test):
            raise ValueError(f"test_blocks must have a number for each test item, got {len(self.test_blocks)}")
