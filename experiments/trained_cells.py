"""Which networks of a sweep have been trained, for studies that may do without the others."""

from collections.abc import Sequence

from rich.console import Console

from experiments.trained_networks import trained_weights
from experiments.training.cells import Cell

__all__ = ["ERROR", "LEAVE_OUT", "trained_cells"]

# What becomes of networks that have not been trained.
ERROR, LEAVE_OUT = "error", "leave_out"


def trained_cells(cells: Sequence[Cell], missing: str, console: Console) -> list[Cell]:
    """The cells whose networks have been trained, in their order.

    Args:
        cells: of a sweep.
        missing: what becomes of the others: ``"error"``, or ``"leave_out"``, of which the console tells.
        console: where to tell it.

    Raises:
        FileNotFoundError: a network has not been trained, and none is to be left out; or none has been trained.
    """
    there, lacking = [], []
    for cell in cells:
        try:
            trained_weights(cell)
        except FileNotFoundError as error:
            if missing != LEAVE_OUT:
                raise FileNotFoundError(f"{error}; missing={LEAVE_OUT} does without") from error
            lacking.append(cell)
        else:
            there.append(cell)
    if not there:
        raise FileNotFoundError(f"none of {len(cells)} networks has been trained, the first one {cells[0].name}")
    if lacking:
        told = f"left out: {len(lacking)} of {len(cells)} networks, which have not been trained: {lacking[0].name}"
        console.print(told + (" and others" if len(lacking) > 1 else ""), highlight=False, soft_wrap=True)
    return there
