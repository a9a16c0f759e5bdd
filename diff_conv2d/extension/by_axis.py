"""The extension of an image along one axis: the plain way of every `AxisExtension`, which compilers understand.

`extended` returns samples ``start`` to ``stop - 1`` of the extended axis. Sample 0 is the image's first and sample
``length - 1`` its last; ``start = -2`` means two samples outside at the low end. A window that ends inside the image
crops it, so that a strip of the extended image can be computed without the rest. Extending one axis and then the next
makes the corners a tensor product. Each axis has a linear map of its own, so that the order of the axes does not
matter (but for `noise`).

The samples outside come from a rule, ``rule(image, distances, high_end)``: a list of pieces that are joined to the
image. `distances` from the edge sample have the order of positions: 2, 1 at the low end and 1, 2 at the high end.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from math import prod
from typing import TYPE_CHECKING, Any

import torch
from torch import Tensor

from diff_conv2d.precision import computing_dtype, working_dtype
from diff_conv2d.tracing import is_transformed

if TYPE_CHECKING:
    from diff_conv2d.extension.axis import IntegerMatrix

__all__ = [
    "channels_last_format",
    "combined",
    "extended",
    "mirrored",
    "noise",
    "predicted",
    "sample_weights",
    "with_zeros",
    "wrapped",
    "zeros",
]

_Rule = Callable[[Tensor, range, bool], list[Tensor]]


def extended(input: Tensor, dim: int, start: int, stop: int, rule: _Rule) -> Tensor:
    """Return samples `start` to `stop - 1` of the image extended along an axis.

    Args:
        input: image of any shape with at least one sample along `dim`.
        dim: the axis to extend.
        start: first sample to return.
        stop: one past the last sample to return.
        rule: see above.

    Example:
        >>> squares = torch.tensor([0.0, 1.0, 4.0, 9.0])
        >>> extended(squares, 0, -2, 5, lambda image, distances, high_end: zeros(image, 0, distances))
        tensor([0., 0., 0., 1., 4., 9., 0.])
    """
    length = input.shape[dim]
    # Sizes may be symbolic under torch.compile and torch.export, where min() and max() would create new symbols.
    first = start if start > 0 else 0
    last = length if stop > length else stop
    low = range(-start, -stop if stop < 0 else 0, -1) if start < 0 else range(0)
    high = range(start - length + 1 if start > length else 1, stop - length + 1) if stop > length else range(0)
    before = rule(input, low, False) if low else []
    after = rule(input, high, True) if high else []
    if not before and not after:
        return input.narrow(dim, first, last - first)
    layout = channels_last_format(input)
    if layout is not None and not is_transformed():
        # torch.cat keeps a layout that all pieces have, and converting the thin pieces costs little.
        before, after = ([p.contiguous(memory_format=layout) for p in pieces] for pieces in (before, after))
    inside = [input.narrow(dim, first, last - first)] if last > first else []
    return torch.cat([*before, *inside, *after], dim)


def channels_last_format(input: Tensor) -> torch.memory_format | None:
    """Return the memory format of an image (N, C, ...) whose channels are adjacent in memory, otherwise None."""
    # Under vmap there is no is_contiguous(memory_format=...), but there are strides.
    if input.ndim not in (4, 5) or input.shape[1] < 2 or input.stride(1) != 1 or input.stride(-1) < input.shape[1]:
        return None
    return torch.channels_last if input.ndim == 4 else torch.channels_last_3d


def zeros(input: Tensor, dim: int, distances: range) -> list[Tensor]:
    """Zeros outside."""
    shape = list(input.shape)
    shape[dim] = len(distances)
    return [input.new_zeros(shape)]


def with_zeros(input: Tensor, windows: Sequence[tuple[int, int]]) -> Tensor:
    """Return the window of an image with zeros outside, from start to stop along each of the last axes.

    Example:
        >>> with_zeros(torch.tensor([1, 2, 3]), [(-1, 2)])
        tensor([0, 1, 2])
    """
    for dim, (start, stop) in enumerate(windows, -len(windows)):

        def rule(image: Tensor, distances: range, _: bool, dim: int = dim) -> list[Tensor]:
            return zeros(image, dim, distances)

        input = extended(input, dim, start, stop, rule)
    return input


def combined(input: Tensor, dim: int, distances: range, high_end: bool, matrix: IntegerMatrix) -> list[Tensor]:
    """Weighted sums of samples of each line, by a matrix of integers.

    Example:
        >>> from diff_conv2d.modes.polynomial_weights import Polynomial
        >>> combined(torch.tensor([0.0, 1.0, 4.0, 9.0]), 0, range(1, 3), True, Polynomial(degree=2))
        [tensor([16.]), tensor([25.])]
    """
    return [_sum(input, dim, *matrix.sources(input.shape[dim], distance), high_end) for distance in distances]


def _sum(input: Tensor, dim: int, places: Sequence[int], weights: tuple[int, ...], high_end: bool) -> Tensor:
    """Return the weighted sum of samples of an axis, whose places are counted from an end, with size 1 along it."""
    if isinstance(places, range):
        span = (len(places) - 1) * places.step + 1
        # The high end is the low end of the reversed image.
        samples = input.narrow(dim, input.shape[dim] - places.start - span if high_end else places.start, span)
        if weights == (1,):
            return samples
        if places.step > 1:
            samples = samples[(slice(None),) * (dim % input.ndim) + (slice(None, None, places.step),)]
    else:
        last = input.shape[dim] - 1
        from_low = [last - place for place in reversed(places)] if high_end else list(places)
        index = torch.tensor(from_low, dtype=torch.int64, device=input.device)
        samples = input.index_select(dim, index)
    # A product and a sum, not a matrix product, which autocast and TF32 would round.
    dtype = computing_dtype(input.dtype)
    column = torch.tensor(weights[::-1] if high_end else weights, dtype=dtype, device=input.device)
    column = column.view((-1,) + (1,) * (-dim - 1 if dim < 0 else input.ndim - dim - 1))
    return (samples.to(dtype) * column).sum(dim, keepdim=True).to(input.dtype)


def mirrored(input: Tensor, dim: int, distances: range, high_end: bool, repeat_edge: bool) -> list[Tensor]:
    """The mirror image, with the edge sample or without, as often as needed.

    The extended axis of L samples has the period 2 L if the edge sample is repeated: with ``r = i mod 2 L``, sample i
    is sample ``min(r, 2 L - 1 - r)``. Otherwise the period is 2 L - 2.

    Example:
        >>> mirrored(torch.tensor([1, 2, 3]), 0, range(4, 0, -1), False, repeat_edge=True)
        [tensor([3, 3, 2, 1])]
    """
    length = input.shape[dim]
    first, last = (distances[-1], distances[0]) if distances.step < 0 else (distances[0], distances[-1])
    nearest, farthest = first - repeat_edge, last - repeat_edge
    if farthest < length:
        # The common case: the samples next to the edge, in reverse.
        start = length - 1 - farthest if high_end else nearest
        return [input.narrow(dim, start, last - first + 1).flip(dim)]
    repeat = int(repeat_edge)
    period = 2 * length if repeat_edge else max(2 * length - 2, 1)
    place = torch.arange(nearest, farthest + 1, device=input.device) % period
    place = torch.minimum(place, period - repeat - place)
    return [input.index_select(dim, length - 1 - place if high_end else place.flip(0))]


def wrapped(input: Tensor, dim: int, distances: range, high_end: bool) -> list[Tensor]:
    """The samples at the other end, as often as needed.

    Example:
        >>> wrapped(torch.tensor([1, 2, 3]), 0, range(4, 0, -1), False)
        [tensor([3, 1, 2, 3])]
    """
    length = input.shape[dim]
    first, last = (distances[-1], distances[0]) if distances.step < 0 else (distances[0], distances[-1])
    if last <= length:
        # The common case: the samples at the other end, as they are.
        return [input.narrow(dim, first - 1 if high_end else length - last, last - first + 1)]
    start, stop = (first - 1, last) if high_end else (-last, 1 - first)
    places = torch.arange(start, stop, device=input.device)
    return [input.index_select(dim, places % length)]


def noise(
    input: Tensor, dim: int, distances: range, high_end: bool, generator: torch.Generator | None = None
) -> list[Tensor]:
    """Normal noise with the mean and the standard deviation of the band along each end.

    The band is one sample wider than the extension at that end, as in the code of the paper. Its two moments are
    taken over all axes of an image (N, C, ...) except batch and channel. A band of a single sample has no deviation
    and is repeated. The noise comes from the default generator of the device if `generator` is None.
    """
    length, count, axes = input.shape[dim], len(distances), tuple(range(2, input.ndim))
    # torch.export accepts no generator argument, not even None.
    source: dict[str, Any] = {} if generator is None else {"generator": generator}
    width = count + 1 if length > count else length
    band = input.narrow(dim, length - width if high_end else 0, width).to(computing_dtype(input.dtype))
    mean = band.mean(axes, keepdim=True)
    # The unbiased standard deviation is this norm times a number. Its gradient is 0 where it is 0.
    norm = torch.linalg.vector_norm(band - mean, 2, axes, keepdim=True).to(band.dtype)
    shape = list(input.shape)
    shape[dim] = count
    draws = torch.randn(shape, **source, dtype=band.dtype, device=input.device)
    # The number of samples may be a symbol, which addcmul's own factor must not be.
    deviation = norm / max(prod(band.shape[2:]) - 1, 1) ** 0.5
    return [torch.addcmul(mean, deviation, draws).to(input.dtype)]


def predicted(input: Tensor, dim: int, distances: range, high_end: bool, v: Tensor, step: int) -> list[Tensor]:
    """Predictions from the samples nearest an end, by weights of each image and channel.

    The sample at distance s is ``x(0) + sum_j v[s - 1, j - 1] (x(j) - x(j - 1))``, in steps of the lattice.

    Args:
        input: images (N, C, ...).
        dim: the axis, counted from the last.
        distances: at most p * step.
        high_end: of the high end, otherwise of the low one.
        v: weights (N, C, p, m - 1).
        step: distance between the samples that belong together; each lattice is predicted from itself.
    """
    near = (v.shape[3] + 1) * step
    v = v.to(working_dtype(input))
    # At the high end the differences have the opposite order and the opposite sign.
    v = -v.flip(-1) if high_end else v.flip(-2)
    edge = input.narrow(dim, input.shape[dim] - near if high_end else 0, near)
    # Bring the lines side by side: one strided read, then everything in memory order.
    samples = edge.to(v.dtype).movedim(dim, 2).contiguous()
    differences = samples.narrow(2, step, near - step) - samples.narrow(2, 0, near - step)
    edges = samples.narrow(2, near - step if high_end else 0, step)
    # Each lattice is one column.
    product = v @ differences.reshape(*samples.shape[:2], v.shape[3], step * prod(samples.shape[3:]))
    # (N, C, p, step, ...): all lattices at distance 1, then at distance 2, ...
    product = product.reshape(*samples.shape[:2], v.shape[2], step, *samples.shape[3:])
    values = (edges.unsqueeze(2) + product).flatten(2, 3).movedim(2, dim).to(edge.dtype)
    first = distances[0] - 1 if high_end else v.shape[2] * step - distances[0]
    return [values.narrow(dim, first, len(distances))]


def sample_weights(v: Tensor) -> Tensor:
    """Return the weights (..., m) of samples from those of their differences (..., m - 1), see `predicted`.

    ``w(0) = 1 - v(1), w(j) = v(j) - v(j + 1)``

    Example:
        >>> sample_weights(torch.tensor([-1.0]))  # 2 x(0) - x(1)
        tensor([ 2., -1.])
    """
    zero = torch.zeros_like(v[..., :1])
    return torch.cat([zero + 1, v], -1) - torch.cat([v, zero], -1)
