"""Super-resolution, which in the paper is the removal of a blur: mean squared error and PSNR by region."""

from typing import Any

import torch
import torch.nn.functional as F
from torch import Tensor

from experiments.metrics.dense import RegionError
from experiments.models.halo import crop
from experiments.tasks.task import Batch, Task, count_blocks, side_by_side

__all__ = ["SuperResolution"]


class SuperResolution(Task):
    """A clear image for each blurred one; see `Task` for the arguments."""

    def __init__(self, *arguments: Any, **options: Any) -> None:
        super().__init__(*arguments, **options)
        self.error = RegionError(count_blocks(self.test_blocks))

    def loss(self, batch: Batch) -> Tensor:
        """Mean squared error."""
        images, targets = batch
        return F.mse_loss(self(images), targets)

    def measure(self, batch: Batch, blocks: Tensor | None = None) -> None:
        """See `Task`."""
        images, targets = batch
        self.error.update(self(images), targets, blocks)

    def results(self) -> dict[str, dict[str, float]]:
        """See `Task`."""
        values = self.error.compute()
        self.error.reset()
        return values

    def results_without_each_block(self) -> dict[str, dict[str, list[float]]]:
        """See `Task`."""
        return self.error.without_each_block()

    def picture(self, batch: Batch) -> Tensor:
        """Blurred images, predictions and targets."""
        images, targets = batch
        with torch.no_grad():
            return side_by_side(crop(images, self.halo), self(images), targets)
