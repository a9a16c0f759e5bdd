"""The settings of the study of convergence."""

from dataclasses import dataclass
from pathlib import Path

from experiments.checks import (
    LARGEST_SEED,
    MOST_DEGREE,
    MOST_SAMPLES,
    folder,
    integer,
    integers,
    kernel_sizes,
    names_or_all,
)
from experiments.methods import METHODS
from experiments.settings import setting

__all__ = ["Settings"]


def _samples(key: str, value: object, least: int) -> list[int]:
    samples = integers(key, value, least, MOST_SAMPLES)
    if samples != sorted(samples):
        raise ValueError(f"{key} must grow, got {samples}")
    return samples


@dataclass(frozen=True)
class Settings:
    """What ``configs/convergence.yaml`` says."""

    kernel_sizes: list[int] = setting(kernel_sizes)
    methods: list[str] = setting(names_or_all, METHODS)
    degrees: list[int] = setting(integers, 0, MOST_DEGREE)
    # A lower degree than the one asked for is taken where samples are few; that would be another method.
    samples: list[int] = setting(
        _samples, given=lambda found: [max(*(found.degrees or [0]), *(found.kernel_sizes or [3])) + 1]
    )
    seed: int = setting(integer, 0, LARGEST_SEED)
    output_dir: Path = setting(folder)
