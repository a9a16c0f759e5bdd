"""The settings of the error maps."""

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from experiments.checks import LARGEST_SEED, choice, file_name, folder, integer, mapping, names, optional, text
from experiments.padding_configs import METHODS
from experiments.settings import setting
from experiments.training.finished_runs import HALO

__all__ = ["Settings"]


def _at_scale(*limits: object) -> Callable[[Any], tuple[object, ...] | None]:
    """Return what gives these limits to a setting that refers to the scale; without a scale it is not checked."""
    return lambda found: None if found.scale is None else limits


def _corner(key: str, value: object) -> list[int | str]:
    fits = isinstance(value, list) and len(value) == 3 and isinstance(value[0], int | str)
    if not fits or not all(isinstance(place, int) for place in value[1:]):  # type: ignore[index]
        raise ValueError(f"{key} must be a map, a row and a column, such as [0,100,200]; got {value!r}")
    return value  # type: ignore[return-value]


@dataclass(frozen=True)
class Settings:
    """What ``configs/error_maps.yaml`` says."""

    at_scale: dict[str, Any] = setting(mapping)
    scale: str = setting(choice, given=lambda found: [found.at_scale or {}])
    experiment_name: str = setting(text, given=_at_scale())
    block: int = setting(integer, given=_at_scale(1, 64))
    corner: list[int | str] | None = setting(optional, given=_at_scale(_corner))
    name: str = setting(file_name, given=_at_scale())
    seed: int = setting(integer, 0, LARGEST_SEED)
    where: dict[str, Any] | None = setting(optional, mapping)
    methods: list[str] | None = setting(optional, names, (*METHODS, HALO, *(f"{name}+{HALO}" for name in METHODS)))
    patches: int = setting(integer, 1)
    runs_dir: str = setting(text)
    output_dir: Path = setting(folder)
