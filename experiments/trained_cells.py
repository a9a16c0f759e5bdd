"""Which networks of a sweep have been trained, for studies that may do without the others."""

from collections.abc import Sequence

from rich.console import Console

from experiments.trained_networks import missing_network, untrained
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
    lacking = untrained(cells)
    if not lacking:
        return list(cells)
    told = f"{len(lacking)} of {len(cells)} networks"
    if missing != LEAVE_OUT or len(lacking) == len(cells):
        more = f"; missing={LEAVE_OUT} does without" if len(lacking) < len(cells) else ""
        raise FileNotFoundError(f"{told} have not been trained: {missing_network(lacking[0])}{more}")
    first = lacking[0].name + (" and others" if len(lacking) > 1 else "")
    console.print(f"left out: {told}, which have not been trained: {first}", highlight=False, soft_wrap=True)
    return [cell for cell in cells if cell not in lacking]
