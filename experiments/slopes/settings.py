"""The settings of the study of slopes."""

from dataclasses import dataclass
from pathlib import Path

from experiments.checks import LARGEST_SEED, folder, integer, integers, names, names_or_all
from experiments.settings import setting
from experiments.slopes.methods import METHODS
from experiments.slopes.terrains import TERRAINS

__all__ = ["Settings"]


@dataclass(frozen=True)
class Settings:
    """What ``configs/slopes.yaml`` says."""

    terrains: list[str] = setting(names, TERRAINS)
    methods: list[str] = setting(names_or_all, METHODS)
    sizes: list[int] = setting(integers, 8, 512)
    windows: int = setting(integer, 1, 1000)
    seed: int = setting(integer, 0, LARGEST_SEED)
    output_dir: Path = setting(folder)
