"""What the tasks share: a network, its optimizer, a loss for each batch."""

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any

import lightning as L
import torch
from torch import Tensor, nn

from experiments.models.halo import crop

__all__ = ["Batch", "Task", "TrainingDivergedError", "count_blocks", "side_by_side"]

Batch = tuple[Tensor, Tensor]


class TrainingDivergedError(RuntimeError):
    """The loss is no longer a number."""


class Task(L.LightningModule):
    """A network with a loss; a subclass says which, and what is measured.

    Args:
        network: the network to train.
        optimizer: makes an optimizer of parameters.
        scheduler: makes a learning-rate schedule of an optimizer, stepped after each epoch; None for none.
        padding_mode: the network's boundary mode, for messages.
        halo: pixels of true context on each side of the images, which the network's output is cut by; 0 where the
            network does so itself.
        test_blocks: the number of the independent part of the test set that each test item belongs to, (N,); None
            where none is known.
    """

    # Metrics that are shown after each epoch; None shows all. The test has all of them.
    validated: tuple[str, ...] | None = None

    def __init__(
        self,
        network: nn.Module,
        optimizer: Callable[..., torch.optim.Optimizer],
        scheduler: Callable[..., Any] | None,
        padding_mode: str,
        halo: int = 0,
        test_blocks: Tensor | None = None,
    ) -> None:
        super().__init__()
        self.test_blocks = test_blocks
        self.network = network
        self.padding_mode, self.halo = padding_mode, halo
        self._optimizer, self._scheduler = optimizer, scheduler

    def forward(self, images: Tensor) -> Any:
        """The network's output, without the halo."""
        if images.ndim == 4 and images.device.type == "cpu":
            # Convolutions of few channels take half the time with the channels innermost.
            images = images.contiguous(memory_format=torch.channels_last)
        output = self.network(images)
        return crop(output, self.halo) if self.halo else output

    def loss(self, batch: Batch) -> Tensor:
        """The loss of a batch."""
        raise NotImplementedError

    def measure(self, batch: Batch, blocks: Tensor | None = None) -> None:
        """Add a batch to the metrics of the validation or the test that is running.

        Args:
            batch: images and targets.
            blocks: the block of each image, (N,); None where there are none.
        """
        raise NotImplementedError

    def results(self) -> dict[str, dict[str, float]]:
        """By metric, by region, what has been measured since the last call."""
        raise NotImplementedError

    def results_without_each_block(self) -> dict[str, dict[str, list[float]]]:
        """By metric, by region, the results without each block of the test set; to be asked before `results`."""
        raise NotImplementedError

    def picture(self, batch: Batch) -> Tensor:
        """Inputs, predictions and targets of some images side by side, (N, 3, H, W) between 0 and 1."""
        raise NotImplementedError

    def training_step(self, batch: Batch, batch_index: int) -> Tensor:
        """Return the loss; stop when it is no number."""
        with self._noise_of_its_own():
            loss = self.loss(batch)
        if not bool(loss.detach().isfinite()):
            raise TrainingDivergedError(
                f"the loss is {loss.item()} in epoch {self.current_epoch}, batch {batch_index}, with "
                f"padding_mode={self.padding_mode!r}; try a lower padding.degree (0 is 'replicate'), a lower "
                "optimizer.lr or trainer.gradient_clip_val=1"
            )
        self.log("train/loss", loss, prog_bar=True, logger=False, batch_size=len(batch[0]))
        return loss

    def validation_step(self, batch: Batch, batch_index: int) -> None:
        """Measure a batch."""
        options = {"prog_bar": True, "logger": False, "sync_dist": True, "batch_size": len(batch[0])}
        with self._noise_of_its_own():
            self.log("validation/loss", self.loss(batch), **options)
            self.measure(batch)

    def on_validation_epoch_end(self) -> None:
        """Log the metrics of the whole image; the regions are for the test."""
        for metric, regions in self.results().items():
            if self.validated is not None and metric not in self.validated:
                continue
            self.log(f"validation/{metric}", regions["whole"], prog_bar=True, logger=False, sync_dist=True)

    def test_step(self, batch: Batch, batch_index: int) -> None:
        """Measure a batch."""
        with self._noise_of_its_own():
            self.measure(batch, self._blocks_of(batch_index, len(batch[0])))

    def on_test_epoch_end(self) -> None:
        """Keep the results for the record."""
        self.test_results_without_each_block = self.results_without_each_block()
        self.test_results = self.results()

    def configure_optimizers(self) -> Any:
        """As configured."""
        optimizer = self._optimizer(self.network.parameters())
        if self._scheduler is None:
            return optimizer
        return {"optimizer": optimizer, "lr_scheduler": self._scheduler(optimizer)}

    def _blocks_of(self, batch_index: int, count: int) -> Tensor | None:
        """The blocks of a test batch; items come in order, every process takes each nth of them."""
        if self.test_blocks is None:
            return None
        first = batch_index * self.trainer.test_dataloaders.batch_size
        items = (first + torch.arange(count)) * self.trainer.world_size + self.trainer.global_rank
        return self.test_blocks[items % len(self.test_blocks)]

    @contextmanager
    def _noise_of_its_own(self) -> Iterator[None]:
        """Let what the network draws (random padding) change nothing outside: every method sees the same flips."""
        devices = [self.device] if self.device.type == "cuda" else []
        with torch.random.fork_rng(devices):
            torch.manual_seed(torch.initial_seed() + 1 + self.trainer.global_step)
            yield


def side_by_side(images: Tensor, *others: Tensor) -> Tensor:
    """Pictures next to each other, each scaled to its own range, as three channels."""

    def shown(image: Tensor) -> Tensor:
        image = image.float()
        low, high = image.amin((1, 2, 3), keepdim=True), image.amax((1, 2, 3), keepdim=True)
        scaled = (image - low) / (high - low).clamp(min=1e-6)
        return scaled.expand(-1, 3, -1, -1) if scaled.shape[1] == 1 else scaled[:, :3]

    return torch.cat([shown(picture) for picture in (images, *others)], 3)


def count_blocks(test_blocks: Tensor | None) -> int:
    """How many independent parts a test set has; 1 where none are known."""
    return 1 if test_blocks is None else int(test_blocks.max()) + 1
