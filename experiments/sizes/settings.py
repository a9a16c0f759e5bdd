"""The settings of the study of sizes."""

from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch
from omegaconf import DictConfig

from experiments.checks import folder, integer, integers, mapping, number, optional, processes, torch_device
from experiments.settings import group, setting
from experiments.trained_networks import checked_sweep

__all__ = ["Settings"]


@dataclass(frozen=True)
class Settings:
    """What ``configs/sizes.yaml`` says."""

    sweep: DictConfig = group(checked_sweep)
    at_scale: dict[str, Any] = setting(mapping)
    # Twice the frame; beyond 3072 pixels no tile of ETOPO has squares.
    sizes: list[int] = setting(integers, 17, 3072)
    least_deviation: float = setting(number, 0)
    squares: int | None = setting(optional, integer, 1)
    workers: int = setting(processes, 0)
    device: torch.device = setting(torch_device)
    output_dir: Path = setting(folder)
