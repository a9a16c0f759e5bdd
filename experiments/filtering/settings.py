"""The settings of the filtering experiment."""

from dataclasses import dataclass
from pathlib import Path

import torch

from experiments.checks import (
    LARGEST_SEED,
    MOST_KERNELS,
    MOST_SAMPLES,
    choice,
    folder,
    integer,
    integers,
    names,
    names_or_all,
    optional,
)
from experiments.fields import FIELDS, field_orders
from experiments.methods import METHODS
from experiments.settings import setting

__all__ = ["Settings"]

DTYPES = {"float32": torch.float32, "float64": torch.float64}

# A window, and the polynomial of its size, must fit several times into 256 samples.
LARGEST_KERNEL = 31


def _odd_sizes(key: str, value: object) -> list[int]:
    sizes = integers(key, value)
    if any(size % 2 == 0 or not 3 <= size <= LARGEST_KERNEL for size in sizes):
        raise ValueError(f"{key} must be odd and from 3 to {LARGEST_KERNEL}, got {sizes}")
    return sizes


def _dtype(key: str, value: object) -> torch.dtype:
    return DTYPES[choice(key, value, DTYPES)]


@dataclass(frozen=True)
class Settings:
    """What ``configs/filtering.yaml`` says."""

    fields: list[str] = setting(names, FIELDS)
    orders: dict[str, list[int]] = setting(field_orders, given=lambda found: [found.fields or []])
    kernel_sizes: list[int] = setting(_odd_sizes)
    size: int = setting(integer, given=lambda found: (2 * max(found.kernel_sizes or [3]) - 1, MOST_SAMPLES))
    methods: list[str] = setting(names_or_all, METHODS)
    num_kernels: int = setting(integer, 1, MOST_KERNELS)
    seed: int = setting(integer, 0, LARGEST_SEED)
    dtype: torch.dtype = setting(_dtype)
    navier_stokes_path: Path | None = setting(optional, folder)
    output_dir: Path = setting(folder)
