"""The settings of the study of adaptive boundaries, checked once, before anything is computed."""

from dataclasses import dataclass
from pathlib import Path

from omegaconf import DictConfig

from experiments.checks import (
    LARGEST_SEED,
    MOST_KERNELS,
    Reader,
    choice,
    file_name,
    folder,
    integer,
    integers,
    kernel_sizes,
    names,
    optional,
    yes_or_no,
)
from experiments.data.held_out_fields import HELD_OUT_KINDS
from experiments.data.study_fields import KINDS
from experiments.data.synthetic_fields import Kinds
from experiments.methods import METHODS

__all__ = ["FIELD_SETS", "Settings", "read_settings"]

FIELD_SETS: dict[str, Kinds] = {"study": KINDS, "held_out": HELD_OUT_KINDS}

# The fields have 518 samples along each axis.
LARGEST = 512
MOST_CROPS = 10_000


@dataclass(frozen=True)
class Settings:
    """What a configuration of the study says, in the types that the program works with."""

    name: str
    field_set: str
    fields: list[str]
    crops: dict[int, int]
    each_crop: bool
    methods: list[str]
    ablation_sizes: list[int]
    kernel_sizes: list[int]
    num_kernels: int
    seed: int
    output_dir: Path


def read_settings(config: DictConfig) -> Settings:
    """Check a configuration.

    Args:
        config: As composed from ``configs/adaptive.yaml`` or ``configs/adaptive_held_out.yaml``.

    Returns:
        The settings.

    Raises:
        ValueError: A value cannot be used; the sentence names it and what is allowed.

    """
    read = Reader(config)
    field_set = read("field_set", choice, FIELD_SETS)
    allowed = [field for kind in FIELD_SETS.get(field_set, {}).values() for field in kind]
    fields = read("fields", optional, names, allowed) if allowed else read("fields", _not_looked_at)
    methods = read("methods", optional, names, METHODS)
    kernels = read("kernel_sizes", kernel_sizes)
    crops = read("crops", _crops, max(kernels or [3]))
    settings = Settings(
        name=read("name", file_name),
        field_set=field_set,
        fields=fields or allowed,
        crops=crops,
        each_crop=read("each_crop", yes_or_no),
        methods=methods or list(METHODS),
        ablation_sizes=read("ablation_sizes", _ablation_sizes, crops),
        kernel_sizes=kernels,
        num_kernels=read("num_kernels", integer, 1, MOST_KERNELS),
        seed=read("seed", integer, 0, LARGEST_SEED),
        output_dir=read("output_dir", folder),
    )
    read.end()
    return settings


def _not_looked_at(key: str, value: object) -> None:
    """Leave a setting unchecked, where another one that says what is allowed cannot be used."""


def _crops(key: str, value: object, least: int) -> dict[int, int]:
    """Return how many crops there are of each size."""
    # 2 k - 1 samples leave an interior once k // 2 are cut off for the truth and as many are invalid.
    is_size = isinstance(value, dict) and value and all(isinstance(size, int) for size in value)
    if not is_size or not all(least <= size <= LARGEST and size is not True for size in value):
        raise ValueError(f"{key} must name sizes from {least} to {LARGEST}, got {value!r}")
    for size, count in value.items():
        integer(f"{key}.{size}", count, 1, MOST_CROPS)
    return value


def _ablation_sizes(key: str, value: object, crops: dict[int, int] | None) -> list[int]:
    """Return some of the sizes of the crops, perhaps none."""
    if value == []:
        return []
    sizes = integers(key, value, 1, LARGEST)
    if crops is not None and any(size not in crops for size in sizes):
        raise ValueError(f"{key} must be of {list(crops)}, got {sizes}")
    return sizes
