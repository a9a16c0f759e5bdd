"""Which networks the study looks at: as trained, before their training, and converted from zero padding."""

from omegaconf import OmegaConf

from diff_conv2d import MODES
from experiments.data.splits import Splits
from experiments.finetuning.converted_networks import calibrated, converted
from experiments.position.settings import Settings
from experiments.tasks.task import Task
from experiments.trained_networks import trained_weights
from experiments.training.cells import Cell, composed, sweep_cells
from experiments.training.train import build_task

__all__ = ["TRAINED", "needed_cells", "network_of", "studied"]

# What converted networks were trained with.
TRAINED = "zeros"


def studied(settings: Settings) -> list[tuple[Cell, str]]:
    """The cells that are asked for, each with the kind of its network, of `experiments.position.settings.NETWORKS`.

    True context is no mode to convert to, and a network with zero padding needs no conversion to it. A mode with
    parameters of its own that are trained is, until they are, only what they begin with.
    """
    return [
        (cell, network)
        for cell in sweep_cells(settings.sweep)
        for network in settings.networks
        if network != "converted" or _can_be_converted_to(cell)
    ]


def _can_be_converted_to(cell: Cell) -> bool:
    if composed(cell).data.get("halo") or cell.method == TRAINED:
        return False
    return not MODES[composed(cell).padding.mode].trained


def needed_cells(settings: Settings) -> list[Cell]:
    """The runs whose networks are needed: those that are asked for, and those that are converted."""
    kinds = studied(settings)
    cells = [cell for cell, network in kinds if network == "trained"]
    if any(network == "converted" for _, network in kinds):
        cells += sweep_cells(OmegaConf.merge(settings.sweep, {"only": [TRAINED]}))
    return list(dict.fromkeys(cells))


def network_of(cell: Cell, network: str, data: Splits, settings: Settings) -> Task:
    """Make the network of a cell; running predictors of one that is not trained with them are fitted first.

    Args:
        cell: the run.
        network: which of its networks.
        data: of the run.
        settings: of the study.
    """
    config = composed(cell)
    if network == "trained":
        task = build_task(config, data)
        task.load_state_dict(trained_weights(cell))
        return task
    if network == "untrained":
        task = build_task(config, data)
    else:
        (origin,) = sweep_cells(OmegaConf.merge(settings.sweep, {"only": [TRAINED], "seeds": [cell.seed]}))
        task = converted(composed(origin), data, trained_weights(origin), config.padding)
    calibrated(task, data, config, settings)
    return task
