"""The modes whose samples outside are zeros, or copies of samples of the image."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import torch
import torch.nn.functional as F
from torch import Tensor

from diff_conv2d.algorithms.blocks import valid_convolution, zero_padded_convolution
from diff_conv2d.extension import by_axis
from diff_conv2d.geometry import Geometry, Kernels
from diff_conv2d.modes.base import AxisExtension, enough_samples
from diff_conv2d.modes.copying_weights import Mirrored, Nothing, Wrapped
from diff_conv2d.modes.polynomial_weights import Polynomial
from diff_conv2d.tracing import size_is_below

__all__ = ["Circular", "Reflect", "Replicate", "Symmetric", "Zeros"]


def _torch_pad(input: Tensor, geometry: Geometry, mode: str) -> Tensor:
    """Extend by torch's own padding, which counts axes from the last."""
    if input.dtype is torch.bool and mode != "constant":
        # torch pads booleans only with constants.
        return _torch_pad(input.view(torch.uint8), geometry, mode).view(torch.bool)
    # In 'circular' torch loses the channels_last layout, and so do we: in another layout a convolution rounds
    # differently, and the result is promised to equal torch's to the bit.
    return F.pad(input, geometry.widths, mode=mode)


class _TorchsOwn(AxisExtension):
    """A mode that torch's layers have too. Its results are theirs to the bit, unless 'fast' is asked for."""

    copies = True
    auto = "direct"

    def extend_where_torch_can(self, input: Tensor, geometry: Geometry, spare: int) -> Tensor:
        """Extend by torch's padding if each axis has `spare` samples more than it is extended by."""
        widths = zip(geometry.dims, geometry.before, geometry.after, strict=True)
        # A size that is open while a network is exported must be large enough, which torch then checks.
        if not any(size_is_below(input.shape[dim], max(ends) + spare) for dim, *ends in widths if any(ends)):
            return _torch_pad(input, geometry, self.name)
        return self.extend_by_axis(input, geometry)


@dataclass(frozen=True)
class Zeros(_TorchsOwn):
    """Zeros outside: ``0 0 | a b c d | 0 0``. Torch's default."""

    name = "zeros"
    does_sums = True
    same_for_all_sizes = True

    def rule(self, axis: int, high_end: bool, geometry: Geometry, dtype: torch.dtype) -> Nothing:
        """See `AxisExtension`."""
        return Nothing()

    def outside(self, input: Tensor, axis: int, distances: range, high_end: bool, geometry: Geometry) -> list[Tensor]:
        """See `AxisExtension`."""
        return by_axis.zeros(input, geometry.dims[axis], distances)

    def extend(self, input: Tensor, geometry: Geometry) -> Tensor:
        """See `Boundary`."""
        return _torch_pad(input, geometry, "constant")

    def convolve(self, input: Tensor, kernels: Kernels, geometry: Geometry) -> Tensor:
        """Let torch pad inside its convolution."""
        weight, bias, groups, *_ = kernels
        if geometry.algorithm == "fast":
            return valid_convolution(self.extend(input, geometry), weight, bias, geometry, groups)
        return zero_padded_convolution(input, weight, bias, geometry, groups)


@dataclass(frozen=True)
class Replicate(_TorchsOwn):
    """The edge sample repeated: ``a a | a b c d | d d``."""

    name = "replicate"
    same_for_all_sizes = True

    def rule(self, axis: int, high_end: bool, geometry: Geometry, dtype: torch.dtype) -> Polynomial:
        """See `AxisExtension`: the polynomial of degree 0."""
        return Polynomial(degree=0)

    def extend(self, input: Tensor, geometry: Geometry) -> Tensor:
        """See `Boundary`."""
        if torch.compiler.is_compiling():
            # torch 2.14's compiled replication_pad2d_backward fails on gradients in channels_last.
            return self.extend_by_axis(input, geometry)
        return _torch_pad(input, geometry, "replicate")


@dataclass(frozen=True)
class Reflect(_TorchsOwn):
    """Mirrored at the edge sample, as often as needed: ``c b | a b c d | c b``."""

    name = "reflect"

    def rule(self, axis: int, high_end: bool, geometry: Geometry, dtype: torch.dtype) -> Mirrored:
        """See `AxisExtension`."""
        return Mirrored(repeat_edge=False)

    def outside(self, input: Tensor, axis: int, distances: range, high_end: bool, geometry: Geometry) -> list[Tensor]:
        """See `AxisExtension`."""
        return by_axis.mirrored(input, geometry.dims[axis], distances, high_end, repeat_edge=False)

    def extend(self, input: Tensor, geometry: Geometry) -> Tensor:
        """See `Boundary`."""
        return self.extend_where_torch_can(input, geometry, spare=1)

    def traced_sizes(self, geometry: Geometry) -> Sequence[int] | None:
        """See `Boundary`: sizes for which torch has an answer."""
        return enough_samples(geometry, spare=1)


@dataclass(frozen=True)
class Circular(_TorchsOwn):
    """Periodic, with as many periods as needed: ``c d | a b c d | a b``."""

    name = "circular"
    why_padded = "reads the samples at the other end"

    def wraps(self, axis: int, high_end: bool) -> bool:
        """See `Boundary`."""
        return True

    def rule(self, axis: int, high_end: bool, geometry: Geometry, dtype: torch.dtype) -> Wrapped:
        """See `AxisExtension`."""
        return Wrapped()

    def outside(self, input: Tensor, axis: int, distances: range, high_end: bool, geometry: Geometry) -> list[Tensor]:
        """See `AxisExtension`."""
        return by_axis.wrapped(input, geometry.dims[axis], distances, high_end)

    def extend(self, input: Tensor, geometry: Geometry) -> Tensor:
        """See `Boundary`."""
        return self.extend_where_torch_can(input, geometry, spare=0)

    def traced_sizes(self, geometry: Geometry) -> Sequence[int] | None:
        """See `Boundary`: sizes for which torch has an answer."""
        return enough_samples(geometry)


@dataclass(frozen=True)
class Symmetric(AxisExtension):
    """Mirrored beyond the edge sample, as often as needed: ``b a | a b c d | d c``; numpy's 'symmetric'."""

    name = "symmetric"
    copies = True
    gathers = True

    def rule(self, axis: int, high_end: bool, geometry: Geometry, dtype: torch.dtype) -> Mirrored:
        """See `AxisExtension`."""
        return Mirrored(repeat_edge=True)

    def outside(self, input: Tensor, axis: int, distances: range, high_end: bool, geometry: Geometry) -> list[Tensor]:
        """See `AxisExtension`."""
        return by_axis.mirrored(input, geometry.dims[axis], distances, high_end, repeat_edge=True)

    def extend(self, input: Tensor, geometry: Geometry) -> Tensor:
        """See `Boundary`."""
        gathered = self.extend_by_gather(input, geometry)
        return self.extend_by_axis(input, geometry) if gathered is None else gathered

    def traced_sizes(self, geometry: Geometry) -> Sequence[int] | None:
        """See `Boundary`: sizes at which it is mirrored once."""
        return enough_samples(geometry)
