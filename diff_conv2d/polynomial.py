r"""The polynomial continuation of whole images: one buffer, edges written once, gradients folded back by hand.

Along an axis the sample at distance s is ``sum_j w[s, j] x(j)`` with the integers of `lagrange`. Differentiated by
autograd, every slice of that would cost a tensor of zeros as large as the image; and joined by `torch.cat`, the image
would be copied once for each axis. Here the image is copied once, forwards and backwards, and the rest is done in
rows of its frame. The map is linear: its gradient is its transpose, the gradient of that the map again.
"""

from __future__ import annotations

from functools import lru_cache
from typing import Any, NamedTuple

import torch
import torch.nn.functional as F
from torch import Tensor

from diff_conv2d.extension import computing_dtype
from diff_conv2d.lagrange import extrapolation_weights

__all__ = ["Axis", "continue_polynomial"]


class Axis(NamedTuple):
    """How one axis is continued: samples before and after it, degree of the polynomial, dilation of the kernel."""

    dim: int
    before: int
    after: int
    degree: int
    dilation: int


def continue_polynomial(input: Tensor, axes: tuple[Axis, ...]) -> Tensor:
    """The image (N, C, ...) continued along several axes, as `extension.extend_polynomial` does along one.

    Args:
        input: image with at least one sample along each axis.
        axes: all axes to continue, outermost first, their dims counted from the last.

    Example:
        >>> squares = torch.tensor([[[0.0, 1.0, 4.0, 9.0]]])
        >>> continue_polynomial(squares, (Axis(-1, 2, 1, degree=2, dilation=1),))
        tensor([[[ 4.,  1.,  0.,  1.,  4.,  9., 16.]]])
    """
    if not torch.is_grad_enabled() or not input.requires_grad:
        return _continued(input, axes)
    result: Tensor = _Continued.apply(input, axes)
    return result


class _Continued(torch.autograd.Function):
    generate_vmap_rule = True

    @staticmethod
    def forward(input: Tensor, axes: tuple[Axis, ...]) -> Tensor:
        return _continued(input, axes)

    @staticmethod
    def setup_context(ctx: Any, inputs: tuple[Any, ...], output: Tensor) -> None:
        ctx.axes = inputs[1]

    @staticmethod
    def backward(ctx: Any, *grads: Any) -> Any:
        grad = grads[0]
        return (_Folded.apply(grad, ctx.axes) if torch.is_grad_enabled() else _folded(grad, ctx.axes)), None

    @staticmethod
    def jvp(ctx: Any, *tangents: Any) -> Any:
        return _Continued.apply(tangents[0], ctx.axes)


class _Folded(torch.autograd.Function):
    generate_vmap_rule = True

    @staticmethod
    def forward(grad: Tensor, axes: tuple[Axis, ...]) -> Tensor:
        return _folded(grad, axes)

    @staticmethod
    def setup_context(ctx: Any, inputs: tuple[Any, ...], output: Tensor) -> None:
        ctx.axes = inputs[1]

    @staticmethod
    def backward(ctx: Any, *grads: Any) -> Any:
        return _Continued.apply(grads[0], ctx.axes), None

    @staticmethod
    def jvp(ctx: Any, *tangents: Any) -> Any:
        return _Folded.apply(tangents[0], ctx.axes)


