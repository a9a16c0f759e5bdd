"""The runs of an experiment, as their folders tell: settings, record, or the reason of a failure."""

import json
from collections.abc import Iterable
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Any

from omegaconf import DictConfig, OmegaConf

from experiments.training.run_folder import DECISIVE, RunFolder, method_name, run_name

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
        text = path.read_text(encoding="utf-8", errors="replace")
        if wanted.isdisjoint(text.splitlines()):
            continue
        config, folder = _read_config(path, text), RunFolder(path.parent)
        record = _read_json(folder.record)
        if record is not None and not _holds_results(record):
            raise ValueError(f"{folder.record} holds no results; remove it, and run again")
        failure = None if record else (_read_json(folder.failure) or {}).get("reason")
        runs.append(Run(folder, config, record, failure))
    return runs


def _holds_results(record: dict[str, Any]) -> bool:
    """Whether it has the form of a record; what its values are is for the table to check."""

    def by_region(metrics: Any) -> bool:
        return isinstance(metrics, dict) and all(isinstance(regions, dict) for regions in metrics.values())

    results, blocks = record.get("results"), record.get("results_without_each_block") or {}
    lists = by_region(blocks) and all(isinstance(v, list) for regions in blocks.values() for v in regions.values())
    return bool(results) and by_region(results) and lists


def _read_config(path: Path, text: str) -> DictConfig:
    try:
        config = OmegaConf.create(text)
        if not isinstance(config.seed, int) or isinstance(config.seed, bool):
            raise ValueError(f"its seed is {config.seed!r}")
        run_name(config)
    # The reader of YAML raises errors of any kind at a text that nobody wrote.
    except Exception as error:
        why = (str(error).splitlines() or [type(error).__name__])[0]
        raise ValueError(f"{path} cannot be read: {why}; remove its folder, and run again") from error
    return config


def _read_json(path: Path) -> dict[str, Any] | None:
    if not path.is_file():
        return None
    try:
        content = json.loads(path.read_text(encoding="utf-8"))
        if not isinstance(content, dict):
            raise ValueError(f"it holds a {type(content).__name__}")
    except ValueError as error:
        raise ValueError(f"{path} cannot be read: {error}; remove it, and run again") from error
    return content
