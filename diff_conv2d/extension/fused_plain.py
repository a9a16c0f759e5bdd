"""What the fused operators do where their kernels cannot: the same by torch's own operations.

Axes are those of `fused_tables.axes_of`, and the weights of each axis are (N or 1, C or 1, weights), or None.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import torch
from torch import Tensor

from diff_conv2d.extension import by_axis
from diff_conv2d.extension.axis import Axis
from diff_conv2d.extension.fused_tables import Predictor, pairs_of
from diff_conv2d.extension.in_place import Ends, adjoint_in_place, extended_without_gradient
from diff_conv2d.precision import computing_dtype

__all__ = ["adjoint", "extended", "extended_with_gradient", "gradient_of_weights"]

# Most samples at an end that are written row by row.
_MOST_ROWS = 16


def extended(input: Tensor, weights: Sequence[Tensor | None], axes: Sequence[Axis]) -> Tensor:
    """Extend where autograd records nothing."""
    rows = [
        width
        for axis in axes
        for width, rule in ((axis.before, axis.low), (axis.after, axis.high))
        if not isinstance(rule, Predictor)
    ]
    if max(rows, default=0) > _MOST_ROWS:
        return extended_with_gradient(input, weights, axes)
    return extended_without_gradient(input, *_apart(weights, axes))


def adjoint(grad: Tensor, weights: Sequence[Tensor | None], axes: Sequence[Axis]) -> Tensor:
    """Return the gradient of the image from that of the extended one."""
    return adjoint_in_place(grad, *_apart(weights, axes))


def _apart(weights: Sequence[Tensor | None], axes: Sequence[Axis]) -> tuple[tuple[Axis, ...], list[Ends]]:
    """Return axes with matrices alone, and the weights of predictors, as `in_place` takes them."""
    plain: list[Axis] = []
    ends: list[Ends] = []
    for axis, w in zip(axes, weights, strict=False):
        low, high = (None if isinstance(rule, Predictor) else rule for rule in (axis.low, axis.high))
        rules: tuple[Any, Any] = axis.low, axis.high
        steps = [rule.dilation for rule in rules if isinstance(rule, Predictor)]
        plain.append(axis._replace(low=low, high=high, dilation=(*steps, 1)[0]))
        ends.append((_of_end(w, axis.low), _of_end(w, axis.high)))
    return tuple(plain), ends if any(v is not None for pair in ends for v in pair) else []


def _of_end(weights: Tensor | None, rule: Any) -> Tensor | None:
    """Return the weights of an end as `by_axis.predicted` takes them; None if it has no predictors."""
    if weights is None or not isinstance(rule, Predictor):
        return None
    part = weights.narrow(2, rule.first, rule.distances * rule.differences)
    return part.reshape(*part.shape[:2], rule.distances, rule.differences)


def extended_with_gradient(input: Tensor, weights: Sequence[Tensor | None], axes: Sequence[Axis]) -> Tensor:
    """Extend axis by axis, by operations that have derivatives of every order, for the weights, too."""
    for axis, w in zip(axes, weights, strict=False):

        def rule(
            image: Tensor, distances: range, high_end: bool, axis: Axis = axis, w: Tensor | None = w
        ) -> list[Tensor]:
            end: Any = axis.high if high_end else axis.low
            v = _of_end(w, end)
            if v is None:
                return by_axis.combined(image, axis.dim, distances, high_end, end)
            return by_axis.predicted(image, axis.dim, distances, high_end, v, end.dilation)

        if axis.before or axis.after:
            input = by_axis.extended(input, axis.dim, -axis.before, input.shape[axis.dim] + axis.after, rule)
    return input


def gradient_of_weights(
    grad: Tensor, image: Tensor, weights: Sequence[Tensor | None], axes: Sequence[Axis], number: int
) -> Tensor:
    """Return the gradient of the weights of one axis, which it has."""
    own, axis = weights[number], axes[number]
    if own is None:
        raise ValueError(f"weights must be given for axis {number}, whose gradient is wanted; got None")
    # The lines of the image extended along the other axes.
    dtype = computing_dtype(grad.dtype)
    others = [other._replace(before=0, after=0) if other is axis else other for other in axes]
    lines, values = extended_with_gradient(image.to(dtype), weights, others), grad.to(dtype)
    shared = [dim for dim in range(grad.ndim - 1) if dim > 1 or own.shape[dim] == 1]
    total = torch.zeros(own.shape, dtype=dtype, device=own.device)
    for slot, pairs in enumerate(pairs_of(axis, image.shape[axis.dim])):
        for row, plus, minus in pairs:
            difference = lines.select(axis.dim, plus) - lines.select(axis.dim, minus)
            product = values.select(axis.dim, row) * difference
            total[..., slot] += (product.sum(shared) if shared else product).view(own.shape[:2])
    return total.to(own.dtype)
