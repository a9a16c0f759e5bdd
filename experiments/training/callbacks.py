"""What happens beside the training: seeds for each epoch, the history, waiting time, pictures."""

from pathlib import Path
from time import monotonic
from typing import Any

import lightning as L
import pandas as pd
import torch
from lightning.pytorch.callbacks import Callback, RichProgressBar
from rich.console import Console

from experiments.records import replacing
from experiments.tasks.task import Task
from experiments.training.checkpoints import stopped_checkpoint
from experiments.training.stopping import Stopped, asked, listen_again

__all__ = ["EpochSeed", "History", "Pictures", "ProgressBar", "StopBetweenBatches", "WaitingTime"]


class EpochSeed(Callback):
    """Seed torch for each epoch, so that it does not matter what ran before: dropout, augmentation, random padding.

    Args:
        seed: the run's seed.
    """

    def __init__(self, seed: int) -> None:
        self.seed = seed

    def on_train_start(self, trainer: L.Trainer, pl_module: L.LightningModule) -> None:
        """Seed an epoch that is resumed in its middle, which has no start; its loader repeats the first batches."""
        self.on_train_epoch_start(trainer, pl_module)

    def on_train_epoch_start(self, trainer: L.Trainer, pl_module: L.LightningModule) -> None:
        """Seed by run, epoch and rank."""
        torch.manual_seed((1_000_003 * self.seed + trainer.current_epoch) * 1009 + trainer.global_rank)

    def on_test_start(self, trainer: L.Trainer, pl_module: L.LightningModule) -> None:
        """Seed the test, so that a resumed run is tested as a run that was never stopped."""
        torch.manual_seed(1_000_003 * self.seed + 500_009)


class History(Callback):
    """Every epoch's metrics in a CSV file: the record of the training, whatever the logger does.

    The rows are part of the checkpoint, so that a run that is taken up again goes on with the file as it was; and so
    are the losses of an epoch that is not at its end.

    Args:
        path: the file.
        console: where to print a line for each epoch, if it is no terminal (which has a progress bar).
    """

    def __init__(self, path: Path, console: Console) -> None:
        self.path, self.console = path, console
        self.rows: list[dict[str, float]] = []
        self.losses: list[torch.Tensor] = []

    def state_dict(self) -> dict[str, Any]:
        """The rows so far, and the losses that are in none of them."""
        return {"rows": self.rows, "losses": [loss.cpu() for loss in self.losses]}

    def load_state_dict(self, state_dict: dict[str, Any]) -> None:
        """Go on with these rows and losses."""
        self.rows, self.losses = list(state_dict["rows"]), list(state_dict.get("losses", []))

    def on_train_start(self, trainer: L.Trainer, pl_module: L.LightningModule) -> None:
        """Put the losses where the next ones will be."""
        self.losses = [loss.to(pl_module.device) for loss in self.losses]

    def on_train_epoch_start(self, *_: Any) -> None:
        """A new mean of the loss."""
        self.losses = []

    def on_train_batch_end(self, trainer: L.Trainer, pl_module: L.LightningModule, outputs: Any, *_: Any) -> None:
        """Keep the loss of the batch."""
        self.losses.append(outputs["loss"].detach())

    def on_validation_end(self, trainer: L.Trainer, pl_module: L.LightningModule) -> None:
        """Add a row and write the file in one move: before the checkpoint of this epoch, which holds the row."""
        if trainer.sanity_checking or (not trainer.training and not self.losses):
            return
        values = {"train/loss": torch.stack(self.losses).mean().item()}
        self.losses = []
        values |= {k: v.item() for k, v in trainer.callback_metrics.items() if k.startswith("validation/")}
        row = {"epoch": trainer.current_epoch, "step": trainer.global_step, **values}
        self.rows = [r for r in self.rows if r["epoch"] < trainer.current_epoch] + [row]
        if not trainer.is_global_zero:
            return
        with replacing(self.path) as partial:
            pd.DataFrame(self.rows).to_csv(partial, index=False)
        for logger in trainer.loggers:
            logger.log_metrics(row, step=trainer.global_step)
        if not self.console.is_terminal:
            shown = ", ".join(f"{name} {value:.4g}" for name, value in values.items())
            line = f"epoch {trainer.current_epoch + 1}/{trainer.max_epochs}: {shown}"
            self.console.print(line, highlight=False, soft_wrap=True)


