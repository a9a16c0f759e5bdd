"""Sums over the windows of an array that is extended already: as fast as may be, or in scipy's order."""

from __future__ import annotations

from collections.abc import Sequence
from itertools import product
from math import ceil, log2, prod
from typing import Any

import numpy as np
import torch
import torch.nn.functional as F
from torch import Tensor

from diff_conv2d.algorithms.blocks import CONVOLUTIONS, valid_convolution
from diff_conv2d.geometry import Geometry

__all__ = ["by_convolution", "fast_sums", "in_order", "truncated_sums"]

# scipy takes weights that differ by no more for equal.
_EPSILON = 2.0**-52
# Products for which a call of torch's convolution takes longer than the sums themselves.
_CALL = 1 << 18
# Integers that torch compares in their own bytes.
_BYTES = {torch.uint8, torch.int8, torch.int16}
# Samples of a tile: operations on no more are not divided among threads, which takes longer than they do.
_TILE = 1 << 15
# The error of a sum that leaves few in doubt.
_SURE = 1e-3
# The share of sums that may be done again one by one.
_FEW = 1 / 8
# Most lines side by side that are filtered as channels.
_MOST_CHANNELS = 1 << 13


def by_convolution(padded: Tensor, kernel: Tensor) -> Tensor:
    """Return the sums for images (N, 1, ...) of at most three axes by torch's convolution, which has derivatives.

    Example:
        >>> by_convolution(torch.tensor([[[1.0, 2, 4]]]), torch.tensor([1.0, 10]))
        tensor([[[21., 42.]]])
    """
    return CONVOLUTIONS[kernel.ndim](padded, kernel[None, None])


def fast_sums(
    padded: Tensor, kernel: Any, geometry: Geometry, skips_zeros: bool = False, into: Tensor | None = None
) -> Tensor:
    """Return the sums for images (N, 1, ...) in any order: along one axis, or by torch's convolution.

    Args:
        padded: images with no gradient.
        kernel: array of weights, one axis for each of an image.
        geometry: of the kernel.
        skips_zeros: see `Step`.
        into: a tensor to write to, if that helps; it may not overlap the images.

    Example:
        >>> import numpy as np
        >>> geometry = Geometry((2,), (1,), (1,), (0,), (0,), "fast")
        >>> fast_sums(torch.tensor([[[1.0, 2, 4]]]), np.array([1, 10]), geometry)
        tensor([[[21., 42.]]])
    """
    long = [axis for axis, size in enumerate(kernel.shape) if size > 1]
    # oneDNN's convolutions are of float32; torch's of other dtypes are slow.
    small = padded.numel() * kernel.size < _CALL
    if padded.dtype is not torch.float32 or kernel.ndim > 3 or not long or small:
        return in_order(padded, kernel, skips_zeros, fused=True)
    taps = torch.as_tensor(kernel, dtype=padded.dtype)
    if len(long) == 1 and long[0] < kernel.ndim - 1:
        dim = padded.ndim - kernel.ndim + long[0]
        if len(taps.flatten()) > 4 and prod(padded.shape[dim + 1 :]) <= _MOST_CHANNELS:
            return _as_channels(padded, taps.flatten(), dim)
        return in_order(padded, kernel, skips_zeros, fused=True)
    sums = valid_convolution(padded, taps[None, None], None, geometry, 1, into)
    if skips_zeros and 0 in kernel and not sums.sum().isfinite():
        return in_order(padded, kernel, skips_zeros, fused=True)
    return sums


def _as_channels(padded: Tensor, taps: Tensor, dim: int) -> Tensor:
    """Sum along a dimension other than the last: the lines side by side are channels, innermost in memory."""
    shape = padded.shape
    # The layout that torch calls channels_last, for which the stride of the last dimension matters.
    columns = padded.reshape(prod(shape[:dim]), shape[dim], 1, -1).permute(0, 3, 1, 2)
    weight = taps.view(1, 1, -1, 1).expand(columns.shape[1], -1, -1, -1)
    sums = F.conv2d(columns, weight, groups=columns.shape[1])
    return sums.permute(0, 2, 3, 1).reshape(*shape[:dim], sums.shape[2], *shape[dim + 1 :])


