"""The extension of many images by the same weights: these are prepared once, and few calls then extend a batch.

In a network a layer's time goes into the number of its calls as much as into their work, since the convolution before
has filled the caches. Each side takes one product forwards, and one addition for each sample outside backwards.
"""

from __future__ import annotations

from collections.abc import Sequence
from functools import partial
from math import prod
from typing import NamedTuple

import torch
from torch import Tensor

from diff_conv2d.extension.by_axis import sample_weights
from diff_conv2d.extension.by_table import FrameTable, adjoint_by_table, extended_by_table
from diff_conv2d.extension.by_terms import terms_of, weights_of_terms
from diff_conv2d.extension.in_place import linear
from diff_conv2d.tracing import is_autocast, is_traced, is_transformed

__all__ = ["Sides", "can_be_prepared", "extended_by_product", "prepared"]


# Weights up to which a copy for each image is kept; larger ones are copied at each call.
_FEW = 1 << 16
# Terms up to which a table is faster where no gradient is wanted.
_FEW_TERMS = 1 << 15


class Sides(NamedTuple):
    """Weights (N C, samples outside, m samples nearest to the edge), both in the order of positions.

    If they are many, (1, C or 1, samples outside, m).
    """

    top: Tensor | None
    bottom: Tensor | None
    left: Tensor | None
    right: Tensor | None
    before: tuple[int, ...]
    after: tuple[int, ...]
    #: For small images: the extension and its adjoint.
    tables: tuple[FrameTable, FrameTable] | None = None


def can_be_prepared(input: Tensor, dilation: tuple[int, ...]) -> bool:
    """Whether it is a plain batch (N, C, H, W), of single precision or more, outside compilers and transforms."""
    if input.ndim != 4 or max(dilation) > 1 or type(input) is not Tensor:
        return False
    if input.dtype not in (torch.float32, torch.float64):
        return False
    return input.is_contiguous() and not (is_traced() or is_transformed() or is_autocast(input))


def prepared(
    weights: Sequence[Tensor | None],
    before: tuple[int, ...],
    after: tuple[int, ...],
    shape: tuple[int, ...],
    sizes: tuple[int, ...] = (),
) -> Sides:
    """Prepare the weights v of predictors (see `by_axis.predicted`), (C or 1, p, m - 1); None where nothing is added.

    Args:
        weights: of each axis.
        before: samples added at the low end of each axis.
        after: samples added at the high end.
        shape: images and channels of a batch, (N, C).
        sizes: of the images, if they are all of one size; small ones are then extended by a table.

    Example:
        >>> v = torch.tensor([[[-1.0]]])  # x(-1) = 2 x(0) - x(1)
        >>> prepared((v, None), (1, 0), (1, 0), (1, 1))[:2]
        (tensor([[[ 2., -1.]]]), tensor([[[-1.,  2.]]]))
    """
    sides: list[Tensor | None] = []
    for v, low, high in zip(weights, before, after, strict=True):
        w = None if v is None else sample_weights(v)
        for side in (w[:, :low].flip(1), w[:, :high].flip(2)) if w is not None else (None, None):
            if side is None or not side.shape[1]:
                sides.append(None)
                continue
            every = side.expand(*shape, -1, -1)
            sides.append(every.flatten(0, 1) if every.numel() <= _FEW else side.unsqueeze(0))
    top, bottom, left, right = sides
    return Sides(top, bottom, left, right, before, after, _tables(weights, before, after, (*shape, *sizes)))


def _tables(
    weights: Sequence[Tensor | None], before: tuple[int, ...], after: tuple[int, ...], shape: tuple[int, ...]
) -> tuple[FrameTable, FrameTable] | None:
    """Return the tables for small images on a CPU, of this shape; None for others."""
    known = [v for v in weights if v is not None]
    if len(shape) < 4 or len(known) < len(weights) or not all(v.is_cpu for v in known):
        return None
    terms = terms_of(shape, before, after, tuple(v.shape[-1] + 1 for v in known), known[0].dtype)
    if terms is None:
        return None
    images = shape[0] * shape[1]
    rows = weights_of_terms(terms, known)
    rows = rows.expand(shape[1], -1).repeat(shape[0], 1) if len(rows) > 1 else rows
    sources, targets = terms.sources.expand(images, -1), terms.targets.expand(images, -1)
    lengths = prod(shape[2:]), prod(n + p + q for n, p, q in zip(shape[2:], before, after, strict=True))
    return (
        FrameTable(sources, targets, rows - terms.edges, lengths, terms.padding),
        FrameTable(targets, sources, rows, lengths[::-1], [-width for width in terms.padding]),
    )


