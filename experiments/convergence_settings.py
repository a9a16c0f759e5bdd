"""The settings of the study of convergence, checked once, before anything is computed."""

from dataclasses import dataclass
from pathlib import Path
from typing import Any

from omegaconf import DictConfig, OmegaConf

from experiments.checks import folder, integer, integers, kernel_sizes, names
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
    values: Any = OmegaConf.to_container(config, resolve=True)
    sizes = kernel_sizes(values["kernel_sizes"])
    degrees = integers("degrees", values["degrees"], 0)
    # A lower degree than the one asked for is taken where samples are few; that would be another method.
    samples = integers("samples", values["samples"], max(*degrees, *sizes) + 1)
    if samples != sorted(samples):
        raise ValueError(f"samples must grow, got {samples}")
    return Settings(
        samples=samples,
        kernel_sizes=sizes,
        methods=names("methods", values["methods"], list(METHODS)),
        degrees=degrees,
        seed=integer("seed", values["seed"], 0),
        output_dir=folder(values["output_dir"]),
    )
