"""What is prepared of a mask: the outside pixels that are filled, from which valid ones, and where that is tried."""

from __future__ import annotations

import itertools
import math
from collections.abc import Sequence
from typing import NamedTuple

import torch
from torch import Tensor

from diff_conv2d.masks.linear_map import LinearMap
from diff_conv2d.masks.predictors import margin, nearest_weights, polynomial_weights
from diff_conv2d.masks.sites import PaddedMask, bits_of, distinct, offsets_between

__all__ = ["MEAN", "NEAREST", "Fill", "prepared"]

#: In place of a degree: the nearest valid pixels.
NEAREST = -1
#: The mean of the whole ball.
MEAN = -2
# Valid pixels of each depth at which the predictors are tried, how far from their outside pixel they may lie, and how
# many with a whole ball of valid pixels are enough.
_TRIALS, _FARTHEST, _ENOUGH = 4096, 16, 8
# Numbers of bits that are unpacked at once.
_MOST_BITS = 1 << 25


class Fill(NamedTuple):
    """How the outside pixels within reach are computed from valid ones.

    Attributes:
        outside: positions in the image, flat.
        depth: of each of them the distance to the nearest valid pixel, rounded up.
        depths: the largest depth.
        values: maps an image to the values there; one map for each predictor.
        trials: maps an image to predictions of valid pixels, if there are several predictors.
        known: positions of these pixels.
        trial_depth: the depth of the outside pixels that they stand for.
        counts: how many stand for each depth, from 1.
    """

    outside: Tensor
    depth: Tensor
    depths: int
    values: LinearMap
    trials: LinearMap
    known: Tensor
    trial_depth: Tensor
    counts: tuple[int, ...]

    def to(self, device: torch.device) -> Fill:
        """Return the fill for images on a device."""
        names = ("outside", "depth", "known", "trial_depth")
        return self._replace(**{name: getattr(self, name).to(device) for name in names})


def prepared(mask: Tensor, reach: Sequence[int], rim: Sequence[int], degrees: Sequence[int]) -> Fill:
    """Prepare the fill of a mask.

    Args:
        mask: bool, one to three axes, on the CPU; True where a pixel is valid.
        reach: how far the kernel reaches along each axis. Outside pixels so near to a valid one are filled.
        rim: how many samples at the rim extend the image along each axis. Those that a kernel needs whose middle is a
            valid pixel near the rim are filled, too.
        degrees: of the predictors, polynomials of a degree or `NEAREST`. Several are tried at valid pixels: for an
            outside pixel p, at a near valid pixel q around which the valid pixels of the ball of p are valid too.
    """
    farthest = sum(max(widths) ** 2 for widths in zip(reach, rim, strict=True))
    wider = margin(max(degrees)) if max(degrees) >= 0 else 0
    several = len(degrees) > 1
    ball = math.ceil(math.sqrt(farthest) + wider)
    padded = PaddedMask(mask, max(ball, _FARTHEST) if several else ball)
    sites = padded.sites(reach, rim)
    squares = padded.squared_distances(sites, farthest)
    of_site = stand_ins = sites[:0]
    if several and len(sites):
        # Deeper ones are few, near the rim, and cost most.
        tried_to = _depth(max(1, sum(width**2 for width in reach)))
        of_site, stand_ins = _stand_ins(padded, sites, squares, tried_to, wider)
    pieces: list[list[Tensor]] = [[], []]
    order: list[Tensor] = []
    known: list[Tensor] = []
    trial_depth: list[Tensor] = []
    for square in sorted(set(squares.tolist())):
        own = (squares == square).nonzero().squeeze(1)
        offsets = offsets_between(square, math.sqrt(square) + wider, mask.ndim)
        tried = (squares[of_site] == square).nonzero().squeeze(1)
        words = padded.words(torch.cat([sites[own], stand_ins[tried]]), offsets)
        # Of the pixels around a stand-in, those that are valid around the outside pixel, too.
        words[:, len(own) :] &= padded.words(sites[of_site[tried]], offsets)
        usable = words.ne(0).any(0)
        usable[: len(own)] = True
        words, tried = words[:, usable], tried[usable[len(own) :]]
        at = torch.cat([padded.in_image(sites[own]), padded.in_image(stand_ins[tried])])
        entries = _entries(words, offsets, padded.image_steps(offsets), at, degrees)
        for kind, (first, stop) in enumerate([(0, len(own)), (len(own), len(at))]):
            done = sum(len(part) for part in (order, known)[kind])
            taken = (entries[0] >= first) & (entries[0] < stop)
            rows, columns, weights = (entry[taken] for entry in entries)
            pieces[kind] += [rows - first + done, columns, weights]
        order.append(at[: len(own)])
        known.append(at[len(own) :])
        trial_depth.append(torch.full((len(tried),), _depth(square)))
    depth = torch.tensor([_depth(square) for square in squares.sort(stable=True)[0].tolist()], dtype=torch.int64)
    depths = int(depth.max()) if len(depth) else 0
    tried_depth = _joined(trial_depth)
    counts = tuple(tried_depth.bincount(minlength=depths + 1)[1:].tolist())
    values, trials = (
        LinearMap(
            _joined(parts[0::3]),
            _joined(parts[1::3]),
            torch.cat([torch.zeros(0, len(degrees), dtype=torch.float64), *parts[2::3]]),
            sum(len(part) for part in found),
            mask.numel(),
        )
        for parts, found in zip(pieces, (order, known), strict=True)
    )
    return Fill(_joined(order), depth, depths, values, trials, _joined(known), tried_depth, counts)


