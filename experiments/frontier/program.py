"""The frontier: `python -m experiments.frontier only=[zeros,adaptive] seeds=[0]`, see configs/frontier.yaml."""

import dataclasses
import multiprocessing
from collections.abc import Iterator, Sequence
from concurrent.futures import ProcessPoolExecutor, as_completed
from typing import Any

import numpy as np
import pandas as pd
import torch
from omegaconf import DictConfig
from rich.console import Console

from experiments.checks import writable
from experiments.data.splits import Splits
from experiments.frontier.images import large_images
from experiments.frontier.measures import Measured, TiledMeasures, cut, run_tiles
from experiments.frontier.settings import Settings
from experiments.hydra_program import hydra_program
from experiments.interrupts import ended_on_error, unseen_interrupts
from experiments.manifest import chosen_parts, settings_of, write_manifest
from experiments.models.halo import crop
from experiments.paths import REPOSITORY
from experiments.progress import progress_bar
from experiments.provenance import modules_named
from experiments.records import write_together
from experiments.settings import read_settings
from experiments.trained_cells import trained_cells
from experiments.trained_networks import trained_weights
from experiments.training.cells import Cell, composed, sweep_cells
from experiments.training.pool import default_jobs
from experiments.training.run_folder import data_name, run_name
from experiments.training.train import build_task

__all__ = ["COLUMNS", "main", "measure", "run"]

COLUMNS = ["data", "model", "method", "seed", "tile", "halo", "metric", "region", "value"]
# By rows and columns of a tile, and pixels of true context that it is given.
OfCell = dict[tuple[int, int], Measured]
_images: dict[str, Splits] = {}


def images_of(config: DictConfig, settings: Settings) -> Splits:
    """The large images of a run's data; kept, for all networks of one data set are measured on the same ones."""
    name = data_name(config)
    if name not in _images:
        _images[name] = large_images(config, settings.images, settings.tile, settings.context, settings.most_images)
    return _images[name]


@torch.no_grad()
def measure(cell: Cell, settings: Settings) -> OfCell:
    """Run a network on the large test images, and on their tiles with each halo.

    All tiles of an image share its normalisation, so that what differs at a seam is the boundary handling alone. The
    whole image is also measured as one tile, with all of its context, at the places of the small tiles' regions.
    """
    config = composed(cell)
    data = images_of(config, settings)
    task = build_task(config, dataclasses.replace(data, halo=0, image_size=(settings.tile,) * 2, test_blocks=None))
    task.load_state_dict(trained_weights(cell))
    task.to(settings.device).eval()
    blocks = torch.zeros(len(data.test), dtype=torch.int64) if data.test_blocks is None else data.test_blocks
    side = data.image_size[0] - 2 * settings.context
    kinds = len(data.classes), data.ignore_index, int(blocks.max()) + 1, settings.tile
    measures = {place: TiledMeasures(*kinds) for place in [*((settings.tile, h) for h in settings.halos), None]}
    for number, block in enumerate(blocks.tolist()):
        image, target = data.test[number]
        image = image.to(settings.device)
        # Random padding draws noise: the same for every network.
        torch.manual_seed(number)
        whole = crop(task(image[None]), settings.context)[0].cpu()
        measures[None].update(cut(whole, settings.tile), whole, target, block)
        for halo in settings.halos:
            tiled = run_tiles(task, image, settings.context, settings.tile, halo).cpu()
            measures[settings.tile, halo].update(tiled, whole, target, block)
    found = {place: of_place.compute() for place, of_place in measures.items() if place is not None}
    # The whole differs from itself nowhere.
    untiled = {key: value for key, value in measures[None].compute().items() if key[0] not in ("seam", "jump")}
    return {**found, (side, settings.context): untiled}


