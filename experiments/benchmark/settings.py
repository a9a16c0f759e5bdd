"""The settings of the benchmark."""

from dataclasses import dataclass
from pathlib import Path

import torch

from experiments.benchmark.cases import CASES, METHODS
from experiments.checks import (
    file_name,
    folder,
    integer,
    names,
    names_or_all,
    number,
    optional,
    processes,
    torch_device,
)
from experiments.manifest import FOLDER, read_manifest
from experiments.settings import setting

__all__ = ["Settings"]

GROUPS = list(dict.fromkeys(case.group for case in CASES.values()))
MOST_ROUNDS = 100_000
PROGRAM = "benchmark"


def own_table(key: str, value: object, results: Path) -> str:
    """Check the name of a table: it must not be that of another study, which would be lost."""
    name = file_name(key, value)
    tables = results / "tables"
    for path in sorted((tables / FOLDER).glob("*.json")):
        manifest = read_manifest(path)
        if manifest.get("program") != PROGRAM and (path.stem == name or f"{name}.csv" in manifest["tables"]):
            raise ValueError(f"{key} must not be that of the tables of another study in {tables}; got {name!r}")
    return name


@dataclass(frozen=True)
class Settings:
    """What ``configs/benchmark.yaml`` says."""

    groups: list[str] = setting(names_or_all, GROUPS)
    methods: list[str] | None = setting(optional, names, METHODS)
    device: torch.device = setting(torch_device)
    threads: int = setting(processes)
    rounds: int = setting(integer, 1, MOST_ROUNDS)
    warmup: int = setting(integer, 1, MOST_ROUNDS)
    least_seconds: float = setting(number, 0, 3600)
    output_dir: Path = setting(folder)
    name: str = setting(own_table, given=lambda found: [found.output_dir] if found.output_dir else None)
