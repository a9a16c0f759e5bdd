"""Trained networks on patches of several sizes: `python -m experiments.sizes`, see configs/sizes.yaml.

A network of convolutions takes patches of any size, so that none is trained again. Patches of every size make up the
same squares of the test region: what differs from size to size is the share of pixels that see an edge. Each patch is
normalised by itself, as in the training, so that the unit of the error is another one for each size: errors are to be
compared within a size, and between sizes their ratios, of two methods or of frame and interior.
"""

import dataclasses
import math
from typing import Any

import numpy as np
import pandas as pd
import torch
from omegaconf import DictConfig
from rich.console import Console
from torch import Tensor

from experiments.checks import writable
from experiments.data.deblurring import BlurredPatches
from experiments.data.splits import Splits
from experiments.hydra_program import hydra_program
from experiments.manifest import settings_of, write_manifest
from experiments.metrics.dense import RegionError
from experiments.models.halo import crop
from experiments.paths import REPOSITORY
from experiments.progress import progress_bar
from experiments.provenance import modules_named
from experiments.records import write_table
from experiments.settings import read_settings
from experiments.sizes.patches import batches, chosen_squares, squares, within
from experiments.sizes.settings import Settings
from experiments.tasks.task import Task
from experiments.trained_networks import about, trained_weights
from experiments.training.cells import Cell, composed, sweep_cells
from experiments.training.run_folder import run_name
from experiments.training.train import build_task

__all__ = ["COLUMNS", "RATIO", "REGIONS", "main", "run"]

COLUMNS = ["data", "model", "method", "seed", "size", "metric", "region", "value"]
REGIONS = ("whole", "frame", "interior")
RATIO = "frame/interior"


def run(settings: Settings, console: Console) -> pd.DataFrame:
    """Test every network on every size.

    Args:
        settings: of the study.
        console: where to say how far it is.

    Returns:
        The table: the mean squared error of each region, and the ratio of frame and interior.

    Raises:
        FileNotFoundError: a network has not been trained, or data is missing.
        ValueError: the settings do not fit.
    """
    sizes, cells = settings.sizes, sweep_cells(settings.sweep)
    configs = {cell: composed(cell) for cell in cells}
    # Whatever is missing is told before anything is measured.
    weights = {cell: trained_weights(cell) for cell in cells}
    side = math.lcm(*sizes)
    data = squares(configs[cells[0]], side)
    corners = chosen_squares(data.test, sizes, settings.least_deviation, settings.squares)
    found: dict[tuple[Cell, int], dict[str, float]] = {}
    seeds = list(dict.fromkeys(cell.seed for cell in cells))
    with progress_bar(len(seeds) * len(sizes), console) as advance:
        for seed in seeds:
            # The networks of one seed share each batch: reading and blurring it takes longer than running a network.
            of_seed = [cell for cell in cells if cell.seed == seed]
            tasks = {cell: _task(configs[cell], data, weights.pop(cell), settings.device) for cell in of_seed}
            for size in sizes:
                places = within(corners, side, size)
                for cell, values in _measured(tasks, data.test, places, size, settings).items():
                    found[cell, size] = values
                advance(f"seed {seed}, {size} px")
    rows = []
    for cell in cells:
        config = configs[cell]
        place = about(cell, config)
        for size in sizes:
            values = found[cell, size]
            values[RATIO] = values["frame"] / values["interior"]
            rows += [
                place | {"size": size, "metric": "mse", "region": region, "value": values[region]}
                for region in (*REGIONS, RATIO)
            ]
    return pd.DataFrame(rows, columns=COLUMNS)


def _task(config: DictConfig, data: Splits, weights: dict[str, Tensor], device: torch.device) -> Task:
    """A trained network that cuts its halo off, to be run."""
    halo = config.data.halo
    wide = data.test.size + 2 * halo
    task = build_task(config, dataclasses.replace(data, halo=halo, image_size=(wide, wide), test_blocks=None))
    task.load_state_dict(weights)
    return task.to(device).eval()


@torch.no_grad()
def _measured(
    tasks: dict[Cell, Task], test: BlurredPatches, corners: np.ndarray, size: int, settings: Settings
) -> dict[Cell, dict[str, float]]:
    """The mean squared error of each network by region."""
    errors = {cell: RegionError().to(settings.device) for cell in tasks}
    widest = max(task.halo for task in tasks.values())
    for index, (images, clear) in enumerate(batches(test, corners, size, widest, settings.workers)):
        images, clear = images.to(settings.device), clear.to(settings.device)
        for cell, task in tasks.items():
            # Random padding draws noise: the same for every network.
            torch.manual_seed(index)
            errors[cell].update(task(crop(images, widest - task.halo)), clear)
    return {cell: {region: error.compute()["mse"][region] for region in REGIONS} for cell, error in errors.items()}


@hydra_program("sizes")
def main(config: DictConfig) -> None:
    """Measure, and write the table and what it was made from."""
    settings = read_settings(Settings, config)
    name = f"{'paper_' if config.scale == 'paper' else ''}super_resolution_sizes"
    path = REPOSITORY / settings.output_dir / "tables" / f"{name}.csv"
    writable("output_dir", path.parent)
    table = run(settings, Console())
    write_table(path, table)
    configs: list[Any] = [composed(cell) for cell in sweep_cells(config)]
    modules = ["experiments.sizes.program", *modules_named(*configs)]
    runs = sorted(run_name(config).as_posix() for config in configs)
    scale = {"overrides": ["scale=paper"]} if config.scale == "paper" else {}
    write_manifest(name, [path], modules, settings_of(config), program="sizes", runs=runs, **scale)
    print(path)
