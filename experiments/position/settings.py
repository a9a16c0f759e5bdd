"""The settings of the study of position."""

from dataclasses import dataclass
from pathlib import Path

import torch
from omegaconf import DictConfig

from experiments.checks import (
    LARGEST_SEED,
    Reader,
    folder,
    integer,
    names,
    number,
    numbers,
    optional,
    processes,
    texts,
    torch_device,
)
from experiments.settings import group, setting
from experiments.trained_networks import checked_sweep

__all__ = ["NETWORKS", "Settings"]

MOST_IMAGES = 10_000
# As its run left it; as it was before its training; trained with zero padding, then converted to the mode.
NETWORKS = ("trained", "untrained", "converted")


def _stages(key: str, value: object) -> list[str]:
    if not texts(key, value):
        raise ValueError(f"{key} must name at least one part of the network, as in {key}=[layer1], got []")
    return texts(key, value)


def _sweep(read: Reader) -> DictConfig:
    """Check the sweep that trained the networks: one."""
    config = checked_sweep(read)
    if not isinstance(config.sweep, str) or config.sweep == "all":
        read.wrong.append(f"sweep must be one sweep of classifiers, got {config.sweep}")
    return config


@dataclass(frozen=True)
class Settings:
    """What ``configs/position.yaml`` says."""

    sweep: DictConfig = group(_sweep)
    networks: list[str] = setting(names, NETWORKS)
    stages: list[str] = setting(_stages)
    grid: int = setting(integer, 3, 1024)
    fit_images: int = setting(integer, 2, MOST_IMAGES)
    validation_images: int = setting(integer, 1, MOST_IMAGES)
    test_images: int = setting(integer, 2, MOST_IMAGES)
    artificial_images: int = setting(integer, 1, MOST_IMAGES)
    penalties: list[float] = setting(numbers, 1e-6)
    resolution: float = setting(number, 1e-6, 1)
    thresholds: list[float] = setting(numbers, 1e-3)
    calibration_batches: int = setting(integer, 1, 10**6)
    seed: int = setting(integer, 0, LARGEST_SEED)
    threads: int | None = setting(optional, processes)
    device: torch.device = setting(torch_device)
    output_dir: Path = setting(folder)
