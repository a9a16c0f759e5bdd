"""The mode that trains a kernel for each displacement at the edge."""

from __future__ import annotations

from dataclasses import dataclass
from math import prod

from torch import Tensor

from diff_conv2d.algorithms.regions import convolve_by_displacement, displacements
from diff_conv2d.geometry import Geometry, Kernels
from diff_conv2d.modes.base import Boundary

__all__ = ["Explicit"]


@dataclass(frozen=True)
class Explicit(Boundary):
    """One trained kernel for each displacement from the nearest complete window: nine for 3x3 with padding 1.

    Where the window leaves the image by (i, j) taps, kernel (i, j) is used, with zeros outside: its taps beyond the
    edge have no effect. `edge_weight` holds a kernel for each displacement but (0, 0), whose kernel is `weight`, in
    row-major order: for 3x3 with padding 1 (-1, -1), (-1, 0), (-1, 1), (0, -1), (0, 1), (1, -1), (1, 0), (1, 1).
    Along an axis displacements go from -ceil(before / dilation) to ceil(after / dilation), so that there are k * k -
    1 kernels for ``padding='same'``.

    Source: Innamorati et al. (2018), explicit boundary handling, arXiv 1805.03106. The authors of Diff compare with
    a version of it in which the diagonal displacements (-1, -1) and (1, 1) share the interior kernel (seven kernels
    for 3x3); here, as in the paper, each displacement has its own.
    """

    name = "explicit"
    has_edge_kernels = True
    trained = True
    why_not_chunked = "needs trained edge kernels, and correlate takes a single kernel"

    def edge_weight_shape(self, weight_shape: tuple[int, ...], geometry: Geometry) -> tuple[int, ...] | None:
        """See `Boundary`."""
        counts = [sum(displacements(geometry, axis)) + 1 for axis in range(len(geometry.kernel))]
        return (prod(counts) - 1, *weight_shape)

    def convolve(self, input: Tensor, kernels: Kernels, geometry: Geometry) -> Tensor:
        """See `Boundary`."""
        # Ways of the algorithm, beside the plain one.
        from diff_conv2d.algorithms.by_choice import better_by_choice, convolve_by_choice
        from diff_conv2d.algorithms.displaced import better_at_once, convolve_at_once

        if better_by_choice(input, kernels, geometry, "displacement"):
            chosen = convolve_by_choice(input, kernels, geometry, "displacement", None)
            if chosen is not None:
                return chosen
        if better_at_once(input, kernels, geometry):
            return convolve_at_once(input, kernels, geometry)
        return convolve_by_displacement(input, kernels, geometry)