def extended_by_product(input: Tensor, sides: Sides) -> Tensor:
    """Extend a batch (N, C, H, W).

    Example:
        >>> v = torch.tensor([[[-1.0]]])
        >>> image = torch.arange(4.0).expand(1, 1, 4, 4)
        >>> extended_by_product(image, prepared((None, v), (0, 1), (0, 1), (1, 1)))[0, 0, 0]
        tensor([-1.,  0.,  1.,  2.,  3.,  4.])
    """
    *weights, before, after, tables = sides
    wanted = torch.is_grad_enabled() and input.requires_grad
    if tables is not None:
        if wanted:
            return _by_tables(input, sides)
        if tables[0].sources.numel() <= _FEW_TERMS:
            return extended_by_table(input, tables[0])
    direct = partial(_extended, before=before, after=after)
    if not wanted:
        return direct(input, *weights)
    return linear(input, direct, partial(_adjoint, before=before, after=after), *weights)


def _by_tables(input: Tensor, sides: Sides) -> Tensor:
    """Extend by one table, with the gradient by another; a batch of gradients by products."""
    *weights, before, after, tables = sides

    def direct(image: Tensor) -> Tensor:
        if tables is None or not image.is_contiguous() or is_transformed(image):
            return _extended(image, *weights, before=before, after=after)
        return extended_by_table(image, tables[0])

    def adjoint(grad: Tensor) -> Tensor:
        if tables is None or not grad.is_contiguous() or is_transformed(grad):
            return _adjoint(grad, *weights, before=before, after=after)
        return adjoint_by_table(grad, tables[1])

    return linear(input, direct, adjoint)


def _extended(input: Tensor, *sides: Tensor | None, before: tuple[int, ...], after: tuple[int, ...]) -> Tensor:
    images, channels, height, width = input.shape
    image, (low, start) = input.flatten(0, 1), before
    top, bottom, left, right = _for_stack(sides, images, channels)
    stop = start + width
    padded = input.new_empty((images * channels, low + height + after[0], stop + after[1]))
    rows = padded[..., start:stop]
    rows[:, low : low + height] = image
    if top is not None:
        rows[:, :low] = top.bmm(image[:, : top.shape[2]])
    if bottom is not None:
        rows[:, low + height :] = bottom.bmm(image[:, height - bottom.shape[2] :])
    # On the new rows, too: the corners.
    if left is not None:
        padded[..., :start] = left.bmm(rows[..., : left.shape[2]].mT).mT
    if right is not None:
        padded[..., stop:] = right.bmm(rows[..., width - right.shape[2] :].mT).mT
    return padded.view(images, channels, *padded.shape[1:])


def _for_stack(sides: Sequence[Tensor | None], images: int, channels: int) -> list[Tensor | None]:
    """Return the weights of every image and channel, (N C, samples outside, m)."""
    return [
        side if side is None or side.ndim == 3 else side.expand(images, channels, -1, -1).flatten(0, 1)
        for side in sides
    ]


def _adjoint(grad: Tensor, *sides: Tensor | None, before: tuple[int, ...], after: tuple[int, ...]) -> Tensor:
    """Add the gradient of each sample outside, times its weights, to those of its sources."""
    # An older vmap, of batches of gradients, can neither flatten nor index the whole of an axis.
    top, bottom, left, right = (
        side.view(*grad.shape[:2], *side.shape[1:]) if side is not None and side.ndim == 3 else side for side in sides
    )
    (low, start), (high, last) = before, after
    height, width = grad.shape[2] - low - high, grad.shape[3] - start - last
    inside = grad.narrow(2, low, height)
    result = inside.narrow(3, start, width).clone()
    _add_columns(result, inside, left, right)
    if top is not None or bottom is not None:
        new = torch.cat([grad.narrow(2, 0, low), grad.narrow(2, low + height, high)], 2)
        rows = new.narrow(3, start, width)
        _add_columns(rows, new, left, right)
        _add(result, rows.narrow(2, 0, low), top, False)
        _add(result, rows.narrow(2, low, high), bottom, True)
    return result


def _add_columns(result: Tensor, padded: Tensor, left: Tensor | None, right: Tensor | None) -> None:
    """Add to columns the gradients of those beside them, which `padded` has."""
    for side, at_end in ((left, False), (right, True)):
        if side is not None:
            count = side.shape[2]
            beside = padded.narrow(3, padded.shape[3] - count if at_end else 0, count)
            _add(result.mT, beside.mT, side, at_end)


def _add(result: Tensor, outside: Tensor, weights: Tensor | None, at_end: bool) -> None:
    """Add to the rows next to an end the gradients of the rows outside, times their weights."""
    if weights is None:
        return
    count, taps = weights.shape[2:]
    near = result.narrow(2, result.shape[2] - taps if at_end else 0, taps)
    for row in range(count):
        near.addcmul_(weights[:, :, row, :, None], outside.narrow(2, row, 1))
