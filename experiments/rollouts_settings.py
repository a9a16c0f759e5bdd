"""The settings of the study of long rollouts, checked once, before anything is computed."""

from dataclasses import dataclass
from pathlib import Path
from typing import Any

from omegaconf import DictConfig, OmegaConf

from experiments.checks import folder, integer, integers, kernel_sizes, names, number
from experiments.methods import METHODS

__all__ = ["Problem", "Settings", "read_settings"]


@dataclass(frozen=True)
class Problem:
    """An equation: its diffusion in squared pixels a step, and its velocity in pixels a step along both axes."""

    diffusion: float
    velocity: tuple[float, float]


@dataclass(frozen=True)
class Settings:
    """What ``configs/rollouts.yaml`` says, in the types that the program works with."""

    problems: dict[str, Problem]
    kernel_sizes: list[int]
    methods: list[str]
    degrees: list[int]
    steps: int
    records: int
    size: int
    windows: int
    world: int
    blur: float
    limit: float
    spectrum: int
    seed: int
    processes: int
    output_dir: Path


def read_settings(config: DictConfig) -> Settings:
    """Check a configuration.

    Args:
        config: As composed from ``configs/rollouts.yaml``.

    Returns:
        The settings.

    Raises:
        ValueError: A value cannot be used; the sentence names it and what is allowed.

    """
    values: Any = OmegaConf.to_container(config, resolve=True)
    sizes = kernel_sizes(values["kernel_sizes"])
    # Eight pixels are cut off each side for the error inside.
    size = integer("size", values["size"], 24)
    return Settings(
        problems={name: _problem(name, found) for name, found in values["problems"].items()},
        kernel_sizes=sizes,
        methods=names("methods", values["methods"], list(METHODS)),
        degrees=integers("degrees", values["degrees"], 0),
        steps=integer("steps", values["steps"], 1),
        records=integer("records", values["records"], 2),
        size=size,
        windows=integer("windows", values["windows"], 1),
        world=integer("world", values["world"], size),
        blur=number("blur", values["blur"], 0),
        limit=number("limit", values["limit"], 10),
        spectrum=integer("spectrum", values["spectrum"], 8),
        seed=integer("seed", values["seed"], 0),
        processes=integer("processes", values["processes"], 1),
        output_dir=folder(values["output_dir"]),
    )


def _problem(name: str, found: dict[str, Any]) -> Problem:
    """Return a problem whose explicit steps are stable in the world, with finite differences of any size."""
    diffusion = number(f"problems.{name}.diffusion", found["diffusion"], 0)
    velocity = tuple(float(v) for v in found["velocity"])
    # The kernel of 7 samples multiplies the shortest wave by 1 - 12.09 D, and -1 is the limit; long waves need
    # c^2 <= 2 D.
    if diffusion > 0.165 or len(velocity) != 2 or sum(v**2 for v in velocity) > 2 * diffusion:
        raise ValueError(
            f"problems.{name} must have a diffusion of at most 0.165 and two velocities whose squares add up to at "
            f"most twice that, got {diffusion} and {found['velocity']}"
        )
    return Problem(diffusion, velocity)
