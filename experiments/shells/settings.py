"""The settings of the study of shells."""

from dataclasses import dataclass
from pathlib import Path

from experiments.checks import (
    LARGEST_SEED,
    MOST_DEGREE,
    MOST_KERNELS,
    MOST_SAMPLES,
    folder,
    integer,
    integers,
    kernel_sizes,
    names,
    names_or_all,
)
from experiments.fields import FIELDS, field_orders
from experiments.methods import METHODS
from experiments.settings import setting

__all__ = ["Settings"]


@dataclass(frozen=True)
class Settings:
    """What ``configs/shells.yaml`` says."""

    fields: list[str] = setting(names, FIELDS)
    orders: dict[str, list[int]] = setting(field_orders, given=lambda found: [found.fields or []])
    kernel_sizes: list[int] = setting(kernel_sizes)
    size: int = setting(integer, given=lambda found: (2 * max(found.kernel_sizes or [3]) - 1, MOST_SAMPLES))
    methods: list[str] = setting(names_or_all, METHODS)
    degrees: list[int] = setting(integers, 0, MOST_DEGREE)
    num_kernels: int = setting(integer, 1, MOST_KERNELS)
    seed: int = setting(integer, 0, LARGEST_SEED)
    output_dir: Path = setting(folder)
