"""Segmentation: cross-entropy, mean intersection over union and accuracy by region."""

from typing import Any

import torch
import torch.nn.functional as F
from torch import Tensor

from experiments.metrics.dense import RegionConfusion
from experiments.models.halo import crop
from experiments.tasks.task import Batch, Task, count_blocks, side_by_side

__all__ = ["Segmentation"]


class Segmentation(Task):
    """One class for each pixel; see `Task` for the other arguments.

    Args:
        num_classes: number of classes.
        ignore_index: a target that counts in neither loss nor metrics.
    """

    validated = ("mean_iou", "accuracy")

    def __init__(self, *arguments: Any, num_classes: int, ignore_index: int | None = None, **options: Any) -> None:
        super().__init__(*arguments, **options)
        self.ignore_index = ignore_index
        self.confusion = RegionConfusion(num_classes, ignore_index, count_blocks(self.test_blocks))

    def loss(self, batch: Batch) -> Tensor:
        """Cross-entropy, mean over the pixels that count."""
        images, classes = batch
        ignored = -100 if self.ignore_index is None else self.ignore_index
        return F.cross_entropy(self(images), classes, ignore_index=ignored)

    def measure(self, batch: Batch, blocks: Tensor | None = None) -> None:
        """See `Task`."""
        images, classes = batch
        self.confusion.update(self(images).argmax(1), classes, blocks)

    def results(self) -> dict[str, dict[str, float]]:
        """See `Task`."""
        values = self.confusion.compute()
        self.confusion.reset()
        return values

    def results_without_each_block(self) -> dict[str, dict[str, list[float]]]:
        """See `Task`."""
        return self.confusion.without_each_block()

    def picture(self, batch: Batch) -> Tensor:
        """Images, predicted classes and true classes as grey levels."""
        images, classes = batch
        with torch.no_grad():
            predicted = self(images).argmax(1)
        return side_by_side(crop(images, self.halo), predicted[:, None], classes[:, None])
