"""Position: `python -m experiments.position only=[zeros,diff]`, see configs/position.yaml.

Zero padding tells a network where the image ends; does a network learn from it where in the image a pixel is? For
every boundary mode, networks that are trained with it, networks before their training, and networks that are trained
with zero padding and converted: how well a linear read-out of their features predicts coordinates (`readout`), and
how many of their units see the edge (`edge_units`).
"""

from typing import Any

import pandas as pd
import torch
from omegaconf import DictConfig
from rich.console import Console
from torch import Tensor

from experiments.checks import writable
from experiments.data.load import load_data
from experiments.data.splits import Splits
from experiments.hydra_program import hydra_program
from experiments.manifest import settings_of, write_manifest
from experiments.paths import REPOSITORY
from experiments.position.edge_units import watched_layers
from experiments.position.features import features
from experiments.position.networks import needed_cells, network_of, studied
from experiments.position.pictures import KINDS, pictures
from experiments.position.readout import TARGETS, fit_readout, mean_absolute_error, spearman, target_maps
from experiments.position.settings import Settings
from experiments.progress import progress_bar
from experiments.provenance import modules_named
from experiments.records import write_table
from experiments.settings import read_settings
from experiments.tasks.task import Task
from experiments.trained_networks import about, check_trained
from experiments.training.cells import composed
from experiments.training.run_folder import run_name

__all__ = ["COLUMNS", "main", "measured", "run"]

COLUMNS = ["data", "model", "method", "seed", "network", "images", "measure", "target", "value"]


def measured(task: Task, images: dict[str, Tensor], halo: int, settings: Settings) -> list[dict[str, Any]]:
    """Fit a read-out to a network, test it, and count the units that see the edge.

    Returns:
        Rows of the table without what names the network: `images`, `measure`, `target`, `value`.
    """
    task.to(settings.device).eval()
    # Random padding draws noise: the same for every network.
    torch.manual_seed(settings.seed)
    share = halo / images["fit"].shape[-1]

    def seen(name: str) -> Tensor:
        return features(task, images[name], settings.stages, settings.grid, share)

    maps = target_maps(settings.grid).to(settings.device)
    readout = fit_readout(seen("fit"), seen("validation"), maps, settings.penalties)
    with watched_layers(task.network, share) as layers:
        predicted = {"natural": readout(seen("natural"))}
    predicted |= {kind: readout(seen(kind)) for kind in KINDS if kind not in predicted}
    rows = [
        {"images": kind, "measure": measure, "target": target, "value": value}
        for kind in KINDS
        for measure, values in (
            ("spearman", spearman(predicted[kind], maps, settings.resolution)),
            ("mae", mean_absolute_error(predicted[kind], maps)),
        )
        for target, value in zip(TARGETS, values, strict=True)
    ]
    apart = torch.cat([d for layer in layers.values() if (d := layer.distances()) is not None])
    counts = {f"aware_{threshold:g}": int((apart >= threshold).sum()) for threshold in settings.thresholds}
    counts["units"] = len(apart)
    return rows + [
        {"images": "natural", "measure": measure, "target": "edge", "value": float(count)}
        for measure, count in counts.items()
    ]


def run(settings: Settings, console: Console) -> pd.DataFrame:
    """Measure every network.

    Raises:
        FileNotFoundError: a network has not been trained.
        ValueError: the settings do not fit.
    """
    if settings.threads is not None:
        torch.set_num_threads(settings.threads)
    # Whatever is missing is told before anything is measured.
    check_trained(needed_cells(settings))
    wanted = studied(settings)
    loaded: dict[int, tuple[Splits, dict[str, Tensor]]] = {}
    rows: list[dict[str, Any]] = []
    with progress_bar(len(wanted), console) as advance:
        for cell, network in wanted:
            config = composed(cell)
            halo = config.data.get("halo") or 0
            if halo not in loaded:
                data = load_data(config.data, augment=False)
                loaded[halo] = data, pictures(data, settings)
            data, images = loaded[halo]
            task = network_of(cell, network, data, settings)
            place = about(cell, config) | {"network": network}
            rows += [place | row for row in measured(task, images, halo, settings)]
            advance(f"{cell.name} {network}")
    return pd.DataFrame(rows, columns=COLUMNS)


@hydra_program("position")
def main(config: DictConfig) -> None:
    """Measure, and write the table and what it was made from."""
    settings = read_settings(Settings, config)
    path = REPOSITORY / settings.output_dir / "tables" / "position.csv"
    writable("output_dir", path.parent)
    table = run(settings, Console())
    write_table(path, table)
    configs = [composed(cell) for cell in needed_cells(settings)]
    modules = ["experiments.position.program", *modules_named(*configs)]
    runs = sorted(run_name(config).as_posix() for config in configs)
    write_manifest("position", [path], modules, settings_of(config), program="position", runs=runs)
    print(path)
