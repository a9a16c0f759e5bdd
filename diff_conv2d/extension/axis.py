"""One axis, and the rule by which each end is extended: a matrix of integers, or weights that are given apart."""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple, Protocol

__all__ = ["Axis", "IntegerMatrix"]


class IntegerMatrix(Protocol):
    """A matrix of integers, row by row: each sample outside is a weighted sum of samples of its line."""

    def sources(self, length: int, distance: int) -> tuple[Sequence[int], tuple[int, ...]]:
        """Return where the sample at a distance beyond an end comes from, for a line of this length.

        Args:
            length: samples of the line, at least 1.
            distance: of the sample from the edge sample, at least 1.

        Returns:
            Indices of samples, counted from that end, and the weight of each; a range if they are evenly spaced. None
            for a zero.
        """
        ...


class Axis(NamedTuple):
    """How one axis is extended.

    Attributes:
        dim: counted from the last.
        before: samples added at the low end.
        after: samples added at the high end.
        low: the rule of the low end; None if predictors come with the image (see `by_axis.predicted`).
        high: the rule of the high end.
        dilation: of the kernel, for predictors; a matrix knows its own.
    """

    dim: int
    before: int
    after: int
    low: IntegerMatrix | None = None
    high: IntegerMatrix | None = None
    dilation: int = 1
