"""The settings of the study of shells, checked once, before anything is computed."""

from dataclasses import dataclass
from pathlib import Path

from omegaconf import DictConfig

from experiments.checks import (
    LARGEST_SEED,
    MOST_DEGREE,
    MOST_KERNELS,
    MOST_SAMPLES,
    Reader,
    folder,
    integer,
    integers,
    kernel_sizes,
    names,
)
from experiments.fields import FIELDS, field_orders
from experiments.methods import METHODS

__all__ = ["Settings", "read_settings"]


@dataclass(frozen=True)
class Settings:
    """What ``configs/shells.yaml`` says, in the types that the program works with."""

    orders: dict[str, list[int]]
    size: int
    kernel_sizes: list[int]
    methods: list[str]
    degrees: list[int]
    num_kernels: int
    seed: int
    output_dir: Path


def read_settings(config: DictConfig) -> Settings:
    """Check a configuration.

    Args:
        config: As composed from ``configs/shells.yaml``.

    Returns:
        The settings.

    Raises:
        ValueError: A value cannot be used; the sentence names it and what is allowed.

    """
    read = Reader(config)
    fields = read("fields", names, FIELDS)
    sizes = read("kernel_sizes", kernel_sizes)
    settings = Settings(
        orders=read("orders", field_orders, fields or []),
        size=read("size", integer, 2 * max(sizes or [3]) - 1, MOST_SAMPLES),
        kernel_sizes=sizes,
        methods=read("methods", names, METHODS),
        degrees=read("degrees", integers, 0, MOST_DEGREE),
        num_kernels=read("num_kernels", integer, 1, MOST_KERNELS),
        seed=read("seed", integer, 0, LARGEST_SEED),
        output_dir=read("output_dir", folder),
    )
    read.end()
    return settings
