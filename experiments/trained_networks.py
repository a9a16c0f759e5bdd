"""The networks of finished runs, for studies that train none."""

from typing import Any

from omegaconf import DictConfig
from torch import Tensor

from experiments.checks import Reader
from experiments.training.cell import cell_folder
from experiments.training.cells import Cell, composed, read_sweep
from experiments.training.checkpoints import final_weights
from experiments.training.run_folder import data_name

__all__ = ["about", "checked_sweep", "trained_weights"]


def checked_sweep(read: Reader) -> DictConfig:
    """Check the settings of the sweep that trained the networks; they are read where its cells are listed."""
    read_sweep(read)
    return read.config


def trained_weights(cell: Cell) -> dict[str, Tensor]:
    """The weights of a finished run.

    Raises:
        FileNotFoundError: it has not been trained; the message says what trains it.
        ValueError: its checkpoint is damaged.
    """
    config = composed(cell)
    folder = cell_folder(config)
    weights = final_weights(folder)
    if weights is None:
        target = cell.sweep.replace("_", "-")
        scale = " SCALE=paper" if str(config.experiment_name).startswith("paper_") else ""
        raise FileNotFoundError(
            f"no trained network of {cell.name} in {folder.path}; the runs are not part of the repository: "
            f"`make reproduce-{target} METHODS={cell.method} SEEDS={cell.seed}{scale}` trains it"
        )
    return weights


def about(cell: Cell, config: DictConfig) -> dict[str, Any]:
    """What a table says of a network: its data and model, as its run was configured, its method and seed."""
    return {"data": data_name(config), "model": config.model.name, "method": cell.method, "seed": cell.seed}
