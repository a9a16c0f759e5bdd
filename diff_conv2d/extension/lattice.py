"""The sources of each sample outside, for an axis that is extended by polynomials."""

from __future__ import annotations

from typing import NamedTuple

from diff_conv2d.lagrange import extrapolation_weights

__all__ = ["Axis"]


class Axis(NamedTuple):
    """How one axis is extended: samples before and after it, degree of the polynomial, dilation of the kernel."""

    dim: int
    before: int
    after: int
    degree: int
    dilation: int

    def sources(self, length: int, distance: int) -> tuple[tuple[int, int], ...]:
        """Return the sources of the sample at a distance outside: index, counted from the edge, and weight.

        Example:
            >>> Axis(-1, 1, 1, degree=1, dilation=2).sources(8, distance=1)  # 2 x(1) - x(3)
            ((1, 2), (3, -1))
        """
        # As in extension: the first sample of this lattice inside, and how many steps of the lattice it is away.
        first = -distance % self.dilation
        steps = (distance + first) // self.dilation
        first = min(first, length - 1)
        count = min(self.degree, (length - first - 1) // self.dilation) + 1
        weights = extrapolation_weights(count, steps)
        return tuple((first + j * self.dilation, w) for j, w in enumerate(weights))
