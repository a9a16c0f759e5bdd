"""The outputs of a convolution, cut into regions by how far their windows leave the image.

An output whose window lies in the image is interior; the others are invalid. Along one axis the displacement of an
output is the number of taps of its window after the image, less those before it. It is the way back to the nearest
complete window, in steps of the dilation.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING, NamedTuple

import torch
from torch import Tensor

from diff_conv2d.algorithms.blocks import valid_convolution
from diff_conv2d.extension.by_axis import with_zeros
from diff_conv2d.geometry import Geometry, Kernels

if TYPE_CHECKING:
    from diff_conv2d.modes.base import AxisExtension

__all__ = [
    "Run",
    "assemble",
    "convolve_by_displacement",
    "convolve_by_region",
    "cut_by_displacement",
    "cut_by_validity",
    "displacements",
    "kernel_at",
    "sizes_to_cut",
]


class Run(NamedTuple):
    """Consecutive outputs of one axis, `start` to `stop - 1`, with one displacement.

    Where only interior and invalid outputs are told apart, `displacement` is 0, -1 or 1.
    """

    displacement: int
    start: int
    stop: int


def sizes_to_cut(input: Tensor) -> Sequence[int]:
    """Return the sizes of an image as integers, also under torch.jit.trace, where they are tensors."""
    sizes = input.shape[2:]
    return tuple(map(int, sizes)) if torch.jit.is_tracing() else sizes  # type: ignore


def cut_by_displacement(geometry: Geometry, axis: int, length: int) -> list[Run]:
    """Cut all outputs of an axis into runs of equal displacement.

    Example:
        >>> cut_by_displacement(Geometry((5,), (1,), (1,), (2,), (2,)), 0, 8)
        [Run(displacement=-2, start=0, stop=1), Run(displacement=-1, start=1, stop=2),
         Run(displacement=0, start=2, stop=6), Run(displacement=1, start=6, stop=7),
         Run(displacement=2, start=7, stop=8)]
    """
    stride, dilation, before = geometry.stride[axis], geometry.dilation[axis], geometry.before[axis]
    span = geometry.span(axis)
    runs: list[Run] = []
    for valid in cut_by_validity(geometry, axis, length):
        if not valid.displacement:
            runs.append(valid)
            continue
        for output in (valid.start + i for i in range(valid.stop - valid.start)):
            start = output * stride - before
            # ceil(-start / d) taps of start, start + d, ... are below 0; taps beyond the length likewise.
            missing_before = max(0, -(start // dilation))
            missing_after = max(0, -((length - start - span) // dilation))
            displacement = missing_after - missing_before
            if runs and runs[-1].displacement == displacement:
                runs[-1] = runs[-1]._replace(stop=output + 1)
            else:
                runs.append(Run(displacement, output, output + 1))
    return runs


def cut_by_validity(geometry: Geometry, axis: int, length: int) -> list[Run]:
    """Cut all outputs of an axis into at most three runs: invalid at the low end, interior, invalid at the high end.

    Example:
        >>> cut_by_validity(Geometry((5,), (1,), (1,), (2,), (2,)), 0, 8)
        [Run(displacement=-1, start=0, stop=2), Run(displacement=0, start=2, stop=6),
         Run(displacement=1, start=6, stop=8)]
    """
    size = geometry.output_size(axis, length)
    stride, before = geometry.stride[axis], geometry.before[axis]
    # Output o is interior if 0 <= o * stride - before and o * stride - before + span <= length.
    first = -(-before // stride)
    last = (length - geometry.span(axis) + before) // stride + 1
    # Sizes may be symbolic: no min() and max(), as in `extension`.
    if last > first:
        runs = [Run(-1, 0, first), Run(0, first, last), Run(1, last, size)]
    else:
        first = first if first < size else size
        runs = [Run(-1, 0, first), Run(1, first, size)]
    return [run for run in runs if run.stop > run.start]


def assemble(
    cuts: Sequence[list[Run]], convolve: Callable[[tuple[Run, ...]], Tensor], split_invalid: bool = True
) -> Tensor:
    """Assemble an output from its regions.

    Args:
        cuts: for each axis, its outputs cut into runs.
        convolve: returns the outputs of a region, which is one run for each axis.
        split_invalid: cut outputs that are invalid along one axis along the later axes, too. Otherwise an image has
            four strips (top and bottom over the whole width, left and right between them) and its interior.
    """

    def region(runs: tuple[Run, ...]) -> Tensor:
        axis = len(runs)
        if axis == len(cuts):
            return convolve(runs)
        choices = cuts[axis]
        if not split_invalid and any(run.displacement for run in runs):
            choices = [Run(0, choices[0].start, choices[-1].stop)]
        parts = [region((*runs, run)) for run in choices]
        return parts[0] if len(parts) == 1 else torch.cat(parts, axis - len(cuts))

    return region(())


def convolve_by_region(
    extension: AxisExtension,
    input: Tensor,
    weight: Tensor,
    bias: Tensor | None,
    geometry: Geometry,
    groups: int,
    edge_weight: Tensor | None = None,
    edge_bias: Tensor | None = None,
    keep_img_grad_at_invalid: bool = True,
    hold_padded_copy: bool = False,
) -> Tensor:
    """Convolve region by region: the interior from the image, the frame strip by strip.

    Args:
        extension: how the image is extended.
        input: images (N, C, ...).
        weight: kernel of interior outputs.
        bias: bias of interior outputs.
        geometry: see `Geometry`.
        groups: as torch.
        edge_weight: kernel of invalid outputs; `weight` if None.
        edge_bias: bias of invalid outputs where `edge_weight` is given.
        keep_img_grad_at_invalid: let the gradient of invalid outputs reach the image.
        hold_padded_copy: extend the whole image once and cut the strips from it, which is faster. Otherwise each
            strip is extended by itself, and no padded copy of the image is ever held.
    """
    cuts = [cut_by_validity(geometry, axis, length) for axis, length in enumerate(sizes_to_cut(input))]
    image_at_invalid = input if keep_img_grad_at_invalid else input.detach()
    padded = extension.extend(image_at_invalid, geometry) if hold_padded_copy else None

    def convolve(region: tuple[Run, ...]) -> Tensor:
        interior = not any(run.displacement for run in region)
        ready = None if interior else padded
        piece = ready if ready is not None else input if interior else image_at_invalid
        for axis, run in enumerate(region):
            start, stop = geometry.window(axis, run.start, run.stop)
            if ready is not None:
                piece = piece.narrow(geometry.dims[axis], start + geometry.before[axis], stop - start)
            else:
                piece = extension.extend_axis(piece, axis, start, stop, geometry)
        if interior or edge_weight is None:
            return valid_convolution(piece, weight, bias, geometry, groups)
        return valid_convolution(piece, edge_weight, edge_bias, geometry, groups)

    return assemble(cuts, convolve, split_invalid=False)


def displacements(geometry: Geometry, axis: int) -> tuple[int, int]:
    """Return how many taps can lie before and after the image: ceil(padding / dilation).

    Example:
        >>> displacements(Geometry((4,), (1,), (2,), (3,), (3,)), 0)
        (2, 2)
    """
    dilation = geometry.dilation[axis]
    return -(-geometry.before[axis] // dilation), -(-geometry.after[axis] // dilation)


def kernel_at(displacement: Sequence[int], geometry: Geometry) -> int | None:
    """Return the index of the edge kernel for a displacement along each axis; None if it is 0 along all of them.

    Displacements are in row-major order, from the lowest to the highest one along each axis.

    Example:
        >>> geometry = Geometry((3, 3), (1, 1), (1, 1), (1, 1), (1, 1))
        >>> [kernel_at(place, geometry) for place in ((-1, -1), (0, -1), (0, 0), (0, 1))]
        [0, 3, None, 4]
    """
    if not any(displacement):
        return None
    index = none = 0
    for axis, place in enumerate(displacement):
        before, after = displacements(geometry, axis)
        index = index * (before + after + 1) + before + place
        none = none * (before + after + 1) + before
    return index - (index > none)


def convolve_by_displacement(input: Tensor, kernels: Kernels, geometry: Geometry) -> Tensor:
    """Convolve with zeros outside, each region of one displacement with its own kernel.

    Args:
        input: images (N, C, ...).
        kernels: `edge_weight` and `edge_bias` hold a kernel and a bias for each displacement, see `kernel_at`.
        geometry: see `Geometry`.
    """
    weight, bias, groups, edge_weight, edge_bias = kernels
    cuts = [cut_by_displacement(geometry, axis, length) for axis, length in enumerate(sizes_to_cut(input))]
    # All at once: the gradient of one kernel alone would be a tensor of zeros for all of them.
    own_weights = None if edge_weight is None else edge_weight.unbind()
    own_biases = None if edge_bias is None else edge_bias.unbind()

    def convolve(region: tuple[Run, ...]) -> Tensor:
        windows = [geometry.window(axis, run.start, run.stop) for axis, run in enumerate(region)]
        piece = with_zeros(input, windows)
        index = kernel_at([run.displacement for run in region], geometry)
        if index is None or own_weights is None:
            return valid_convolution(piece, weight, bias, geometry, groups)
        own_bias = None if own_biases is None else own_biases[index]
        return valid_convolution(piece, own_weights[index], own_bias, geometry, groups)

    return assemble(cuts, convolve)
