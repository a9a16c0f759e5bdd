"""The settings of the benchmark."""

from dataclasses import dataclass
from pathlib import Path

import torch

from experiments.benchmark.cases import CASES, METHODS
from experiments.checks import (
    file_name,
    folder,
    integer,
    names,
    names_or_all,
    number,
    optional,
    processes,
    torch_device,
)
from experiments.settings import setting

__all__ = ["Settings"]

GROUPS = list(dict.fromkeys(case.group for case in CASES.values()))
MOST_ROUNDS = 100_000


@dataclass(frozen=True)
class Settings:
    """What ``configs/benchmark.yaml`` says."""

    groups: list[str] = setting(names_or_all, GROUPS)
    methods: list[str] | None = setting(optional, names, METHODS)
    device: torch.device = setting(torch_device)
    threads: int = setting(processes)
    rounds: int = setting(integer, 1, MOST_ROUNDS)
    warmup: int = setting(integer, 1, MOST_ROUNDS)
    least_seconds: float = setting(number, 0, 3600)
    name: str = setting(file_name)
    output_dir: Path = setting(folder)
