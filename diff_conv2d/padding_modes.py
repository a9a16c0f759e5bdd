"""The modes that extend an image by fixed rules.

The samples a b c d e f, extended by two at either end:

===============  =================================  ==========================================
mode             samples                            rule
===============  =================================  ==========================================
``zeros``        ``0 0 | a b c d e f | 0 0``        nothing is there
``reflect``      ``c b | a b c d e f | e d``        mirrored at the edge sample
``symmetric``    ``b a | a b c d e f | f e``        mirrored beyond the edge sample
``replicate``    ``a a | a b c d e f | f f``        the edge sample repeated
``circular``     ``e f | a b c d e f | a b``        the other end comes next
``random``       ``? ? | a b c d e f | ? ?``        noise with the moments of the edge band
``extrapolate``  ``P P | a b c d e f | P P``        polynomial of degree k // 2 (or `degree`)
``diff``         ``P P | a b c d e f | P P``        polynomial of degree k - 1 (or `degree`)
===============  =================================  ==========================================
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from functools import lru_cache
from typing import ClassVar

import torch
import torch.nn.functional as F
from torch import Tensor

from diff_conv2d import extension
from diff_conv2d.arguments import Geometry, is_sequence, per_axis, remembered
from diff_conv2d.blocks import CONVOLUTIONS
from diff_conv2d.boundary import AxisExtension, Boundary, Extension
from diff_conv2d.lagrange import weights_are_at_most
from diff_conv2d.polynomial import continue_polynomial
from diff_conv2d.polynomial_axis import Axis

__all__ = ["Circular", "Diff", "Extrapolate", "Random", "Reflect", "Replicate", "Symmetric", "Zeros"]


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

    def extend_axis(self, input: Tensor, axis: int, start: int, stop: int, geometry: Geometry) -> Tensor:
        """See `AxisExtension`."""
        return extension.extend_zeros(input, geometry.dims[axis], start, stop)

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
        convolve = CONVOLUTIONS[len(geometry.kernel)]
        # Where one end has more padding, the excess is added first, as torch does for padding='same' of even kernels.
        even = tuple(map(min, geometry.before, geometry.after))
        if geometry.before != geometry.after:
            excess = geometry._replace(
                before=tuple(b - e for b, e in zip(geometry.before, even, strict=True)),
                after=tuple(a - e for a, e in zip(geometry.after, even, strict=True)),
            )
            input = _torch_pad(input, excess, "constant")
        return convolve(input, weight, bias, geometry.stride, even, geometry.dilation, groups)


@dataclass(frozen=True)
class Replicate(AxisExtension):
    """The edge sample repeated: ``a a | a b c d | d d``. To the bit as torch."""

    copies = True

    def extend_axis(self, input: Tensor, axis: int, start: int, stop: int, geometry: Geometry) -> Tensor:
        """See `AxisExtension`: the polynomial of degree 0."""
        return extension.extend_polynomial(input, geometry.dims[axis], start, stop, degree=0)

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

    name = "circular"
    spare = 0


@dataclass(frozen=True)
class Symmetric(AxisExtension):
    """Mirrored beyond the edge sample: ``b a | a b c d | d c``, as ``numpy.pad(..., 'symmetric')``."""

    copies = True

    def extend_axis(self, input: Tensor, axis: int, start: int, stop: int, geometry: Geometry) -> Tensor:
        """See `AxisExtension`."""
        return extension.extend_symmetric(input, geometry.dims[axis], start, stop)


@dataclass(frozen=True)
class Random(AxisExtension):
    """Normal noise with the mean and standard deviation, per image and channel, of the band along each edge.

    Source: Nguyen et al. (2019), random padding. Each call draws anew; a `generator` makes it reproducible.
    """

    generator: torch.Generator | None = None

    def __post_init__(self) -> None:
        """Check the generator."""
        if not isinstance(self.generator, torch.Generator | None):
            raise TypeError(f"generator must be a torch.Generator, got {self.generator!r}")

    def extend_axis(self, input: Tensor, axis: int, start: int, stop: int, geometry: Geometry) -> Tensor:
        """See `AxisExtension`."""
        return extension.extend_random(input, geometry.dims[axis], start, stop, self.generator)


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
        if torch.compiler.is_compiling() or torch.jit.is_tracing():  # type: ignore
            # A compiler saves copies itself, and may not know the sizes.
            return super().extend(input, geometry)
        return continue_polynomial(input, _axes(self, geometry, input.dtype))

    def extend_axis(self, input: Tensor, axis: int, start: int, stop: int, geometry: Geometry) -> Tensor:
        """See `AxisExtension`."""
        _, _, _, degree, dilation = remembered(_axes, input)(self, geometry, input.dtype)[axis]
        return extension.extend_polynomial(input, geometry.dims[axis], start, stop, degree, dilation)


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
    precise = extension.computing_dtype(dtype)
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


@dataclass(frozen=True)
class Partial(Boundary):
    """Zero padding, each output scaled by the window's size over its samples in the image.

    ``y = (w * x) * K / K_inside + b``; an output that sees no sample is b alone.
    Source: Liu et al. (2018, 2022), partial convolution.
    """

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
        """See `Boundary`."""
        output = Zeros().convolve(input, weight, None, geometry, groups)
        for axis, dim in enumerate(geometry.dims):
            ratio = self._ratio(geometry, axis, input.shape[dim], input.device).to(output.dtype)
            output = output * ratio.view((-1,) + (1,) * (-dim - 1))
        return output if bias is None else output + bias.to(output.dtype).view((-1,) + (1,) * len(geometry.kernel))

    @staticmethod
    def _ratio(geometry: Geometry, axis: int, length: int, device: torch.device) -> Tensor:
        """Return taps over taps inside for each output of an axis; a window's ratio is the product over axes."""
        taps = geometry.kernel[axis]
        outputs = torch.arange(geometry.output_size(axis, length), device=device)
        positions = (outputs * geometry.stride[axis] - geometry.before[axis])[:, None]
        positions = positions + torch.arange(taps, device=device) * geometry.dilation[axis]
        inside = ((positions >= 0) & (positions < length)).sum(1)
        # Where no tap is inside, zero padding gives 0, whatever the ratio.
        return taps / inside.clamp(min=1).to(torch.float64)
