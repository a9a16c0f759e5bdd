"""Where predictors are tried: valid pixels that stand for outside ones.

A valid pixel q near an outside pixel p stands for p. It is predicted from those pixels around it that are valid
around p, too: the same geometry, and a known answer.
"""

from __future__ import annotations

import itertools
import math
from collections.abc import Sequence

import torch
from torch import Tensor

from diff_conv2d.masks.predictors import carried_degrees, margin, read_by_polynomial
from diff_conv2d.masks.sites import PaddedMask, bits_of, distinct, offsets_between

__all__ = ["FARTHEST", "stand_ins", "words_in_common"]

#: How far from its outside pixel a valid one may lie.
FARTHEST = 16
# Trials of each depth: at most, and at least. A few would tell little.
_MOST, _LEAST = 4096, 8


def words_in_common(padded: PaddedMask, sites: Tensor, others: Tensor, offsets: Sequence[tuple[int, ...]]) -> Tensor:
    """Return the bits of the offsets at which there are valid pixels around both of two pixels."""
    return padded.words(sites, offsets) & padded.words(others, offsets)


def stand_ins(padded: PaddedMask, sites: Tensor, squares: Tensor, deepest: int, degree: int) -> tuple[Tensor, Tensor]:
    """Choose valid pixels that stand for outside pixels.

    The nearest in each orthant is taken, with all pixels of its ball valid if such are near.

    Args:
        padded: the mask.
        sites: positions of the outside pixels.
        squares: their squared distances to the nearest valid pixel.
        deepest: the largest distance, rounded up, for which trials are wanted.
        degree: the largest degree of the predictors.

    Returns:
        The number of the outside pixel that each stands for, and its position.
    """
    for all_valid in (True, False):
        pairs = [sites.new_empty(2, 0)]
        for depth in range(1, deepest + 1):
            wanted = padded.complete(depth + margin(degree, len(padded.shape))) if all_valid else padded.valid
            own = ((squares > (depth - 1) ** 2) & (squares <= depth**2)).nonzero().squeeze(1)
            found = _nearest_in_orthants(padded, sites, own, wanted)
            if found.shape[1] >= _LEAST or not all_valid:
                pairs.append(found)
        of_site, positions = torch.cat(pairs, 1)
        # Where fewer pixels are known all predictors err much: such trials would hide which is best.
        if len(of_site):
            break
    carried = _carried(padded, sites[of_site], positions, squares[of_site], degree)
    # Where the degree drops several predictors are the same: their common error would hide how they differ elsewhere.
    telling = carried == degree
    if not telling.any():
        telling = carried >= 0
    return of_site[telling], positions[telling]


def _nearest_in_orthants(padded: PaddedMask, sites: Tensor, own: Tensor, wanted: Tensor) -> Tensor:
    """Find wanted pixels near some of the sites: pairs (2, count) of the number of a site and a position."""
    axes = len(padded.shape)
    offsets = offsets_between(1, FARTHEST, axes)
    chosen = own[:: max(1, -(-len(own) * 2**axes // _MOST))]
    pairs = []
    for signs in itertools.product((False, True), repeat=axes):
        steps = padded.steps([offset for offset in offsets if tuple(x < 0 for x in offset) == signs])
        found = padded.nearest(sites[chosen], wanted, steps)
        pairs.append(torch.stack([chosen, found])[:, found >= 0])
    return torch.cat(pairs, 1)


def _carried(padded: PaddedMask, sites: Tensor, others: Tensor, squares: Tensor, degree: int) -> Tensor:
    """Return the degree that the pixels of each trial carry; -1 if it has none."""
    result = torch.full_like(sites, -1)
    for square in sorted(set(squares.tolist())):
        own = (squares == square).nonzero().squeeze(1)
        axes = len(padded.shape)
        offsets = offsets_between(square, math.sqrt(square) + margin(degree, axes), axes)
        different, which = distinct(words_in_common(padded, sites[own], others[own], offsets))
        points = torch.tensor(offsets).view(len(offsets), axes)
        bits = read_by_polynomial(bits_of(different, len(offsets)), points, degree)
        carried = carried_degrees(bits, points, degree)
        carried = torch.where(bits.any(1), carried, -1)
        result[own] = carried[which]
    return result
