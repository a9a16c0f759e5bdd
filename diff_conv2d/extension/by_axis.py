"""The extension of an image beyond its edges, one axis after the other.

Every function here extends `input` along one axis and returns samples ``start`` to ``stop - 1`` of the result.
Sample 0 is the image's first and sample ``length - 1`` its last; ``start = -2`` means two samples outside at the low
end. A window that ends inside the image crops it, so that a strip of the extended image can be computed without the
rest. Extending one axis and then the next makes the corners a tensor product. Since each axis has a linear map of its
own, the order of the axes does not matter.
"""

from __future__ import annotations

from math import prod
from typing import Any

import torch
from torch import Tensor

from diff_conv2d.lagrange import extrapolation_weights
from diff_conv2d.precision import computing_dtype
from diff_conv2d.tracing import remembered

__all__ = [
    "channels_last_format",
    "extend_polynomial",
    "extend_random",
    "extend_symmetric",
    "extend_zeros",
]


def channels_last_format(input: Tensor) -> torch.memory_format | None:
    """Return the memory format of an image (N, C, ...) whose channels are adjacent in memory, otherwise None."""
    # Under vmap there is no is_contiguous(memory_format=...), but there are strides.
    if input.ndim not in (4, 5) or input.shape[1] < 2 or input.stride(1) != 1 or input.stride(-1) < input.shape[1]:
        return None
    return torch.channels_last if input.ndim == 4 else torch.channels_last_3d


def extend_polynomial(input: Tensor, dim: int, start: int, stop: int, degree: int, dilation: int = 1) -> Tensor:
    """Extend by the polynomial through the samples nearest each end.

    With dilation d the axis consists of d interleaved lattices. Each is extended from its own samples, as a kernel of
    that dilation reads them. An image with too few samples lowers the degree.

    Args:
        input: image of any shape with at least one sample along `dim`.
        dim: the axis to extend.
        start: first sample to return.
        stop: one past the last sample to return.
        degree: degree of the polynomial, at least 0; 0 repeats the edge sample.
        dilation: distance between the samples that belong together.

    Example:
        >>> squares = torch.tensor([0.0, 1.0, 4.0, 9.0])
        >>> extend_polynomial(squares, 0, -2, 6, degree=2)
        tensor([ 4.,  1.,  0.,  1.,  4.,  9., 16., 25.])
    """
    low, _, high = _split(input, dim, start, stop)
    before = [_outside(input, dim, -position, degree, dilation, False) for position in low]
    after = [_outside(input, dim, position + 1, degree, dilation, True) for position in high]
    return _join(input, dim, start, stop, before, after)


def _outside(input: Tensor, dim: int, distance: int, degree: int, dilation: int, at_end: bool) -> Tensor:
    """Return the sample at `distance` beyond the low or the high end, with size 1 along `dim`."""
    length = input.shape[dim]
    # Sample -s and sample i are of one lattice if i + s is a multiple of d; the lattice's first sample inside is
    # therefore i0 = (-s) mod d, and in steps of the lattice it is (s + i0) / d away.
    first = -distance % dilation
    steps = (distance + first) // dilation
    if first >= length:
        # No sample of this lattice lies in the image: the farthest sample of the image stands in for it.
        first = length - 1
    available = (length - first - 1) // dilation + 1
    # A comparison makes a number of a symbol, which int() would leave in a compiler's graph.
    count = degree + 1
    while count > available:
        count -= 1
    span = (count - 1) * dilation + 1
    weights = remembered(extrapolation_weights, input)(count, steps)
    if at_end:
        # The high end is the low end of the reversed image.
        samples, weights = input.narrow(dim, length - first - span, span), weights[::-1]
    else:
        samples = input.narrow(dim, first, span)
    if count == 1:
        return samples
    if dilation > 1:
        samples = samples[(slice(None),) * (dim % input.ndim) + (slice(None, None, dilation),)]
    # A product and a sum, not a matrix product, which autocast and TF32 would round.
    dtype = computing_dtype(input.dtype)
    column = torch.tensor(weights, dtype=dtype, device=input.device)
    column = column.view((-1,) + (1,) * (-dim - 1 if dim < 0 else input.ndim - dim - 1))
    return (samples.to(dtype) * column).sum(dim, keepdim=True).to(input.dtype)


def _split(input: Tensor, dim: int, start: int, stop: int) -> tuple[range, tuple[int, int], range]:
    """Split a window into its samples before the image (negative), inside it (start, stop) and after it (from 0 on).

    Sizes may be symbolic under torch.compile and torch.export, where min() and max() would create new symbols.
    Therefore comparisons are spelled out.
    """
    length = input.shape[dim]
    first = start if start > 0 else 0
    last = length if stop > length else stop
    low = range(start, stop if stop < 0 else 0) if start < 0 else range(0)
    high = range(start - length if start > length else 0, stop - length) if stop > length else range(0)
    return low, (first, last), high


