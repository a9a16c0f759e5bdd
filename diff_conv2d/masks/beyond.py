"""Outside pixels that no kernel reaches, but a boundary mode at the rim may read: the nearest pixel along a line."""

from __future__ import annotations

from typing import TYPE_CHECKING

import torch
from torch import Tensor

if TYPE_CHECKING:
    from diff_conv2d.geometry import Geometry
    from diff_conv2d.modes.base import Boundary

__all__ = ["looks_far", "sources_along_lines"]


def looks_far(mode: Boundary, geometry: Geometry, sizes: tuple[int, ...]) -> bool:
    """Whether a mode extends images of these sizes by what lies farther from the rim than the kernel reaches."""
    for axis, size in enumerate(sizes):
        if not geometry.before[axis] and not geometry.after[axis]:
            continue
        if mode.wraps(axis, False) or mode.wraps(axis, True) or mode.sizes(size, geometry, axis) is not None:
            return True
        if mode.reach(geometry, axis, size) > geometry.kernel[axis] * geometry.dilation[axis]:
            return True
    # A mode that needs the whole image looks at all of it.
    return bool(mode.why_not_chunked)


def sources_along_lines(known: Tensor) -> tuple[Tensor, Tensor]:
    """Return the positions of the pixels that are not known, and of the known ones whose values they take.

    A pixel takes the nearest known one of its row, or, if its row has none, what a row beside it took.

    Example:
        >>> sources_along_lines(torch.tensor([True, False, False, True]))
        (tensor([1, 2]), tensor([0, 3]))
    """
    source = torch.where(known, torch.arange(known.numel()).view(known.shape), -1)
    for axis in reversed(range(known.ndim)):
        size, have = known.shape[axis], source >= 0
        place = torch.arange(size).view([-1 if dim == axis else 1 for dim in range(known.ndim)])
        before = torch.where(have, place, -size).cummax(axis).values
        after = torch.where(have, place, 2 * size).flip(axis).cummin(axis).values.flip(axis)
        nearest = torch.where(place - before <= after - place, before, after)
        found = source.gather(axis, nearest.clamp(0, size - 1))
        source = torch.where(have, source, torch.where((nearest >= 0) & (nearest < size), found, -1))
    positions = ((source >= 0) & ~known).flatten().nonzero().squeeze(1)
    return positions, source.flatten()[positions]
