r"""The modes that prescribe what lies at the edge: a value outside, a value at the edge, a slope at the edge.

The edge lies half a sample outside the outermost sample (`at="half"`, as in grids of cells, where samples are the
middles of cells) or at that sample (`at="sample"`, as in grids of nodes)::

    at="half"    | a b c d |      the edge lies between the outermost sample and the first one outside
    at="sample"    a b c d        the edge is the outermost sample itself

"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from math import isfinite
from typing import Any, Literal

import torch
import torch.nn.functional as F
from torch import Tensor

from diff_conv2d.arguments import check_dtype, is_sequence
from diff_conv2d.extension import by_axis
from diff_conv2d.geometry import Geometry
from diff_conv2d.modes.base import AxisExtension, enough_samples
from diff_conv2d.modes.copying_weights import Mirrored, Nothing

__all__ = ["Antisymmetric", "Constant", "Dirichlet", "Neumann"]

_Values = float | tuple[float, ...]


def _numbers(name: str, value: Any) -> _Values:
    """A number, or one for each channel: as Python's own, which can be compared."""
    if isinstance(value, Tensor):
        if value.requires_grad:
            raise ValueError(f"{name} must not require a gradient: it is a constant; got {value!r}")
        if value.ndim > 1:
            raise ValueError(
                f"{name} must be a number, or hold one for each channel, got a tensor of shape {tuple(value.shape)}"
            )
    if hasattr(value, "tolist"):
        # A tensor's, or numpy's.
        value = value.tolist()
    several = list(value) if is_sequence(value) else [value]
    if not several or not all(isinstance(v, (int, float)) and not isinstance(v, bool) for v in several):
        raise TypeError(f"{name} must be a number, or hold one for each channel, got {value!r}")
    if not all(map(isfinite, several)):
        raise ValueError(f"{name} must be finite, got {value!r}")
    return tuple(map(float, several)) if is_sequence(value) else float(value)


@dataclass(frozen=True)
class _Prescribed(AxisExtension):
    """What is outside is made from the image by a matrix, and from the prescribed number times an integer."""

    gathers = True

    @property
    def why_not_fused(self) -> str:  # type: ignore[override]
        """See `Boundary`: a number that is not 0 belongs to no matrix."""
        return "" if self.prescribed() == 0 else "adds a number of its own to the samples of the image"

    def prescribed(self) -> _Values:
        """Return the number, or one for each channel."""
        raise NotImplementedError

    def matrix(self) -> Mirrored | Nothing:
        """Return how samples of the image count."""
        raise NotImplementedError

    def factor(self, length: int, distance: int) -> int:
        """Return how often the prescribed number is added to the sample at this distance."""
        raise NotImplementedError

    def rule(self, axis: int, high_end: bool, geometry: Geometry, dtype: torch.dtype) -> Mirrored | Nothing | None:
        """See `AxisExtension`: a matrix where nothing is added."""
        return self.matrix() if self.prescribed() == 0 else None

    def outside(self, input: Tensor, axis: int, distances: range, high_end: bool, geometry: Geometry) -> list[Tensor]:
        """See `AxisExtension`."""
        dim = geometry.dims[axis]
        pieces = by_axis.combined(input, dim, distances, high_end, self.matrix())
        values = torch.tensor(self.prescribed(), dtype=pieces[0].dtype, device=input.device)
        if values.ndim:
            values = values.view(-1, *(1,) * len(geometry.kernel))
        length = input.shape[dim]
        return [piece + values * self.factor(length, s) for piece, s in zip(pieces, distances, strict=True)]

    def check_image(self, input: Tensor, geometry: Geometry) -> None:
        """See `Boundary`: there is one number for each channel, and the image is wide enough for slopes."""
        super().check_image(input, geometry)
        self.check_channels(input, geometry)

    def check_channels(self, input: Tensor, geometry: Geometry) -> None:
        """Reject other numbers than one for each channel."""
        values, channels = self.prescribed(), input.shape[-len(geometry.kernel) - 1]
        if isinstance(values, tuple) and len(values) not in (1, channels):
            raise ValueError(f"padding_mode={self.name!r} has {len(values)} numbers for {channels} channels of input")
        several = values if isinstance(values, tuple) else (values,)
        if input.is_floating_point() and max(map(abs, several)) > torch.finfo(input.dtype).max:
            raise ValueError(
                f"value must be a number that {input.dtype} can hold, the dtype of input; got {values!r}"
            )

    def traced_sizes(self, geometry: Geometry) -> Sequence[int] | None:
        """See `Boundary`: sizes at which an image is reflected once."""
        return enough_samples(geometry, spare=1)


