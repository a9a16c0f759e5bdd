"""The extension of complex images by a mode that is fitted to real ones."""

from __future__ import annotations

from dataclasses import dataclass

import torch
from torch import Tensor

from diff_conv2d.geometry import Geometry
from diff_conv2d.modes.base import AxisExtension

__all__ = ["Parts"]


@dataclass(frozen=True, eq=False)
class Parts(AxisExtension):
    """An extension of complex images, whose real and imaginary parts are extended by themselves."""

    name = "parts"

    real: AxisExtension
    imaginary: AxisExtension

    def outside(self, input: Tensor, axis: int, distances: range, high_end: bool, geometry: Geometry) -> list[Tensor]:
        """See `AxisExtension`."""
        arguments = axis, distances, high_end, geometry
        pieces = zip(
            self.real.outside(input.real, *arguments), self.imaginary.outside(input.imag, *arguments), strict=True
        )
        return [torch.complex(real, imaginary) for real, imaginary in pieces]

    def extend(self, input: Tensor, geometry: Geometry) -> Tensor:
        """See `Boundary`."""
        return torch.complex(self.real.extend(input.real, geometry), self.imaginary.extend(input.imag, geometry))
