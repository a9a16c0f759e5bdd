"""Fine-tuning of converted networks: `python -m experiments.finetuning only=[diff]`, see configs/finetuning.yaml.

A network that was trained with zero padding is converted to another boundary mode by `diff_conv2d.convert`. It is
tested as it is then, and after some steps of further training. The control is the network with its zero padding,
trained further by as many steps.
"""

import sys
from pathlib import Path
from typing import Any

import pandas as pd
import torch
from hydra.errors import HydraException
from hydra.utils import instantiate
from omegaconf import DictConfig, OmegaConf
from rich.console import Console

from experiments.converted_networks import chance, converted, fine_tuned, trained_weights
from experiments.data.splits import Splits
from experiments.finetuning_summary import MOST_FREQUENT
from experiments.hydra_program import hydra_program, sentence
from experiments.manifest import settings_of, write_manifest
from experiments.paths import REPOSITORY
from experiments.progress import progress_bar
from experiments.records import write_table
from experiments.tasks.task import TrainingDivergedError
from experiments.training.cells import Cell, composed, sweep_cells
from experiments.training.run_folder import data_name, run_name

__all__ = ["TRAINED", "main", "manifest", "run"]

# What the networks were trained with.
TRAINED = "zeros"


def run(settings: DictConfig, console: Console) -> pd.DataFrame:
    """Convert, test and fine-tune every network.

    Raises:
        FileNotFoundError: a network has not been trained.
        ValueError: the settings do not fit.
        TrainingDivergedError: the loss is no number.
    """
    _check(settings)
    if settings.threads is not None:
        torch.set_num_threads(settings.threads)
    cells = _cells(settings)
    # Whatever is missing is told before anything is measured.
    trained = {(cell.sweep, cell.seed): cell for cell in cells if cell.method == TRAINED}
    weights = {key: trained_weights(cell) for key, cell in trained.items()}
    auto = "cuda" if torch.cuda.is_available() else "cpu"
    device = torch.device(auto if settings.device == "auto" else settings.device)
    loaded: dict[str, Splits] = {}
    rows: list[dict[str, Any]] = []
    with progress_bar(len(cells), console) as advance:
        for cell in cells:
            origin = trained[cell.sweep, cell.seed]
            config = composed(origin)
            if cell.sweep not in loaded:
                loaded[cell.sweep] = instantiate(config.data)
            data = loaded[cell.sweep]
            place = {"data": data_name(config), "model": config.model.name, "method": cell.method, "seed": cell.seed}
            if cell is origin and data.classes:
                known = {"steps": 0, "metric": "accuracy", "region": "whole", "value": chance(data)}
                rows.append(place | {"method": MOST_FREQUENT} | known)
            task = converted(config, data, weights[cell.sweep, cell.seed], composed(cell).padding)
            rows += [
                place | {"steps": steps, "metric": metric, "region": region, "value": regions[region]}
                for steps, results in fine_tuned(task, data, config, settings, device)
                for metric, regions in results.items()
                for region in settings.regions
                if region in regions
            ]
            advance(cell.name)
    return pd.DataFrame(rows)


def manifest(path: Path, settings: DictConfig) -> None:
    """Write what the table was made from, the runs of its networks included."""
    trained = [composed(cell) for cell in _cells(settings) if cell.method == TRAINED]
    data = sorted({config.data._target_.rpartition(".")[0] for config in trained})
    runs = sorted(run_name(config).as_posix() for config in trained)
    modules = ["experiments.finetuning", *data]
    write_manifest("finetuning", [path], modules, settings_of(settings), program="finetuning", runs=runs)


def _cells(settings: DictConfig) -> list[Cell]:
    """The runs whose networks are converted, and those whose boundary modes they are converted to."""
    wanted = settings.modes if settings.only is None else settings.only
    cells = sweep_cells(OmegaConf.merge(settings, {"only": [TRAINED, *wanted]}))  # type: ignore[arg-type]
    # True context is no mode that a network could be converted to.
    return [cell for cell in cells if not composed(cell).data.get("halo")]


def _check(settings: DictConfig) -> None:
    """Refuse steps and a learning rate that make no sense."""
    steps, share = list(settings.steps), settings.learning_rate_share
    whole = all(isinstance(step, int) and step >= 0 for step in steps)
    if not whole or 0 not in steps or len(set(steps)) < len(steps):
        raise ValueError(f"steps must be different whole numbers from 0 on, 0 among them; got {steps}")
    if isinstance(share, bool) or not isinstance(share, int | float) or not share > 0:
        raise ValueError(f"learning_rate_share must be a number above 0, got {share!r}")


@hydra_program("finetuning")
def main(settings: DictConfig) -> None:
    """Write the table, and say what it shows."""
    path = REPOSITORY / Path(settings.output_dir) / "tables" / "finetuning.csv"
    try:
        table = run(settings, Console())
        write_table(path, table)
        manifest(path, settings)
    except HydraException as error:
        sys.exit(f"finetuning: {sentence(error)}")
    except (ValueError, OSError, TrainingDivergedError) as error:
        sys.exit(f"finetuning: {error}")
    print(path)


if __name__ == "__main__":
    main()