@dataclass(frozen=True)
class Constant(_Prescribed):
    """One value outside: ``v v | a b c d | v v``; 0 is `zeros`.

    Args:
        value: v, a number or one for each channel (a sequence or a tensor of one axis), without a gradient.

    Example:
        >>> import torch, diff_conv2d
        >>> diff_conv2d.pad(torch.ones(1, 1, 2), (1, 2), mode="constant", value=5)
        tensor([[[5., 1., 1., 5., 5.]]])
    """

    name = "constant"

    value: float | Sequence[float] = 0.0

    def __post_init__(self) -> None:
        """Check the value."""
        object.__setattr__(self, "value", _numbers("value", self.value))

    def prescribed(self) -> Any:
        """The value."""
        return self.value

    def matrix(self) -> Nothing:
        """Nothing of the image."""
        return Nothing()

    def factor(self, length: int, distance: int) -> int:
        """Once."""
        return 1

    def extend(self, input: Tensor, geometry: Geometry) -> Tensor:
        """See `Boundary`: by torch's own padding, if there is one number."""
        if isinstance(self.value, tuple) or not input.is_floating_point():
            return super().extend(input, geometry)
        return F.pad(input, geometry.widths, value=float(self.value))  # type: ignore[arg-type]

    def outside(self, input: Tensor, axis: int, distances: range, high_end: bool, geometry: Geometry) -> list[Tensor]:
        """See `AxisExtension`: one piece."""
        (piece,) = by_axis.zeros(input, geometry.dims[axis], distances)
        values = torch.tensor(self.value, dtype=torch.float64, device="cpu").to(input.dtype).to(input.device)
        return [piece + (values.view(-1, *(1,) * len(geometry.kernel)) if values.ndim else values)]

    def check_image(self, input: Tensor, geometry: Geometry) -> None:
        """See `Boundary`: integers outside an image of integers, of any number."""
        several = self.value if isinstance(self.value, tuple) else (self.value,)
        if not input.is_floating_point() and not input.is_complex() and all(float(v).is_integer() for v in several):
            check_dtype(input)
            self.check_channels(input, geometry)
        else:
            super().check_image(input, geometry)

    def traced_sizes(self, geometry: Geometry) -> Sequence[int] | None:
        """See `Boundary`: all."""
        return (0,) * len(geometry.kernel)


@dataclass(frozen=True)
class _AtEdge(_Prescribed):
    """A condition at the edge."""

    value: float | Sequence[float] = 0.0
    at: Literal["half", "sample"] = "half"

    def __post_init__(self) -> None:
        """Check the options."""
        object.__setattr__(self, "value", _numbers("value", self.value))
        if self.at not in ("half", "sample"):
            raise ValueError(f"at must be 'half' (half a sample outside) or 'sample', got {self.at!r}")

    def prescribed(self) -> Any:
        """The value."""
        return self.value


