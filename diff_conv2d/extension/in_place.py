r"""The polynomial extension of whole images: one buffer, whose frame is written in place, and the adjoint by hand.

Along an axis the sample at distance s is ``sum_j w[s, j] x(j)`` with the integer weights of `lagrange`. Under
autograd each slice of that sum would cost a tensor of zeros as large as the image. With `torch.cat` the image would
be copied once for each axis. Here it is copied once forwards and once backwards; all else happens in rows of the
frame. The map is linear: its gradient is its adjoint, and the gradient of the adjoint is the map itself.
"""

from __future__ import annotations

from functools import lru_cache, partial
from typing import Any

import torch
import torch.nn.functional as F
from torch import Tensor

from diff_conv2d.extension.adjoint import linear
from diff_conv2d.extension.by_table import continue_by_table, fold_by_table, table_for
from diff_conv2d.extension.lattice import Axis
from diff_conv2d.precision import computing_dtype

__all__ = ["continue_polynomial"]

# Samples of a column from which on it is long, and bytes of a row from which on columns share few cache lines.
_LONG, _WIDE = 4096, 128


def continue_polynomial(input: Tensor, axes: tuple[Axis, ...]) -> Tensor:
    """The image (N, C, ...) continued along several axes, as `extension.extend_polynomial` does along one.

    Args:
        input: image with at least one sample along each axis.
        axes: one for each spatial axis of the image, outermost first, also where nothing is added; their dims are
            counted from the last.

    Example:
        >>> squares = torch.tensor([[[0.0, 1.0, 4.0, 9.0]]])
        >>> continue_polynomial(squares, (Axis(-1, 2, 1, degree=2, dilation=1),))
        tensor([[[ 4.,  1.,  0.,  1.,  4.,  9., 16.]]])
    """
    if not torch.is_grad_enabled() or not input.requires_grad:
        return _continued(input, axes)
    return linear(input, partial(_continued, axes=axes), partial(_folded, axes=axes))


def _continued(input: Tensor, axes: tuple[Axis, ...]) -> Tensor:
    """One copy of the image, padded, whose frame is then overwritten axis by axis."""
    table = table_for(input, input.shape, axes, transposed=False)
    if table is not None:
        return continue_by_table(input, table)
    result = _padded(input, axes)
    half, sizes, last = input.dtype.itemsize < 4, tuple(input.shape[-len(axes) :]), axes[-1]
    as_planes = _better_as_planes(result, last)
    for outside_index, parts, holds_first in _forward_plan(sizes, axes, len(axes) - as_planes):
        outside = result[outside_index]
        (first_index, w), *others = parts
        if holds_first and not half:
            value = outside.mul_(w)
        else:
            # Half precision is computed in float32.
            first = result[first_index]
            value = (first.to(computing_dtype(first.dtype)) if half else first) * w
        # Multiples and sums only: unlike matrix products, autocast and TF32 do not round them.
        for index, w in others:
            value.add_(result[index], alpha=w)
        if value is not outside:
            outside.copy_(value)
    if as_planes:
        image = result.narrow(-1, last.before, sizes[-1])
        for end, outside in _ends(result, last):
            weights = _end_weights(last, sizes[-1], end)
            outside.copy_(_combined(_nearest(image, len(weights[0]), end), weights))
    return result


def _folded(grad: Tensor, axes: tuple[Axis, ...]) -> Tensor:
    """Apply the adjoint of `_continued`: add the gradient of each sample outside to those of its sources."""
    inside = (size - axis.before - axis.after for size, axis in zip(grad.shape[-len(axes) :], axes, strict=True))
    table = table_for(grad, (*grad.shape[: -len(axes)], *inside), axes, transposed=True)
    return _folded_by_axes(grad, axes) if table is None else fold_by_table(grad, table)


def _folded_by_axes(grad: Tensor, axes: tuple[Axis, ...]) -> Tensor:
    if not axes:
        return grad.clone()
    axis, inner_axes = axes[0], axes[1:]
    if not axis.before and not axis.after:
        return _folded_by_axes(grad, inner_axes)
    length = grad.shape[axis.dim] - axis.before - axis.after
    image = _folded_by_axes(grad.narrow(axis.dim, axis.before, length), inner_axes)
    if not inner_axes and _better_as_planes(grad, axis):
        for end, outside in _ends(grad, axis):
            weights = tuple(zip(*_end_weights(axis, length, end), strict=True))
            _nearest(image, len(weights), end).add_(_combined(outside, weights))
        return image
    for outside_index, parts in _backward_plan(axis, length):
        outside = grad[outside_index]
        if inner_axes:
            outside = _folded_by_axes(outside, inner_axes)
        for index, w in parts:
            image[index].add_(outside, alpha=w)
    return image


def _better_as_planes(padded: Tensor, axis: Axis) -> bool:
    """Whether columns outside are computed from contiguous copies: two or more, long, and not contiguous themselves.

    Each sample of a column lies in a cache line of its own, so that one pass over a column costs as much as one over
    all columns beside it. As contiguous planes the columns are read once and written once.
    """
    several = min(max(axis.before, axis.after), axis.degree) > 1
    if not several or axis.dim != -1 or padded.stride(-1) != 1:
        return False
    width = padded.shape[-1]
    return width * padded.itemsize >= _WIDE and padded.numel() // width >= _LONG


