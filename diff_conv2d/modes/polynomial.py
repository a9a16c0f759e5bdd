"""The modes that extend an image by polynomials."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from functools import lru_cache

import torch
from torch import Tensor

from diff_conv2d.arguments import Geometry, is_sequence, per_axis
from diff_conv2d.extension import by_axis
from diff_conv2d.extension.in_place import continue_polynomial
from diff_conv2d.extension.lattice import Axis
from diff_conv2d.lagrange import weights_are_at_most
from diff_conv2d.modes.base import AxisExtension
from diff_conv2d.precision import computing_dtype
from diff_conv2d.tracing import is_traced, remembered

__all__ = ["Diff", "Extrapolate"]


@dataclass(frozen=True)
class _Polynomial(AxisExtension):
    """Extended by the polynomial through the samples nearest each edge."""

    degree: int | Sequence[int] | None = None

    def __post_init__(self) -> None:
        """Make the degree hashable: an integer or a tuple of integers."""
        degree = self.degree
        if is_sequence(degree):
            object.__setattr__(self, "degree", tuple(degree))
        several = self.degree if isinstance(self.degree, tuple) else () if degree is None else (degree,)
        if not all(isinstance(value, int) and not isinstance(value, bool) for value in several):
            raise TypeError(f"degree must be an integer, or a sequence with one for each axis, got {degree!r}")

    def check(self, axes: int) -> None:
        """See `Boundary`."""
        if self.degree is not None:
            per_axis("degree", self.degree, axes, minimum=0)

    def default_degree(self, kernel: int) -> int:
        """Return the degree for a kernel of this size if none is given."""
        raise NotImplementedError

    def degrees(self, geometry: Geometry) -> tuple[int, ...]:
        """Return the degree along each axis."""
        if self.degree is None:
            return tuple(self.default_degree(size) for size in geometry.kernel)
        return per_axis("degree", self.degree, len(geometry.kernel), minimum=0)

    def extend(self, input: Tensor, geometry: Geometry) -> Tensor:
        """See `Extension`."""
        if is_traced():
            # A compiler saves copies itself, and may not know the sizes.
            return super().extend(input, geometry)
        return continue_polynomial(input, _axes(self, geometry, input.dtype))

    def extend_axis(self, input: Tensor, axis: int, start: int, stop: int, geometry: Geometry) -> Tensor:
        """See `AxisExtension`."""
        _, _, _, degree, dilation = remembered(_axes, input)(self, geometry, input.dtype)[axis]
        return by_axis.extend_polynomial(input, geometry.dims[axis], start, stop, degree, dilation)

    def reach(self, geometry: Geometry, axis: int) -> int:
        """See `Boundary`: the samples of the polynomial."""
        return self.degrees(geometry)[axis] + 1

    def traced_sizes(self, geometry: Geometry) -> Sequence[int] | None:
        """See `Boundary`: sizes with enough samples for the polynomial on every lattice."""
        return [(d + 2) * step for d, step in zip(self.degrees(geometry), geometry.dilation, strict=True)]


@lru_cache(maxsize=1024)
def _axes(mode: _Polynomial, geometry: Geometry, dtype: torch.dtype) -> tuple[Axis, ...]:
    """Return how each axis is extended, if the dtype holds the weights.

    Raises:
        ValueError: if the dtype would round a weight. Rounded weights do not add up to 1, so that not even a constant
            would be extended exactly.
    """
    sizes = zip(
        geometry.dims, geometry.before, geometry.after, mode.degrees(geometry), geometry.dilation, strict=True
    )
    axes = tuple(Axis(*size) for size in sizes)
    precise = computing_dtype(dtype)
    largest = round(2 / torch.finfo(precise).eps)
    for axis in axes:
        distance = -(-max(axis.before, axis.after) // axis.dilation)
        if distance and not weights_are_at_most(largest, axis.degree + 1, distance):
            raise ValueError(
                f"degree must be lower to continue an image by {distance} samples in {precise}: for degree "
                f"{axis.degree} the weights of its samples exceed {largest}, beyond which integers are rounded; "
                "give a degree such as 1 or 2 (for a kernel of k samples the default is k - 1 in 'diff', k // 2 in "
                "'extrapolate')"
            )
    return axes


@dataclass(frozen=True)
class Extrapolate(_Polynomial):
    """Polynomial of degree k // 2: the paper's extrapolation (Gupta and Ramani 1978)."""

    #: The kernel that `pad` pretends, as large as its padding, has no half of its own.
    degree_in_pad = 2

    def default_degree(self, kernel: int) -> int:
        """Half the kernel."""
        return kernel // 2


@dataclass(frozen=True)
class Diff(_Polynomial):
    """Polynomial of degree k - 1: the kernel keeps its differential characteristics (the paper's method).

    Source: Leng and Thiyagalingam, arXiv 2309.06370. With P the polynomial through the k x k samples of the
    nearest complete window, and D the differential operator that the kernel w is on such polynomials,
    ``sum_j w_j P(x + j) = (D P)(x)``, the paper's answer at an edge pixel x is (D P)(x). By that identity it equals
    the original kernel applied to the image extended by P.

    The weights of P's samples grow about 24 times from a kernel of k samples to one of k + 2. The dtype does not hold
    them from k = 15 on in float32 (in which half precision is computed, too) and from k = 27 on in float64. Such
    kernels are refused: give a lower degree. In float16 the samples outside overflow earlier: on white noise from
    k = 7 on.
    """

    def default_degree(self, kernel: int) -> int:
        """All samples of the nearest complete window."""
        return kernel - 1