def _depth(square: int) -> int:
    return math.isqrt(square - 1) + 1


def _joined(parts: Sequence[Tensor]) -> Tensor:
    """Join pieces of indices, of which there may be none."""
    return torch.cat([torch.zeros(0, dtype=torch.int64), *parts])


def _stand_ins(padded: PaddedMask, sites: Tensor, squares: Tensor, deepest: int, wider: int) -> tuple[Tensor, Tensor]:
    """Choose valid pixels that stand for outside pixels up to a depth, with all of their ball valid if such are near.

    Returns:
        The number of the outside pixel that each stands for, and its position: the nearest in each orthant.
    """
    depth = (squares.double() - 0.5).sqrt().ceil().long()
    offsets = offsets_between(1, _FARTHEST, len(padded.shape))
    orthants = [
        padded.steps([offset for offset in offsets if tuple(x < 0 for x in offset) == signs])
        for signs in itertools.product((False, True), repeat=len(padded.shape))
    ]
    for all_valid in (True, False):
        pairs = [sites.new_empty(2, 0)]
        for each in range(1, deepest + 1):
            wanted = padded.complete(each + wider) if all_valid else padded.valid
            own = (depth == each).nonzero().squeeze(1)
            chosen = own[:: max(1, -(-len(own) * len(orthants) // _TRIALS))]
            found = torch.stack([padded.nearest(sites[chosen], wanted, steps) for steps in orthants])
            orthant, number = (found >= 0).nonzero().unbind(1)
            # A few would tell little; the next depth then tells more.
            if len(number) >= _ENOUGH or not all_valid:
                pairs.append(torch.stack([chosen[number], found[orthant, number]]))
        of_site, positions = torch.cat(pairs, 1)
        # Where fewer pixels are known all predictors err much: such trials would hide which is best.
        if len(of_site):
            break
    return of_site, positions


def _entries(
    words: Tensor, offsets: Sequence[tuple[int, ...]], steps: Tensor, at: Tensor, degrees: Sequence[int]
) -> tuple[Tensor, Tensor, Tensor]:
    """Return rows, columns and weights (entries, predictors) of pixels with these bits around them."""
    different, which = distinct(words)
    bits = bits_of(different, len(offsets))
    points = torch.tensor(offsets).view(len(offsets), -1)
    squares = points.square().sum(1)
    weights = torch.stack([_weights(bits, points, squares, degree) for degree in degrees], 2)
    # A row lists its pixels in the order of the image.
    steps, order = steps.sort()
    weights = weights[:, order]
    used = weights.ne(0).any(2)
    parts: list[tuple[Tensor, Tensor, Tensor]] = []
    for rows in torch.split(torch.arange(len(at)), max(1, _MOST_BITS // len(offsets))):
        row, pixel = used[which[rows]].nonzero().unbind(1)
        row = rows[row]
        parts.append((row, at[row] + steps[pixel], weights[which[row], pixel]))
    rows, columns, values = (torch.cat(part) for part in zip(*parts, strict=True))
    return rows, columns, values


def _weights(bits: Tensor, points: Tensor, squares: Tensor, degree: int) -> Tensor:
    """Return the weights of a predictor, which reads no more of the ball than its own degree needs."""
    if degree == NEAREST:
        return nearest_weights(bits, squares)
    if degree == MEAN:
        return bits.double() / bits.sum(1, keepdim=True).clamp(min=1)
    # No bit is nearer than the nearest valid pixel of the site; around a stand-in the nearest may be farther.
    nearest = torch.where(bits, squares, torch.iinfo(torch.int64).max).amin(1, keepdim=True).double().sqrt()
    near = bits & (squares.double().sqrt() <= nearest + margin(degree) + 1e-9)
    return polynomial_weights(near, points, degree)
