"""One value at all outside pixels, written where they are: most of them come in long runs."""

from __future__ import annotations

from typing import NamedTuple

from torch import Tensor

__all__ = ["OutsidePixels", "outside_pixels"]

# Sizes of a block, the largest first: 16 numbers of 4 bytes fill a line of a processor's cache.
_BLOCKS = (16, 8, 4, 2, 1)


class OutsidePixels(NamedTuple):
    """The outside pixels of a mask: whole blocks of pixels in a row, and the rest one by one."""

    size: int
    blocks: Tensor
    rest: Tensor

    def write(self, planes: Tensor, value: float) -> None:
        """Write a value at the outside pixels of images (B, pixels)."""
        # Plane by plane, for which torch is three times as fast.
        for plane in planes:
            plane.view(-1, self.size).index_fill_(0, self.blocks, value)
            plane.index_fill_(0, self.rest, value)


def outside_pixels(mask: Tensor) -> OutsidePixels:
    """List the outside pixels of a mask.

    Example:
        >>> image = torch.ones(1, 6)
        >>> outside_pixels(torch.tensor([True, True, False, False, True, False])).write(image, 0.0)
        >>> image
        tensor([[1., 1., 0., 0., 1., 0.]])
    """
    outside = ~mask.flatten()
    size = next(size for size in _BLOCKS if len(outside) % size == 0)
    blocks = outside.view(-1, size).all(1)
    rest = outside.view(-1, size) & ~blocks[:, None]
    return OutsidePixels(size, blocks.nonzero().squeeze(1), rest.flatten().nonzero().squeeze(1))
