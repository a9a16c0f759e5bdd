"""One axis, and the rule by which each end is extended: a matrix of integers, or weights that are given apart."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any, NamedTuple, Protocol, TypeVar

__all__ = ["Axis", "IntegerMatrix", "read_matrix", "readable"]

_M = TypeVar("_M")


class IntegerMatrix(Protocol):
    """A matrix of integers, row by row: each sample outside is a weighted sum of samples of its line."""

    @property
    def text(self) -> str:
        """The matrix as an argument of an operator: its name and its numbers, see `readable`."""
        ...

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


_MATRICES: dict[str, Any] = {}


def readable(name: str) -> Callable[[type[_M]], type[_M]]:
    """Return a decorator of a class of matrices, by which `read_matrix` knows it.

    Args:
        name: of the class; the text of a matrix is ``name:number:number``, with its arguments in order.
    """

    def add(kind: type[_M]) -> type[_M]:
        _MATRICES[name] = kind
        return kind

    return add


def read_matrix(text: str) -> IntegerMatrix:
    """Return the matrix that has this text.

    Example:
        >>> from diff_conv2d.modes.polynomial_weights import Polynomial
        >>> read_matrix(Polynomial(degree=2).text)
        Polynomial(degree=2, dilation=1)
    """
    name, *numbers = text.split(":")
    matrix: IntegerMatrix = _MATRICES[name](*map(int, numbers))
    return matrix
