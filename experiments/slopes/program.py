"""The study of slopes, at the rim of a map: `python -m experiments.slopes`, see configs/slopes.yaml."""

from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pandas as pd
import torch
from omegaconf import DictConfig
from rich.console import Console

from diff_conv2d.terrain import slope
from experiments.hydra_program import hydra_program
from experiments.program import run_program
from experiments.progress import progress_bar
from experiments.random_numbers import random_source
from experiments.records import write_table
from experiments.slopes.methods import METHODS
from experiments.slopes.settings import Settings
from experiments.slopes.terrains import TERRAINS, Terrain

__all__ = ["main", "measure", "run"]


def _windows(terrain: Terrain, size: int, count: int, source: torch.Generator) -> Iterator[Terrain]:
    """Draw windows of a map with one more cell at each side; none if the map is too small for it."""
    wide = size + 2
    rows, columns = (length - wide + 1 for length in terrain.elevation.shape)
    if min(rows, columns) < 1:
        return
    for _ in range(count):
        top, left = (int(torch.randint(most, (), generator=source)) for most in (rows, columns))
        elevation = terrain.elevation[top : top + wide, left : left + wide]
        yield Terrain(elevation, terrain.latitude[top : top + wide], terrain.spacing)


def measure(settings: Settings, name: str, terrain: Terrain, size: int) -> list[dict[str, object]]:
    """Measure every method on windows of a map, one row for each window and method.

    The error is the root of the mean square, over the cells along the rim, of the slope's difference from that of a
    map that goes on, in degrees.
    """
    rim = np.ones((size, size), bool)
    rim[1:-1, 1:-1] = False
    rows = []
    source = random_source(settings.seed, name, size)
    for number, wide in enumerate(_windows(terrain, size, settings.windows, source)):
        truth = slope(wide.elevation, wide.spacing, wide.latitude)[1:-1, 1:-1]
        cut = wide.elevation[1:-1, 1:-1], wide.spacing, wide.latitude[1:-1]
        for method in settings.methods:
            error = (METHODS[method](*cut) - truth)[rim]
            row = {"terrain": name, "size": size, "window": number, "method": method}
            rows.append(row | {"slope": truth.mean(), "rim_error": np.sqrt(np.square(error).mean())})
    return rows


def run(settings: Settings, console: Console) -> list[Path]:
    """Measure everything, then write the table; return its path."""
    rows = []
    with torch.inference_mode(), progress_bar(len(settings.terrains) * len(settings.sizes), console) as advance:
        for name in settings.terrains:
            terrain = TERRAINS[name]()
            for size in settings.sizes:
                rows += measure(settings, name, terrain, size)
                advance(f"{name} {size}")
    path = settings.output_dir / "tables" / "slopes.csv"
    write_table(path, pd.DataFrame(rows))
    return [path]


@hydra_program("slopes")
def main(config: DictConfig) -> None:
    """Check the configuration, then run."""
    run_program("slopes", config, Settings, run)
