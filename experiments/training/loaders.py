"""Batches in an order that depends on the seed and the epoch alone."""

from collections.abc import Iterator
from typing import Any

import lightning as L
import torch
from torch.utils.data import DataLoader, Dataset, DistributedSampler

from experiments.data.splits import Splits
from experiments.training.stopping import ignore

__all__ = ["Loaders"]


class _ResumableLoader(DataLoader):
    """Batches of one epoch, from the one on at which the run was stopped.

    Those before it are loaded too, and dropped: flips and crops are drawn as they are loaded.
    """

    # Batches to drop, and batches given out or dropped.
    first = given = 0

    def __iter__(self) -> Iterator[Any]:
        """The batches that have not been given out; all of them the next time."""
        first, self.first = self.first, 0
        for number, batch in enumerate(super().__iter__()):
            if number >= first:
                self.given = number + 1
                yield batch

    def state_dict(self) -> dict[str, int]:
        """For the checkpoint; Lightning asks for it."""
        return {"given": self.given}

    def load_state_dict(self, state_dict: dict[str, int]) -> None:
        """Go on from here."""
        self.first = state_dict["given"]


class Loaders(L.LightningDataModule):
    """The loaders of a data set.

    Every epoch has a loader of its own, seeded by the run's seed and the epoch's number, so that a run which is
    taken up again sees what it would have seen, also from worker processes.

    Args:
        splits: the data.
        batch_size: images of a batch, on each device.
        seed: the run's seed.
        workers: processes that load; 0 loads in the training process.
    """

    def __init__(self, splits: Splits, batch_size: int, seed: int, workers: int = 0) -> None:
        super().__init__()
        self.splits, self.batch_size, self.seed, self.workers = splits, batch_size, seed, workers

    def _loader(self, dataset: Dataset, epoch: int | None) -> DataLoader:
        training, trainer = epoch is not None, self.trainer
        sampler: DistributedSampler = DistributedSampler(
            dataset,
            num_replicas=trainer.world_size if trainer else 1,
            rank=trainer.global_rank if trainer else 0,
            shuffle=training,
            seed=self.seed,
            # Normalisation by batch would see a last batch of one image as constant.
            drop_last=training,
        )
        sampler.set_epoch(epoch or 0)
        kind = _ResumableLoader if training else DataLoader
        return kind(
            dataset,
            self.batch_size,
            sampler=sampler,
            drop_last=training,
            num_workers=self.workers,
            generator=torch.Generator().manual_seed(1_000_003 * self.seed + (epoch or 0)),
            # A scheduler sends SIGTERM to all processes; without its loaders a run could not end its batch.
            worker_init_fn=ignore,
            pin_memory=torch.cuda.is_available(),
        )

    def train_dataloader(self) -> DataLoader:
        """Shuffled anew for the epoch that begins."""
        return self._loader(self.splits.train, self.trainer.current_epoch if self.trainer else 0)

    def val_dataloader(self) -> DataLoader:
        """In order."""
        return self._loader(self.splits.validation, None)

    def test_dataloader(self) -> DataLoader:
        """In order."""
        return self._loader(self.splits.test, None)
