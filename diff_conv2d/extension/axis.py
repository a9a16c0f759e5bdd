"""One axis, and the rule by which it is extended: a small matrix of integers, or weights that are given apart."""

from __future__ import annotations

from typing import NamedTuple, Protocol

__all__ = ["Axis", "IntegerMatrix"]


class IntegerMatrix(Protocol):
    """A matrix of integers, row by row: each sample outside is a weighted sum of samples of its line."""

    def sources(self, length: int, distance: int) -> tuple[range, tuple[int, ...]]:
        """Return where the sample at a distance beyond an end comes from, for a line of this length.

        Args:
            length: samples of the line, at least 1.
            distance: of the sample from the edge sample, at least 1.

        Returns:
            Indices of samples, counted from that end, and the weight of each.
        """
        ...


class Axis(NamedTuple):
    """How one axis is extended.

    Attributes:
        dim: counted from the last.
        before: samples added at the low end.
        after: samples added at the high end.
        matrix: the rule; None if predictors come with the image (see `by_axis.predicted`).
        dilation: of the kernel, for predictors; a matrix knows its own.
    """

    dim: int
    before: int
    after: int
    matrix: IntegerMatrix | None = None
    dilation: int = 1

    def sources(self, length: int, distance: int) -> tuple[range, tuple[int, ...]]:
        """See `IntegerMatrix`."""
        if self.matrix is None:
            raise ValueError("matrix must be given for an axis without predictors, got None")
        return self.matrix.sources(length, distance)
