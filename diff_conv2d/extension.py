"""An image continued beyond its edges, one axis after the other.

Every function here continues `input` along one axis and returns samples ``start`` to ``stop - 1`` of what
results, where sample 0 is the image's first and sample ``length - 1`` its last: ``start = -2`` means two samples
outside at the low end. A window that ends inside the image crops it, so that a strip of the continued image can
be had without the rest. Continuing one axis and then the next gives the corners the tensor product; since each
axis is a linear map of its own, the order of the axes does not matter.
"""

from __future__ import annotations

from math import prod

import torch
from torch import Tensor

from diff_conv2d.lagrange import extrapolation_weights

__all__ = ["computing_dtype", "extend_polynomial", "extend_random", "extend_symmetric", "extend_zeros"]


def computing_dtype(dtype: torch.dtype) -> torch.dtype:
    """The precision in which values outside an image of this dtype are computed: at least float32."""
    return torch.float32 if dtype in (torch.float16, torch.bfloat16) else dtype


def extend_polynomial(input: Tensor, dim: int, start: int, stop: int, degree: int, dilation: int = 1) -> Tensor:
    """Continue by the polynomial through the samples nearest each end.

    With dilation d the axis is d interleaved images, and each is continued from its own samples, as a kernel of
    that dilation sees them. An image of fewer samples lowers the degree.

    Args:
        input: image of any shape with at least one sample along `dim`.
        dim: the axis to continue.
        start: first sample to return.
        stop: one past the last sample to return.
        degree: degree of the polynomial, at least 0; 0 repeats the edge sample.
        dilation: distance between the samples that belong together.

    Example:
        >>> squares = torch.tensor([0.0, 1.0, 4.0, 9.0])
        >>> extend_polynomial(squares, 0, -2, 6, degree=2)
        tensor([ 4.,  1.,  0.,  1.,  4.,  9., 16., 25.])
    """
    length = input.shape[dim]
    low = [_outside(input, dim, s, degree, dilation, False) for s in range(-start, max(0, -stop), -1)]
    high = [
        _outside(input, dim, s, degree, dilation, True) for s in range(max(1, start - length + 1), stop - length + 1)
    ]
    return _join(input, dim, start, stop, low, high)


def _outside(input: Tensor, dim: int, distance: int, degree: int, dilation: int, at_end: bool) -> Tensor:
    """The one sample at `distance` beyond the low or the high end, of size 1 along `dim`."""
    length = input.shape[dim]
    # Sample -s and sample i are of one lattice if i + s is a multiple of d; the lattice's first sample inside is
    # therefore i0 = (-s) mod d, and in steps of the lattice it is (s + i0) / d away.
    first = -distance % dilation
    steps = (distance + first) // dilation
    if first >= length:
        # No sample of this lattice lies in the image: the farthest sample there is stands for it.
        first = length - 1
    available = (length - first - 1) // dilation + 1
    count = degree + 1 if available > degree else int(available)
    span = (count - 1) * dilation + 1
    weights = extrapolation_weights(count, steps)
    if at_end:
        # The high end is the low end of the reversed image.
        samples, weights = input.narrow(dim, length - first - span, span), weights[::-1]
    else:
        samples = input.narrow(dim, first, span)
    if count == 1:
        return samples
    if dilation > 1:
        samples = samples[(slice(None),) * (dim % input.ndim) + (slice(None, None, dilation),)]
    # A product and a sum rather than a matrix product: autocast and TF32 do not round them.
    dtype = computing_dtype(input.dtype)
    column = torch.tensor(weights, dtype=dtype.to_real(), device=input.device)
    column = column.view((-1,) + (1,) * (-dim - 1 if dim < 0 else input.ndim - dim - 1))
    return (samples.to(dtype) * column).sum(dim, keepdim=True).to(input.dtype)


def _join(input: Tensor, dim: int, start: int, stop: int, low: list[Tensor], high: list[Tensor]) -> Tensor:
    length = input.shape[dim]
    first, last = max(start, 0), min(stop, length)
    inside = [input.narrow(dim, first, last - first)] if last > first else []
    pieces = low + inside + high
    return pieces[0] if len(pieces) == 1 else torch.cat(pieces, dim)


def extend_zeros(input: Tensor, dim: int, start: int, stop: int) -> Tensor:
    """Continue by zeros.

    Example:
        >>> extend_zeros(torch.tensor([1, 2, 3]), 0, -1, 5)
        tensor([0, 1, 2, 3, 0, 0])
    """
    length = input.shape[dim]

    def zeros(count: int) -> list[Tensor]:
        shape = list(input.shape)
        shape[dim] = count
        return [input.new_zeros(shape)] if count > 0 else []

    return _join(input, dim, start, stop, zeros(min(stop, 0) - start), zeros(stop - max(start, length)))


def extend_symmetric(input: Tensor, dim: int, start: int, stop: int) -> Tensor:
    """Continue by the mirror image that repeats the edge sample, as often as needed.

    The continued axis has period 2 L: with ``r = i mod 2 L``, sample i is sample ``min(r, 2 L - 1 - r)``.

    Example:
        >>> extend_symmetric(torch.tensor([1, 2, 3]), 0, -4, 5)
        tensor([3, 3, 2, 1, 1, 2, 3, 3, 2])
    """
    length = input.shape[dim]

    def mirrored(first: int, last: int) -> list[Tensor]:
        if last <= first:
            return []
        period = torch.arange(first, last, device=input.device) % (2 * length)
        return [input.index_select(dim, torch.minimum(period, 2 * length - 1 - period))]

    return _join(input, dim, start, stop, mirrored(start, min(stop, 0)), mirrored(max(start, length), stop))


def extend_random(input: Tensor, dim: int, start: int, stop: int, generator: torch.Generator | None = None) -> Tensor:
    """Continue by normal noise with the mean and the standard deviation of the band along each end.

    The band at an end is one sample wider than what is put there, as in the code of the paper; its two moments
    are taken over all axes of an image but the first two (batch and channel). A band of a single sample has no
    deviation and is repeated.

    Args:
        input: image of shape (batch, channels, ...).
        dim: the axis to continue.
        start: first sample to return.
        stop: one past the last sample to return.
        generator: source of the noise; the default generator of the device if None.
    """
    length = input.shape[dim]
    axes = tuple(range(2, input.ndim))

    def noise(count: int, at_end: bool) -> list[Tensor]:
        if count <= 0:
            return []
        width = min(count + 1, length)
        band = input.narrow(dim, length - width if at_end else 0, width).to(computing_dtype(input.dtype))
        mean = band.mean(axes, keepdim=True)
        deviation = _deviation(band, mean, axes)
        shape = list(input.shape)
        shape[dim] = count
        draws = torch.randn(shape, generator=generator, dtype=band.dtype, device=input.device)
        return [(mean + deviation * draws).to(input.dtype)]

    return _join(input, dim, start, stop, noise(-start, False), noise(stop - length, True))


def _deviation(band: Tensor, mean: Tensor, axes: tuple[int, ...]) -> Tensor:
    """The unbiased standard deviation; 0, and with gradient 0, where all samples are equal or there is but one."""
    residual = (band - mean).abs()
    variance = (residual * residual).sum(axes, keepdim=True) / max(prod(band.shape[2:]) - 1, 1)
    positive = variance > 0
    return torch.where(positive, torch.where(positive, variance, 1.0).sqrt(), 0.0)
