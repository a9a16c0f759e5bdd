"""The settings of the study of long rollouts."""

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
    mapping,
    names_or_all,
    number,
    processes,
)
from experiments.methods import METHODS
from experiments.settings import setting

__all__ = ["Problem", "Settings"]

MOST_RECORDS, MOST_WINDOWS = 10_000, 10_000
# The matrix of a window has this to the fourth power numbers.
MOST_SPECTRUM = 64


@dataclass(frozen=True)
class Problem:
    """An equation: its diffusion in squared pixels a step, and its velocity in pixels a step along both axes."""

    diffusion: float
    velocity: tuple[float, float]


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


@dataclass(frozen=True)
class Settings:
    """What ``configs/rollouts.yaml`` says."""

    problems: dict[str, Problem] = setting(_problems)
    kernel_sizes: list[int] = setting(kernel_sizes)
    methods: list[str] = setting(names_or_all, METHODS)
    degrees: list[int] = setting(integers, 0, MOST_DEGREE)
    steps: int = setting(integer, 1)
    records: int = setting(integer, 2, MOST_RECORDS)
    # Eight pixels are cut off each side for the error inside.
    size: int = setting(integer, 24, 1024)
    windows: int = setting(integer, 1, MOST_WINDOWS)
    world: int = setting(integer, given=lambda found: (found.size or 24, MOST_SAMPLES))
    blur: float = setting(number, 0, 1000)
    limit: float = setting(number, 10)
    spectrum: int = setting(integer, 8, MOST_SPECTRUM)
    seed: int = setting(integer, 0, LARGEST_SEED)
    processes: int = setting(processes)
    output_dir: Path = setting(folder)
