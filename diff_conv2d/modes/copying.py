"""The modes whose samples outside are zeros, or copies of samples of the image."""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar

import torch
import torch.nn.functional as F
from torch import Tensor

from diff_conv2d.algorithms.regions import zero_padded_convolution
from diff_conv2d.arguments import Geometry
from diff_conv2d.extension import by_axis
from diff_conv2d.modes.base import AxisExtension, Extension

__all__ = ["Circular", "Reflect", "Replicate", "Symmetric", "Zeros"]


def _torch_pad(input: Tensor, geometry: Geometry, mode: str) -> Tensor:
    """Extend by torch's own padding, which counts axes from the last."""
    if input.dtype is torch.bool and mode != "constant":
        # torch pads booleans only with constants.
        return _torch_pad(input.view(torch.uint8), geometry, mode).view(torch.bool)
    # In 'circular' torch loses the channels_last layout, and so do we: in another layout a convolution rounds
    # differently, and the result is promised to equal torch's to the bit.
    return F.pad(input, geometry.widths, mode=mode)


@dataclass(frozen=True)
class Zeros(AxisExtension):
    """Zeros outside: ``0 0 | a b c d | 0 0``. Torch's default, and to the bit the same."""

    copies = True
    same_for_all_sizes = True
    auto = "direct"

    def extend_axis(self, input: Tensor, axis: int, start: int, stop: int, geometry: Geometry) -> Tensor:
        """See `AxisExtension`."""
        return by_axis.extend_zeros(input, geometry.dims[axis], start, stop)

    def extend(self, input: Tensor, geometry: Geometry) -> Tensor:
        """See `Extension`."""
        return _torch_pad(input, geometry, "constant")

    def convolve(
        self,
        input: Tensor,
        weight: Tensor,
        bias: Tensor | None,
        geometry: Geometry,
        groups: int,
        edge_weight: Tensor | None = None,
        edge_bias: Tensor | None = None,
    ) -> Tensor:
        """Let torch pad inside its convolution."""
        if geometry.algorithm == "fast":
            return super().convolve(input, weight, bias, geometry, groups)
        return zero_padded_convolution(input, weight, bias, geometry, groups)


@dataclass(frozen=True)
class Replicate(AxisExtension):
    """The edge sample repeated: ``a a | a b c d | d d``. To the bit as torch."""

    copies = True
    same_for_all_sizes = True
    auto = "direct"

    def extend_axis(self, input: Tensor, axis: int, start: int, stop: int, geometry: Geometry) -> Tensor:
        """See `AxisExtension`: the polynomial of degree 0."""
        return by_axis.extend_polynomial(input, geometry.dims[axis], start, stop, degree=0)

    def extend(self, input: Tensor, geometry: Geometry) -> Tensor:
        """See `Extension`."""
        if torch.compiler.is_compiling():
            # torch 2.14's compiled replication_pad2d_backward fails on gradients in channels_last.
            return super().extend(input, geometry)
        return _torch_pad(input, geometry, "replicate")


@dataclass(frozen=True)
class _FromInside(Extension):
    """A mode that copies distinct samples of the image, and needs enough of them."""

    copies = True
    same_for_all_sizes = True
    auto = "direct"
    name: ClassVar[str]
    #: By how many samples an axis must be longer than its padding.
    spare: ClassVar[int]

    def extend(self, input: Tensor, geometry: Geometry) -> Tensor:
        """See `Extension`."""
        for axis, dim in enumerate(geometry.dims):
            width = max(geometry.before[axis], geometry.after[axis])
            if width and width + self.spare > input.shape[dim]:
                raise ValueError(
                    f"padding_mode={self.name!r} takes the {width} samples outside from the image and needs at "
                    f"least {width + self.spare} samples along dimension {dim}, got {input.shape[dim]}; "
                    "'symmetric', 'replicate' and 'diff' have no such limit"
                )
        return _torch_pad(input, geometry, self.name)


@dataclass(frozen=True)
class Reflect(_FromInside):
    """Mirrored at the edge sample: ``c b | a b c d | c b``. To the bit as torch."""

    name = "reflect"
    spare = 1


@dataclass(frozen=True)
class Circular(_FromInside):
    """Periodic: ``c d | a b c d | a b``. To the bit as torch."""

    wraps = True
    name = "circular"
    spare = 0


@dataclass(frozen=True)
class Symmetric(AxisExtension):
    """Mirrored beyond the edge sample: ``b a | a b c d | d c``, as ``numpy.pad(..., 'symmetric')``."""

    copies = True
    same_for_all_sizes = True

    def extend_axis(self, input: Tensor, axis: int, start: int, stop: int, geometry: Geometry) -> Tensor:
        """See `AxisExtension`."""
        return by_axis.extend_symmetric(input, geometry.dims[axis], start, stop)
