"""The mode that extends an image by noise."""

from __future__ import annotations

from dataclasses import dataclass

import torch
from torch import Tensor

from diff_conv2d.extension import by_axis
from diff_conv2d.geometry import Geometry
from diff_conv2d.modes.base import AxisExtension

__all__ = ["Random"]


@dataclass(frozen=True)
class Random(AxisExtension):
    """Normal noise with the mean and standard deviation, per image and channel, of the band along each edge.

    Source: Nguyen et al. (2019), random padding. Each call draws anew; a `generator` makes it reproducible.
    """

    name = "random"
    why_not_chunked = "draws its noise in the order in which the whole image is padded, and chunks have no order"
    why_padded = "draws its noise in the order in which the whole image is padded"
    why_not_fused = "draws noise"

    generator: torch.Generator | None = None

    def __post_init__(self) -> None:
        """Check the generator."""
        if not isinstance(self.generator, torch.Generator | None):
            raise TypeError(f"generator must be a torch.Generator, got {self.generator!r}")

    def outside(self, input: Tensor, axis: int, distances: range, high_end: bool, geometry: Geometry) -> list[Tensor]:
        """See `AxisExtension`."""
        return by_axis.noise(input, geometry.dims[axis], distances, high_end, self.generator)
