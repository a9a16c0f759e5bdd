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


def extended_by_table(input: Tensor, table: FrameTable) -> Tensor:
    """The image (N, C, ...), contiguous, with its frame.

    Example:
        >>> from diff_conv2d.extension.axis import Axis
        >>> from diff_conv2d.modes.polynomial_weights import Polynomial
        >>> line, axis = torch.tensor([[[3.0, 5.0]]]), Axis(-1, 1, 0, Polynomial(degree=1), None)  # 2 x(0) - x(1)
        >>> extended_by_table(line, table_for(line, line.shape, (axis,), adjoint=False))
        tensor([[[1., 3., 5.]]])
    """
    return _add_terms(input, F.pad(input, table.padding, "replicate"), table)


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
    # Each new sample must depend on the edge sample and on at least one more.
    for axis, size in zip(axes, sizes, strict=True):
        for width, matrix in ((axis.before, axis.low), (axis.after, axis.high)):
            for s in range(1, width + 1):
                if matrix is None or len(places := matrix.sources(size, s)[0]) < 2 or places[0]:
                    return None
    every = [_sources(axis, size) for axis, size in zip(axes, sizes, strict=True)]
    count = (prod(sum(map(len, sources)) for sources in every) - prod(sizes)) * images
    if not 0 < count <= _FEW_TERMS[adjoint]:
        return None
    lengths = prod(sizes), prod(map(len, every))
    widths = [width for axis in reversed(axes) for width in (axis.before, axis.after)]
    # Kept for other calls, which may want a gradient.
    with torch.inference_mode(False):
        inside, outside, weights = _terms(every, sizes, adjoint)
        inside, outside, weights = inside.expand(images, -1), outside.expand(images, -1), weights.to(dtype)
    if adjoint:
        return FrameTable(outside, inside, weights, lengths[::-1], [-width for width in widths])
    return FrameTable(inside, outside, weights, lengths, widths)


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
    every: list[list[tuple[tuple[int, int], ...]]], sizes: tuple[int, ...], adjoint: bool
) -> tuple[Tensor, Tensor, Tensor]:
    """Of each term of the frame: place in the image, place in the padded image, weight."""
    # The tensor product of the axes: one term of no axis, then the terms of one more with each of those before.
    inside = outside = number = torch.zeros(1, dtype=torch.int64, device="cpu")
    weights = torch.ones(1, dtype=torch.float64, device="cpu")
    for samples, size in zip(every, sizes, strict=True):
        terms = [(i, place, n, w) for i, sources in enumerate(samples) for n, (place, w) in enumerate(sources)]
        i, place, n, w = torch.tensor(terms, dtype=torch.float64, device="cpu").unbind(1)
        inside = (inside[:, None] * size + place.long()).flatten()
        outside = (outside[:, None] * len(samples) + i.long()).flatten()
        number = (number[:, None] * len(terms) + n.long()).flatten()
        weights = (weights[:, None] * w).flatten()
    # A sample inside is one term of weight 1; of one outside the first term has a larger weight.
    frame = ((number > 0) | (weights != 1)).nonzero().squeeze(1)
    if not adjoint:
        # First the first terms of all sums, then the second ones: two additions to one target in a row are slow.
        frame = frame[number[frame].argsort(stable=True)]
        # The first is the edge sample, which padding has put there once.
        weights = torch.where(number == 0, weights - 1, weights)
    return inside[frame], outside[frame], weights[frame]
