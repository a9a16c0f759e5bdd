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
from torch import Tensor

from diff_conv2d.extension import channels_last_format, computing_dtype
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
    """One copy of the image, then the frame around it, axis by axis."""
    result = _room_around(input, axes)
    image = result
    for dim, before, after, _, _ in axes:
        if before or after:
            image = image.narrow(dim, before, input.shape[dim])
    image.copy_(input)
    for index, (dim, before, after, degree, dilation) in enumerate(axes):
        if not before and not after:
            continue
        # What is complete after this axis: the whole of it and of earlier axes, of later ones the image.
        region, length = result, input.shape[dim]
        for later in axes[index + 1 :]:
            region = region.narrow(later.dim, later.before, input.shape[later.dim])
        for width, edge, inward in ((before, before, 1), (after, before + length - 1, -1)):
            if degree == 0 and dilation == 1 and width:
                start = edge - width if inward > 0 else edge + 1
                region.narrow(dim, start, width).copy_(region.narrow(dim, edge, 1))
                continue
            for s in range(1, width + 1):
                (nearest, w), *others = _row(length, s, degree, dilation)
                # Multiples and sums only: unlike matrix products, autocast and TF32 do not round them.
                sample = region.narrow(dim, edge + inward * nearest, 1)
                value = sample.to(computing_dtype(sample.dtype)) * w
                for j, w in others:
                    value.add_(region.narrow(dim, edge + inward * j, 1), alpha=w)
                region.narrow(dim, edge - inward * s, 1).copy_(value)
    return result


def _room_around(input: Tensor, axes: tuple[Axis, ...]) -> Tensor:
    """An empty tensor for the continued image, in the image's memory format."""
    shape = list(input.shape)
    for dim, before, after, _, _ in axes:
        shape[dim] += before + after
    if channels_last_format(input) is None:
        return input.new_empty(shape)
    return input.new_empty([shape[0], *shape[2:], shape[1]]).movedim(-1, 1)


def _folded(grad: Tensor, axes: tuple[Axis, ...]) -> Tensor:
    """The transpose of `_continued`: gradients of samples outside go to those that they were made of."""
    if not axes:
        return grad.clone()
    (dim, before, after, degree, dilation), inner_axes = axes[0], axes[1:]
    length = grad.shape[dim] - before - after
    image = _folded(grad.narrow(dim, before, length), inner_axes)
    for width, start, edge, inward in ((before, 0, 0, 1), (after, before + length, length - 1, -1)):
        if not width:
            continue
        outside = _folded(grad.narrow(dim, start, width), inner_axes)
        if degree == 0 and dilation == 1:
            image.narrow(dim, edge, 1).add_(outside.sum(dim, keepdim=True) if width > 1 else outside)
            continue
        for s in range(1, width + 1):
            value = outside.narrow(dim, width - s if inward > 0 else s - 1, 1)
            for j, w in _row(length, s, degree, dilation):
                image.narrow(dim, edge + inward * j, 1).add_(value, alpha=w)
    return image
