"""The folder of a run: a fixed place for fixed settings, used by one process at a time."""

import hashlib
import json
import math
import os
import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import filelock
from omegaconf import DictConfig, OmegaConf

from experiments.padding_configs import method_of, mode_name
from experiments.records import replacing

__all__ = ["RunFolder", "RunInUseError", "are_results", "data_name", "is_first_process", "method_name", "run_name"]

# What decides a result, and so the folder. Anything else (logger, progress, output) may change between attempts.
DECISIVE = ("data", "model", "padding", "optimizer", "scheduler", "trainer", "batch_size")


class RunInUseError(RuntimeError):
    """Another process works on the same run."""


def is_first_process() -> bool:
    """Whether this process is the only one of the run or its rank 0.

    Raises:
        ValueError: the environment gives this process a rank that cannot be.
    """
    name = "RANK" if "RANK" in os.environ else "LOCAL_RANK"
    rank = os.environ.get(name, "0")
    if not rank.isdecimal():
        raise ValueError(f"the environment variable {name} must be a whole number, or not be there; got {rank!r}")
    if int(rank) and "WORLD_SIZE" not in os.environ:
        raise ValueError(
            f"the environment variable {name} is {rank}, but there is no WORLD_SIZE: unset it, if it is left over"
        )
    return int(rank) == 0


def data_name(config: DictConfig) -> str:
    """The name of the data set: that of the function that makes it."""
    return config.data._target_.rpartition(".")[2]


def method_name(config: DictConfig) -> str:
    """The method's name in tables: the mode, a variant, or `halo` for zero padding beyond a halo of true context."""
    if not config.data.get("halo"):
        return method_of(config.padding)
    return "halo" if config.padding.mode == "zeros" else f"{method_of(config.padding)}+halo"


def run_name(config: DictConfig) -> Path:
    """The folder of these settings below the folder of runs: data, model, padding with its options, seed.

    A short hash of everything decisive ends the name, so that a run with other settings has another folder.
    """
    decisive = OmegaConf.to_container(OmegaConf.masked_copy(config, list(DECISIVE)), resolve=False)
    digest = hashlib.sha256(json.dumps(decisive, sort_keys=True).encode()).hexdigest()[:8]
    given = {key: value for key, value in config.padding.items() if key != "mode" and value is not None}
    options = [f"{key}={_short(value)}" for key, value in given.items()]
    padding = "-".join([mode_name(config.padding.mode), *options])
    return Path(data_name(config), config.model.name, padding, f"seed{config.seed}-{digest}")


def are_results(value: Any) -> bool:
    """Whether it is what a record holds: finite numbers by metric and region.

    Example:
        >>> are_results({"mse": {"whole": 0.5}}), are_results({"mse": {"whole": float("nan")}}), are_results({})
        (True, False, False)
    """

    def numbers(regions: Any) -> bool:
        return isinstance(regions, dict) and bool(regions) and all(map(number, regions.values()))

    def number(value: Any) -> bool:
        return isinstance(value, (int, float)) and not isinstance(value, bool) and math.isfinite(value)

    return isinstance(value, dict) and bool(value) and all(map(numbers, value.values()))


def _short(value: Any) -> str:
    return "x".join(map(str, value)) if OmegaConf.is_list(value) else str(value)


class RunFolder:
    """One run's files: config.yaml, history.csv, checkpoints, record.json when done, failure.json when failed.

    Args:
        path: the folder.
    """

    def __init__(self, path: Path) -> None:
        self.path = path
        self.checkpoints = path / "checkpoints"
        self.record, self.failure = path / "record.json", path / "failure.json"

    @contextmanager
    def locked(self) -> Iterator[None]:
        """Keep other processes out; the lock ends with the process, however it ends.

        Raises:
            RunInUseError: another process is in.
        """
        if not is_first_process():
            yield
            return
        self.path.mkdir(parents=True, exist_ok=True)
        try:
            with filelock.FileLock(self.path / ".lock", timeout=0):
                # A process that was killed may have left files half written; see `replacing`.
                for partial in self.path.rglob(".*.partial"):
                    partial.unlink()
                yield
        except filelock.Timeout as error:
            raise RunInUseError(f"another process works on this run, {self.path}; wait for it or stop it") from error

    def finished(self) -> dict[str, Any] | None:
        """The record of a run that is done; None if there is none, or not the whole of one."""
        try:
            record = json.loads(self.record.read_text(encoding="utf-8"))
        except (FileNotFoundError, ValueError):
            return None
        return record if isinstance(record, dict) and are_results(record.get("results")) else None

    def clear(self) -> None:
        """Remove everything but the lock: the run is to be run again from its start."""
        for entry in self.path.iterdir():
            if entry.name != ".lock":
                shutil.rmtree(entry) if entry.is_dir() else entry.unlink()

    def write_json(self, path: Path, content: dict[str, Any]) -> None:
        """Write a file of the folder in one move."""
        with replacing(path) as partial:
            partial.write_text(json.dumps(content, indent=1, sort_keys=True) + "\n")

    def write_config(self, config: DictConfig) -> None:
        """Keep the settings as composed, with references such as ${repository:data} as they are written."""
        with replacing(self.path / "config.yaml") as partial:
            partial.write_text(OmegaConf.to_yaml(config, resolve=False))
