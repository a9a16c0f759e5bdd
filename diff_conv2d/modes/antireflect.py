"""The mode that reflects an image oddly: about the edge sample as a point."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import torch

from diff_conv2d.geometry import Geometry
from diff_conv2d.modes.base import AxisExtension, enough_samples
from diff_conv2d.modes.copying_weights import OddlyMirrored

__all__ = ["Antireflect"]


@dataclass(frozen=True)
class Antireflect(AxisExtension):
    """The odd reflection about the edge sample: ``2a-c 2a-b | a b c d | 2d-c 2d-b``.

    ``x(-s) = 2 x(0) - x(s)``: values and slopes are continuous, and straight lines are extended exactly. Further out
    than the image is wide it is reflected again, about the last sample that was made.

    Source: Serra-Capizzano (2003), anti-reflective boundary conditions, https://doi.org/10.1137/S1064827502410244.
    PyWavelets has the name; it is ``numpy.pad(..., mode="reflect", reflect_type="odd")``.
    """

    name = "antireflect"

    def rule(self, axis: int, high_end: bool, geometry: Geometry, dtype: torch.dtype) -> OddlyMirrored:
        """See `AxisExtension`."""
        return OddlyMirrored()

    def traced_sizes(self, geometry: Geometry) -> Sequence[int] | None:
        """See `Boundary`: sizes at which it is reflected once."""
        return enough_samples(geometry, spare=1)
