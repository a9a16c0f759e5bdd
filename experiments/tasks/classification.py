"""Classification: cross-entropy, accuracy, and how steady the answer is under small shifts."""

from typing import Any

import torch.nn.functional as F
from torch import Tensor

from experiments.metrics.block_mean import BlockMean
from experiments.metrics.consistency import shift_consistency
from experiments.models.unet import UNetClassifier
from experiments.tasks.task import Batch, Task, count_blocks, side_by_side

__all__ = ["Classification"]

# Weight of the reconstruction in the loss of the paper's classifier.
RECONSTRUCTION = 0.01


class Classification(Task):
    """One class for each image; see `Task` for the arguments."""

    def __init__(self, *arguments: Any, **options: Any) -> None:
        super().__init__(*arguments, **options)
        blocks = count_blocks(self.test_blocks)
        self.accuracy, self.consistency = BlockMean(blocks), BlockMean(blocks)

    def scores(self, images: Tensor) -> Tensor:
        """Class scores, whether the network also reconstructs the image or not."""
        output = self(images)
        return output[0] if isinstance(output, tuple) else output

    def loss(self, batch: Batch) -> Tensor:
        """Cross-entropy; with a reconstruction, 0.01 times its mean squared error is added."""
        images, classes = batch
        output = self(images)
        if isinstance(output, tuple):
            scores, reconstruction = output
            return F.cross_entropy(scores, classes) + RECONSTRUCTION * F.mse_loss(reconstruction, images)
        return F.cross_entropy(output, classes)

    def measure(self, batch: Batch, blocks: Tensor | None = None) -> None:
        """See `Task`."""
        images, classes = batch
        self.accuracy.update((self.scores(images).argmax(1) == classes).float(), blocks)
        # The paper's classifier takes images of one size only.
        if self.trainer.testing and not isinstance(self.network, UNetClassifier):
            self.consistency.update(shift_consistency(self.scores, images), blocks)

    def results(self) -> dict[str, dict[str, float]]:
        """See `Task`."""
        values = {name: {"whole": m.compute().item()} for name, m in self._metrics().items()}
        for metric in (self.accuracy, self.consistency):
            metric.reset()
        return values

    def results_without_each_block(self) -> dict[str, dict[str, list[float]]]:
        """See `Task`."""
        left = {name: metric.without_each_block() for name, metric in self._metrics().items()}
        return {name: {"whole": values} for name, values in left.items() if values}

    def _metrics(self) -> dict[str, BlockMean]:
        """The metrics that have been measured."""
        metrics = {"accuracy": self.accuracy, "shift_consistency": self.consistency}
        return {name: metric for name, metric in metrics.items() if metric.update_called}

    def picture(self, batch: Batch) -> Tensor:
        """The images alone."""
        return side_by_side(batch[0])
