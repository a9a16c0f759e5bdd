"""The extension of an image by linear predictions along each axis, with given weights (see `prediction_weights`)."""

from __future__ import annotations

from collections.abc import Sequence
from functools import partial
from math import prod

import torch
import torch.nn.functional as F
from torch import Tensor

from diff_conv2d.arguments import Geometry
from diff_conv2d.extension.adjoint import linear
from diff_conv2d.extension.by_axis import extend_polynomial
from diff_conv2d.precision import computing_dtype, working_dtype
from diff_conv2d.tracing import size_is_at_least

__all__ = ["continued"]


def continued(x: Tensor, weights: Sequence[Tensor | None], geometry: Geometry, constant: bool) -> Tensor:
    """Return the image x, (N, C, ...), with the samples that `geometry` adds to each axis.

    Args:
        x: the image.
        weights: for each axis v of shape (N, C, p, m - 1), by which the sample at distance s is
            ``x(0) + sum_j v[s - 1, j - 1] (x(j) - x(j - 1))``; None repeats the edge sample.
        geometry: see `Geometry`.
        constant: the weights have no gradient.
    """
    widths = zip(geometry.before, geometry.after, strict=True)
    tiny = any(v is None and any(ends) for v, ends in zip(weights, widths, strict=True))
    # A compiler optimises plain operations itself.
    if tiny or not constant or torch.compiler.is_compiling():
        return _joined(x, weights, geometry)
    # One pass over the image forwards and one backwards.
    return linear(x, partial(_filled, geometry=geometry), partial(_folded, geometry=geometry), *weights)


def _folded(grad: Tensor, *weights: Tensor | None, geometry: Geometry, axis: int = 0) -> Tensor:
    """Apply the adjoint along an axis and the later ones: add the gradients of samples outside to their sources."""
    if axis == len(weights):
        return grad.clone()
    v, dim, step = weights[axis], geometry.dims[axis], geometry.dilation[axis]
    before, after = geometry.before[axis], geometry.after[axis]
    size = grad.shape[dim] - before - after
    image = _folded(grad.narrow(dim, before, size), *weights, geometry=geometry, axis=axis + 1)
    if v is None:
        return image
    near = (v.shape[3] + 1) * step
    v = v.to(computing_dtype(grad.dtype))
    # Weights of the samples: w(0) = 1 - v(1), w(j) = v(j) - v(j + 1).
    zero = torch.zeros_like(v[..., :1])
    w = torch.cat([zero + 1, v], -1) - torch.cat([v, zero], -1)
    # Samples beyond an end, filled up to whole lattices: p * step.
    full = v.shape[2] * step
    if before:
        outside = _folded(grad.narrow(dim, 0, before), *weights, geometry=geometry, axis=axis + 1)
        _add_transposed(image.narrow(dim, 0, near), _padded(outside, dim, full - before, 0), w.flip(-2), dim, step)
    if after:
        outside = _folded(grad.narrow(dim, before + size, after), *weights, geometry=geometry, axis=axis + 1)
        high = image.narrow(dim, size - near, near)
        _add_transposed(high, _padded(outside, dim, 0, full - after), w.flip(-1), dim, step)
    return image


def _padded(x: Tensor, dim: int, before: int, after: int) -> Tensor:
    return F.pad(x, [0, 0] * (-dim - 1) + [before, after]) if before or after else x


def _add_transposed(image: Tensor, outside: Tensor, w: Tensor, dim: int, step: int) -> None:
    """Add the adjoint of `_outside` with the weights w (N, C, p, m) of samples."""
    # Each lattice alone: sample j of lattice i is x(j * step + i).
    shape = image.shape
    samples = image.view(*shape[:dim], w.shape[3], step, *shape[image.ndim + dim + 1 :])
    # Half precision is computed in float32.
    total = samples.to(w.dtype)
    place = (*w.shape[:2], *(1,) * (image.ndim + dim - 2), w.shape[3], *(1,) * -dim)
    # Sums of multiples, not a matrix product: fewer passes for few distances, and no rounding by autocast or TF32.
    for at_distance, weights in zip(torch.split(outside, step, dim), w.unbind(2), strict=True):
        total.addcmul_(at_distance.unsqueeze(dim - 1).to(w.dtype), weights.reshape(place))
    if total is not samples:
        samples.copy_(total)


