"""The mode whose predictors are trained with the network."""

from __future__ import annotations

from dataclasses import dataclass

from torch import Tensor, nn

from diff_conv2d.geometry import Geometry
from diff_conv2d.modes.base import Extension

__all__ = ["Learned"]


@dataclass(frozen=True)
class Learned(Extension):
    r"""Each axis is extended by linear predictors whose weights are parameters of the layer.

    .. math:: x(-s) = x(0) + \sum_{j=1}^{n-1} v_{s,j} \, (x(j) - x(j - 1))

    as in `Adaptive`, with v trained by gradient descent, for each channel. v starts at 0, which repeats the edge
    sample. Constants are extended exactly at any time. It needs a layer, which holds v.

    Args:
        taps: n, samples that a predictor reads, at least 2.
        shared: all channels share their weights.
    """

    name = "learned"
    trained = True
    why_not_fused = ""
    why_not_chunked = "needs trained weights, which correlate does not take"

    taps: int = 4
    shared: bool = False

    def __post_init__(self) -> None:
        """Check the options."""
        if not isinstance(self.taps, int) or isinstance(self.taps, bool):
            raise TypeError(f"taps must be an integer, got {self.taps!r}")
        if self.taps < 2:
            raise ValueError(f"taps must be at least 2, got {self.taps}; padding_mode='replicate' has one")
        if not isinstance(self.shared, bool):
            raise TypeError(f"shared must be True or False, got {self.shared!r}")

    @property
    def needs_layer(self) -> bool:
        """See `Boundary`."""
        return True

    def extend(self, input: Tensor, geometry: Geometry) -> Tensor:
        """See `Boundary`: what a layer keeps does it."""
        raise NotImplementedError

    def module_for_layer(self, channels: int, geometry: Geometry, seed: int) -> nn.Module:
        """See `Boundary`: the weights."""
        # It extends by what `Adaptive` fits, a mode beside this one.
        from diff_conv2d.modes.kept_predictors import LearnedPredictors

        return LearnedPredictors(self.taps, 1 if self.shared else channels, geometry)