class ProgressBar(RichProgressBar):
    """Lightning's bar without the number of the logger's version, which says nothing here."""

    def get_metrics(self, trainer: L.Trainer, pl_module: L.LightningModule) -> dict[str, Any]:
        """The loss and the metrics of the last validation."""
        metrics = super().get_metrics(trainer, pl_module)
        metrics.pop("v_num", None)
        return metrics


class WaitingTime(Callback):
    """The share of the training time that went by waiting for batches."""

    def __init__(self) -> None:
        self._mark: float | None = None
        self.waiting = self.working = 0.0

    @property
    def share(self) -> float:
        """Waiting over waiting and working, 0 before the second batch."""
        total = self.waiting + self.working
        return self.waiting / total if total else 0.0

    def on_train_batch_start(self, trainer: L.Trainer, *_: Any) -> None:
        """Count the time since the last step as waiting."""
        now = monotonic()
        if self._mark is not None:
            self.waiting += now - self._mark
        self._mark = now

    def on_train_batch_end(self, trainer: L.Trainer, *_: Any) -> None:
        """Count the time since the batch came as working."""
        now = monotonic()
        if self._mark is not None:
            self.working += now - self._mark
        self._mark = now

    def on_train_epoch_end(self, *_: Any) -> None:
        """Stop the clock, because validation does not count as waiting."""
        self._mark = None


class StopBetweenBatches(Callback):
    """Stop after the batch in which SIGTERM has come, with a checkpoint from which the epoch goes on.

    What validation has found so far cannot be kept: it goes on to its end, and to the checkpoint of the epoch.

    Args:
        folder: of the checkpoints.
    """

    def __init__(self, folder: Path) -> None:
        self.folder = folder

    def on_train_start(self, *_: Any) -> None:
        """Lightning has a handler of its own, which ends the program without a word, and with status 0."""
        listen_again()

    def on_test_start(self, *_: Any) -> None:
        """As for training."""
        listen_again()

    def on_train_batch_end(
        self, trainer: L.Trainer, pl_module: L.LightningModule, outputs: Any, batch: Any, batch_index: int
    ) -> None:
        """Stop here, unless gradients are being collected, or the epoch's own checkpoint is next."""
        steps = (batch_index + 1) % trainer.accumulate_grad_batches == 0
        if steps and not trainer.is_last_batch and self._all_asked(trainer):
            trainer.save_checkpoint(stopped_checkpoint(self.folder, trainer.current_epoch))
            raise Stopped("stopped by SIGTERM")

    def on_train_epoch_end(self, trainer: L.Trainer, pl_module: L.LightningModule) -> None:
        """Remove the checkpoint from within the epoch, which has its own now, and stop if SIGTERM has come."""
        if trainer.is_global_zero:
            stopped_checkpoint(self.folder, trainer.current_epoch).unlink(missing_ok=True)
        if self._all_asked(trainer):
            raise Stopped("stopped by SIGTERM")

    def on_test_batch_end(self, trainer: L.Trainer, *_: Any) -> None:
        """A test is run again from its start."""
        if self._all_asked(trainer):
            raise Stopped("stopped by SIGTERM")

    def _all_asked(self, trainer: L.Trainer) -> bool:
        """Whether any process of the run is to stop: then all of them do so after the same batch."""
        return trainer.strategy.reduce_boolean_decision(asked(), all=False)


class Pictures(Callback):
    """Sample predictions of the last epoch to the loggers that take images.

    Args:
        count: number of images.
    """

    def __init__(self, count: int = 4) -> None:
        self.count = count

    def on_test_end(self, trainer: L.Trainer, pl_module: L.LightningModule) -> None:
        """Send the first images of the test."""
        loggers = [logger for logger in trainer.loggers if hasattr(logger, "log_image")]
        if not loggers or not isinstance(pl_module, Task):
            return
        images, targets = next(iter(trainer.test_dataloaders))
        batch = images[: self.count].to(pl_module.device), targets[: self.count].to(pl_module.device)
        with torch.no_grad():
            pictures = pl_module.picture(batch).cpu()
        for logger in loggers:
            logger.log_image("samples", [picture.permute(1, 2, 0).numpy() for picture in pictures])
