"""A mode of its own for each axis, and for each end of an axis."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from functools import lru_cache
from typing import TYPE_CHECKING, Any, ClassVar

import torch
from torch import Tensor

from diff_conv2d.geometry import Geometry, Kernels
from diff_conv2d.modes.base import AxisExtension, Boundary, Extension

if TYPE_CHECKING:
    from diff_conv2d.extension.axis import IntegerMatrix
    from diff_conv2d.modes.adaptive import Sizes

__all__ = ["Sided", "sided"]


@lru_cache(maxsize=4096)
def _only(geometry: Geometry, places: tuple[tuple[int, bool], ...]) -> Geometry:
    """Return the geometry with nothing added but at these ends, each an axis and whether it is the high end."""
    axes = range(len(geometry.kernel))
    before, after = (
        tuple(width if (axis, high_end) in places else 0 for axis, width in zip(axes, widths, strict=True))
        for high_end, widths in ((False, geometry.before), (True, geometry.after))
    )
    return geometry._replace(before=before, after=after)


@dataclass(frozen=True, repr=False)
class Sided(AxisExtension):
    """An extension of each end of each axis by a mode of its own.

    Each axis is extended by itself, so that a corner is the tensor product of its two sides, and the order of the
    axes does not matter. It does in the corners of two modes one of which adds a number of its own (`constant`,
    `dirichlet`, `neumann`, `linear_prediction`), while the other does not keep constants (`zeros`, `antisymmetric`,
    or one of these): there the later axis decides; and for `random`. A fitted mode is fitted to the image as it is,
    before any side is added.

    Attributes:
        sides: for each axis the modes of its low and its high end.
    """

    sides: tuple[tuple[Boundary, Boundary], ...] = field(repr=False)
    #: The mode of all ends, if it is one.
    _alone: ClassVar[Boundary | None]
    _hash: ClassVar[int]

    def __post_init__(self) -> None:
        """Say of the whole what holds for all its modes, or for one of them."""
        modes = list(self._modes())
        object.__setattr__(self, "_alone", modes[0] if all(mode == modes[0] for mode in modes) else None)
        known: dict[str, Any] = {
            "name": self._text(),
            "copies": all(mode.copies for mode in modes),
            "by_value": all(mode.by_value for mode in modes),
            # Alone, torch's own modes give torch's bits, gradients too.
            "gathers": all(getattr(mode, "gathers", False) or mode.auto == "direct" for mode in modes)
            and (self._alone is None or self._alone.auto != "direct"),
            "constant": all(getattr(mode, "constant", True) for mode in modes),
            "does_sums": self._alone is not None and self._alone.does_sums,
            "auto": "auto" if self._alone is None else self._alone.auto,
            "why_padded": next((mode.why_padded for mode in modes if mode.why_padded), ""),
            "why_not_fused": next((mode.why_not_fused for mode in modes if mode.why_not_fused), ""),
            "why_not_chunked": next((mode.why_not_chunked for mode in modes if mode.why_not_chunked), ""),
        }
        # Kept, since a call looks up what it needs in caches.
        known["_hash"] = hash(self.sides)
        for name, value in known.items():
            object.__setattr__(self, name, value)

    def __hash__(self) -> int:
        return self._hash

    def __setstate__(self, state: dict[str, Any]) -> None:
        """Say it anew: a hash holds for one process, and an older pickle says less."""
        object.__setattr__(self, "sides", state["sides"])
        self.__post_init__()

    def __repr__(self) -> str:
        return f"{type(self).__name__}({self.name})"

    def _text(self) -> str:
        """The modes as they are written."""
        names = [low.name if low == high else f"({low.name}, {high.name})" for low, high in self.sides]
        return f"({', '.join(names)}{',' if len(names) == 1 else ''})"

    def _modes(self) -> Iterator[Boundary]:
        for ends in self.sides:
            yield from ends

    def _parts(self, geometry: Geometry) -> list[tuple[Boundary, Geometry]]:
        """Return each different mode, with the geometry that adds nothing but where the mode is."""
        places: dict[Boundary, list[tuple[int, bool]]] = {}
        for axis, ends in enumerate(self.sides):
            for high_end, mode in enumerate(ends):
                places.setdefault(mode, []).append((axis, bool(high_end)))
        return [(mode, _only(geometry, tuple(at))) for mode, at in places.items()]

    def check(self, axes: int) -> None:
        """See `Boundary`: there is one entry for each axis."""
        if len(self.sides) != axes:
            raise ValueError(
                f"padding_mode must have one entry for each axis, here {axes}, got {len(self.sides)}: {self.name}; "
                "two modes for the two ends of one axis are a pair within the entry, as in "
                "(('zeros', 'replicate'), 'circular')"
            )
        for mode in self._modes():
            mode.check(axes)

    def check_image(self, input: Tensor, geometry: Geometry) -> None:
        """See `Boundary`."""
        self.check(len(geometry.kernel))
        for mode, part in self._parts(geometry):
            mode.check_image(input, part)

    def check_chunked(self, is_complex: bool) -> None:
        """See `Boundary`."""
        for mode in self._modes():
            mode.check_chunked(is_complex)
        for low, high in self.sides:
            if low != high and low.name == high.name == "adaptive":
                raise ValueError(
                    "padding_mode must fit both ends of an axis alike where images are filtered chunk by chunk, got "
                    f"{low} and {high}"
                )

    def with_zeros_as(self, other: Boundary) -> Boundary:
        """See `Boundary`."""
        sides = [[other if mode.name == "zeros" else mode for mode in ends] for ends in self.sides]
        return Sided(tuple((low, high) for low, high in sides))

    def without_kernel(self) -> Boundary:
        """See `Boundary`."""
        return Sided(tuple((low.without_kernel(), high.without_kernel()) for low, high in self.sides))

    def wraps(self, axis: int, high_end: bool) -> bool:
        """See `Boundary`."""
        return self.sides[axis][high_end].wraps(axis, high_end)

    def convolve(self, input: Tensor, kernels: Kernels, geometry: Geometry) -> Tensor:
        """See `Boundary`: of the one mode that all ends have."""
        if self._alone is None:
            raise NotImplementedError
        return self._alone.convolve(input, kernels, geometry)

    def extend(self, input: Tensor, geometry: Geometry) -> Tensor:
        """See `Boundary`."""
        return self.extend_by_rules(input, geometry) if self._alone is None else self._alone.extend(input, geometry)

    def extend_by_rules(self, input: Tensor, geometry: Geometry) -> Tensor:
        """See `AxisExtension`: with the fitted modes' weights of this image."""
        fitted = self if self.gathers else self.for_image(input, geometry)
        return super().extend_by_rules(input, geometry) if fitted is self else fitted.extend(input, geometry)

    def for_image(self, input: Tensor, geometry: Geometry) -> AxisExtension:
        """See `Boundary`: with the fitted modes' weights of this image."""
        made = {mode: mode.for_image(input, part) for mode, part in self._parts(geometry)}
        if all(mode is extension for mode, extension in made.items()):
            return self
        return Sided(tuple((made[low], made[high]) for low, high in self.sides))

    def rule(
        self, axis: int, high_end: bool, geometry: Geometry, dtype: torch.dtype
    ) -> IntegerMatrix | Tensor | None:
        """See `AxisExtension`."""
        mode = self.sides[axis][high_end]
        if not isinstance(mode, AxisExtension):
            return None
        return mode.rule(axis, high_end, _only(geometry, ((axis, high_end),)), dtype)

    def outside(self, input: Tensor, axis: int, distances: range, high_end: bool, geometry: Geometry) -> list[Tensor]:
        """See `AxisExtension`."""
        mode = self.sides[axis][high_end]
        if not isinstance(mode, AxisExtension):
            raise NotImplementedError
        return mode.outside(input, axis, distances, high_end, _only(geometry, ((axis, high_end),)))

    def extend_by_axis(self, input: Tensor, geometry: Geometry) -> Tensor:
        """See `AxisExtension`: axes first whose modes read the other axes as they are."""
        whole = [axis for axis, ends in enumerate(self.sides) if any(mode.reads_across for mode in ends)]
        if not whole or len(whole) == len(self.sides):
            return super().extend_by_axis(input, geometry)
        first = tuple((axis, high_end) for axis in whole for high_end in (False, True))
        others = tuple((axis, end) for axis in range(len(self.sides)) if axis not in whole for end in (False, True))
        result = super().extend_by_axis(input, _only(geometry, first))
        return super().extend_by_axis(result, _only(geometry, others))

    def reach(self, geometry: Geometry, axis: int, length: int) -> int:
        """See `Boundary`."""
        return max(mode.reach(part, axis, length) for mode, part in self._parts(geometry))

    def traced_sizes(self, geometry: Geometry) -> Sequence[int] | None:
        """See `Boundary`."""
        every = [mode.traced_sizes(part) for mode, part in self._parts(geometry)]
        known = [sizes for sizes in every if sizes is not None]
        return [max(sizes) for sizes in zip(*known, strict=True)] if len(known) == len(every) else None

    def sizes(self, length: int, geometry: Geometry, axis: int) -> Sizes | None:
        """See `Boundary`: of the mode that is fitted along this axis."""
        found = [mode.sizes(length, part, axis) for mode, part in self._parts(geometry)]
        return next((sizes for sizes in found if sizes is not None), None)

    def weights(self, image: Tensor, sizes: Sizes, geometry: Geometry, axis: int) -> Tensor:
        """See `Boundary`."""
        fitted = next(mode for mode in self.sides[axis] if mode.name == "adaptive")
        return fitted.weights(image, sizes, geometry, axis)

    def with_weights(self, weights: Sequence[Tensor | None]) -> Boundary:
        """See `Boundary`."""
        return Sided(tuple((low.with_weights(weights), high.with_weights(weights)) for low, high in self.sides))


def sided(modes: Sequence[Boundary | Sequence[Boundary]]) -> Sided:
    """Return the mode with one entry for each axis, a mode or a pair of them for its two ends.

    Raises:
        ValueError: a mode does not extend an image side by side.
    """
    sides = []
    for entry in modes:
        low, high = (entry, entry) if isinstance(entry, Boundary) else entry
        for mode in (low, high):
            why = _why_not(mode)
            if why:
                raise ValueError(f"padding_mode cannot have {mode.name!r} at one side: it {why}")
        sides.append((low, high))
    return Sided(tuple(sides))


def _why_not(mode: Boundary) -> str | None:
    """Return why a mode cannot be that of one side, as the end of a sentence; None if it can."""
    if mode.needs_layer:
        return "keeps weights of its own in a layer"
    if mode.has_edge_kernels:
        return "trains kernels for all of the edge"
    return None if isinstance(mode, Extension) else "does not extend the image"