def _join(input: Tensor, dim: int, start: int, stop: int, low: list[Tensor], high: list[Tensor]) -> Tensor:
    """Join the pieces before the image, the part of the image in the window, and the pieces after it."""
    _, (first, last), _ = _split(input, dim, start, stop)
    if not low and not high:
        return input.narrow(dim, first, last - first)
    layout = channels_last_format(input)
    if layout is not None:
        # torch.cat keeps a layout that all pieces have, and converting the thin pieces costs little.
        low, high = ([p.contiguous(memory_format=layout) for p in pieces] for pieces in (low, high))
    inside = [input.narrow(dim, first, last - first)] if last > first else []
    return torch.cat([*low, *inside, *high], dim)


def extend_zeros(input: Tensor, dim: int, start: int, stop: int) -> Tensor:
    """Extend by zeros.

    Example:
        >>> extend_zeros(torch.tensor([1, 2, 3]), 0, -1, 5)
        tensor([0, 1, 2, 3, 0, 0])
    """

    def zeros(positions: range) -> list[Tensor]:
        shape = list(input.shape)
        shape[dim] = len(positions)
        return [input.new_zeros(shape)] if positions else []

    low, _, high = _split(input, dim, start, stop)
    return _join(input, dim, start, stop, zeros(low), zeros(high))


def extend_symmetric(input: Tensor, dim: int, start: int, stop: int) -> Tensor:
    """Extend by the mirror image that repeats the edge sample, as often as needed.

    The extended axis has period 2 L: with ``r = i mod 2 L``, sample i is sample ``min(r, 2 L - 1 - r)``.

    Example:
        >>> extend_symmetric(torch.tensor([1, 2, 3]), 0, -4, 5)
        tensor([3, 3, 2, 1, 1, 2, 3, 3, 2])
    """
    length = input.shape[dim]

    def mirrored(positions: range, origin: int) -> list[Tensor]:
        count = len(positions)
        if count == 0:
            return []
        if count <= length and positions.start in (-count, 0):
            # The common case: the samples next to the edge, in reverse.
            return [input.narrow(dim, length - count if origin else 0, count).flip(dim)]
        period = (torch.arange(positions.start, positions.stop, device=input.device) + origin) % (2 * length)
        return [input.index_select(dim, torch.minimum(period, 2 * length - 1 - period))]

    low, _, high = _split(input, dim, start, stop)
    return _join(input, dim, start, stop, mirrored(low, 0), mirrored(high, length))


def extend_random(input: Tensor, dim: int, start: int, stop: int, generator: torch.Generator | None = None) -> Tensor:
    """Extend by normal noise with the mean and the standard deviation of the band along each end.

    The band is one sample wider than the extension at that end, as in the code of the paper. Its two moments are
    taken over all axes of an image except batch and channel. A band of a single sample has no deviation and is
    repeated.

    Args:
        input: image of shape (batch, channels, ...).
        dim: the axis to extend.
        start: first sample to return.
        stop: one past the last sample to return.
        generator: source of the noise; the default generator of the device if None.
    """
    length = input.shape[dim]
    axes = tuple(range(2, input.ndim))
    # torch.export accepts no generator argument, not even None.
    source: dict[str, Any] = {} if generator is None else {"generator": generator}

    def noise(positions: range, at_end: bool) -> list[Tensor]:
        count = len(positions)
        if count == 0:
            return []
        width = count + 1 if length > count else length
        band = input.narrow(dim, length - width if at_end else 0, width).to(computing_dtype(input.dtype))
        mean = band.mean(axes, keepdim=True)
        deviation = _deviation(band, mean, axes)
        shape = list(input.shape)
        shape[dim] = count
        draws = torch.randn(shape, **source, dtype=band.dtype, device=input.device)
        return [(mean + deviation * draws).to(input.dtype)]

    low, _, high = _split(input, dim, start, stop)
    return _join(input, dim, start, stop, noise(low, False), noise(high, True))


def _deviation(band: Tensor, mean: Tensor, axes: tuple[int, ...]) -> Tensor:
    """Return the unbiased standard deviation; 0 with gradient 0 where all samples are equal or there is only one."""
    residual = (band - mean).abs()
    variance = (residual * residual).sum(axes, keepdim=True) / max(prod(band.shape[2:]) - 1, 1)
    positive = variance > 0
    return torch.where(positive, torch.where(positive, variance, 1.0).sqrt(), 0.0)
