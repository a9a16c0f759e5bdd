"""The runs of an experiment, as their folders tell: settings, record, or the reason of a failure."""

import json
from collections.abc import Iterable
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Any

from omegaconf import DictConfig, OmegaConf

from experiments.training.run_folder import DECISIVE, RunFolder, method_name

__all__ = ["HALO", "Run", "flat_settings", "flatten", "read_runs"]

# The control with the true context: zero padding, too far outside to matter.
HALO = "halo"


@dataclass(frozen=True)
class Run:
    """One run's folder, read.

    Attributes:
        folder: where it is.
        config: its settings as composed.
        record: its results; None when it is not done.
        failure: why it failed, None when it did not.
    """

    folder: RunFolder
    config: DictConfig
    record: dict[str, Any] | None
    failure: str | None

    @property
    def method(self) -> str:
        """Its boundary mode, `halo` for zeros with the true context around the input, `MODE+halo` for others."""
        return method_name(self.config)

    @property
    def seed(self) -> int:
        """Its seed."""
        return int(self.config.seed)

    @cached_property
    def settings(self) -> dict[str, Any]:
        """What decides its result beside the seed, as `trainer.max_epochs` and so on."""
        return flat_settings(self.config)


def flat_settings(config: DictConfig) -> dict[str, Any]:
    """The settings that decide a result, by their dotted names.

    Example:
        >>> flat_settings(OmegaConf.create({"padding": {"mode": "diff", "degree": 2}, "seed": 0}))
        {'padding.mode': 'diff', 'padding.degree': 2}
    """
    nested = OmegaConf.to_container(OmegaConf.masked_copy(config, list(DECISIVE)), resolve=False)
    return flatten(nested)


def flatten(nested: Any, prefix: str = "") -> dict[str, Any]:
    """The values of nested mappings by their dotted names.

    Example:
        >>> flatten({"model": {"name": "unet", "options": {"depth": 3}}})
        {'model.name': 'unet', 'model.options.depth': 3}
    """
    if not isinstance(nested, dict) or (prefix and not nested):
        return {prefix: nested}
    flat: dict[str, Any] = {}
    for key, value in nested.items():
        flat |= flatten(value, f"{prefix}.{key}" if prefix else str(key))
    return flat


def read_runs(runs_dir: Path, experiments: Iterable[str]) -> list[Run]:
    """Read the runs of experiments, done or not, in the order of their folders.

    Args:
        runs_dir: folder of runs; what is not there has no runs.
        experiments: values of `experiment_name`.

    Raises:
        ValueError: a record cannot be read.
    """
    # Hundreds of runs of other experiments may lie there; a look at the text is far faster than reading it.
    wanted, runs = {f"experiment_name: {name}" for name in experiments}, []
    for path in sorted(runs_dir.glob("**/config.yaml")):
        text = path.read_text()
        if wanted.isdisjoint(text.splitlines()):
            continue
        config = OmegaConf.create(text)
        folder = RunFolder(path.parent)
        record = _read_json(folder.record)
        failure = None if record else (_read_json(folder.failure) or {}).get("reason")
        runs.append(Run(folder, config, record, failure))
    return runs


def _read_json(path: Path) -> dict[str, Any] | None:
    if not path.is_file():
        return None
    try:
        return json.loads(path.read_text())
    except ValueError as error:
        raise ValueError(f"{path} cannot be read: {error}; remove it, and run again") from error
