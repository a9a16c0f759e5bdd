"""What a boundary mode is: its kinds, and what it says of itself.

A mode is a small frozen dataclass whose fields are its options. An `Extension` can extend an image; an
`AxisExtension` does so axis by axis, by a rule for the samples outside. The convolution itself is left to
`algorithms`, unless the mode `does_sums`.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Sequence
from dataclasses import dataclass
from functools import lru_cache
from math import prod
from typing import TYPE_CHECKING, Any, ClassVar

import torch
from torch import Tensor, nn

from diff_conv2d.arguments import check_dtype
from diff_conv2d.extension import by_axis, by_gather
from diff_conv2d.extension.axis import Axis
from diff_conv2d.geometry import Algorithm, Geometry, Kernels
from diff_conv2d.tracing import is_traced, is_transformed

if TYPE_CHECKING:
    from diff_conv2d.extension.axis import IntegerMatrix
    from diff_conv2d.extension.fused import Rules
    from diff_conv2d.extension.in_place import Ends
    from diff_conv2d.modes.adaptive import Sizes

__all__ = ["AxisExtension", "Boundary", "Extension", "Parts", "enough_samples"]

# Most samples at an end for modes that compute them one by one, or fit them all at once.
_MOST_COMPUTED = 4096
# Most samples at an end that are written row by row in one buffer.
_MOST_ROWS = 16


def enough_samples(geometry: Geometry, spare: int = 0) -> list[int]:
    """Return for each axis as many samples as are added at an end, and `spare` more; none where none are added.

    Example:
        >>> enough_samples(Geometry((3, 1), (1, 1), (1, 1), (1, 0), (2, 0)), spare=1)
        [3, 0]
    """
    ends = zip(geometry.before, geometry.after, strict=True)
    return [max(widths) + spare if any(widths) else 0 for widths in ends]


@dataclass(frozen=True)
class Boundary(ABC):
    """How a convolution treats what lies beyond the edge."""

    #: The value of `padding_mode`.
    name: ClassVar[str]
    #: Whether the mode extends the image, by `extend`.
    extends: ClassVar[bool] = False
    #: Whether it does the sums itself, by `convolve`.
    does_sums: ClassVar[bool] = True
    has_edge_kernels: ClassVar[bool] = False
    #: Whether a layer trains weights of its own for the mode.
    trained: ClassVar[bool] = False
    #: Whether samples outside are copies of those inside, or zeros, and not computed from them.
    copies: ClassVar[bool] = False
    #: Whether two modes of the class are equal where their options are, so that one can be the key of a cache.
    by_value: ClassVar[bool] = True
    #: The algorithm that 'auto' stands for: torch's own modes keep torch's results to the bit by 'direct'.
    auto: ClassVar[Algorithm] = "auto"
    #: Whether the operations are the same for images of all sizes.
    same_for_all_sizes: ClassVar[bool] = False
    #: Why images cannot be filtered chunk by chunk, as the end of a sentence; empty if they can.
    why_not_chunked: ClassVar[str] = ""
    #: Whether samples outside come from other lines, so that the other axes must not be extended yet.
    reads_across: ClassVar[bool] = False
    #: Why a padded copy of the image is needed, as the end of a sentence; empty if it is not.
    why_padded: ClassVar[str] = ""
    #: Why one kernel cannot extend the image, as the end of a sentence; empty if it can.
    why_not_fused: ClassVar[str] = "does not extend the image by a matrix for each side"

    @property
    def needs_layer(self) -> bool:
        """Whether a layer must keep something for it."""
        return False

    def module_for_layer(self, channels: int, geometry: Geometry, seed: int) -> nn.Module | None:
        """Return what a layer keeps, if the mode `needs_layer`, with random numbers by this seed.

        Called with a batch of images and the geometry, it returns how these are extended, a `Boundary`. It has
        `reset_parameters`.
        """
        return None

    def wraps(self, axis: int, high_end: bool) -> bool:
        """Whether the other end of an axis comes next."""
        return False

    def with_zeros_as(self, other: Boundary) -> Boundary:
        """Return the mode with another one at the sides that have zeros beside other modes."""
        return self

    def without_kernel(self) -> Boundary:
        """Return the mode as `pad` uses it, which has no kernel to derive options from."""
        return self

    def convolve(self, input: Tensor, kernels: Kernels, geometry: Geometry) -> Tensor:
        """Convolve a batch of images (N, C, ...), if the mode `does_sums`."""
        raise NotImplementedError

    def extend(self, input: Tensor, geometry: Geometry) -> Tensor:
        """Return the image (N, C, ...) with what `geometry` adds to each axis, if the mode `extends`."""
        raise NotImplementedError

    def extend_by_rules(self, input: Tensor, geometry: Geometry) -> Tensor:
        """Extend by our own operations, also where torch has some whose bits `extend` has to give."""
        return self.extend(input, geometry)

    def extend_fused(self, input: Tensor, geometry: Geometry) -> Tensor:
        """Extend by one operator (see `extension.fused`) where that is possible, otherwise by `extend`."""
        return self.extend(input, geometry)

    def for_image(self, input: Tensor, geometry: Geometry) -> AxisExtension:
        """Return how this image is extended, strip by strip, if the mode `extends` and needs no padded copy."""
        raise NotImplementedError

    def algorithm_for(self, algorithm: Algorithm) -> Algorithm:
        """Resolve 'auto', and reject 'memory' or 'fused' if the mode cannot be computed so."""
        if algorithm == "fused" and self.why_not_fused:
            raise ValueError(
                f"algorithm must be 'auto', 'direct' or 'fast' for padding_mode={self.name!r}, which "
                f"{self.why_not_fused}; got {algorithm!r}"
            )
        if algorithm == "memory" and self.why_padded:
            raise ValueError(
                f"algorithm must be 'auto', 'direct' or 'fast' for padding_mode={self.name!r}, which "
                f"{self.why_padded}; got {algorithm!r}"
            )
        return self.auto if algorithm == "auto" else algorithm

    def check_image(self, input: Tensor, geometry: Geometry) -> None:
        """Reject an image if the mode cannot compute the samples outside.

        Raises:
            TypeError: if torch cannot compute with its dtype, or it holds integers in a mode that computes samples.
            ValueError: if such a mode is to compute too many.
        """
        check_dtype(input)
        if self.needs_layer:
            raise ValueError(
                f"padding_mode={self.name!r} with these options needs a layer that keeps its weights, such as "
                "diff_conv2d.Conv2d; diff_conv2d.fit fits predictors to images once"
            )
        if self.copies:
            return
        if not (input.is_floating_point() or input.is_complex()):
            raise TypeError(
                f"input must be of a floating point or complex dtype for padding_mode={self.name!r}, which computes "
                f"samples that integers cannot hold; got {input.dtype}. Take input.float(), or a mode that copies "
                "samples, such as 'replicate'"
            )
        if max(*geometry.before, *geometry.after) > _MOST_COMPUTED:
            raise ValueError(
                f"padding must be at most {_MOST_COMPUTED} samples at an end for padding_mode={self.name!r}, got "
                f"{geometry.before} before and {geometry.after} after the image; modes that copy samples, such as "
                "'replicate', have no limit"
            )

    def check(self, axes: int) -> None:  # noqa: B027  # most modes have nothing to check
        """Reject options that do not fit this number of spatial axes; a layer calls it at its construction."""

    def check_chunked(self, is_complex: bool) -> None:  # noqa: B027  # most modes have nothing to check
        """Reject options, or complex images, with which images cannot be filtered chunk by chunk."""

    def reach(self, geometry: Geometry, axis: int, length: int) -> int:
        """How many samples nearest an end the mode reads at most, to extend an axis of this length."""
        # Mirrors at the edge sample read one sample more than they extend by; the others read no more than that.
        return max(geometry.before[axis], geometry.after[axis]) + 1

    def traced_sizes(self, geometry: Geometry) -> Sequence[int] | None:
        """Return for each axis the least size for which a trace is right; None if it is the traced size alone."""
        return (0,) * len(geometry.kernel) if self.same_for_all_sizes else None

    def edge_weight_shape(self, weight_shape: tuple[int, ...], geometry: Geometry) -> tuple[int, ...] | None:
        """Return the shape of the kernels for invalid outputs if the mode `has_edge_kernels`, otherwise None."""
        return None

    def sizes(self, length: int, geometry: Geometry, axis: int) -> Sizes | None:
        """Return what is fitted along an axis of this length; None if nothing is."""
        return None

    def weights(self, image: Tensor, sizes: Sizes, geometry: Geometry, axis: int) -> Tensor:
        """Fit the weights of an axis, (N, C, p, m - 1), to the `sizes.rows` samples at either end."""
        raise NotImplementedError

    def with_weights(self, weights: Sequence[Tensor | None]) -> Boundary:
        """Return the mode with fitted weights, one for each axis; None where nothing is fitted."""
        return self


class Extension(Boundary):
    """A mode that can say what the samples outside are."""

    extends = True
    does_sums = False

    @abstractmethod
    def extend(self, input: Tensor, geometry: Geometry) -> Tensor:
        """See `Boundary`."""

    def extend_fused(self, input: Tensor, geometry: Geometry) -> Tensor:
        """See `Boundary`: with the weights of this image."""
        return self.for_image(input, geometry).extend_fused(input, geometry)


class AxisExtension(Extension):
    """An extension of one axis after the other.

    Attributes:
        constant: its weights do not depend on the image, or get no gradient.
    """

    constant: ClassVar[bool] = True
    #: Whether each sample outside is one sample of the image, or its negative, or none, plus a constant number.
    gathers: ClassVar[bool] = False
    why_not_fused = ""

    def rule(
        self, axis: int, high_end: bool, geometry: Geometry, dtype: torch.dtype
    ) -> IntegerMatrix | Tensor | None:
        """Return what an end of an axis is extended by, if it is a matrix, or constant weights of predictors.

        Weights are those of `by_axis.predicted`.
        """
        return None

    def outside(self, input: Tensor, axis: int, distances: range, high_end: bool, geometry: Geometry) -> list[Tensor]:
        """Return the samples beyond an end of an axis, as pieces in the order of positions (see `by_axis`)."""
        rule, dim = self.rule(axis, high_end, geometry, input.dtype), geometry.dims[axis]
        if rule is None:
            raise NotImplementedError
        if isinstance(rule, Tensor):
            return by_axis.predicted(input, dim, distances, high_end, rule, geometry.dilation[axis])
        return by_axis.combined(input, dim, distances, high_end, rule)

    def extend_axis(self, input: Tensor, axis: int, start: int, stop: int, geometry: Geometry) -> Tensor:
        """Return samples `start` to `stop - 1` of the image extended along an axis (see `by_axis`)."""

        def rule(image: Tensor, distances: range, high_end: bool) -> list[Tensor]:
            return self.outside(image, axis, distances, high_end, geometry)

        return by_axis.extended(input, geometry.dims[axis], start, stop, rule)

    def extend(self, input: Tensor, geometry: Geometry) -> Tensor:
        """See `Boundary`."""
        return self.extend_by_rules(input, geometry)

    def extend_by_rules(self, input: Tensor, geometry: Geometry) -> Tensor:
        """Extend by a gather or in one buffer where possible and faster, otherwise axis by axis."""
        gathered = self.extend_by_gather(input, geometry)
        if gathered is not None:
            return gathered
        # A way of the extension, beside the plain one, that knows no mode.
        from diff_conv2d.extension.in_place import extended_in_place

        planned = None
        if self.constant and not is_traced():
            planned = (_planned if self.by_value else _planned.__wrapped__)(self, geometry, input.dtype)
        if planned is None:
            return self.extend_by_axis(input, geometry)
        return extended_in_place(input, *planned)

    def extend_by_gather(self, input: Tensor, geometry: Geometry) -> Tensor | None:
        """Extend by a gather; None where that is not possible, or not faster."""
        if not self.gathers or type(input) not in _PLAIN or not by_gather.is_faster_by_gather(input):
            return None
        gather = None if is_traced() else _gather(self, geometry, input)
        return None if gather is None else by_gather.extended_by_gather(input, gather)

    def _rules(self, geometry: Geometry, dtype: torch.dtype) -> list[Rules] | None:
        """Return the rules of both ends of each axis; None if an end has none."""
        rules: list[Rules] = []
        for axis, widths in enumerate(zip(geometry.before, geometry.after, strict=True)):
            low, high = (
                self.rule(axis, bool(high_end), geometry, dtype) if width else None
                for high_end, width in enumerate(widths)
            )
            if (low is None and widths[0]) or (high is None and widths[1]):
                return None
            rules.append((low, high))
        return rules

    def extend_fused(self, input: Tensor, geometry: Geometry) -> Tensor:
        """See `Boundary`."""
        # Few ask for it.
        from diff_conv2d.extension.fused import can_be_fused, extended_as_written

        if not can_be_fused(input):
            return self.extend(input, geometry)
        fitted = self.for_image(input, geometry)
        is_kept = fitted.by_value and not is_traced()
        written = (_written if is_kept else _written.__wrapped__)(fitted, geometry, input.dtype)
        return fitted.extend(input, geometry) if written is None else extended_as_written(input, *written)

    def extend_by_axis(self, input: Tensor, geometry: Geometry) -> Tensor:
        """Extend along each axis in turn."""
        for axis, dim in enumerate(geometry.dims):
            before, after = geometry.before[axis], geometry.after[axis]
            if before or after:
                input = self.extend_axis(input, axis, -before, input.shape[dim] + after, geometry)
        return input

    def for_image(self, input: Tensor, geometry: Geometry) -> AxisExtension:
        """See `Boundary`: the extension is the same for every image."""
        return self


# Classes of tensors that hold their values.
_PLAIN = (Tensor, nn.Parameter)


# Gathers, by what they depend on. Another thread may clear them at any time.
_GATHERS: dict[Any, by_gather.Gather | None] = {}


def _gather(mode: AxisExtension, geometry: Geometry, input: Tensor) -> by_gather.Gather | None:
    """Return how images of this size are extended by a gather; None where that is not possible.

    Transforms take what is kept, and keep nothing: asking for them takes longer than the cache.
    """
    key = mode, geometry, input.shape, input.dtype
    found: by_gather.Gather | None = _GATHERS.get(key, _UNKNOWN)
    if found is not _UNKNOWN:
        return found
    widths = zip(input.shape[2:], geometry.before, geometry.after, strict=True)
    if is_transformed() or prod(input.shape[:2]) * prod(map(sum, widths)) > by_gather.MOST_EXTENDED:
        return None
    if len(_GATHERS) >= 256:
        _GATHERS.clear()
    found = _GATHERS[key] = by_gather.gather_of(lambda x: mode.extend_by_axis(x, geometry), input.shape, input.dtype)
    return found


_UNKNOWN: Any = object()


@lru_cache(maxsize=256)
def _planned(
    mode: AxisExtension, geometry: Geometry, dtype: torch.dtype
) -> tuple[tuple[Axis, ...], Sequence[Ends]] | None:
    """Return the axes and weights for `extended_in_place`; None if an end has no rule, or it does not pay."""
    rules = mode._rules(geometry, dtype) if dtype.is_floating_point or dtype.is_complex else None
    if rules is None:
        return None
    axes, weights = [], []
    for axis, ends in enumerate(rules):
        widths = geometry.before[axis], geometry.after[axis]
        if any(w > _MOST_ROWS and not isinstance(rule, Tensor) for w, rule in zip(widths, ends, strict=True)):
            return None
        low, high = (None if isinstance(rule, Tensor) else rule for rule in ends)
        vs = tuple(rule if isinstance(rule, Tensor) else None for rule in ends)
        axes.append(Axis(geometry.dims[axis], *widths, low, high, geometry.dilation[axis]))
        weights.append((vs[0], vs[1]))
    known = any(v is not None for ends in weights for v in ends)
    return tuple(axes), weights if known else ()


@lru_cache(maxsize=1024)
def _written(
    mode: AxisExtension, geometry: Geometry, dtype: torch.dtype
) -> tuple[str, Sequence[Tensor | None]] | None:
    """Return what the operators of `extension.fused` are told of an extension; None if an end has no rule."""
    from diff_conv2d.extension.fused import as_written

    rules = mode._rules(geometry, dtype)
    return None if rules is None else as_written(geometry.before, geometry.after, rules, geometry.dilation)


@dataclass(frozen=True, eq=False)
class Parts(AxisExtension):
    """An extension of complex images, whose real and imaginary parts are extended by themselves."""

    name = "parts"
    by_value = False

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
