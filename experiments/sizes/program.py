"""Trained networks on patches of several sizes: `python -m experiments.sizes`, see configs/sizes.yaml.

A network of convolutions takes patches of any size, so that none is trained again. Patches of every size make up the
same squares of the test region: what differs from size to size is the share of pixels that see an edge. Each patch is
normalised by itself, as in the training, so that the unit of the error is another one for each size: errors are to be
compared within a size, and between sizes their ratios, of two methods or of frame and interior.
"""

import dataclasses
import math
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import torch
from omegaconf import DictConfig, OmegaConf
from rich.console import Console
from torch import Tensor
from torch.utils.data import DataLoader

from experiments.checks import (
    Reader,
    folder,
    integer,
    integers,
    mapping,
    number,
    optional,
    processes,
    torch_device,
    writable,
)
from experiments.data.deblurring import BlurredPatches
from experiments.data.load import load_data
from experiments.data.splits import Splits
from experiments.hydra_program import hydra_program
from experiments.manifest import settings_of, write_manifest
from experiments.metrics.dense import RegionError
from experiments.models.halo import crop
from experiments.paths import REPOSITORY
from experiments.progress import progress_bar
from experiments.records import write_table
from experiments.tasks.task import Task
from experiments.trained_networks import trained_weights
from experiments.training.cells import Cell, composed, read_sweep, sweep_cells
from experiments.training.run_folder import data_name, run_name
from experiments.training.train import build_task

__all__ = ["COLUMNS", "RATIO", "REGIONS", "batches", "main", "read_settings", "run", "squares", "within"]

COLUMNS = ["data", "model", "method", "seed", "size", "metric", "region", "value"]
REGIONS = ("whole", "frame", "interior")
RATIO = "frame/interior"
# Pixels at a time, without a halo.
PIXELS = 2**18


def read_settings(settings: DictConfig) -> Path:
    """Check a configuration.

    Args:
        settings: as in configs/sizes.yaml.

    Returns:
        The folder of results.

    Raises:
        ValueError: values cannot be used.
    """
    read = Reader(settings)
    read_sweep(read)
    read("at_scale", mapping)
    # Twice the frame; beyond 3072 pixels no tile of ETOPO has squares.
    read("sizes", integers, 17, 3072)
    read("least_deviation", number, 0)
    read("squares", optional, integer, 1)
    read("workers", processes, 0)
    read("device", torch_device)
    output_dir = read("output_dir", folder)
    read.end()
    return output_dir


def squares(config: DictConfig, side: int) -> Splits:
    """The test squares of the data that a network was trained on.

    Args:
        config: settings of the run.
        side: rows and columns of a square.

    Raises:
        ValueError: the data has no squares of this size, or is none of a super-resolution.
        FileNotFoundError: it is missing.
    """
    size = "test_size" if "test_size" in config.data else "size"
    try:
        data = load_data(config.data, **{size: side}, train_patches=1, augment=False, halo=0)
    except ValueError as error:
        raise ValueError(f"no squares of {side} pixels, of which all sizes are parts: {error}") from error
    if not isinstance(data.test, BlurredPatches):
        raise ValueError(f"sizes are those of a super-resolution; the data is for {data.task}")
    return data


def within(corners: np.ndarray, side: int, size: int) -> np.ndarray:
    """List the patches that make up squares.

    Args:
        corners: map, row and column of each square, (N, 3).
        side: rows and columns of a square, a multiple of `size`.
        size: rows and columns of a patch.

    Returns:
        Map, row and column of each patch, square by square, (N (side / size)^2, 3).

    Example:
        >>> within(np.array([[0, 10, 20]]), side=4, size=2).tolist()
        [[0, 10, 20], [0, 10, 22], [0, 12, 20], [0, 12, 22]]
    """
    steps = range(0, side, size)
    offsets = np.array([(0, row, column) for row in steps for column in steps])
    return (corners[:, None] + offsets).reshape(-1, 3)


