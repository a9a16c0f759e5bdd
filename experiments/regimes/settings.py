"""The settings of the regime map, checked once, before anything is computed."""

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
    number,
    numbers,
)
from experiments.data.terrain import CELL, CELLS
from experiments.methods import METHODS

__all__ = ["Settings", "read_settings"]

# In pixels, and in standard deviations of the field.
MOST_BLUR, MOST_NOISE = 1000, 1e6


@dataclass(frozen=True)
class Settings:
    """What ``configs/regimes.yaml`` says, in the types that the program works with."""

    blurs: list[float]
    terrain_blurs: list[float]
    noise_levels: list[float]
    noise_blur: float
    size: int
    world: int
    crops: int
    kernel_sizes: list[int]
    methods: list[str]
    degrees: list[int]
    num_kernels: int
    seed: int
    output_dir: Path


def read_settings(config: DictConfig) -> Settings:
    """Check a configuration.

    Args:
        config: As composed from ``configs/regimes.yaml``.

    Returns:
        The settings.

    Raises:
        ValueError: A value cannot be used; the sentence names it and what is allowed.

    """
    read = Reader(config)
    sizes = read("kernel_sizes", kernel_sizes) or [3]
    size = read("size", integer, 2 * max(sizes) - 1, CELL - max(sizes) + 1) or 2 * max(sizes) - 1
    settings = Settings(
        blurs=read("blurs", numbers, 0, MOST_BLUR),
        # The blur of terrain sees four standard deviations around a crop, all within one patch.
        terrain_blurs=read("terrain_blurs", numbers, 0, (CELL - size - max(sizes) + 1) // 2 / 4),
        noise_levels=read("noise_levels", numbers, 0, MOST_NOISE),
        noise_blur=read("noise_blur", number, 0, MOST_BLUR),
        size=size,
        world=read("world", integer, size + max(sizes) - 1, MOST_SAMPLES),
        crops=read("crops", integer, 1, len(CELLS)),
        kernel_sizes=sizes,
        methods=read("methods", names, METHODS),
        degrees=read("degrees", integers, 0, MOST_DEGREE),
        num_kernels=read("num_kernels", integer, 1, MOST_KERNELS),
        seed=read("seed", integer, 0, LARGEST_SEED),
        output_dir=read("output_dir", folder),
    )
    read.end()
    return settings
