"""The settings of the regime map."""

from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from experiments.checks import (
    LARGEST_SEED,
    MOST_DEGREE,
    MOST_KERNELS,
    MOST_SAMPLES,
    folder,
    integer,
    integers,
    kernel_sizes,
    names_or_all,
    number,
    numbers,
)
from experiments.data.terrain import CELL, CELLS
from experiments.methods import METHODS
from experiments.settings import setting

__all__ = ["Settings"]

# In pixels, and in standard deviations of the field.
MOST_BLUR, MOST_NOISE = 1000, 1e6


def _sizes(found: Any) -> Iterable[int]:
    """Return the least size of a crop, which leaves an interior, and the most, which has a frame in its patch."""
    largest = max(found.kernel_sizes or [3])
    return 2 * largest - 1, CELL - largest + 1


def _whole(found: Any) -> int:
    """Return the size of a crop with its frame."""
    largest = max(found.kernel_sizes or [3])
    return (found.size or 2 * largest - 1) + largest - 1


@dataclass(frozen=True)
class Settings:
    """What ``configs/regimes.yaml`` says."""

    kernel_sizes: list[int] = setting(kernel_sizes)
    size: int = setting(integer, given=_sizes)
    blurs: list[float] = setting(numbers, 0, MOST_BLUR)
    # The blur of terrain sees four standard deviations around a crop, all within one patch.
    terrain_blurs: list[float] = setting(numbers, given=lambda found: (0, (CELL - _whole(found)) // 2 / 4))
    noise_levels: list[float] = setting(numbers, 0, MOST_NOISE)
    noise_blur: float = setting(number, 0, MOST_BLUR)
    world: int = setting(integer, given=lambda found: (_whole(found), MOST_SAMPLES))
    crops: int = setting(integer, 1, len(CELLS))
    methods: list[str] = setting(names_or_all, METHODS)
    degrees: list[int] = setting(integers, 0, MOST_DEGREE)
    num_kernels: int = setting(integer, 1, MOST_KERNELS)
    seed: int = setting(integer, 0, LARGEST_SEED)
    output_dir: Path = setting(folder)