def in_order(padded: Tensor, kernel: Any, skips_zeros: bool = False, fused: bool = False) -> Tensor:
    """Return the sums tap by tap in scipy's order, each product rounded before it is added.

    scipy's `correlate1d` begins with the tap in the middle and adds the others in pairs, if the weights are symmetric
    or antisymmetric, and otherwise begins with the last tap. `correlate` sums in the order of memory.

    Args:
        padded: images (..., *axes of the kernel), without a gradient.
        kernel: array of weights.
        skips_zeros: see `Step`.
        fused: let torch round a product and a sum once.

    Example:
        >>> import numpy as np
        >>> in_order(torch.tensor([1.0, 2, 4]), np.array([1, 10]))
        tensor([21., 42.])
    """
    lead = padded.ndim - kernel.ndim
    rows = max(_TILE // (prod(padded.shape) // padded.shape[lead]), 1) if padded.numel() else 1
    if padded.device.type == "cpu" and padded.shape[lead] - kernel.shape[0] >= 2 * rows:
        return _in_tiles(padded, kernel, skips_zeros, fused, rows)
    sizes = [length - k + 1 for length, k in zip(padded.shape[lead:], kernel.shape, strict=True)]

    def window(place: Sequence[int]) -> Tensor:
        slices = tuple(slice(start, start + size) for start, size in zip(place, sizes, strict=True))
        return padded[(slice(None),) * lead + slices]

    total: Tensor | None = None
    buffer = torch.empty(0, dtype=padded.dtype, device=padded.device)
    for place, mirrored, sign in _order(kernel, skips_zeros):
        weight = kernel[place].item()
        samples = window(place)
        if mirrored is not None:
            buffer = buffer if buffer.numel() else torch.empty_like(samples, memory_format=torch.contiguous_format)
            samples = torch.add(samples, window(mirrored), alpha=sign, out=buffer)
        if total is None:
            total = samples * weight
        elif fused:
            total.add_(samples, alpha=weight)
        else:
            buffer = buffer if buffer.numel() else torch.empty_like(samples, memory_format=torch.contiguous_format)
            total.add_(torch.mul(samples, weight, out=buffer))
    return padded.new_zeros((*padded.shape[:lead], *sizes)) if total is None else total


def truncated_sums(images: Tensor, kernel: Any, geometry: Geometry, output: torch.dtype = torch.int32) -> Tensor:
    r"""Return the sums of integers, truncated as if they had been done in float64 and in scipy's order.

    Sums of float32 are exact if all weights are integers and none of the sums exceeds 2^24. Otherwise a sum s of n
    terms is off by at most e = n u \sum |w| max |x|, u = 2^-24. Where s - e and s + e are truncated to the same
    integer it is that of scipy, too. The few others are done again. They are few if e is small; therefore weights are
    split into multiples of powers of 2, whose sums are exact, and a small remainder, whose e counts.

    Args:
        images: (N, 1, ...), extended, of integers that float32 holds.
        kernel: real array of weights.
        geometry: of the kernel.
        output: integers that are wanted in the end.

    Returns:
        Sums that `cast` turns into the integers.

    Example:
        >>> import numpy as np
        >>> geometry = Geometry((2,), (1,), (1,), (0,), (0,), "fast")
        >>> truncated_sums(torch.tensor([[[7, 7, 9]]], dtype=torch.uint8), np.array([0.1, 0.9]), geometry).int()
        tensor([[[7, 8]]], dtype=torch.int32)
    """
    padded = images.float()
    # uint16 has no aminmax.
    least, most = (images if images.dtype is not torch.uint16 else padded).aminmax()
    largest = max(abs(least.item()), abs(most.item()))
    bound = float(abs(kernel).sum()) * largest
    if not bound < 2**30:
        return in_order(padded.double(), kernel)
    whole, whole_bound = kernel, bound
    if bound < 2**24 and (kernel == kernel.round()).all():
        return fast_sums(padded, kernel, geometry)
    total: Tensor | None = None
    # With a margin for the rounding of the weights, of the bounds, and of scipy's own sums.
    while (error := (kernel.size + 6) * 2.0**-24 * bound) > _SURE:
        unit = 2.0 ** (ceil(log2(bound)) - 23)
        coarse = (kernel / unit).round() * unit
        if float(abs(coarse).sum()) * largest > 2**24 * unit:
            return in_order(padded.double(), whole)
        part = fast_sums(padded, coarse, geometry).double()
        total = part if total is None else total.add_(part)
        kernel = kernel - coarse
        bound = float(abs(kernel).sum()) * largest
    sums = fast_sums(padded, kernel, geometry).contiguous()
    if total is not None:
        sums, error = total.contiguous().add_(sums), error + 2.0**-48 * whole_bound
    lower, upper = sums.sub_(error), sums + 2 * error
    # Fewer bytes are compared faster, if they hold the sums.
    limits = torch.iinfo(output if output in _BYTES else torch.int32)
    fits = limits.min - 1 < lower.min().item() and upper.max().item() < limits.max + 1
    lower, upper = (part.to(output if fits and output in _BYTES else torch.int32) for part in (lower, upper))
    # numpy finds the few that are true faster than torch.
    doubtful = torch.from_numpy(np.flatnonzero(lower.ne(upper).numpy()))
    if len(doubtful) > _FEW * sums.numel():
        return in_order(padded.double(), whole)
    if len(doubtful):
        lower.view(-1)[doubtful] = _one_by_one(padded, whole, doubtful, sums.shape).to(lower.dtype)
    return lower


def _one_by_one(padded: Tensor, kernel: Any, outputs: Tensor, shape: torch.Size) -> Tensor:
    """Return the sums of the outputs with these numbers, in scipy's order."""
    # The number of an output's first sample, and from it those of its window.
    first, rest = torch.zeros_like(outputs), outputs
    for dim in reversed(range(len(shape))):
        first += rest % shape[dim] * padded.stride(dim)
        rest = rest // shape[dim]
    steps = torch.zeros(1, dtype=torch.int64)
    for dim, size in zip(range(-kernel.ndim, 0), kernel.shape, strict=True):
        steps = (steps[:, None] + torch.arange(size) * padded.stride(dim)).flatten()
    samples = padded.as_strided((padded.untyped_storage().nbytes() // padded.itemsize,), (1,), 0)
    windows = samples[first + steps[:, None] + padded.storage_offset()].double()
    return in_order(windows.T.reshape(-1, *kernel.shape), kernel).flatten()


def _in_tiles(padded: Tensor, kernel: Any, skips_zeros: bool, fused: bool, rows: int) -> Tensor:
    """Do `in_order` for so many rows at a time, whose partial sums stay in the cache."""
    lead = padded.ndim - kernel.ndim
    reach = [k - 1 for k in kernel.shape]
    shape = [size - k for size, k in zip(padded.shape[lead:], reach, strict=True)]
    result = torch.empty((*padded.shape[:lead], *shape), dtype=padded.dtype)
    for start in range(0, shape[0], rows):
        count = min(rows, shape[0] - start)
        tile = padded.narrow(lead, start, count + reach[0])
        result.narrow(lead, start, count).copy_(in_order(tile, kernel, skips_zeros, fused))
    return result


_Place = tuple[int, ...]


def _order(kernel: Any, skips_zeros: bool) -> list[tuple[_Place, _Place | None, int]]:
    """Return the taps in scipy's order, each with one that is added to it first, and the sign of that."""
    places = list(product(*map(range, kernel.shape)))
    if skips_zeros:
        return [(place, None, 1) for place in places if kernel[place]]
    if sum(size > 1 for size in kernel.shape) > 1:
        return [(place, None, 1) for place in places]
    # A kernel along one axis.
    count, weights = kernel.size, kernel.ravel()
    middle = count // 2
    if count % 2:
        for sign in (1, -1):
            if all(abs(weights[middle + i] - sign * weights[middle - i]) <= _EPSILON for i in range(1, middle + 1)):
                pairs = [(places[i], places[-1 - i], sign) for i in range(middle)]
                return [(places[middle], None, 1), *pairs]
    return [(place, None, 1) for place in (places[-1], *places[:-1])]