def batches(
    test: BlurredPatches, corners: np.ndarray, size: int, halo: int, workers: int
) -> Iterator[tuple[Tensor, Tensor]]:
    """Yield patches of one size, normalised as `test` is: with a halo, (N, 1, S + 2 halo, S + 2 halo), and clear."""
    patches = BlurredPatches(test.fields, corners, size, halo, test.normalisation, False, test.least_scale)
    count = max(1, PIXELS // size**2)
    for images, clear in DataLoader(patches, count, num_workers=workers):
        # The clear patch comes with its halo.
        yield images, crop(clear, halo) if clear.shape[-1] > size else clear


def run(settings: DictConfig, console: Console) -> pd.DataFrame:
    """Test every network on every size.

    Args:
        settings: as in configs/sizes.yaml.
        console: where to say how far it is.

    Returns:
        The table: the mean squared error of each region, and the ratio of frame and interior.

    Raises:
        FileNotFoundError: a network has not been trained, or data is missing.
        ValueError: the settings do not fit.
    """
    read_settings(settings)
    sizes = list(settings.sizes)
    cells = sweep_cells(settings)
    configs = {cell: composed(cell) for cell in cells}
    # Whatever is missing is told before anything is measured.
    weights = {cell: trained_weights(cell) for cell in cells}
    device = torch_device("device", settings.device)
    side = math.lcm(*sizes)
    data = squares(configs[cells[0]], side)
    corners = _chosen(data.test, sizes, settings.least_deviation, settings.squares)
    found: dict[tuple[Cell, int], dict[str, float]] = {}
    seeds = list(dict.fromkeys(cell.seed for cell in cells))
    with progress_bar(len(seeds) * len(sizes), console) as advance:
        for seed in seeds:
            # Those of one seed see each batch, which takes longer to read and blur than a network to run.
            of_seed = [cell for cell in cells if cell.seed == seed]
            tasks = {cell: _task(configs[cell], data, weights.pop(cell), device) for cell in of_seed}
            for size in sizes:
                places = within(corners, side, size)
                for cell, values in _measured(tasks, data.test, places, size, settings.workers, device).items():
                    found[cell, size] = values
                advance(f"seed {seed}, {size} px")
    rows = []
    for cell in cells:
        config = configs[cell]
        place = {"data": data_name(config), "model": config.model.name, "method": cell.method, "seed": cell.seed}
        for size in sizes:
            values = found[cell, size]
            values[RATIO] = values["frame"] / values["interior"]
            rows += [
                place | {"size": size, "metric": "mse", "region": region, "value": values[region]}
                for region in (*REGIONS, RATIO)
            ]
    return pd.DataFrame(rows, columns=COLUMNS)


def _chosen(test: BlurredPatches, sizes: Sequence[int], least_deviation: float, limit: int | None) -> np.ndarray:
    """The corners of the squares that are used."""
    corners = test.corners
    if least_deviation > 0:
        rough = [
            all(
                test.fields.window(*corner, size, size)[0].std(correction=0).item() >= least_deviation
                for size in sizes
                for corner in within(square[None], test.size, size).tolist()
            )
            for square in corners
        ]
        corners = corners[np.array(rough)]
    if not len(corners):
        raise ValueError(f"no test square has a deviation of {least_deviation} in all of its patches")
    if limit is not None and limit < len(corners):
        corners = corners[np.linspace(0, len(corners) - 1, limit).round().astype(int)]
    return corners


def _task(config: DictConfig, data: Splits, weights: dict[str, Tensor], device: torch.device) -> Task:
    """A trained network that cuts its halo off, to be run."""
    halo = config.data.halo
    wide = data.test.size + 2 * halo  # type: ignore[attr-defined]
    task = build_task(config, dataclasses.replace(data, halo=halo, image_size=(wide, wide), test_blocks=None))
    task.load_state_dict(weights)
    return task.to(device).eval()


@torch.no_grad()
def _measured(
    tasks: dict[Cell, Task], test: BlurredPatches, corners: np.ndarray, size: int, workers: int, device: torch.device
) -> dict[Cell, dict[str, float]]:
    """The mean squared error of each network by region."""
    errors = {cell: RegionError().to(device) for cell in tasks}
    widest = max(task.halo for task in tasks.values())
    for index, (images, clear) in enumerate(batches(test, corners, size, widest, workers)):
        images, clear = images.to(device), clear.to(device)
        for cell, task in tasks.items():
            # Random padding draws noise: the same for every network.
            torch.manual_seed(index)
            errors[cell].update(task(crop(images, widest - task.halo)), clear)
    return {cell: {region: error.compute()["mse"][region] for region in REGIONS} for cell, error in errors.items()}


@hydra_program("sizes")
def main(settings: DictConfig) -> None:
    """Measure, and write the table and what it was made from."""
    written = settings_of(settings)
    name = f"{'paper_' if settings.scale == 'paper' else ''}super_resolution_sizes"
    path = REPOSITORY / read_settings(settings) / "tables" / f"{name}.csv"
    writable("output_dir", path.parent)
    OmegaConf.resolve(settings)
    table = run(settings, Console())
    write_table(path, table)
    configs: list[Any] = [composed(cell) for cell in sweep_cells(settings)]
    modules = ["experiments.sizes.program", configs[0].data._target_.rpartition(".")[0]]
    runs = sorted(run_name(config).as_posix() for config in configs)
    scale = {"overrides": ["scale=paper"]} if settings.scale == "paper" else {}
    write_manifest(name, [path], modules, written, program="sizes", runs=runs, **scale)
    print(path)
