"""The settings of the benchmark."""

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch

from experiments.benchmark.cases import CASES, METHODS, Case
from experiments.benchmark.cuda_cases import CUDA_CASES, CUDA_METHODS
from experiments.benchmark.ways import WAYS
from experiments.checks import (
    choice,
    file_name,
    folder,
    integer,
    names,
    names_or_all,
    number,
    optional,
    processes,
    shown,
    torch_device,
    yes_or_no,
)
from experiments.manifest import FOLDER, read_manifest
from experiments.paths import REPOSITORY
from experiments.settings import setting

__all__ = ["SUITES", "Settings"]

# Cases and methods, by the device that they are for.
SUITES: dict[str, tuple[dict[str, Case], tuple[str, ...]]] = {
    "cpu": (CASES, METHODS),
    "cuda": (CUDA_CASES, CUDA_METHODS),
}
MOST_ROUNDS = 100_000
PROGRAM = "benchmark"
RESULTS = REPOSITORY / "results"


def own_table(key: str, value: object, results: Path) -> str:
    """Check the name of a table: it must not be that of another study, which would be lost."""
    name = file_name(key, value)
    tables = results / "tables"
    for path in sorted((tables / FOLDER).glob("*.json")):
        manifest = read_manifest(path)
        if manifest.get("program") != PROGRAM and (path.stem == name or f"{name}.csv" in manifest["tables"]):
            raise ValueError(f"{key} must not be that of the tables of another study in {tables}; got {name!r}")
    return name


def device_for(key: str, value: object, suite: str, small: bool) -> torch.device:
    """Check a device: what is for a GPU needs one, unless the cases are small, and their numbers mean nothing."""
    if suite == "cuda" and not small and (value == "cpu" or not torch.cuda.is_available()):
        raise ValueError(
            f"{key} must be a CUDA device, which this benchmark needs, and torch finds "
            f"{'one' if torch.cuda.is_available() else 'none'}; small=true device=cpu tries the program without one"
        )
    return torch_device(key, value)


def for_a_gpu(key: str, value: object, suite: str, check: Callable[..., Any], *limits: object) -> Any:
    """Check a setting that has an effect on the cases for a GPU alone."""
    if suite != "cuda" and value not in (None, False):
        raise ValueError(f"{key} is for suite=cuda, see configs/benchmark_cuda.yaml; got {shown(value)}")
    return check(key, value, *limits)


def place_for(key: str, value: object, small: bool) -> Path:
    """Check the folder of the results: small cases are no results."""
    path = folder(key, value)
    if small and path.resolve() == RESULTS.resolve():
        raise ValueError(f"{key} must be another folder than {RESULTS} with small=true, which gives no results")
    return path


def _known(*limits: object) -> list[object] | None:
    """Return limits that depend on other settings, unless one of those cannot be used."""
    return None if None in limits else list(limits)


def _of_suite(part: int) -> Callable[[Any], list[object] | None]:
    """Limit names to those of the suite: its groups (0), its methods (1), or its ways (2)."""

    def limits(found: Any) -> list[object] | None:
        if found.suite is None:
            return None
        cases, methods = SUITES[found.suite]
        groups = list(dict.fromkeys(case.group for case in cases.values()))
        ways = [way for way in WAYS if any(case.way == way for case in cases.values())]
        every: list[list[object]] = [[groups], [names, methods], [ways]]
        return every[part]

    return limits


@dataclass(frozen=True)
class Settings:
    """What ``configs/benchmark.yaml`` and ``configs/benchmark_cuda.yaml`` say."""

    suite: str = setting(choice, SUITES)
    small: bool = setting(for_a_gpu, given=lambda found: _known(found.suite, yes_or_no))
    groups: list[str] = setting(names_or_all, given=_of_suite(0))
    methods: list[str] | None = setting(optional, given=_of_suite(1))
    ways: list[str] = setting(names_or_all, given=_of_suite(2))
    device: torch.device = setting(device_for, given=lambda found: _known(found.suite, found.small))
    threads: int = setting(processes)
    rounds: int = setting(integer, 1, MOST_ROUNDS)
    warmup: int = setting(integer, 1, MOST_ROUNDS)
    least_seconds: float = setting(number, 0, 3600)
    seconds: float | None = setting(for_a_gpu, given=lambda found: _known(found.suite, optional, number, 0, 86400))
    output_dir: Path = setting(place_for, given=lambda found: _known(found.small))
    name: str = setting(own_table, given=lambda found: _known(found.output_dir))
