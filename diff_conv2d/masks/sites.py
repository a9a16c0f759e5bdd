"""Which outside pixels a kernel reaches, how far from the valid ones they are, and which valid ones lie around them.

A mask is padded by False, so that a pixel and an offset are one number each: the position in the padded mask, and
what to add to it. What lies around a site, a ball of pixels, is kept as bits: bit j says whether the pixel at offset
j is valid. Sites with the same bits share their weights.
"""

from __future__ import annotations

import itertools
import math
from collections.abc import Sequence

import torch
import torch.nn.functional as F
from torch import Tensor

__all__ = ["PaddedMask", "bits_of", "depth_of", "distinct", "offsets_between"]

# Bits of a word: the sign stays 0.
_WORD = 62
# Added to a squared radius, so that rounding does not decide what lies on the sphere.
_TOLERANCE = 1e-9


def offsets_between(inner: int, radius: float, axes: int) -> list[tuple[int, ...]]:
    """List the offsets o of a grid with ``inner <= |o|^2 <= radius^2``, the nearest first.

    Example:
        >>> offsets_between(1, 1.0, 2)
        [(-1, 0), (0, -1), (0, 1), (1, 0)]
    """
    most, outer = math.floor(radius + _TOLERANCE), radius**2 + _TOLERANCE
    every = itertools.product(range(-most, most + 1), repeat=axes)
    squares = ((sum(x * x for x in offset), offset) for offset in every)
    return [offset for square, offset in sorted(squares) if inner <= square <= outer]


def depth_of(square: int) -> int:
    """Return the root of a squared distance, rounded up.

    Example:
        >>> depth_of(4), depth_of(5)
        (2, 3)
    """
    return math.isqrt(square - 1) + 1


