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
from diff_conv2d.modes.base import AxisExtension, Extension
from diff_conv2d.modes.polynomial_weights import Polynomial

__all__ = ["Circular", "Reflect", "Replicate", "Symmetric", "Zeros"]


def _torch_pad(input: Tensor, geometry: Geometry, mode: str) -> Tensor:
    """Extend by torch's own padding, which counts axes from the last."""
    if input.dtype is torch.bool and mode != "constant":
        # torch pads booleans only with constants.
        return _torch_pad(input.view(torch.uint8), geometry, mode).view(torch.bool)
    # In 'circular' torch loses the channels_last layout, and so do we: in another layout a convolution rounds
    # differently, and the result is promised to equal torch's to the bit.
    return F.pad(input, geometry.widths, mode=mode)


class _TorchsOwn(Extension):
    """A mode that torch's layers have too. Its results are theirs to the bit, unless 'fast' is asked for."""

    copies = True
    same_for_all_sizes = True
    auto = "direct"


@dataclass(frozen=True)
class Zeros(_TorchsOwn):
    """Zeros outside: ``0 0 | a b c d | 0 0``. Torch's default."""

    name = "zeros"
    does_sums = True

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
class Replicate(_TorchsOwn, AxisExtension):
    """The edge sample repeated: ``a a | a b c d | d d``."""

    name = "replicate"

    def outside(self, input: Tensor, axis: int, distances: range, high_end: bool, geometry: Geometry) -> list[Tensor]:
        """See `AxisExtension`: the polynomial of degree 0."""
        return by_axis.combined(input, geometry.dims[axis], distances, high_end, Polynomial(degree=0))

    def extend(self, input: Tensor, geometry: Geometry) -> Tensor:
        """See `Boundary`."""
        if torch.compiler.is_compiling():
            # torch 2.14's compiled replication_pad2d_backward fails on gradients in channels_last.
            return super().extend(input, geometry)
        return _torch_pad(input, geometry, "replicate")


def _check_enough(name: str, input: Tensor, geometry: Geometry, spare: int) -> None:
    """Reject an image if an axis has fewer samples than its padding and `spare` more."""
    for axis, dim in enumerate(geometry.dims):
        width = max(geometry.before[axis], geometry.after[axis])
        if width and width + spare > input.shape[dim]:
            raise ValueError(
                f"padding_mode={name!r} takes the {width} samples outside from the image and needs at "
                f"least {width + spare} samples along dimension {dim}, got {input.shape[dim]}; "
                "'symmetric', 'replicate' and 'diff' have no such limit"
            )


@dataclass(frozen=True)
class Reflect(_TorchsOwn, AxisExtension):
    """Mirrored at the edge sample: ``c b | a b c d | c b``."""

    name = "reflect"

    def outside(self, input: Tensor, axis: int, distances: range, high_end: bool, geometry: Geometry) -> list[Tensor]:
        """See `AxisExtension`."""
        return by_axis.mirrored(input, geometry.dims[axis], distances, high_end, repeat_edge=False)

    def extend(self, input: Tensor, geometry: Geometry) -> Tensor:
        """See `Boundary`."""
        _check_enough("reflect", input, geometry, spare=1)
        return _torch_pad(input, geometry, "reflect")

    def for_image(self, input: Tensor, geometry: Geometry) -> AxisExtension:
        """See `Boundary`."""
        _check_enough("reflect", input, geometry, spare=1)
        return self


@dataclass(frozen=True)
class Circular(_TorchsOwn):
    """Periodic: ``c d | a b c d | a b``."""

    name = "circular"
    wraps = True
    why_padded = "reads the samples at the other end"

    def extend(self, input: Tensor, geometry: Geometry) -> Tensor:
        """See `Boundary`."""
        _check_enough("circular", input, geometry, spare=0)
        return _torch_pad(input, geometry, "circular")


@dataclass(frozen=True)
class Symmetric(AxisExtension):
    """Mirrored beyond the edge sample: ``b a | a b c d | d c``, as ``numpy.pad(..., 'symmetric')``."""

    name = "symmetric"
    copies = True

    def outside(self, input: Tensor, axis: int, distances: range, high_end: bool, geometry: Geometry) -> list[Tensor]:
        """See `AxisExtension`."""
        return by_axis.mirrored(input, geometry.dims[axis], distances, high_end, repeat_edge=True)

    def traced_sizes(self, geometry: Geometry) -> Sequence[int] | None:
        """See `Boundary`: sizes at which it is mirrored once."""
        return [max(ends) for ends in zip(geometry.before, geometry.after, strict=True)]
