"""The mode that trains a kernel for each displacement at the edge."""

from __future__ import annotations

from dataclasses import dataclass
from math import prod

from torch import Tensor

from diff_conv2d.algorithms.blocks import valid_convolution
from diff_conv2d.algorithms.regions import Run, assemble, cut_by_displacement, sizes_to_cut
from diff_conv2d.extension.by_axis import with_zeros
from diff_conv2d.geometry import Geometry, Kernels
from diff_conv2d.modes.base import Boundary

__all__ = ["Explicit"]


def _displacements(geometry: Geometry, axis: int) -> tuple[int, int]:
    """Return how many taps can lie before and after the image: ceil(padding / dilation)."""
    dilation = geometry.dilation[axis]
    return -(-geometry.before[axis] // dilation), -(-geometry.after[axis] // dilation)


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
        counts = [sum(_displacements(geometry, axis)) + 1 for axis in range(len(geometry.kernel))]
        return (prod(counts) - 1, *weight_shape)

    def convolve(self, input: Tensor, kernels: Kernels, geometry: Geometry) -> Tensor:
        """See `Boundary`."""
        weight, bias, groups, edge_weight, edge_bias = kernels
        axes = range(len(geometry.kernel))
        sizes = sizes_to_cut(input)
        cuts = [cut_by_displacement(geometry, axis, sizes[axis]) for axis in axes]
        # Among all displacements the interior has the index (low, low, ...), which edge_weight leaves out.
        low, counts = [], []
        for axis in axes:
            before, after = _displacements(geometry, axis)
            low.append(before)
            counts.append(before + after + 1)
        interior = _flat(low, counts)

        def convolve(region: tuple[Run, ...]) -> Tensor:
            windows = [geometry.window(axis, run.start, run.stop) for axis, run in enumerate(region)]
            piece = with_zeros(input, windows)
            index = _flat([run.displacement + first for run, first in zip(region, low, strict=True)], counts)
            if index == interior or edge_weight is None:
                return valid_convolution(piece, weight, bias, geometry, groups)
            index -= index > interior
            own_bias = None if edge_bias is None else edge_bias[index]
            return valid_convolution(piece, edge_weight[index], own_bias, geometry, groups)

        return assemble(cuts, convolve)


def _flat(position: list[int], shape: list[int]) -> int:
    """Return the row-major index of a position."""
    index = 0
    for place, size in zip(position, shape, strict=True):
        index = index * size + place
    return index
