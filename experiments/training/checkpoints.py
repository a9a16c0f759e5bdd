"""Checkpoints: written at the end of each epoch, two kept, the newest whole one taken up again."""

import pickle
import warnings
from pathlib import Path
from zipfile import BadZipFile

import torch
from lightning.pytorch.callbacks import ModelCheckpoint

__all__ = ["checkpoint_callback", "newest_checkpoint"]


def checkpoint_callback(folder: Path) -> ModelCheckpoint:
    """Keep the last two epochs, each saved when its validation has ended.

    A checkpoint of an epoch's end proper would be taken up in the wrong place, after the callbacks of that epoch.
    """
    return ModelCheckpoint(
        dirpath=folder,
        filename="{epoch:04d}",
        monitor="epoch",
        mode="max",
        save_top_k=2,
        save_on_train_epoch_end=False,
        auto_insert_metric_name=False,
    )


def newest_checkpoint(folder: Path) -> Path | None:
    """The newest checkpoint that can be read, or None.

    Only tensors and plain values are read, so that a file with code in it is refused, not run. A file that cannot be
    read is named in a warning, and the one before it is tried.
    """
    for path in sorted(folder.glob("*.ckpt"), reverse=True):
        try:
            torch.load(path, map_location="cpu", weights_only=True)
        except (RuntimeError, EOFError, OSError, BadZipFile, pickle.UnpicklingError, ValueError, KeyError) as error:
            # An empty file's error has no text.
            reason = (str(error).splitlines() or [type(error).__name__])[0][:160]
            warnings.warn(f"checkpoint {path} cannot be used ({reason}); trying the one before it", stacklevel=2)
        else:
            return path
    return None
