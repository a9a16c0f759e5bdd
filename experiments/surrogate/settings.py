"""The settings of the study of the surrogate."""

from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch
from omegaconf import DictConfig

from experiments.checks import Reader, choice, folder, integer, integers, number, torch_device
from experiments.data.flow_windows import HISTORY
from experiments.data.flows import FRAMES, SIZE
from experiments.settings import group, setting
from experiments.trained_cells import ERROR, LEAVE_OUT
from experiments.trained_networks import checked_sweep

__all__ = ["Settings"]

MOST_STEPS = FRAMES["test"] - HISTORY
MOST_LONG_STEPS = 10_000


def _last_start(found: Any) -> list[int] | None:
    return None if found.steps is None else [0, MOST_STEPS - found.steps]


def one_sweep(read: Reader) -> DictConfig:
    """Check the settings of the sweep, whose name the tables take: so it is one alone."""
    if not isinstance(read.config.sweep, str) or not read.config.sweep.startswith("surrogate"):
        read.wrong.append(f"sweep must be one of surrogate, surrogate_...; got {read.config.sweep!r}")
    return checked_sweep(read)


@dataclass(frozen=True)
class Settings:
    """What ``configs/surrogate.yaml`` says."""

    sweep: DictConfig = group(one_sweep)
    steps: int = setting(integer, 1, MOST_STEPS)
    starts: list[int] = setting(integers, given=_last_start)
    told_steps: list[int] = setting(integers, given=lambda found: None if found.steps is None else [1, found.steps])
    threshold: float = setting(number, 0)
    distances: list[int] = setting(integers, 0, SIZE)
    long_steps: int = setting(integer, 1, MOST_LONG_STEPS)
    limit: float = setting(number, 1)
    missing: str = setting(choice, (ERROR, LEAVE_OUT))
    device: torch.device = setting(torch_device)
    output_dir: Path = setting(folder)
