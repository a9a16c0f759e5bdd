"""How many operators a layer may call at most: what is aimed at, and what holds.

Nothing but a test and a page reads this. Whoever lowers a count lowers its bound here, up to the aim.
"""

from typing import NamedTuple

import pandas as pd

__all__ = ["BOUNDS", "Bound", "most"]


class Bound(NamedTuple):
    """Operators forwards and backwards, at most, whatever the layer.

    Attributes:
        holds: What no layer exceeds today.
        aim: What is aimed at, for every kernel size; None where today's counts are all that is asked for.

    """

    holds: tuple[int, int]
    aim: tuple[int, int] | None = None


_FRAME = (3, 4)
# By device and method. What is aimed at is counted as on a GPU.
BOUNDS: dict[tuple[str, str], Bound] = {
    ("cpu", "zeros"): Bound((1, 3)),
    ("cpu", "reflect"): Bound((2, 4)),
    ("cpu", "replicate"): Bound((2, 4)),
    ("cpu", "symmetric"): Bound((10, 24)),
    ("cpu", "extrapolate"): Bound((29, 44)),
    ("cpu", "diff"): Bound((47, 71)),
    ("cpu", "learned"): Bound((43, 90)),
    ("cpu", "adaptive_running"): Bound((48, 112)),
    ("cpu", "adaptive_running_in_evaluation"): Bound((47, 112)),
    ("cpu", "explicit"): Bound((225, 483)),
    ("cpu", "adaptive"): Bound((355, 126)),
    ("gpu", "symmetric"): Bound(_FRAME, aim=_FRAME),
    ("gpu", "extrapolate"): Bound(_FRAME, aim=_FRAME),
    ("gpu", "diff"): Bound(_FRAME, aim=_FRAME),
    ("gpu", "learned"): Bound(_FRAME, aim=_FRAME),
    ("gpu", "adaptive_running"): Bound(_FRAME, aim=_FRAME),
    ("gpu", "adaptive_running_in_evaluation"): Bound(_FRAME, aim=_FRAME),
    ("gpu", "explicit"): Bound((8, 8), aim=(8, 8)),
    # Axes whose fits differ in size, as of 320 and 258 samples, are fitted one by one; no counted layer has them.
    ("gpu", "adaptive"): Bound((40, 12), aim=(40, 12)),
}


def most(table: pd.DataFrame) -> dict[tuple[str, str], tuple[int, int]]:
    """Return the most operators forwards and backwards over the layers, by device and method.

    Args:
        table: As the study writes it.

    """
    found = table.groupby(["device", "method"], sort=False)[["forwards", "backwards"]].max()
    return {key: (int(row["forwards"]), int(row["backwards"])) for key, row in found.iterrows()}
