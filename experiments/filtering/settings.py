"""The settings of the filtering experiment, checked once, before anything is computed."""

from dataclasses import dataclass
from pathlib import Path

import torch
from omegaconf import DictConfig

from experiments.checks import (
    LARGEST_SEED,
    MOST_KERNELS,
    MOST_SAMPLES,
    Reader,
    choice,
    folder,
    integer,
    integers,
    names,
    optional,
)
from experiments.fields import FIELDS, field_orders
from experiments.methods import METHODS

__all__ = ["Settings", "read_settings"]

DTYPES = {"float32": torch.float32, "float64": torch.float64}

# A window, and the polynomial of its size, must fit several times into 256 samples.
LARGEST_KERNEL = 31


@dataclass(frozen=True)
class Settings:
    """What ``configs/filtering.yaml`` says, in the types that the program works with."""

    orders: dict[str, list[int]]
    size: int
    kernel_sizes: list[int]
    methods: list[str]
    num_kernels: int
    seed: int
    dtype: torch.dtype
    navier_stokes_path: Path | None
    output_dir: Path


def read_settings(config: DictConfig) -> Settings:
    """Check a configuration.

    Args:
        config: As composed from ``configs/filtering.yaml``.

    Returns:
        The settings.

    Raises:
        ValueError: A value cannot be used; the sentence names it and what is allowed.

    """
    read = Reader(config)
    fields = read("fields", names, FIELDS)
    sizes = read("kernel_sizes", _odd_sizes)
    settings = Settings(
        orders=read("orders", field_orders, fields or []),
        size=read("size", integer, 2 * max(sizes or [3]) - 1, MOST_SAMPLES),
        kernel_sizes=sizes,
        methods=read("methods", names, METHODS),
        num_kernels=read("num_kernels", integer, 1, MOST_KERNELS),
        seed=read("seed", integer, 0, LARGEST_SEED),
        dtype=read("dtype", _dtype),
        navier_stokes_path=read("navier_stokes_path", optional, folder),
        output_dir=read("output_dir", folder),
    )
    read.end()
    return settings


def _odd_sizes(key: str, value: object) -> list[int]:
    sizes = integers(key, value)
    if any(size % 2 == 0 or not 3 <= size <= LARGEST_KERNEL for size in sizes):
        raise ValueError(f"{key} must be odd and from 3 to {LARGEST_KERNEL}, got {sizes}")
    return sizes


def _dtype(key: str, value: object) -> torch.dtype:
    return DTYPES[choice(key, value, DTYPES)]
