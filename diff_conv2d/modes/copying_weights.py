"""Matrices of the modes that take each sample outside from one or two samples of the line, or from none.

They hold for any distance: a line is mirrored, or wrapped, as often as needed (see `extension.axis.IntegerMatrix`).
The first time comes first, so that a compiler, to which lengths are symbols, sees no more than a comparison.

They are no tuples, of which all empty ones are equal, but of different rules different keys of a cache.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from diff_conv2d.extension.axis import readable

__all__ = ["Mirrored", "Nothing", "OddlyMirrored", "Wrapped"]


@readable("nothing")
@dataclass(frozen=True)
class Nothing:
    """Zeros outside."""

    @property
    def text(self) -> str:
        """See `extension.axis.IntegerMatrix`."""
        return "nothing"

    def sources(self, length: int, distance: int) -> tuple[Sequence[int], tuple[int, ...]]:
        """See `extension.axis.IntegerMatrix`."""
        return (), ()


@readable("wrapped")
@dataclass(frozen=True)
class Wrapped:
    """The other end comes next.

    Example:
        >>> [Wrapped().sources(3, s)[0][0] for s in range(1, 6)]
        [2, 1, 0, 2, 1]
    """

    @property
    def text(self) -> str:
        """See `extension.axis.IntegerMatrix`."""
        return "wrapped"

    def sources(self, length: int, distance: int) -> tuple[Sequence[int], tuple[int, ...]]:
        """See `extension.axis.IntegerMatrix`."""
        place = length - distance if distance <= length else -distance % length
        return range(place, place + 1), (1,)


@readable("mirrored")
@dataclass(frozen=True)
class Mirrored:
    """Mirrored at the edge sample, or half a sample outside, where the edge sample is repeated.

    Attributes:
        repeat_edge: the mirror is half a sample outside.
        sign: of the mirror image; each further reflection has it once more.

    Example:
        >>> [Mirrored(repeat_edge=False).sources(3, s)[0][0] for s in range(1, 7)]
        [1, 2, 1, 0, 1, 2]
        >>> [Mirrored(repeat_edge=True, sign=-1).sources(2, s) for s in (1, 3)]
        [(range(0, 1), (-1,)), (range(1, 2), (1,))]
    """

    repeat_edge: bool
    sign: int = 1

    @property
    def text(self) -> str:
        """See `extension.axis.IntegerMatrix`."""
        return f"mirrored:{int(self.repeat_edge)}:{self.sign}"

    def sources(self, length: int, distance: int) -> tuple[Sequence[int], tuple[int, ...]]:
        """See `extension.axis.IntegerMatrix`."""
        if distance - self.repeat_edge < length:
            return range(distance - self.repeat_edge, distance - self.repeat_edge + 1), (self.sign,)
        # From one mirror to the other.
        between = length if self.repeat_edge else max(length - 1, 1)
        place = (distance - self.repeat_edge) % (2 * between)
        place = min(place, 2 * between - self.repeat_edge - place) if length > 1 else 0
        reflections = -(-distance // between)
        return range(place, place + 1), (self.sign**reflections,)


@readable("oddly_mirrored")
@dataclass(frozen=True)
class OddlyMirrored:
    """Reflected about each edge sample as about a point, ``x(-s) = 2 x(0) - x(s)``, and from there on.

    Example:
        >>> OddlyMirrored().sources(4, 2)
        (range(0, 3, 2), (2, -1))
        >>> OddlyMirrored().sources(3, 5)  # on a line it is -5
        ((0, 1, 2), (4, -1, -2))
    """

    @property
    def text(self) -> str:
        """See `extension.axis.IntegerMatrix`."""
        return "oddly_mirrored"

    def sources(self, length: int, distance: int) -> tuple[Sequence[int], tuple[int, ...]]:
        """See `extension.axis.IntegerMatrix`."""
        if distance < length:
            return range(0, distance + 1, distance), (2, -1)
        if length == 1:
            return range(1), (1,)
        last = length - 1
        # The sample 2 last further on is larger by the change from the first sample to the mirror image of the last.
        periods = -(-distance // (2 * last))
        place = 2 * last * periods - distance
        terms = {0: 2 * periods, last: -2 * periods}
        if place > last:
            terms[last] += 2
        near, sign = (2 * last - place, -1) if place > last else (place, 1)
        terms[near] = terms.get(near, 0) + sign
        places = sorted(place for place, weight in terms.items() if weight)
        return tuple(places), tuple(terms[place] for place in places)