def run(settings: Settings, console: Console) -> tuple[pd.DataFrame, dict[str, Any], list[Cell]]:
    """Measure every network.

    Returns:
        The table, and the values without each block of the test set: for each `DATA/MODEL/METRIC/REGION` an array of
        methods, seeds, halos and blocks, NaN where there is no such network, and the names along its axes. Last, the
        cells whose networks were measured.

    Raises:
        FileNotFoundError: a network has not been trained, or data is missing.
        ValueError: the settings do not fit.
    """
    cells = trained_cells(sweep_cells(settings.sweep), settings.missing, console)
    found: dict[Cell, OfCell] = {}
    with progress_bar(len(cells), console) as advance:
        for cell, of_cell in _each(cells, settings):
            found[cell] = of_cell
            advance(cell.name)
    rows = [
        {**_place(cell), "tile": tile, "halo": halo, "metric": metric, "region": region, "value": value}
        for cell in cells
        for (tile, halo), measured in found[cell].items()
        for (metric, region), (value, _) in measured.items()
    ]
    return pd.DataFrame(rows, columns=COLUMNS), _without_blocks(cells, found, settings), cells


def _place(cell: Cell) -> dict[str, Any]:
    config = composed(cell)
    model = cell.variant or config.model.name
    return {"data": data_name(config), "model": model, "method": cell.method, "seed": cell.seed}


def _without_blocks(cells: Sequence[Cell], found: dict[Cell, OfCell], settings: Settings) -> dict[str, Any]:
    """The values without each block, as `run` returns them."""
    axes = {"method": [cell.method for cell in cells], "seed": [cell.seed for cell in cells], "halo": settings.halos}
    arrays: dict[str, Any] = {name: np.array(list(dict.fromkeys(values))) for name, values in axes.items()}
    shape = tuple(len(values) for values in arrays.values())
    for cell in cells:
        place = _place(cell)
        index = tuple(int(np.flatnonzero(arrays[name] == place[name])[0]) for name in ("method", "seed"))
        for number, halo in enumerate(settings.halos):
            for (metric, region), (_, without) in found[cell][settings.tile, halo].items():
                if without:
                    key = f"{place['data']}/{place['model']}/{metric}/{region}"
                    arrays.setdefault(key, np.full((*shape, len(without)), np.nan, np.float32))
                    arrays[key][(*index, number)] = without
    return arrays


def _each(cells: Sequence[Cell], settings: Settings) -> Iterator[tuple[Cell, OfCell]]:
    """Measure cells, several at a time on a CPU, and give each when it ends."""
    jobs = 1 if settings.device.type == "cuda" else settings.sweep.jobs or default_jobs()
    if jobs == 1 or len(cells) == 1:
        for cell in cells:
            yield cell, measure(cell, settings)
        return
    context = multiprocessing.get_context("spawn")
    with ProcessPoolExecutor(jobs, context, torch.set_num_threads, (1,)) as pool, ended_on_error():
        with unseen_interrupts():
            futures = {pool.submit(measure, cell, settings): cell for cell in cells}
        try:
            for future in as_completed(futures):
                yield futures[future], future.result()
        except BaseException:
            pool.shutdown(wait=False, cancel_futures=True)
            raise


@hydra_program("frontier")
def main(config: DictConfig) -> None:
    """Measure, and write the table and the values without each block of the test set."""
    settings, console = read_settings(Settings, config), Console()
    tables = REPOSITORY / settings.output_dir / "tables"
    writable("output_dir", tables)
    table, arrays, cells = run(settings, console)
    paths = write_together({tables / "frontier.csv": table, tables / "frontier_blocks.npz": arrays})
    configs = [composed(cell) for cell in cells]
    runs = sorted(run_name(of_run).as_posix() for of_run in configs)
    modules = ["experiments.frontier.program", *modules_named(*configs)]
    more = {"program": "frontier", "overrides": chosen_parts(), "runs": runs}
    write_manifest("frontier", paths, modules, settings_of(config), **more)
    for path in paths:
        print(path)
