"""Fine-tuning of converted networks: `python -m experiments.finetuning only=[diff]`, see configs/finetuning.yaml.

A network that was trained with zero padding is converted to another boundary mode by `diff_conv2d.convert`. It is
tested as it is then, and after some steps of further training. Running predictors are fitted to a few batches first,
by `diff_conv2d.calibrate`. The control is the network with its zero padding, trained further by as many steps.
"""

from pathlib import Path
from typing import Any

import pandas as pd
import torch
from omegaconf import DictConfig, OmegaConf
from rich.console import Console

from experiments.checks import writable
from experiments.data.load import load_data
from experiments.data.splits import Splits
from experiments.finetuning.converted_networks import calibrated, chance, converted, fine_tuned
from experiments.finetuning.settings import Settings
from experiments.finetuning.summary import MOST_FREQUENT
from experiments.hydra_program import hydra_program
from experiments.manifest import settings_of, write_manifest
from experiments.paths import REPOSITORY
from experiments.progress import progress_bar
from experiments.provenance import modules_named
from experiments.records import write_together
from experiments.settings import read_settings
from experiments.tasks.task import TrainingDivergedError
from experiments.trained_networks import about, trained_weights
from experiments.training.cells import Cell, composed, sweep_cells
from experiments.training.run_folder import run_name

__all__ = ["TRAINED", "main", "manifest", "run"]

# What the networks were trained with.
TRAINED = "zeros"
LAYER_COLUMNS = ["data", "model", "method", "seed", "layer", "relative_error"]


def run(settings: Settings, console: Console) -> tuple[pd.DataFrame, pd.DataFrame]:
    """Convert, test and fine-tune every network.

    Returns:
        The results, and how well running predictors predict in each layer.

    Raises:
        FileNotFoundError: a network has not been trained.
        ValueError: the settings do not fit.
        TrainingDivergedError: the loss is no number.
    """
    if settings.threads is not None:
        torch.set_num_threads(settings.threads)
    cells = _cells(settings)
    # Whatever is missing is told before anything is measured.
    trained = {(cell.sweep, cell.seed): cell for cell in cells if cell.method == TRAINED}
    weights = {key: trained_weights(cell) for key, cell in trained.items()}
    loaded: dict[str, Splits] = {}
    rows: list[dict[str, Any]] = []
    layers: list[dict[str, Any]] = []
    with progress_bar(len(cells), console) as advance:
        for cell in cells:
            origin = trained[cell.sweep, cell.seed]
            config = composed(origin)
            if cell.sweep not in loaded:
                loaded[cell.sweep] = load_data(config.data)
            data = loaded[cell.sweep]
            place = about(cell, config)
            if cell is origin and data.classes:
                known = {"steps": 0, "metric": "accuracy", "region": "whole", "value": chance(data)}
                rows.append(place | {"method": MOST_FREQUENT} | known)
            task = converted(config, data, weights[cell.sweep, cell.seed], composed(cell).padding)
            gains = calibrated(task, data, config, settings)
            layers += [place | {"layer": name, "relative_error": gain} for name, gain in gains.items()]
            rows += [
                place | {"steps": steps, "metric": metric, "region": region, "value": regions[region]}
                for steps, results in fine_tuned(task, data, config, settings)
                for metric, regions in results.items()
                for region in settings.regions
                if region in regions
            ]
            advance(cell.name)
    return pd.DataFrame(rows), pd.DataFrame(layers, columns=LAYER_COLUMNS)


def manifest(paths: list[Path], settings: Settings) -> None:
    """Write what the tables were made from, the runs of their networks included."""
    trained = [composed(cell) for cell in _cells(settings) if cell.method == TRAINED]
    runs = sorted(run_name(config).as_posix() for config in trained)
    modules = ["experiments.finetuning.program", *modules_named(*trained)]
    write_manifest("finetuning", paths, modules, settings_of(settings.sweep), program="finetuning", runs=runs)


def _cells(settings: Settings) -> list[Cell]:
    """The runs whose networks are converted, and those whose boundary modes they are converted to."""
    wanted = settings.modes if settings.sweep.only is None else settings.sweep.only
    cells = sweep_cells(OmegaConf.merge(settings.sweep, {"only": [TRAINED, *wanted]}))
    # True context is no mode that a network could be converted to.
    return [cell for cell in cells if not composed(cell).data.get("halo")]


@hydra_program("finetuning")
def main(config: DictConfig) -> None:
    """Write the table, and say what it shows."""
    settings = read_settings(Settings, config)
    path = REPOSITORY / settings.output_dir / "tables" / "finetuning.csv"
    writable("output_dir", path.parent)
    try:
        table, layers = run(settings, Console())
    except TrainingDivergedError as error:
        raise ValueError(error) from error
    paths = write_together({path: table, path.with_name("finetuning_layers.csv"): layers})
    manifest(paths, settings)
    print(*paths, sep="\n")
