"""The settings of the filtering experiment, checked once, before anything is computed."""

from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch
from omegaconf import DictConfig, OmegaConf

from experiments.checks import folder, integer, integers, names
from experiments.fields import FIELDS
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
    values: Any = OmegaConf.to_container(config, resolve=True)
    fields = names("fields", values["fields"], list(FIELDS))
    for name in fields:
        if name not in values["orders"]:
            raise ValueError(f"orders.{name} is missing, though fields names {name}")
    sizes = integers("kernel_sizes", values["kernel_sizes"])
    if any(size % 2 == 0 or not 3 <= size <= LARGEST_KERNEL for size in sizes):
        raise ValueError(f"kernel_sizes must be odd and from 3 to {LARGEST_KERNEL}, got {sizes}")
    if values["dtype"] not in DTYPES:
        raise ValueError(f"dtype must be {' or '.join(DTYPES)}, got {values['dtype']!r}")
    path = values["navier_stokes_path"]
    return Settings(
        orders={name: integers(f"orders.{name}", values["orders"][name]) for name in fields},
        size=integer("size", values["size"], 2 * max(sizes) - 1),
        kernel_sizes=sizes,
        methods=names("methods", values["methods"], list(METHODS)),
        num_kernels=integer("num_kernels", values["num_kernels"], 1),
        seed=integer("seed", values["seed"], 0),
        dtype=DTYPES[values["dtype"]],
        navier_stokes_path=None if path is None else folder(path),
        output_dir=folder(values["output_dir"]),
    )