def _ends(padded: Tensor, axis: Axis) -> list[tuple[str, Tensor]]:
    """The samples outside at each end of the last axis that has any."""
    low, high = padded.narrow(-1, 0, axis.before), padded.narrow(-1, padded.shape[-1] - axis.after, axis.after)
    return [(end, outside) for end, outside in (("low", low), ("high", high)) if outside.shape[-1]]


def _nearest(image: Tensor, count: int, end: str) -> Tensor:
    """The samples of the last axis nearest an end."""
    return image.narrow(-1, 0 if end == "low" else image.shape[-1] - count, count)


def _combined(columns: Tensor, weights: tuple[tuple[int, ...], ...]) -> Tensor:
    """For each row of weights the sum of the columns (..., m), so weighted."""
    planes = columns.movedim(-1, 0).to(computing_dtype(columns.dtype)).contiguous()
    sums = []
    for row in weights:
        # Leave out weights of zero, since zero times infinity is no number.
        value = torch.zeros_like(planes[0])
        for plane, w in zip(planes, row, strict=True):
            if w:
                value.add_(plane, alpha=w)
        sums.append(value)
    return torch.stack(sums, -1)


def _padded(input: Tensor, axes: tuple[Axis, ...]) -> Tensor:
    """The image with its edge samples repeated, which is the polynomial of degree 0."""
    if input.is_floating_point() and input.ndim == len(axes) + 2:
        return F.pad(input, [width for axis in reversed(axes) for width in axis[1:3]], "replicate")
    # torch has no such padding of integers and complex numbers.
    for axis in axes:
        length = input.shape[axis.dim]
        places = torch.arange(-axis.before, length + axis.after, device=input.device).clamp(0, length - 1)
        input = input.index_select(axis.dim, places)
    return input


_Index = tuple[Any, ...]
_Parts = tuple[tuple[_Index, int], ...]


@lru_cache(maxsize=1024)
def _forward_plan(sizes: tuple[int, ...], axes: tuple[Axis, ...], planned: int) -> list[tuple[_Index, _Parts, bool]]:
    """Plan of the extension along the first axes: the slice to write, the slices to read with their weights, and
    whether the slice to write holds x(0) already.
    """
    plan = []
    for number, axis in enumerate(axes[:planned]):
        # What is complete after this axis: the whole of it and of earlier axes, of later ones the image.
        later = [
            slice(other.before, other.before + size) if other.before or other.after else slice(None)
            for other, size in zip(axes[number + 1 :], sizes[number + 1 :], strict=True)
        ]
        length, first = sizes[number], number == 0 and axis.dilation == 1
        for ends, s, row in _rows(axis, length):
            if len(row) == 1 and first:
                continue
            parts = tuple(((..., _places(axis.before, length, ends, j), *later), w) for j, w in row)
            plan.append(((..., _places(axis.before, length, ends, -s), *later), parts, first))
    return plan


@lru_cache(maxsize=1024)
def _backward_plan(axis: Axis, length: int) -> list[tuple[_Index, _Parts]]:
    """Plan of the adjoint along one axis: the slices to read, and the slices to add to with their weights."""
    rest = [slice(None)] * (-axis.dim - 1)
    return [
        (
            (..., _places(axis.before, length, ends, -s), *rest),
            tuple(((..., _places(0, length, ends, j), *rest), w) for j, w in row),
        )
        for ends, s, row in _rows(axis, length)
    ]


@lru_cache(maxsize=1024)
def _end_weights(axis: Axis, length: int, end: str) -> tuple[tuple[int, ...], ...]:
    """For each sample outside at an end, in the order of positions, the weights of the samples nearest that end.

    Example:
        >>> _end_weights(Axis(-1, 2, 2, degree=1, dilation=1), 5, "low")  # x(-2), x(-1) from x(0), x(1)
        ((3, -2), (2, -1))
        >>> _end_weights(Axis(-1, 2, 2, degree=1, dilation=1), 5, "high")
        ((-1, 2), (-2, 3))
    """
    distances = range(1, (axis.before if end == "low" else axis.after) + 1)
    parts = [dict(axis.sources(length, s)) for s in distances]
    count = 1 + max(j for row in parts for j in row)
    rows = tuple(tuple(row.get(j, 0) for j in range(count)) for row in parts)
    return rows[::-1] if end == "low" else tuple(row[::-1] for row in rows)


def _places(before: int, length: int, ends: str, index: int) -> slice:
    """The sample at an index counted from the low edge, from the high edge, or both of them."""
    low, high = before + index, before + length - 1 - index
    return (
        slice(low, high + 1, high - low)
        if ends == "both"
        else slice(low, low + 1)
        if ends == "low"
        else slice(high, high + 1)
    )


def _rows(axis: Axis, length: int) -> list[tuple[str, int, tuple[tuple[int, int], ...]]]:
    """List the samples outside: at which ends (both in one slice where possible), how far out, and their sources."""
    rows = []
    for s in range(1, max(axis.before, axis.after) + 1):
        row = axis.sources(length, s)
        # A slice cannot have the step 0, or run backwards.
        if s <= min(axis.before, axis.after) and 2 * row[-1][0] < length - 1:
            rows.append(("both", s, row))
            continue
        rows += [(end, s, row) for end, width in (("low", axis.before), ("high", axis.after)) if s <= width]
    return rows
