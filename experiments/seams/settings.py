"""The settings of the study of seams."""

from dataclasses import dataclass
from pathlib import Path

import torch
from omegaconf import DictConfig

from experiments.checks import folder, integer, integers, texts, torch_device
from experiments.settings import group, setting
from experiments.trained_networks import checked_sweep

__all__ = ["Settings"]

# Along an axis of an image.
MOST_PIXELS = 4096


@dataclass(frozen=True)
class Settings:
    """What ``configs/seams.yaml`` says."""

    sweep: DictConfig = group(checked_sweep)
    tile: int = setting(integer, 16, MOST_PIXELS)
    tiles: int = setting(integer, 1, MOST_PIXELS)
    context: int = setting(integer, 0, MOST_PIXELS)
    distances: list[int] = setting(integers, 0, MOST_PIXELS)
    pictures: list[str] = setting(texts)
    picture: int = setting(integer, 0)
    device: torch.device = setting(torch_device)
    output_dir: Path = setting(folder)
