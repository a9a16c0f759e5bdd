"""The mode that reflects an image oddly: about the edge sample as a point."""

from __future__ import annotations

from dataclasses import dataclass
from typing import NamedTuple

from torch import Tensor

from diff_conv2d.extension import by_axis
from diff_conv2d.geometry import Geometry
from diff_conv2d.modes.base import AxisExtension

__all__ = ["Antireflect"]


class _OddReflection(NamedTuple):
    """The rows of ``x(-s) = 2 x(0) - x(s)`` (see `extension.axis.IntegerMatrix`)."""

    def sources(self, length: int, distance: int) -> tuple[range, tuple[int, ...]]:
        if distance >= length:
            raise ValueError(
                f"padding_mode='antireflect' takes the sample {distance} steps from an edge and needs at least "
                f"{distance + 1} samples along that axis, got {length}; 'symmetric', 'replicate' and 'diff' have no "
                "such limit"
            )
        return range(0, distance + 1, distance), (2, -1)


@dataclass(frozen=True)
class Antireflect(AxisExtension):
    """The odd reflection about the edge sample: ``2a-c 2a-b | a b c d | 2d-c 2d-b``.

    ``x(-s) = 2 x(0) - x(s)``: values and slopes are continuous, and straight lines are extended exactly. An axis
    needs one sample more than its padding.

    Source: Serra-Capizzano (2003), anti-reflective boundary conditions, https://doi.org/10.1137/S1064827502410244.
    PyWavelets has the name; it is ``numpy.pad(..., mode="reflect", reflect_type="odd")``.
    """

    name = "antireflect"

    def outside(self, input: Tensor, axis: int, distances: range, high_end: bool, geometry: Geometry) -> list[Tensor]:
        """See `AxisExtension`."""
        return by_axis.combined(input, geometry.dims[axis], distances, high_end, _OddReflection())