@lru_cache(maxsize=4096)
def _row(length: int, distance: int, degree: int, dilation: int) -> tuple[tuple[int, int], ...]:
    """Index, counted from the edge, and weight of the samples that make the one at a distance outside.

    Example:
        >>> _row(8, distance=1, degree=1, dilation=2)  # 2 x(1) - x(3)
        ((1, 2), (3, -1))
    """
    # As in extension: the first sample of this lattice inside, and how many steps of the lattice it is away.
    first = -distance % dilation
    steps = (distance + first) // dilation
    first = min(first, length - 1)
    count = min(degree, (length - first - 1) // dilation) + 1
    weights = extrapolation_weights(count, steps)
    return tuple((first + j * dilation, w) for j, w in enumerate(weights))


def _continued(input: Tensor, axes: tuple[Axis, ...]) -> Tensor:
    """One copy of the image, padded, whose frame is then overwritten axis by axis."""
    result = _padded(input, axes)
    for index, axis in enumerate(axes):
        # What is complete after this axis: the whole of it and of earlier axes, of later ones the image.
        region, length = result, input.shape[axis.dim]
        for later in axes[index + 1 :]:
            if later.before or later.after:
                region = region.narrow(later.dim, later.before, input.shape[later.dim])
        for ends, s, row in _rows(axis, length):
            if len(row) == 1 and axis.dilation == 1 and not index:
                continue
            outside = _pair(region, axis, length, ends, -s)
            if index or outside.dtype.itemsize < 4 or axis.dilation > 1:
                # x(0) is there already along the first axis; half precision is computed in float32.
                value = _pair(region, axis, length, ends, row[0][0])
                value = value.to(computing_dtype(value.dtype)) * row[0][1]
            else:
                value = outside.mul_(row[0][1])
            # Multiples and sums only: unlike matrix products, autocast and TF32 do not round them.
            for j, w in row[1:]:
                value.add_(_pair(region, axis, length, ends, j), alpha=w)
            if value is not outside:
                outside.copy_(value)
    return result


def _folded(grad: Tensor, axes: tuple[Axis, ...]) -> Tensor:
    """The transpose of `_continued`: gradients of samples outside go to those that they were made of."""
    if not axes:
        return grad.clone()
    axis, inner_axes = axes[0], axes[1:]
    if not axis.before and not axis.after:
        return _folded(grad, inner_axes)
    length = grad.shape[axis.dim] - axis.before - axis.after
    image = _folded(grad.narrow(axis.dim, axis.before, length), inner_axes)
    inside = axis._replace(before=0, after=0)
    for ends, s, row in _rows(axis, length):
        outside = (
            _folded(_pair(grad, axis, length, ends, -s), inner_axes)
            if inner_axes
            else _pair(grad, axis, length, ends, -s)
        )
        for j, w in row:
            _pair(image, inside, length, ends, j).add_(outside, alpha=w)
    return image


def _padded(input: Tensor, axes: tuple[Axis, ...]) -> Tensor:
    """The image with its edge samples repeated, which is the polynomial of degree 0."""
    if input.ndim == len(axes) + 2 and input.is_floating_point():
        return F.pad(input, [width for axis in reversed(axes) for width in axis[1:3]], "replicate")
    result = input
    for axis in axes:
        length = result.shape[axis.dim]
        places = torch.arange(-axis.before, length + axis.after, device=input.device).clamp(0, length - 1)
        result = result.index_select(axis.dim, places)
    return result


@lru_cache(maxsize=1024)
def _rows(axis: Axis, length: int) -> list[tuple[str, int, tuple[tuple[int, int], ...]]]:
    """The samples outside: at which ends, at what distance, made of which samples; both ends in one where possible."""
    rows = []
    for s in range(1, max(axis.before, axis.after) + 1):
        row = _row(length, s, axis.degree, axis.dilation)
        if s <= min(axis.before, axis.after) and 2 * row[-1][0] < length - 1:
            rows.append(("both", s, row))
            continue
        rows += [(end, s, row) for end, width in (("low", axis.before), ("high", axis.after)) if s <= width]
    return rows


def _pair(image: Tensor, axis: Axis, length: int, ends: str, index: int) -> Tensor:
    """The samples at an index counted from the low edge, from the high edge, or from both."""
    low, high = axis.before + index, axis.before + length - 1 - index
    if ends == "both":
        return torch.ops.aten.slice.Tensor(image, axis.dim, low, high + 1, high - low)
    return image.narrow(axis.dim, low if ends == "low" else high, 1)
