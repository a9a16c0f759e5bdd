"""The settings of the study of adaptive boundaries."""

from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from experiments.checks import (
    LARGEST_SEED,
    MOST_KERNELS,
    choice,
    file_name,
    folder,
    integer,
    integers,
    kernel_sizes,
    names_or_all,
    yes_or_no,
)
from experiments.data.held_out_fields import HELD_OUT_KINDS
from experiments.data.study_fields import KINDS
from experiments.data.synthetic_fields import Kinds
from experiments.methods import METHODS
from experiments.settings import setting

__all__ = ["FIELD_SETS", "Settings"]

FIELD_SETS: dict[str, Kinds] = {"study": KINDS, "held_out": HELD_OUT_KINDS}

# The fields have 518 samples along each axis.
LARGEST = 512
MOST_CROPS = 10_000


def _of_field_set(found: Any) -> Iterable[object] | None:
    """Return the names of the fields; None where the set that they are of cannot be used."""
    return found.field_set and [[name for kind in FIELD_SETS[found.field_set].values() for name in kind]]


def _crops(key: str, value: object, least: int) -> dict[int, int]:
    """Return how many crops there are of each size."""
    # A crop of k samples still has an interior: k // 2 samples at either end are invalid.
    sizes = value if isinstance(value, dict) and all(isinstance(size, int) for size in value) else {}
    if not sizes or not all(least <= size <= LARGEST and size is not True for size in sizes):
        raise ValueError(f"{key} must name sizes from {least} to {LARGEST}, got {value!r}")
    for size, count in sizes.items():
        integer(f"{key}.{size}", count, 1, MOST_CROPS)
    return sizes


def _ablation_sizes(key: str, value: object, crops: dict[int, int] | None) -> list[int]:
    """Return some of the sizes of the crops, perhaps none."""
    if value == []:
        return []
    sizes = integers(key, value, 1, LARGEST)
    if crops is not None and any(size not in crops for size in sizes):
        raise ValueError(f"{key} must be of {list(crops)}, got {sizes}")
    return sizes


@dataclass(frozen=True)
class Settings:
    """What ``configs/adaptive.yaml`` or ``configs/adaptive_held_out.yaml`` says."""

    name: str = setting(file_name)
    field_set: str = setting(choice, FIELD_SETS)
    fields: list[str] = setting(names_or_all, given=_of_field_set)
    methods: list[str] = setting(names_or_all, METHODS)
    kernel_sizes: list[int] = setting(kernel_sizes)
    crops: dict[int, int] = setting(_crops, given=lambda found: [max(found.kernel_sizes or [3])])
    each_crop: bool = setting(yes_or_no)
    other_crops: int = setting(integer, 0, MOST_CROPS)
    ablation_sizes: list[int] = setting(_ablation_sizes, given=lambda found: [found.crops])
    num_kernels: int = setting(integer, 1, MOST_KERNELS)
    seed: int = setting(integer, 0, LARGEST_SEED)
    output_dir: Path = setting(folder)
