"""The settings of the study of fine-tuning."""

from dataclasses import dataclass
from pathlib import Path

import torch
from omegaconf import DictConfig

from experiments.checks import folder, integer, integers, names, number, optional, processes, texts, torch_device
from experiments.padding_configs import METHODS
from experiments.settings import group, setting
from experiments.trained_networks import checked_sweep

__all__ = ["Settings"]


def _steps(key: str, value: object) -> list[int]:
    steps = integers(key, value, 0, 10**6)
    if 0 not in steps:
        raise ValueError(f"{key} must hold 0, the network as converted, got {steps}")
    return steps


def _share(key: str, value: object) -> float:
    if not number(key, value, 0):
        raise ValueError(f"{key} must be a number above 0, got {value!r}")
    return number(key, value, 0)


@dataclass(frozen=True)
class Settings:
    """What ``configs/finetuning.yaml`` says."""

    sweep: DictConfig = group(checked_sweep)
    modes: list[str] = setting(names, METHODS)
    calibration_batches: int = setting(integer, 1, 10**6)
    steps: list[int] = setting(_steps)
    learning_rate_share: float = setting(_share)
    regions: list[str] = setting(texts)
    threads: int | None = setting(optional, processes)
    device: torch.device = setting(torch_device)
    output_dir: Path = setting(folder)
