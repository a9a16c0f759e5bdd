"""The settings of the study of long rollouts, checked once, before anything is computed."""

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
    mapping,
    names,
    number,
    processes,
)
from experiments.methods import METHODS

__all__ = ["Problem", "Settings", "read_settings"]

MOST_RECORDS, MOST_WINDOWS = 10_000, 10_000
# The matrix of a window has this to the fourth power numbers.
MOST_SPECTRUM = 64


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
    read = Reader(config)
    # Eight pixels are cut off each side for the error inside.
    size = read("size", integer, 24, 1024)
    settings = Settings(
        problems=read("problems", _problems),
        kernel_sizes=read("kernel_sizes", kernel_sizes),
        methods=read("methods", names, METHODS),
        degrees=read("degrees", integers, 0, MOST_DEGREE),
        steps=read("steps", integer, 1),
        records=read("records", integer, 2, MOST_RECORDS),
        size=size,
        windows=read("windows", integer, 1, MOST_WINDOWS),
        world=read("world", integer, size or 24, MOST_SAMPLES),
        blur=read("blur", number, 0, 1000),
        limit=read("limit", number, 10),
        spectrum=read("spectrum", integer, 8, MOST_SPECTRUM),
        seed=read("seed", integer, 0, LARGEST_SEED),
        processes=read("processes", processes),
        output_dir=read("output_dir", folder),
    )
    read.end()
    return settings


def _problems(key: str, value: object) -> dict[str, Problem]:
    """Return the problems, at least one; all that are wrong are told."""
    found, wrong = {}, []
    for name, problem in mapping(key, value).items():
        try:
            found[name] = _problem(f"{key}.{name}", problem)
        except ValueError as error:
            wrong.append(str(error))
    if wrong or not found:
        raise ValueError("; ".join(wrong) or f"{key} must have at least one, got none")
    return found


def _problem(key: str, value: object) -> Problem:
    """Return a problem whose explicit steps are stable in the world, with finite differences of any size."""
    problem = mapping(key, value)
    if set(problem) != {"diffusion", "velocity"}:
        raise ValueError(f"{key} must have a diffusion and a velocity, and nothing else, got {sorted(problem)}")
    diffusion, velocity = number(f"{key}.diffusion", problem["diffusion"], 0), problem["velocity"]
    if not isinstance(velocity, list):
        raise ValueError(f"{key}.velocity must be a list of two numbers, got {velocity!r}")
    velocity = tuple(number(f"each of {key}.velocity", part, -1) for part in velocity)
    # The kernel of 7 samples multiplies the shortest wave by 1 - 12.09 D, and -1 is the limit; long waves need
    # c^2 <= 2 D.
    if diffusion > 0.165 or len(velocity) != 2 or sum(v**2 for v in velocity) > 2 * diffusion:
        raise ValueError(
            f"{key} must have a diffusion of at most 0.165 and two velocities whose squares add up to at "
            f"most twice that, got {diffusion} and {problem['velocity']}"
        )
    return Problem(diffusion, velocity)
