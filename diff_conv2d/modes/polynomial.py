"""The modes that extend an image by polynomials."""

from __future__ import annotations

import warnings
from collections.abc import Sequence
from dataclasses import dataclass
from functools import lru_cache

import torch
from torch import Tensor

from diff_conv2d.algorithms.regions import convolve_by_region
from diff_conv2d.arguments import is_sequence, per_axis
from diff_conv2d.extension.axis import Axis, IntegerMatrix
from diff_conv2d.extension.in_place import extended_in_place
from diff_conv2d.geometry import Geometry, Kernels
from diff_conv2d.modes.base import AxisExtension
from diff_conv2d.modes.polynomial_weights import Polynomial, weights_are_at_most
from diff_conv2d.precision import computing_dtype
from diff_conv2d.tracing import is_traced

__all__ = ["Diff", "DiffExplicit", "Extrapolate"]


# A default degree with larger weights is warned of: they turn a picture's rounding to grey levels into as many.
_LARGE = 100_000


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
        """See `Boundary`."""
        if is_traced():
            # A compiler saves copies itself, and may not know the sizes.
            return self.extend_by_axis(input, geometry)
        return extended_in_place(input, _axes(self, geometry, input.dtype))

    def rule(self, axis: int, high_end: bool, geometry: Geometry, dtype: torch.dtype) -> IntegerMatrix | None:
        """See `AxisExtension`."""
        axes = _axes.__wrapped__ if is_traced() else _axes
        return axes(self, geometry, dtype)[axis].low

    def reach(self, geometry: Geometry, axis: int, length: int) -> int:
        """See `Boundary`: the samples of the polynomial on every lattice."""
        return (self.degrees(geometry)[axis] + 1) * geometry.dilation[axis]

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
    precise = computing_dtype(dtype)
    largest = round(2 / torch.finfo(precise).eps)
    axes = []
    for axis, (degree, step) in enumerate(zip(mode.degrees(geometry), geometry.dilation, strict=True)):
        before, after = geometry.before[axis], geometry.after[axis]
        distance = -(-max(before, after) // step)
        if distance and not weights_are_at_most(largest, degree + 1, distance):
            raise ValueError(
                f"degree must be lower to continue an image by {distance} samples in {precise}: for degree "
                f"{degree} the weights of its samples exceed {largest}, beyond which integers are rounded; "
                "give a degree such as 1 or 2 (for a kernel of k samples the default is k - 1 in 'diff', k // 2 in "
                "'extrapolate')"
            )
        if distance and mode.degree is None and not is_traced():
            _warn_of_large_weights(mode.name, degree, distance)
        matrix = Polynomial(degree, step)
        axes.append(Axis(geometry.dims[axis], before, after, matrix, matrix))
    return tuple(axes)


def _warn_of_large_weights(mode: str, degree: int, distance: int) -> None:
    if not weights_are_at_most(_LARGE, degree + 1, distance):
        told = f"mode {mode!r} continues the image by a polynomial of degree {degree}, as long as the kernel"
        more = f"its weights exceed {_LARGE}, and multiply all that is not smooth; give a degree such as 1 or 2"
        warnings.warn(f"{told}: {more}", stacklevel=3)


@dataclass(frozen=True)
class Extrapolate(_Polynomial):
    """Polynomial of degree k // 2: the paper's extrapolation (Gupta and Ramani 1978)."""

    name = "extrapolate"

    def without_kernel(self) -> Extrapolate:
        """See `Boundary`: k // 2 means nothing there."""
        return Extrapolate(degree=2) if self.degree is None else self

    def default_degree(self, kernel: int) -> int:
        """Half the kernel."""
        return kernel // 2


@dataclass(frozen=True)
class Diff(_Polynomial):
    """Polynomial of degree k - 1: the kernel keeps its differential characteristics (the paper's method).

    Let P be the polynomial through the k x k samples of the nearest complete window. On such polynomials the kernel w
    acts as a differential operator D: ``sum_j w_j P(x + j) = (D P)(x)``. The paper's answer at an edge pixel x is
    (D P)(x). By that identity it is w applied to the image extended by P.

    Source: Leng and Thiyagalingam, arXiv 2309.06370.

    The weights of P's samples grow about 24 times from an odd kernel of k samples to one of k + 2. With
    ``padding='same'`` the dtype does not hold them from k = 14 on in float32 (in which half precision is computed,
    too) and from k = 26 on in float64. Such kernels are refused: give a lower degree. In float16 the samples outside
    overflow earlier: on white noise from k = 7 on.
    """

    name = "diff"

    def default_degree(self, kernel: int) -> int:
        """All samples of the nearest complete window."""
        return kernel - 1


@dataclass(frozen=True)
class DiffExplicit(Diff):
    """Diff with a second trained kernel, `edge_weight`, for all invalid outputs (the paper's Diff-EBH).

    The layer's `edge_weight` has the shape of `weight`. Missing from the list of methods in the authors' code, but
    documented there as `train_edge_kernel=True` of `DiffConv2dLayer`, which is the same.
    """

    name = "diff_explicit"
    why_not_fused = "has a kernel of its own for the edge"
    has_edge_kernels = True
    trained = True
    does_sums = True
    why_not_chunked = "needs a trained edge kernel, and correlate takes a single kernel"

    def traced_sizes(self, geometry: Geometry) -> Sequence[int] | None:
        """See `Boundary`: its regions are cut for one size."""
        return None

    def edge_weight_shape(self, weight_shape: tuple[int, ...], geometry: Geometry) -> tuple[int, ...] | None:
        """See `Boundary`."""
        return weight_shape

    def convolve(self, input: Tensor, kernels: Kernels, geometry: Geometry) -> Tensor:
        """See `Boundary`."""
        weight, bias, groups, edge_weight, edge_bias = kernels
        # Ways of the algorithm, beside the plain one.
        from diff_conv2d.algorithms.by_choice import better_by_choice, convolve_by_choice

        if better_by_choice(input, kernels, geometry, "validity"):
            chosen = convolve_by_choice(input, kernels, geometry, "validity", self.extend)
            if chosen is not None:
                return chosen
        return convolve_by_region(self, input, weight, bias, geometry, groups, edge_weight, edge_bias)
