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
# By algorithm and method. An aim is reached when one algorithm reaches it.
BOUNDS: dict[tuple[str, str], Bound] = {
    ("plain", "zeros"): Bound((1, 3)),
    ("plain", "reflect"): Bound((2, 4)),
    ("plain", "replicate"): Bound((2, 4)),
    ("plain", "symmetric"): Bound((10, 24), aim=_FRAME),
    ("plain", "extrapolate"): Bound((29, 44), aim=_FRAME),
    ("plain", "diff"): Bound((47, 71), aim=_FRAME),
    ("plain", "learned"): Bound((43, 90), aim=_FRAME),
    ("plain", "adaptive_running"): Bound((48, 112), aim=_FRAME),
    ("plain", "adaptive_running_in_evaluation"): Bound((47, 112), aim=_FRAME),
    ("plain", "explicit"): Bound((225, 483), aim=(8, 8)),
    ("plain", "adaptive"): Bound((355, 126), aim=(40, 12)),
    # Where the library has it.
    ("fused", "symmetric"): Bound(_FRAME, aim=_FRAME),
    ("fused", "extrapolate"): Bound(_FRAME, aim=_FRAME),
    ("fused", "diff"): Bound(_FRAME, aim=_FRAME),
    ("fused", "learned"): Bound(_FRAME, aim=_FRAME),
    ("fused", "adaptive_running"): Bound(_FRAME, aim=_FRAME),
    ("fused", "adaptive_running_in_evaluation"): Bound(_FRAME, aim=_FRAME),
}


def most(table: pd.DataFrame) -> dict[tuple[str, str], tuple[int, int]]:
    """Return the most operators forwards and backwards over the layers, by algorithm and method.

    Args:
        table: As the study writes it.

    """
    found = table.groupby(["algorithm", "method"], sort=False)[["forwards", "backwards"]].max()
    return {key: (int(row["forwards"]), int(row["backwards"])) for key, row in found.iterrows()}
