"""Seams: `python -m experiments.seams only=[zeros,diff]`, see configs/seams.yaml."""

from typing import Any

import pandas as pd
import torch
from omegaconf import DictConfig
from rich.console import Console

from experiments.checks import writable
from experiments.data.load import load_data
from experiments.data.splits import Splits
from experiments.hydra_program import hydra_program
from experiments.manifest import chosen_parts, settings_of, write_manifest
from experiments.models.halo import crop
from experiments.paths import REPOSITORY
from experiments.progress import progress_bar
from experiments.records import write_together
from experiments.seams.measures import MEASURES, measure_tiling, overlapping_tiles
from experiments.seams.settings import Settings
from experiments.settings import read_settings
from experiments.tiling import stitched
from experiments.trained_networks import about, trained_weights
from experiments.training.cells import Cell, composed, sweep_cells
from experiments.training.train import build_task

__all__ = ["large_images", "main", "measure", "run", "trained_network"]


def large_images(settings: Settings, run_config: DictConfig) -> Splits:
    """The large test images of the data a network was trained on, from its held-out regions, with true context."""
    return load_data(
        run_config.data,
        size=settings.tile * settings.tiles,
        halo=settings.context,
        train_patches=1,
        augment=False,
    )


def trained_network(cell: Cell, settings: Settings) -> torch.nn.Module:
    """The network of a finished run.

    Raises:
        FileNotFoundError: it has not been trained; the message says what trains it.
    """
    weights, config = trained_weights(cell), composed(cell)
    # Only what its shapes depend on matters here: channels.
    data = large_images(settings, config)
    task = build_task(config, data)
    task.load_state_dict(weights)
    return task.network.eval()


@torch.no_grad()
def measure(
    network: torch.nn.Module, data: Splits, settings: Settings, halo: int
) -> tuple[dict[str, torch.Tensor], dict[str, torch.Tensor]]:
    """Run a network on the whole test images and on their tiles.

    All tiles of an image share its normalisation, so that what differs at a seam is the boundary handling alone.

    Args:
        network: the network.
        data: from `large_images`.
        settings: of the study.
        halo: pixels of true context that the network takes with each tile.

    Returns:
        For each measure the root of the mean square at each distance, over all images; and for the picture the whole
        result, the tiled one and the truth.
    """
    network.to(settings.device)
    sums: dict[str, torch.Tensor] = {}
    shown: dict[str, torch.Tensor] = {}
    for number in range(len(data.test)):
        image, clear = (part.to(settings.device) for part in data.test[number])
        # Random padding draws noise: the same for every network.
        torch.manual_seed(number)
        whole = crop(network(image[None]), settings.context)[0, 0]
        tiles = overlapping_tiles(network, image, settings.context, settings.tile, halo)
        for name, value in measure_tiling(tiles, whole, clear[0]).items():
            sums[name] = sums.get(name, 0) + value.cpu() / len(data.test)
        if number == settings.picture:
            shown = {"whole": whole.cpu(), "tiled": stitched(tiles[::2, ::2]).cpu(), "clear": clear[0].cpu()}
    return {name: value.sqrt() for name, value in sums.items()}, shown


def run(settings: Settings, console: Console) -> tuple[pd.DataFrame, dict[str, Any]]:
    """Measure every network.

    Returns:
        The table, and the arrays of the picture: `clear`, and `difference/METHOD`, tiled result less whole one.

    Raises:
        FileNotFoundError: a network has not been trained.
        ValueError: the settings do not fit.
    """
    cells = sweep_cells(settings.sweep)
    # Whatever is missing is told before anything is measured.
    networks = {cell: trained_network(cell, settings) for cell in cells}
    data = large_images(settings, composed(cells[0]))
    images = len(data.test)
    if not 0 <= settings.picture < images:
        raise ValueError(f"picture must be within 0 and {images - 1}, got {settings.picture}")
    rows: list[dict[str, Any]] = []
    arrays: dict[str, Any] = {}
    with progress_bar(len(cells), console) as advance:
        for cell in cells:
            config = composed(cell)
            values, shown = measure(networks.pop(cell), data, settings, config.data.halo)
            place = about(cell, config)
            rows += [
                place
                | {"measure": measure_name, "distance": distance, "value": values[measure_name][distance].item()}
                for measure_name in MEASURES
                for distance in settings.distances
                if distance < len(values[measure_name])
            ]
            if cell.seed == cells[0].seed and cell.method in settings.pictures:
                arrays["clear"] = shown["clear"].half().numpy()
                arrays[f"difference/{cell.method}"] = (shown["tiled"] - shown["whole"]).half().numpy()
            advance(cell.name)
    return pd.DataFrame(rows), arrays


@hydra_program("seams")
def main(config: DictConfig) -> None:
    """Measure, and write the table and the arrays of the picture."""
    settings = read_settings(Settings, config)
    tables = REPOSITORY / settings.output_dir / "tables"
    writable("output_dir", tables)
    table, arrays = run(settings, Console())
    paths = write_together({tables / "seams.csv": table, tables / "seams_pictures.npz": arrays})
    modules = ["experiments.seams.program", "experiments.data.globe"]
    write_manifest("seams", paths, modules, settings_of(config), program="seams", overrides=chosen_parts())
    for path in paths:
        print(path)
