"""The networks of finished runs, for studies that train none: from the run's folder, or else from the archive."""

from collections.abc import Iterable
from typing import Any

from omegaconf import DictConfig
from torch import Tensor

from experiments.checks import Reader
from experiments.network_archive import archived_weights, read_index
from experiments.training.cell import cell_folder
from experiments.training.cells import Cell, composed, read_sweep
from experiments.training.checkpoints import final_weights
from experiments.training.run_folder import data_name, run_name

__all__ = ["about", "check_trained", "checked_sweep", "missing_network", "trained_weights", "untrained"]


def checked_sweep(read: Reader) -> DictConfig:
    """Check the settings of the sweep that trained the networks; they are read where its cells are listed."""
    read_sweep(read)
    return read.config


def untrained(cells: Iterable[Cell]) -> list[Cell]:
    """The cells whose networks are neither among the runs nor in the archive; reads none: they may fill the memory.

    Raises:
        ValueError: the index of the archive is damaged.
    """
    archive = read_index()
    lacking = []
    for cell in cells:
        config = composed(cell)
        folder = cell_folder(config)
        there = folder.finished() is not None and any(folder.checkpoints.glob("*.ckpt"))
        if not there and run_name(config).as_posix() not in archive:
            lacking.append(cell)
    return lacking


def check_trained(cells: Iterable[Cell]) -> None:
    """Look for the networks of cells.

    Raises:
        FileNotFoundError: one has not been trained; the message says what trains it.
        ValueError: the index of the archive is damaged.
    """
    for cell in untrained(cells):
        raise missing_network(cell)


def trained_weights(cell: Cell) -> dict[str, Tensor]:
    """The weights of a finished run: from its folder, or from the archive of networks if it is not there.

    Raises:
        FileNotFoundError: it has not been trained; the message says what trains it.
        ValueError: its checkpoint, or its file in the archive, is damaged.
    """
    config = composed(cell)
    weights = final_weights(cell_folder(config))
    if weights is None:
        weights = archived_weights(config)
    if weights is None:
        raise missing_network(cell)
    return weights


def missing_network(cell: Cell) -> FileNotFoundError:
    """Say that a network is not there, and what trains it."""
    config = composed(cell)
    # The sweeps of the frontier, one a task, have one target.
    target = "frontier" if cell.sweep.startswith("frontier_") else cell.sweep.replace("_", "-")
    scale = " SCALE=paper" if str(config.experiment_name).startswith("paper_") else ""
    return FileNotFoundError(
        f"no trained network of {cell.name} in {cell_folder(config).path}, nor in results/networks, which has a part "
        f"of them: `make reproduce-{target} METHODS={cell.method} SEEDS={cell.seed}{scale}` trains it"
    )


def about(cell: Cell, config: DictConfig) -> dict[str, Any]:
    """What a table says of a network: its data and model, as its run was configured, its method and seed."""
    return {"data": data_name(config), "model": config.model.name, "method": cell.method, "seed": cell.seed}
