r"""The extension of whole images, fast: one buffer, whose frame is written in place, and the adjoint by hand.

The sample at distance s along an axis is ``sum_j W[s, j] x(j)``, with integers or with the weights of a predictor.
Under autograd each slice of that sum would cost a tensor of zeros as large as the image. With `torch.cat` the image
would be copied once for each axis. Here it is copied once forwards and once backwards; all else happens in the frame.
The map is linear. Its gradient is its adjoint, and the gradient of the adjoint is the map itself.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from functools import lru_cache, partial
from typing import Any, NamedTuple

import torch
import torch.nn.functional as F
from torch import Tensor

from diff_conv2d.extension.axis import Axis
from diff_conv2d.extension.by_axis import predicted, sample_weights
from diff_conv2d.extension.by_table import FrameTable, adjoint_by_table, extended_by_table, table_for
from diff_conv2d.precision import computing_dtype
from diff_conv2d.tracing import is_transformed

__all__ = ["adjoint_in_place", "extended_in_place", "extended_without_gradient", "linear"]

_Map = Callable[..., Tensor]


#: Weights of the predictors of both ends of an axis, see `by_axis.predicted`; None for an end that has a matrix.
Ends = tuple[Tensor | None, Tensor | None]


def extended_in_place(input: Tensor, axes: tuple[Axis, ...], weights: Sequence[Ends] = ()) -> Tensor:
    """Return the image (N, C, ...) extended along all its axes, as `by_axis.extended` does along one.

    Args:
        input: image with at least one sample along each axis.
        axes: one for each spatial axis of the image, outermost first, also where nothing is added.
        weights: of the predictors of each axis, without a gradient. Not given if no axis has predictors.

    Example:
        >>> from diff_conv2d.modes.polynomial_weights import Polynomial
        >>> squares = torch.tensor([[[0.0, 1.0, 4.0, 9.0]]])
        >>> extended_in_place(squares, (Axis(-1, 2, 1, Polynomial(degree=2), Polynomial(degree=2)),))
        tensor([[[ 4.,  1.,  0.,  1.,  4.,  9., 16.]]])
    """
    flat = [v for ends in weights for v in ends]
    if not weights:
        table = table_for(input, input.shape, axes, adjoint=False)
        if table is not None:
            if not torch.is_grad_enabled() or not input.requires_grad:
                return extended_by_table(input, table)
            back = table_for(input, input.shape, axes, adjoint=True)
            if back is not None:
                return _linear_by_tables(input, axes, table, back)
    if not torch.is_grad_enabled() or not input.requires_grad:
        return extended_without_gradient(input, axes, weights)
    flat = [v for ends in weights for v in ends]
    return linear(input, partial(_extended, axes=axes), partial(_adjoint, axes=axes), *flat)


def _linear_by_tables(input: Tensor, axes: tuple[Axis, ...], table: FrameTable, back: FrameTable) -> Tensor:
    """Extend by one table, with the gradient by another."""

    def direct(image: Tensor) -> Tensor:
        alike = image.is_contiguous() and not is_transformed(image)
        return extended_by_table(image, table) if alike else _extended(image, axes=axes)

    def adjoint(grad: Tensor) -> Tensor:
        alike = grad.is_contiguous() and not is_transformed(grad)
        return adjoint_by_table(grad, back) if alike else _adjoint(grad, axes=axes)

    return linear(input, direct, adjoint)


def extended_without_gradient(input: Tensor, axes: tuple[Axis, ...], weights: Sequence[Ends] = ()) -> Tensor:
    """Do the same where autograd records nothing."""
    return _extended(input, *(v for ends in weights for v in ends), axes=axes)


def adjoint_in_place(grad: Tensor, axes: tuple[Axis, ...], weights: Sequence[Ends] = ()) -> Tensor:
    """Return the gradient of an image from that of the extended one, with the arguments of `extended_in_place`.

    Example:
        >>> from diff_conv2d.modes.polynomial_weights import Polynomial
        >>> adjoint_in_place(torch.tensor([[[1.0, 0.0, 0.0]]]), (Axis(-1, 1, 0, Polynomial(degree=1)),))
        tensor([[[ 2., -1.]]])
    """
    return _adjoint(grad, *(v for ends in weights for v in ends), axes=axes)


def linear(input: Tensor, direct: _Map, adjoint: _Map, *constants: Tensor | None) -> Tensor:
    """``direct(input, *constants)``, whose gradient is ``adjoint(gradient, *constants)``.

    Derivatives of every order exist, forwards and backwards.

    Args:
        input: the argument that the map is linear in.
        direct: the map.
        adjoint: its adjoint.
        constants: tensors that both depend on; they get no gradient.

    Example:
        >>> x = torch.ones(3, requires_grad=True)
        >>> double = linear(x, lambda x: 2 * x, lambda gradient: 2 * gradient)
        >>> torch.autograd.grad(double.sum(), x)
        (tensor([2., 2., 2.]),)
    """
    # torch binds the arguments of a function with a context of its own by their names, which takes longer than small
    # images do; transforms of torch.func know no other.
    function = _Transformable if is_transformed() else _Linear
    result: Tensor = function.apply(input, direct, adjoint, *constants)
    return result


class _Linear(torch.autograd.Function):
    @staticmethod
    def forward(ctx: Any, input: Tensor, direct: _Map, adjoint: _Map, *constants: Tensor | None) -> Tensor:
        ctx.direct, ctx.adjoint = direct, adjoint
        ctx.save_for_backward(*constants)
        return direct(input, *constants)

    @staticmethod
    def backward(ctx: Any, *grads: Any) -> Any:
        constants = ctx.saved_tensors
        gradient = linear if torch.is_grad_enabled() else _applied
        return (gradient(grads[0], ctx.adjoint, ctx.direct, *constants), None, None, *(None for _ in constants))


def _applied(input: Tensor, direct: _Map, _: _Map, *constants: Tensor | None) -> Tensor:
    """Apply a map without a gradient."""
    return direct(input, *constants)


class _Transformable(torch.autograd.Function):
    generate_vmap_rule = True

    @staticmethod
    def forward(input: Tensor, direct: _Map, adjoint: _Map, *constants: Tensor | None) -> Tensor:
        return direct(input, *constants)

    @staticmethod
    def setup_context(ctx: Any, inputs: tuple[Any, ...], output: Tensor) -> None:
        _, ctx.direct, ctx.adjoint, *constants = inputs
        ctx.save_for_backward(*constants)
        ctx.save_for_forward(*constants)

    @staticmethod
    def backward(ctx: Any, *grads: Any) -> Any:
        constants = ctx.saved_tensors
        grad = _Transformable.apply(grads[0], ctx.adjoint, ctx.direct, *constants)
        return (grad, None, None, *(None for _ in constants))

    @staticmethod
    def jvp(ctx: Any, *tangents: Any) -> Any:
        return _Transformable.apply(tangents[0], ctx.direct, ctx.adjoint, *ctx.saved_tensors)


def _extended(input: Tensor, *weights: Tensor | None, axes: tuple[Axis, ...]) -> Tensor:
    """One copy of the image, padded, whose frame is then overwritten axis by axis."""
    table = None if weights else table_for(input, input.shape, axes, adjoint=False)
    if table is not None:
        return extended_by_table(input, table)
    result = _padded(input, axes)
    for number, axis in enumerate(axes):
        if not axis.before and not axis.after:
            continue
        # The part that this step completes: earlier axes with what is added to them, later ones without.
        part = result
        for later in axes[number + 1 :]:
            if later.before or later.after:
                part = part.narrow(later.dim, later.before, input.shape[later.dim])
        _write_sums(part, axis, holds_edge=number == 0)
        for high_end, v in enumerate(weights[2 * number : 2 * number + 2]):
            if v is not None:
                _write_predictions(part, axis, v, bool(high_end))
    return result


def _adjoint(grad: Tensor, *weights: Tensor | None, axes: tuple[Axis, ...]) -> Tensor:
    """Apply the adjoint of `_extended`: add the gradient of each sample outside to those of its sources."""
    if weights:
        return _adjoint_by_axes(grad, axes, weights)
    inside = (size - axis.before - axis.after for size, axis in zip(grad.shape[-len(axes) :], axes, strict=True))
    table = table_for(grad, (*grad.shape[: -len(axes)], *inside), axes, adjoint=True)
    if table is not None:
        return adjoint_by_table(grad, table)
    return _adjoint_by_axes(grad, axes, (None,) * 2 * len(axes))


def _adjoint_by_axes(grad: Tensor, axes: tuple[Axis, ...], weights: Sequence[Tensor | None]) -> Tensor:
    if not axes:
        return grad.clone()
    (axis, *_), ends, inner = axes, weights[:2], (axes[1:], weights[2:])
    dim, before, after = axis.dim, axis.before, axis.after
    if not before and not after:
        return _adjoint_by_axes(grad, *inner)
    length = grad.shape[dim] - before - after
    image = _adjoint_by_axes(grad.narrow(dim, before, length), *inner)
    # The samples outside, those at the low end first.
    outside = torch.cat([grad.narrow(dim, 0, before), grad.narrow(dim, before + length, after)], dim)
    if inner[0]:
        outside = _adjoint_by_axes(outside, *inner)
    plan = _plan(axis, length)
    for row in plan:
        # A row may be all of them: torch's older vmap knows no slice that is the whole of an axis.
        values = outside if row.is_all else outside[row.outside]
        for _, place, w in row.terms:
            image[place].add_(values, alpha=w)
    for high_end, v in enumerate(ends):
        if v is not None:
            _add_predictions(image, outside, axis, v, bool(high_end))
    return image


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


def _write_sums(padded: Tensor, axis: Axis, holds_edge: bool) -> None:
    """Write the samples outside the ends of an axis that have a matrix; if `holds_edge`, they are x(0) already."""
    half = padded.dtype.itemsize < 4
    for row in _plan(axis, padded.shape[axis.dim] - axis.before - axis.after):
        outside, in_place = padded[row.target], holds_edge and row.from_edge
        if not row.terms:
            outside.zero_()
            continue
        (source, _, w), *others = row.terms
        if in_place and w == 1 and not others:
            continue
        if in_place and not half:
            value = outside.mul_(w)
        else:
            # Half precision is computed in float32.
            first = padded[source]
            value = (first.to(computing_dtype(first.dtype)) if half else first) * w
        # Multiples and sums only: unlike matrix products, autocast and TF32 do not round them.
        for index, _, w in others:
            value.add_(padded[index], alpha=w)
        if value is not outside:
            outside.copy_(value)


def _write_predictions(padded: Tensor, axis: Axis, v: Tensor, high_end: bool) -> None:
    """Write the samples outside an end of an axis that has predictors."""
    dim, before, after = axis.dim, axis.before, axis.after
    length = padded.shape[dim] - before - after
    if not (after if high_end else before):
        return
    distances = range(1, after + 1) if high_end else range(before, 0, -1)
    (values,) = predicted(padded.narrow(dim, before, length), dim, distances, high_end, v, axis.dilation)
    padded.narrow(dim, before + length if high_end else 0, len(distances)).copy_(values)


def _add_predictions(image: Tensor, outside: Tensor, axis: Axis, v: Tensor, high_end: bool) -> None:
    """Add the adjoint of predictions: gradients of the samples outside, those at the low end first, to the image."""
    dim, step, width = axis.dim, axis.dilation, axis.after if high_end else axis.before
    if not width:
        return
    w = sample_weights(v.to(computing_dtype(image.dtype)))
    near, full = w.shape[3] * step, w.shape[2] * step
    values = outside.narrow(dim, axis.before if high_end else 0, width)
    if width < full:
        # Filled up to whole lattices.
        more = (0, full - width) if high_end else (full - width, 0)
        values = F.pad(values, [0, 0] * (-dim - 1) + list(more))
    samples = image.narrow(dim, -near if high_end else 0, near)
    _add_products(samples, values, w.flip(-1) if high_end else w.flip(-2), dim, step)


def _add_products(samples: Tensor, values: Tensor, w: Tensor, dim: int, step: int) -> None:
    """Add to the m samples of each lattice the values at its p distances, times the weights w (N, C, p, m)."""
    # Each lattice alone: sample j of lattice i is x(j * step + i).
    shape = samples.shape
    lattices = samples.view(*shape[:dim], w.shape[3], step, *shape[samples.ndim + dim + 1 :])
    # Half precision is computed in float32.
    total = lattices.to(w.dtype)
    place = (*w.shape[:2], *(1,) * (samples.ndim + dim - 2), w.shape[3], *(1,) * -dim)
    # Sums of multiples, not a matrix product: fewer passes for few distances, and no rounding by autocast or TF32.
    for at_distance, weights in zip(torch.split(values, step, dim), w.unbind(2), strict=True):
        total.addcmul_(at_distance.unsqueeze(dim - 1).to(w.dtype), weights.reshape(place))
    if total is not lattices:
        lattices.copy_(total)


_Index = tuple[Any, ...]


class _Row(NamedTuple):
    """How the samples at one distance are made, at one end, or at both in one slice where possible.

    Attributes:
        target: their place in the padded image.
        outside: their place among the samples outside, those at the low end first.
        is_all: there are no other samples outside.
        from_edge: the first of their terms is a multiple of the edge sample.
        terms: of each term its place in the padded image, in the image, and its weight.
    """

    target: _Index
    outside: _Index
    is_all: bool
    from_edge: bool
    terms: tuple[tuple[_Index, _Index, int], ...]


@lru_cache(maxsize=1024)
def _plan(axis: Axis, length: int) -> list[_Row]:
    """Plan the sums of the ends that have a matrix."""
    dim, before, after, low, high, _ = axis
    plan = []
    for s in range(1, max(before, after) + 1):
        rules = {"low": low if s <= before else None, "high": high if s <= after else None}
        made = {end: matrix.sources(length, s) for end, matrix in rules.items() if matrix is not None}
        # Both ends in one slice, where they are made alike; a slice cannot have the step 0, or run backwards.
        if len(made) == 2 and low == high and 2 * max(made["low"][0], default=0) < length - 1:
            made = {"both": made["low"]}
        for end, (places, weights) in made.items():
            at = partial(_slice, dim, end)
            terms = tuple((at(before, length, j), at(0, length, j), w) for j, w in zip(places, weights, strict=True))
            is_all = before + after == (2 if end == "both" else 1)
            from_edge = bool(places) and not places[0]
            plan.append(_Row(at(before, length, -s), at(before, 0, -s), is_all, from_edge, terms))
    return plan


def _slice(dim: int, ends: str, before: int, length: int, index: int) -> _Index:
    """The sample at an index counted from the low edge, from the high edge, or both of them."""
    low, high = before + index, before + length - 1 - index
    bounds = {"both": (low, high + 1, high - low), "low": (low, low + 1), "high": (high, high + 1)}
    return (..., slice(*bounds[ends]), *[slice(None)] * (-dim - 1))
