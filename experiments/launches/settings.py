"""The settings of the study of launches."""

from dataclasses import dataclass
from pathlib import Path

from experiments.checks import folder, names_or_all
from experiments.launches.layers import LAYERS, METHODS
from experiments.settings import setting

__all__ = ["Settings"]


@dataclass(frozen=True)
class Settings:
    """What ``configs/launches.yaml`` says."""

    layers: list[str] = setting(names_or_all, LAYERS)
    methods: list[str] = setting(names_or_all, METHODS)
    output_dir: Path = setting(folder)
