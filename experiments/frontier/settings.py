"""The settings of the study of the frontier."""

from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch
from omegaconf import DictConfig

from experiments.checks import choice, folder, integer, integers, mapping, torch_device
from experiments.settings import group, setting
from experiments.trained_cells import ERROR, LEAVE_OUT
from experiments.trained_networks import checked_sweep

__all__ = ["Settings", "data_arguments"]

# Along an axis of an image.
MOST_PIXELS = 4096


def data_arguments(key: str, value: object) -> dict[str, dict[str, Any]]:
    """Return arguments of data sets, by their names."""
    return {name: mapping(f"{key}.{name}", arguments) for name, arguments in mapping(key, value).items()}


@dataclass(frozen=True)
class Settings:
    """What ``configs/frontier.yaml`` says."""

    sweep: DictConfig = group(checked_sweep)
    images: dict[str, dict[str, Any]] = setting(data_arguments)
    most_images: int = setting(integer, 1)
    tile: int = setting(integer, 17, MOST_PIXELS)
    context: int = setting(integer, 0, MOST_PIXELS)
    halos: list[int] = setting(integers, given=lambda found: None if found.context is None else [0, found.context])
    missing: str = setting(choice, (ERROR, LEAVE_OUT))
    device: torch.device = setting(torch_device)
    output_dir: Path = setting(folder)
