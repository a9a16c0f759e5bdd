"""The settings of the study of the frontier's cost."""

from dataclasses import dataclass
from pathlib import Path

import torch
from omegaconf import DictConfig

from experiments.checks import folder, integer, integers, processes, torch_device
from experiments.settings import group, setting
from experiments.trained_networks import checked_sweep

__all__ = ["Settings"]

MOST_PIXELS = 4096


@dataclass(frozen=True)
class Settings:
    """What ``configs/frontier_cost.yaml`` says."""

    sweep: DictConfig = group(checked_sweep)
    tile: int = setting(integer, 17, MOST_PIXELS)
    tiles: int = setting(integer, 1, MOST_PIXELS)
    halos: list[int] = setting(integers, 0, MOST_PIXELS)
    rounds: int = setting(integer, 1)
    warmup: int = setting(integer, 1)
    threads: int = setting(processes)
    device: torch.device = setting(torch_device)
    output_dir: Path = setting(folder)
