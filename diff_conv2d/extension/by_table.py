"""The extension of small images by a table of all terms: their time goes into calls, not into arithmetic.

Each sample of the frame is a weighted sum of samples of the image, over all axes at once. A table lists the terms of
all these sums. One gather, one product and one addition then replace a few operations for each row and column of the
frame. The adjoint exchanges sources and targets.
"""

from __future__ import annotations

from functools import lru_cache
from math import prod
from typing import TYPE_CHECKING, NamedTuple

import torch
import torch.nn.functional as F
from torch import Tensor

from diff_conv2d.extension.by_gather import Gather, extended_by_gather
from diff_conv2d.tracing import is_transformed

if TYPE_CHECKING:
    from diff_conv2d.extension.axis import Axis

__all__ = ["FrameTable", "adjoint_by_table", "extended_by_table", "table_for"]

# Most terms for which a table is faster, forwards and backwards (docs/speed.md).
_FEW_TERMS = (1 << 17, 1 << 20)
# Samples of an image up to which its table is made in a millisecond or two, and takes little space.
_SMALL = 1 << 16


class FrameTable(NamedTuple):
    """The terms of all sums: a source in one flattened image, its weight, and the target in another one."""

    sources: Tensor  # (images, terms), the same for all images
    targets: Tensor  # as `sources`
    weights: Tensor  # (terms)
    sizes: tuple[int, int]  # samples of an image with sources, and of one with targets
    padding: list[int]  # what F.pad needs to make an image with targets of one with sources
    first: Gather | None = None  # what makes the image with targets instead, if some sum is not of the edge sample


def extended_by_table(input: Tensor, table: FrameTable) -> Tensor:
    """The image (N, C, ...), contiguous, with its frame.

    Example:
        >>> from diff_conv2d.extension.axis import Axis
        >>> from diff_conv2d.modes.polynomial_weights import Polynomial
        >>> line, axis = torch.tensor([[[3.0, 5.0]]]), Axis(-1, 1, 0, Polynomial(degree=1), None)  # 2 x(0) - x(1)
        >>> extended_by_table(line, table_for(line, line.shape, (axis,), adjoint=False))
        tensor([[[1., 3., 5.]]])
    """
    first = table.first
    target = F.pad(input, table.padding, "replicate") if first is None else extended_by_gather(input, first)
    return _add_terms(input, target, table)


def adjoint_by_table(grad: Tensor, table: FrameTable) -> Tensor:
    """The adjoint of `extended_by_table`: gradients of samples outside, added to those of their sources.

    Example:
        >>> from diff_conv2d.extension.axis import Axis
        >>> from diff_conv2d.modes.polynomial_weights import Polynomial
        >>> grad, axis = torch.tensor([[[1.0, 0.0, 0.0]]]), Axis(-1, 1, 0, Polynomial(degree=1), None)
        >>> adjoint_by_table(grad, table_for(grad, (1, 1, 2), (axis,), adjoint=True))
        tensor([[[ 2., -1.]]])
    """
    # Negative padding is a copy of the part inside.
    return _add_terms(grad, F.pad(grad, table.padding), table)


def _add_terms(source: Tensor, target: Tensor, table: FrameTable) -> Tensor:
    of_source, of_target = table.sizes
    terms = source.view(-1, of_source).gather(1, table.sources) * table.weights
    target.view(-1, of_target).scatter_add_(1, table.targets, terms)
    return target


def table_for(tensor: Tensor, shape: tuple[int, ...], axes: tuple[Axis, ...], adjoint: bool) -> FrameTable | None:
    """The table for an image of this shape; None where it does not pay, or there is none.

    Args:
        tensor: the image, or the gradient of what it is continued to.
        shape: of the image.
        axes: its spatial axes, outermost first.
        adjoint: for `adjoint_by_table` instead of `extended_by_table`.
    """
    # The table is cached, so its tensors must be plain ones. In a trace sizes are tensors, and the table would become
    # part of the graph.
    if type(tensor) is not Tensor or type(shape[0]) is not int or is_transformed():
        return None
    if not tensor.is_contiguous() or len(shape) != len(axes) + 2:
        return None
    return _table(shape, axes, tensor.dtype, tensor.device, adjoint)