class PaddedMask:
    """A mask with a frame of False around it, as a line of pixels.

    Args:
        mask: bool, one to three axes; True where a pixel is valid.
        width: samples added at each end of each axis; no offset may be longer.
    """

    def __init__(self, mask: Tensor, width: int) -> None:
        padded = F.pad(mask, (width,) * (2 * mask.ndim))
        self.shape, self.width = mask.shape, width
        self.padded = padded
        self.valid = padded.flatten()
        self._strides = torch.tensor(padded.stride())
        self._image_strides = torch.tensor(mask.stride())

    def sites(self, reach: Sequence[int], rim: Sequence[int]) -> Tensor:
        """Return the positions of the outside pixels that a kernel needs, see `fills.prepared`."""
        near, at_rim, in_band = self.padded, self.padded & self._band(reach), self._band(rim)
        for axis, (width, depth) in enumerate(zip(reach, rim, strict=True)):
            near = _spread(near, axis, width)
            at_rim = _spread(at_rim, axis, max(width, depth))
        needed = (near | (at_rim & in_band)) & ~self.padded
        return self._inside(needed).flatten().nonzero().squeeze(1)

    def _band(self, widths: Sequence[int]) -> Tensor:
        """Return where a pixel of the image is among the first or the last few along an axis."""
        result = torch.zeros_like(self.padded)
        for axis, (width, size) in enumerate(zip(widths, self.shape, strict=True)):
            width = min(width, size)
            result.narrow(axis, self.width, width).fill_(True)
            result.narrow(axis, self.width + size - width, width).fill_(True)
        return result

    def complete(self, radius: int) -> Tensor:
        """Return, position by position, whether all pixels at most `radius` away along every axis are valid."""
        outside = ~self.padded
        for axis in range(outside.ndim):
            outside = _spread(outside, axis, radius)
        return ~outside.flatten()

    def _inside(self, found: Tensor) -> Tensor:
        """Return what was found with False in the frame."""
        result = torch.zeros_like(found)
        middle = tuple(slice(self.width, self.width + size) for size in self.shape)
        result[middle] = found[middle]
        return result

    def steps(self, offsets: Sequence[tuple[int, ...]]) -> Tensor:
        """Return what the offsets add to a position in the padded mask."""
        return (torch.tensor(offsets).view(len(offsets), -1) * self._strides).sum(1)

    def image_steps(self, offsets: Sequence[tuple[int, ...]]) -> Tensor:
        """Return what the offsets add to a position in the image."""
        return (torch.tensor(offsets).view(len(offsets), -1) * self._image_strides).sum(1)

    def in_image(self, positions: Tensor) -> Tensor:
        """Return positions in the image, without its frame, of positions in the padded mask."""
        result, rest = torch.zeros_like(positions), positions
        for stride, image_stride in zip(self._strides.tolist(), self._image_strides.tolist(), strict=True):
            result += (rest // stride - self.width) * image_stride
            rest = rest % stride
        return result

    def squared_distances(self, sites: Tensor, most: int) -> Tensor:
        """Return the squared distance of each site to the nearest valid pixel; `most` where it is at least that."""
        result = torch.full_like(sites, most)
        rest = torch.arange(len(sites))
        offsets = offsets_between(1, math.sqrt(most), len(self.shape))
        for square, group in itertools.groupby(offsets, key=lambda offset: sum(x * x for x in offset)):
            found = torch.zeros(len(rest), dtype=torch.bool)
            for step in self.steps(list(group)).tolist():
                found |= self.valid[sites[rest] + step]
            result[rest[found]] = square
            rest = rest[~found]
            if not len(rest):
                break
        return result

    def nearest(self, sites: Tensor, wanted: Tensor, steps: Tensor) -> Tensor:
        """Return the position of the first pixel that is wanted, after some steps, the first first; -1 for none."""
        result = torch.full_like(sites, -1)
        rest = torch.arange(len(sites))
        for step in steps.tolist():
            found = wanted[sites[rest] + step]
            result[rest[found]] = sites[rest[found]] + step
            rest = rest[~found]
            if not len(rest):
                break
        return result

    def words(self, sites: Tensor, offsets: Sequence[tuple[int, ...]]) -> Tensor:
        """Return the bits of the pixels at these offsets of each site, (words, sites)."""
        result = torch.zeros(-(-len(offsets) // _WORD), len(sites), dtype=torch.int64)
        for j, step in enumerate(self.steps(offsets).tolist()):
            result[j // _WORD] |= self.valid[sites + step].long() << (j % _WORD)
        return result


def _spread(found: Tensor, axis: int, width: int) -> Tensor:
    """Return where something is found at most `width` samples away along an axis."""
    result, size = found.clone(), found.shape[axis]
    for step in range(1, min(width, size - 1) + 1):
        result.narrow(axis, step, size - step).logical_or_(found.narrow(axis, 0, size - step))
        result.narrow(axis, 0, size - step).logical_or_(found.narrow(axis, step, size - step))
    return result


def distinct(words: Tensor) -> tuple[Tensor, Tensor]:
    """Return the different columns of words, and for each column which of them it is.

    Example:
        >>> distinct(torch.tensor([[7, 2, 7], [1, 1, 1]]))
        (tensor([[2, 7],
                [1, 1]]), tensor([1, 0, 1]))
    """
    of_column = torch.zeros(words.shape[1], dtype=torch.int64)
    for word in words:
        values, which = word.unique(return_inverse=True)
        of_column = (of_column * len(values) + which).unique(return_inverse=True)[1]
    first = torch.empty(int(of_column.max()) + 1 if len(of_column) else 0, dtype=torch.int64)
    first[of_column] = torch.arange(len(of_column))
    return words[:, first], of_column


def bits_of(words: Tensor, count: int) -> Tensor:
    """Return words as bits, (columns, count), bool.

    Example:
        >>> bits_of(torch.tensor([[5]]), 3)
        tensor([[ True, False,  True]])
    """
    bits = [(words[j // _WORD] >> (j % _WORD)) & 1 for j in range(count)]
    return torch.stack(bits, 1).bool()
