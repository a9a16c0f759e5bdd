"""The settings of the study of convergence, checked once, before anything is computed."""

from dataclasses import dataclass
from pathlib import Path

from omegaconf import DictConfig

from experiments.checks import (
    LARGEST_SEED,
    MOST_DEGREE,
    MOST_SAMPLES,
    Reader,
    folder,
    integer,
    integers,
    kernel_sizes,
    names,
)
from experiments.methods import METHODS

__all__ = ["Settings", "read_settings"]


@dataclass(frozen=True)
class Settings:
    """What ``configs/convergence.yaml`` says, in the types that the program works with."""

    samples: list[int]
    kernel_sizes: list[int]
    methods: list[str]
    degrees: list[int]
    seed: int
    output_dir: Path


def read_settings(config: DictConfig) -> Settings:
    """Check a configuration.

    Args:
        config: As composed from ``configs/convergence.yaml``.

    Returns:
        The settings.

    Raises:
        ValueError: A value cannot be used; the sentence names it and what is allowed.

    """
    read = Reader(config)
    sizes = read("kernel_sizes", kernel_sizes)
    degrees = read("degrees", integers, 0, MOST_DEGREE)
    settings = Settings(
        # A lower degree than the one asked for is taken where samples are few; that would be another method.
        samples=read("samples", _samples, max(*(degrees or [0]), *(sizes or [3])) + 1),
        kernel_sizes=sizes,
        methods=read("methods", names, METHODS),
        degrees=degrees,
        seed=read("seed", integer, 0, LARGEST_SEED),
        output_dir=read("output_dir", folder),
    )
    read.end()
    return settings


def _samples(key: str, value: object, least: int) -> list[int]:
    samples = integers(key, value, least, MOST_SAMPLES)
    if samples != sorted(samples):
        raise ValueError(f"{key} must grow, got {samples}")
    return samples