@lru_cache(maxsize=128)
def _table(
    shape: tuple[int, ...], axes: tuple[Axis, ...], dtype: torch.dtype, device: torch.device, adjoint: bool
) -> FrameTable | None:
    images, sizes = prod(shape[:2]), shape[2:]
    if prod(sizes) > _SMALL or dtype not in (torch.float32, torch.float64) or device.type != "cpu":
        return None
    for axis in axes:
        if (axis.before and axis.low is None) or (axis.after and axis.high is None):
            return None
    every = [_sources(axis, size) for axis, size in zip(axes, sizes, strict=True)]
    count = (prod(sum(map(len, sources)) for sources in every) - prod(sizes)) * images
    if not 0 < count <= _FEW_TERMS[adjoint] or all(len(terms) < 2 for sources in every for terms in sources):
        return None
    lengths = prod(sizes), prod(map(len, every))
    widths = [width for axis in reversed(axes) for width in (axis.before, axis.after)]
    # Kept for other calls, which may want a gradient.
    with torch.inference_mode(False):
        inside, outside, weights, first = _terms(every, axes, sizes, adjoint)
        inside, outside, weights = inside.expand(images, -1), outside.expand(images, -1), weights.to(dtype)
        if first is not None and first.weights is not None:
            first = first._replace(weights=first.weights.to(dtype))
    if adjoint:
        return FrameTable(outside, inside, weights, lengths[::-1], [-width for width in widths])
    return FrameTable(inside, outside, weights, lengths, widths, first)


def _sources(axis: Axis, size: int) -> list[tuple[tuple[int, int], ...]]:
    """Place and weight of the sources of each sample of the continued axis; one inside is its own."""
    low = [] if axis.low is None else [axis.low.sources(size, s) for s in range(axis.before, 0, -1)]
    inside = [((place, 1),) for place in range(size)]
    high = [] if axis.high is None else [axis.high.sources(size, s) for s in range(1, axis.after + 1)]
    return [
        *(tuple(zip(*terms, strict=True)) for terms in low),
        *inside,
        *(tuple((size - 1 - place, w) for place, w in zip(*terms, strict=True)) for terms in high),
    ]


def _terms(
    every: list[list[tuple[tuple[int, int], ...]]], axes: tuple[Axis, ...], sizes: tuple[int, ...], adjoint: bool
) -> tuple[Tensor, Tensor, Tensor, Gather | None]:
    """Of each term of the frame: place in the image, place in the padded image, weight; and what is there before."""
    # The tensor product of the axes: one term of no axis, then the terms of one more with each of those before.
    inside = outside = number = torch.zeros(1, dtype=torch.int64, device="cpu")
    weights = torch.ones(1, dtype=torch.float64, device="cpu")
    in_frame, alone = (torch.full((1,), value, device="cpu") for value in (False, True))
    for samples, axis, size in zip(every, axes, sizes, strict=True):
        terms = [
            (i, place, n, w, not axis.before <= i < axis.before + size, len(sources) == 1)
            for i, sources in enumerate(samples)
            for n, (place, w) in enumerate(sources)
        ]
        i, place, n, w, is_outside, is_alone = torch.tensor(terms, dtype=torch.float64, device="cpu").unbind(1)
        inside = (inside[:, None] * size + place.long()).flatten()
        outside = (outside[:, None] * len(samples) + i.long()).flatten()
        number = (number[:, None] * len(terms) + n.long()).flatten()
        weights = (weights[:, None] * w).flatten()
        in_frame = (in_frame[:, None] | is_outside.bool()).flatten()
        alone = (alone[:, None] & is_alone.bool()).flatten()
    if adjoint:
        frame = in_frame.nonzero().squeeze(1)
        return inside[frame], outside[frame], weights[frame], None
    # The first term of each sum is there before the others are added: once, or, if it is alone, times its weight.
    is_first = number == 0
    frame = (~alone & (~is_first | (weights != 1))).nonzero().squeeze(1)
    # First the first terms of all sums, then the second ones: two additions to one target in a row are slow.
    frame = frame[number[frame].argsort(stable=True)]
    left = torch.where(is_first, weights - 1, weights)
    return (
        inside[frame],
        outside[frame],
        left[frame],
        _first(every, axes, sizes, inside, outside, weights, is_first, alone),
    )


def _first(
    every: list[list[tuple[tuple[int, int], ...]]],
    axes: tuple[Axis, ...],
    sizes: tuple[int, ...],
    inside: Tensor,
    outside: Tensor,
    weights: Tensor,
    is_first: Tensor,
    alone: Tensor,
) -> Gather | None:
    """Return what gathers the first term of each sum; None if these are the edge samples, which padding repeats."""
    from_edge = all(
        terms and terms[0][0] == min(max(i - axis.before, 0), size - 1) and (len(terms) > 1 or terms[0][1] == 1)
        for samples, axis, size in zip(every, axes, sizes, strict=True)
        for i, terms in enumerate(samples)
    )
    if from_edge:
        return None
    outputs = tuple(map(len, every))
    places = torch.zeros(prod(outputs), dtype=torch.int64, device="cpu")
    factors = torch.zeros(prod(outputs), dtype=torch.float64, device="cpu")
    places[outside[is_first]] = inside[is_first]
    factors[outside[is_first]] = torch.where(alone, weights, 1.0)[is_first]
    none = (factors == 0).nonzero().flatten()
    scaled = ((factors != 0) & (factors != 1)).any()
    return Gather(places, outputs, factors if scaled else None, none if len(none) else None, None)