def _lattices(lines: Tensor, count: int, step: int) -> Tensor:
    """Arrange samples (N, C, count * step, ...) as (N, C, count, M): each lattice is one column."""
    return lines.reshape(*lines.shape[:2], count, step * prod(lines.shape[3:]))


def _joined(x: Tensor, weights: Sequence[Tensor | None], geometry: Geometry) -> Tensor:
    """Extend the image axis by axis, by the weights of each."""
    for axis, v in enumerate(weights):
        if not (geometry.before[axis] or geometry.after[axis]):
            continue
        dim, size = geometry.dims[axis], x.shape[geometry.dims[axis]]
        near = 0 if v is None else (v.shape[3] + 1) * geometry.dilation[axis]
        pieces = [x]
        if near and size_is_at_least(size, 2 * near):
            # Backwards a split is one pass over the image; two slices and the image itself would be five.
            pieces = list(torch.split(x, [near, size - 2 * near, near], dim))
        before, after = _beyond(pieces[0], pieces[-1], v, geometry, axis)
        x = torch.cat([before, *pieces, after], dim)
    return x


def _filled(x: Tensor, *weights: Tensor | None, geometry: Geometry) -> Tensor:
    """Do the same without autograd: copy the image once, then write its frame in place."""
    # The values in the frame do not matter. 'replicate' writes each sample once; 'constant' fills, then copies.
    result = F.pad(x, geometry.widths, "replicate")
    grown = x
    for axis, v in enumerate(weights):
        dim, start, size = geometry.dims[axis], geometry.before[axis], x.shape[geometry.dims[axis]]
        before, after = _beyond(grown, grown, v, geometry, axis)
        # The part of the result that is complete now: this axis whole, later axes without their frame.
        grown = result
        for other in range(axis + 1, len(weights)):
            later = geometry.dims[other]
            grown = grown.narrow(later, geometry.before[other], x.shape[later])
        grown.narrow(dim, 0, start).copy_(before)
        grown.narrow(dim, start + size, geometry.after[axis]).copy_(after)
    return result


def _beyond(first: Tensor, last: Tensor, v: Tensor | None, geometry: Geometry, axis: int) -> tuple[Tensor, Tensor]:
    """Return the samples before `first` and after `last`, the two ends of an axis, by weights v (N, C, p, m - 1)."""
    dim, step = geometry.dims[axis], geometry.dilation[axis]
    before, after = geometry.before[axis], geometry.after[axis]
    size = last.shape[dim]
    if v is None:
        return (
            extend_polynomial(first, dim, -before, 0, 0, step),
            extend_polynomial(last, dim, size, size + after, 0, step),
        )
    near = (v.shape[3] + 1) * step
    v = v.to(working_dtype(first))
    low = _outside(first.narrow(dim, 0, near), v.flip(-2), dim, step, 0)
    # At the high end the differences have the opposite order and the opposite sign.
    high = _outside(last.narrow(dim, size - near, near), -v.flip(-1), dim, step, near - step)
    return low.narrow(dim, low.shape[dim] - before, before), high.narrow(dim, 0, after)


def _outside(edge: Tensor, v: Tensor, dim: int, step: int, nearest: int) -> Tensor:
    """Predict p * step samples beyond m * step samples, each lattice from itself; x(0) lies at `nearest`."""
    # Bring the lines side by side: one strided read, then everything in memory order.
    samples = edge.to(v.dtype).movedim(dim, 2).contiguous()
    length = samples.shape[2]
    differences = samples.narrow(2, step, length - step) - samples.narrow(2, 0, length - step)
    first = samples.narrow(2, nearest, step)
    product = v @ _lattices(differences, v.shape[3], step)
    # (N, C, p, step, ...): all lattices at distance 1, then at distance 2, ...
    product = product.reshape(*samples.shape[:2], v.shape[2], step, *samples.shape[3:])
    values = first.unsqueeze(2) + product
    return values.reshape(*samples.shape[:2], v.shape[2] * step, *samples.shape[3:]).movedim(2, dim).to(edge.dtype)
