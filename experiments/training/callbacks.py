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

__all__ = ["EpochSeed", "History", "Pictures", "ProgressBar", "WaitingTime"]


class EpochSeed(Callback):
    """Seed torch for each epoch, so that it does not matter what ran before: dropout, augmentation, random padding.

    Args:
        seed: the run's seed.
    """

    def __init__(self, seed: int) -> None:
        self.seed = seed

    def on_train_epoch_start(self, trainer: L.Trainer, pl_module: L.LightningModule) -> None:
        """Seed by run, epoch and rank."""
        torch.manual_seed((1_000_003 * self.seed + trainer.current_epoch) * 1009 + trainer.global_rank)

    def on_test_start(self, trainer: L.Trainer, pl_module: L.LightningModule) -> None:
        """The test of a run that is taken up again is that of the run."""
        torch.manual_seed(1_000_003 * self.seed + 500_009)


class History(Callback):
    """Every epoch's metrics in a CSV file: the record of the training, whatever the logger does.

    The rows are part of the checkpoint, so that a run that is taken up again goes on with the file as it was.

    Args:
        path: the file.
        console: where to print a line for each epoch, if it is no terminal (which has a progress bar).
    """

    def __init__(self, path: Path, console: Console) -> None:
        self.path, self.console = path, console
        self.rows: list[dict[str, float]] = []
        self.losses: list[torch.Tensor] = []

    def state_dict(self) -> dict[str, Any]:
        """The rows so far."""
        return {"rows": self.rows}

    def load_state_dict(self, state_dict: dict[str, Any]) -> None:
        """Go on with these rows."""
        self.rows = list(state_dict["rows"])

    def on_train_epoch_start(self, *_: Any) -> None:
        """A new mean of the loss."""
        self.losses: list[torch.Tensor] = []

    def on_train_batch_end(self, trainer: L.Trainer, pl_module: L.LightningModule, outputs: Any, *_: Any) -> None:
        """Keep the loss of the batch."""
        self.losses.append(outputs["loss"].detach())

    def on_validation_end(self, trainer: L.Trainer, pl_module: L.LightningModule) -> None:
        """Add a row and write the file in one move: before the checkpoint of this epoch, which holds the row."""
        if trainer.sanity_checking or (not trainer.training and not self.losses):
            return
        values = {"train/loss": torch.stack(self.losses).mean().item()}
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
        """The batch is there."""
        now = monotonic()
        if self._mark is not None:
            self.waiting += now - self._mark
        self._mark = now

    def on_train_batch_end(self, trainer: L.Trainer, *_: Any) -> None:
        """The step is done."""
        now = monotonic()
        if self._mark is not None:
            self.working += now - self._mark
        self._mark = now

    def on_train_epoch_end(self, *_: Any) -> None:
        """Validation is no waiting."""
        self._mark = None


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
