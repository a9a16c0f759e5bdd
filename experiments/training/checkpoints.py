"""Write a checkpoint at the end of each epoch, keep two, and resume from the newest that is whole."""

import io
import os
import pickle
import warnings
from collections.abc import Mapping
from pathlib import Path
from typing import Any
from zipfile import ZipFile

import torch
from lightning.fabric.plugins import TorchCheckpointIO
from lightning.pytorch.callbacks import ModelCheckpoint
from torch import Tensor

from experiments.records import replacing
from experiments.training.run_folder import RunFolder

__all__ = [
    "CheckpointFiles",
    "checkpoint_callback",
    "final_weights",
    "newest_checkpoint",
    "read_checkpoint",
    "stopped_checkpoint",
]

# The run that a checkpoint belongs to.
RUN = "run"
# What a run that goes on needs of a checkpoint.
PARTS = {
    "epoch": int,
    "global_step": int,
    "state_dict": dict,
    "optimizer_states": list,
    "lr_schedulers": list,
    "callbacks": dict,
    "loops": dict,
}


class CheckpointFiles(TorchCheckpointIO):
    """Writes a checkpoint in one move: whoever stops the program, or fills the disk, leaves the one before it.

    Lightning's own way ends in a move from the folder of temporary files, which is a copy if that is another disk.

    Args:
        run: the name of the run, which is kept in the checkpoint.
    """

    def __init__(self, run: str) -> None:
        super().__init__()
        self._run = run

    def save_checkpoint(self, checkpoint: dict[str, Any], path: str | Path, storage_options: Any = None) -> None:
        """Write a file, or nothing.

        Raises:
            OSError: it cannot be written.
        """
        # torch's own error of a full disk does not say that it is full.
        content = io.BytesIO()
        torch.save({**checkpoint, RUN: self._run}, content)
        try:
            with replacing(Path(path)) as partial, partial.open("wb") as stream:
                stream.write(content.getbuffer())
                stream.flush()
                os.fsync(stream.fileno())
        except OSError as error:
            raise OSError(f"checkpoint {path} cannot be written: {error.strerror or error}") from error


def checkpoint_callback(folder: Path) -> ModelCheckpoint:
    """Keep the last two epochs, each saved when its validation has ended.

    A checkpoint saved at the very end of an epoch would be resumed in the wrong place: after that epoch's callbacks.
    """
    return ModelCheckpoint(
        dirpath=folder,
        filename="{epoch:04d}",
        monitor="epoch",
        mode="max",
        save_top_k=2,
        save_on_train_epoch_end=False,
        auto_insert_metric_name=False,
        # A damaged file of the same epoch is replaced.
        enable_version_counter=False,
    )


def stopped_checkpoint(folder: Path, epoch: int) -> Path:
    """The checkpoint of a run that is stopped within an epoch; in order of names it comes before that of its end."""
    return folder / f"{epoch:04d}-stopped.ckpt"


def read_checkpoint(path: Path) -> dict[str, Any]:
    """Read a checkpoint, if it is as it was written.

    torch writes a checksum of each part of the file, and does not look at it when it reads. Only tensors and plain
    values are read, so that a file with code in it is refused, not run.

    Raises:
        ValueError: the file is damaged, or no checkpoint; the message does not name it.
    """
    try:
        with ZipFile(path) as archive:
            damaged = archive.testzip()
        content = None if damaged else torch.load(path, map_location="cpu", weights_only=True)
    except pickle.UnpicklingError as error:
        raise ValueError("it holds more than tensors and plain values") from error
    # The readers of archives and pickles raise errors of any kind at bytes that nobody wrote.
    except Exception as error:
        # An empty file's error has no text.
        raise ValueError((str(error).splitlines() or [type(error).__name__])[0][:160]) from error
    if damaged:
        raise ValueError(f"{damaged} in it is not as it was written")
    weights = content.get("state_dict") if isinstance(content, dict) else None
    tensors = list(weights.values()) if isinstance(weights, dict) else []
    if content is None or not tensors or not all(isinstance(tensor, Tensor) for tensor in tensors):
        raise ValueError("it holds no weights")
    return content


def newest_checkpoint(folder: Path, weights: Mapping[str, Tensor] | None = None, run: str = "") -> Path | None:
    """The newest checkpoint that can be used, or None.

    A file that cannot be used is named in a warning, and the one before it is tried.

    Args:
        folder: where they are.
        weights: of the network of a run that is to go on: a checkpoint must have the same, by names and shapes, and
            all else that the run needs. None asks for weights of any network, and for nothing else.
        run: the name of a run that is to go on.
    """
    for path in sorted(folder.glob("*.ckpt"), reverse=True):
        try:
            content = read_checkpoint(path)
            if weights is not None:
                _check_parts(content, weights)
                # Checkpoints have named their run since version 0.1.
                if content.get(RUN, run) != run:
                    raise ValueError(f"it is of another run, {content[RUN]}")
        except ValueError as error:
            warnings.warn(f"checkpoint {path} cannot be used ({error}); trying the one before it", stacklevel=2)
        else:
            return path
    return None


def final_weights(folder: RunFolder) -> dict[str, Tensor] | None:
    """The weights that a finished run has ended with; None if it has not finished, or keeps none.

    Raises:
        ValueError: the last checkpoint is damaged, or not that of the end.
    """
    record, paths = folder.finished(), sorted(folder.checkpoints.glob("*.ckpt"))
    if record is None or not paths:
        return None
    try:
        content = read_checkpoint(paths[-1])
        if "epochs" in record and content.get("epoch") != record["epochs"] - 1:
            raise ValueError(f"it is not of the last epoch, {record['epochs'] - 1}")
    except ValueError as error:
        raise ValueError(
            f"checkpoint {paths[-1]} cannot be used ({error}); remove {folder.record}, and train.py goes on from the "
            "checkpoint before it"
        ) from error
    return content["state_dict"]


def _check_parts(content: dict[str, Any], weights: Mapping[str, Tensor]) -> None:
    """Refuse what a run cannot go on from."""
    for name, kind in PARTS.items():
        if not isinstance(content.get(name), kind):
            raise ValueError(f"it has no {name}")
    expected, found = ({k: tuple(v.shape) for k, v in state.items()} for state in (weights, content["state_dict"]))
    if expected != found:
        different = next(k for k in [*expected, *found] if expected.get(k) != found.get(k))
        raise ValueError(f"it is of another network: {different} differs")
