"""Classification: cross-entropy, accuracy, and how steady the answer is under small shifts."""

from typing import Any

import torch.nn.functional as F
from torch import Tensor
from torchmetrics import MeanMetric

from experiments.metrics.consistency import shift_consistency
from experiments.models.unet import UNetClassifier
from experiments.tasks.task import Batch, Task, side_by_side

__all__ = ["Classification"]

# Weight of the reconstruction in the loss of the paper's classifier.
RECONSTRUCTION = 0.01


class Classification(Task):
    """One class for each image; see `Task` for the arguments."""

    def __init__(self, *arguments: Any, **options: Any) -> None:
        super().__init__(*arguments, **options)
        self.accuracy, self.consistency = MeanMetric(), MeanMetric()

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

    def measure(self, batch: Batch) -> None:
        """See `Task`."""
        images, classes = batch
        self.accuracy.update((self.scores(images).argmax(1) == classes).float())
        # The paper's classifier takes images of one size only.
        if self.trainer.testing and not isinstance(self.network, UNetClassifier):
            self.consistency.update(shift_consistency(self.scores, images))

    def results(self) -> dict[str, dict[str, float]]:
        """See `Task`."""
        metrics = {"accuracy": self.accuracy, "shift_consistency": self.consistency}
        values = {name: {"whole": m.compute().item()} for name, m in metrics.items() if m.update_called}
        for metric in metrics.values():
            metric.reset()
        return values

    def picture(self, batch: Batch) -> Tensor:
        """The images alone."""
        return side_by_side(batch[0])