@dataclass(frozen=True)
class Dirichlet(_AtEdge):
    r"""A value v at the edge: ``2v-b 2v-a | a b c d | 2v-d 2v-c``; at a sample ``2v-c 2v-b | a b c d | 2v-c 2v-b``.

    .. math:: x(-s) = 2 v - x(s - 1) \quad \text{(at="half")}, \qquad x(-s) = 2 v - x(s) \quad \text{(at="sample")}

    The image is reflected about v as about a point, so that a straight line through v, in the middle between x(0)
    and x(-1), or at x(0), is extended exactly. At a sample the edge sample itself is left as it is: it should be v.

    Args:
        value: v, a number or one for each channel (a sequence or a tensor of one axis), without a gradient.
        at: where the edge is, 'half' a sample outside or at the outermost 'sample'.

    Example:
        >>> import torch, diff_conv2d
        >>> line = torch.tensor([[[0.5, 1.5, 2.5]]])  # 0 at the low end, 3 at the high end
        >>> ends = {"mode": "dirichlet", "value": 0}, {"mode": "dirichlet", "value": 3}
        >>> diff_conv2d.pad(line, (2, 2), mode=[ends])
        tensor([[[-1.5000, -0.5000,  0.5000,  1.5000,  2.5000,  3.5000,  4.5000]]])
    """

    name = "dirichlet"

    def matrix(self) -> Mirrored:
        """The mirror image, negative."""
        return Mirrored(repeat_edge=self.at == "half", sign=-1)

    def factor(self, length: int, distance: int) -> int:
        """Twice where the sign changes: y = x - v is reflected about 0."""
        (sign,) = self.matrix().sources(length, distance)[1]
        return 1 - sign


@dataclass(frozen=True)
class Neumann(_AtEdge):
    r"""A slope g at the edge, outwards, in units of value per sample.

    .. math:: x(-s) = x(s - 1) + (2 s - 1) g \quad \text{(at="half")}, \qquad
        x(-s) = x(s) + 2 s g \quad \text{(at="sample")}

    This is the central difference across the edge, solved for the sample outside. With g = 0 it is `symmetric`, or
    `reflect` at a sample.

    Args:
        value: g, a number or one for each channel (a sequence or a tensor of one axis), without a gradient. It is the
            derivative along the normal that points outwards: on a line that rises by 1 per sample it is -1 at the low
            end and 1 at the high end.
        at: where the edge is, 'half' a sample outside or at the outermost 'sample'.

    Example:
        >>> import torch, diff_conv2d
        >>> line = torch.tensor([[[1.0, 2.0, 3.0]]])
        >>> ends = {"mode": "neumann", "value": -1}, {"mode": "neumann", "value": 1}
        >>> diff_conv2d.pad(line, (2, 2), mode=[ends])
        tensor([[[-1.,  0.,  1.,  2.,  3.,  4.,  5.]]])
    """

    name = "neumann"

    def matrix(self) -> Mirrored:
        """The mirror image."""
        return Mirrored(repeat_edge=self.at == "half")

    def factor(self, length: int, distance: int) -> int:
        """How far the two samples lie apart."""
        return 2 * distance - (self.at == "half")

    def check_image(self, input: Tensor, geometry: Geometry) -> None:
        """See `Boundary`: a slope is prescribed for one reflection."""
        super().check_image(input, geometry)
        spare = self.at == "sample"
        for axis, dim in enumerate(geometry.dims):
            width = max(geometry.before[axis], geometry.after[axis])
            if width and width + spare > input.shape[dim] and self.prescribed() != 0:
                raise ValueError(
                    f"padding must be at most {input.shape[dim] - spare} samples along dimension {dim} for "
                    f"padding_mode='neumann' with a slope, as many as the image has to reflect; got {width}"
                )


@dataclass(frozen=True)
class Antisymmetric(AxisExtension):
    """The mirror image beyond the edge sample, negative: ``-b -a | a b c d | -d -c``, zero at the edge.

    ``x(-s) = -x(s - 1)``, that is `dirichlet` with the value 0. It suits a component of a vector that changes its
    sign in a mirror. PyWavelets has the name.
    """

    name = "antisymmetric"
    gathers = True

    def rule(self, axis: int, high_end: bool, geometry: Geometry, dtype: torch.dtype) -> Mirrored:
        """See `AxisExtension`."""
        return Mirrored(repeat_edge=True, sign=-1)

    def traced_sizes(self, geometry: Geometry) -> Sequence[int] | None:
        """See `Boundary`: sizes at which it is mirrored once."""
        return enough_samples(geometry)
