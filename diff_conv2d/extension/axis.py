"""One axis, and the rule by which it is extended: a small matrix of integers, or weights that are given apart."""

from __future__ import annotations

from typing import NamedTuple, Protocol

__all__ = ["Axis", "Rows"]


class Rows(Protocol):
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
        rows: the rule, unless predictors come with the image (see `by_axis.predicted`).
        dilation: of the kernel, for predictors; `rows` know theirs.
    """

    dim: int
    before: int
    after: int
    rows: Rows
    dilation: int = 1
