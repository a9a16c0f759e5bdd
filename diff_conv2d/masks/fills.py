"""What is prepared of a mask: the outside pixels that are filled, from which valid ones, and where that is tried."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import NamedTuple

import torch
from torch import Tensor

from diff_conv2d.masks.beyond import sources_along_lines
from diff_conv2d.masks.linear_map import LinearMap
from diff_conv2d.masks.predictors import margin, nearest_weights, polynomial_weights
from diff_conv2d.masks.sites import PaddedMask, bits_of, depth_of, distinct, offsets_between
from diff_conv2d.masks.trials import FARTHEST, stand_ins, words_in_common

__all__ = ["MEAN", "NEAREST", "Fill", "prepared", "prepared_in_rings"]

#: In place of a degree: the nearest valid pixels.
NEAREST = -1
#: The mean of the whole ball.
MEAN = -2
# Pixels that a kernel may reach for all of them to be filled at once.
_AT_ONCE = 2
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


def prepared_in_rings(
    mask: Tensor, reach: Sequence[int], rim: Sequence[int], degrees: Sequence[int], beyond: bool
) -> list[Fill]:
    """Prepare the fill of a mask: at once for kernels of up to 5 pixels, for wider ones ring after ring.

    Around a deep pixel a ball that meets valid ones holds hundreds, and hardly two balls are alike. So a wide kernel
    is served by rings of one pixel; each takes those before it for valid.

    Args:
        mask: see `prepared`.
        reach: see `prepared`.
        rim: see `prepared`.
        degrees: see `prepared`.
        beyond: whether pixels that the kernel does not reach are filled, too, see `sources_along_lines`.
    """
    fills: list[Fill] = []
    left = list(reach)
    while not fills or any(left):
        ring = left if max(reach) <= _AT_ONCE else [min(width, 1) for width in left]
        left = [width - step for width, step in zip(left, ring, strict=True)]
        fills.append(prepared(mask, ring, [0] * mask.ndim if any(left) else rim, degrees))
        mask = mask.flatten().index_fill(0, fills[-1].outside, True).view(mask.shape)
    if beyond and not mask.all():
        outside, sources = sources_along_lines(mask)
        rows, ones = torch.arange(len(outside)), torch.ones(len(outside), 1, dtype=torch.float64)
        values, none = LinearMap(rows, sources, ones, len(outside), mask.numel()), outside[:0]
        fills.append(Fill(outside, none, 0, values, values, none, none, ()))
    return fills


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
    wider, several = margin(max(degrees), mask.ndim), len(degrees) > 1
    ball = math.ceil(math.sqrt(farthest)) + wider
    padded = PaddedMask(mask, max(ball, FARTHEST) if several else ball)
    sites = padded.sites(reach, rim)
    squares = padded.squared_distances(sites, farthest)
    of_site = positions = sites[:0]
    if several:
        # Deeper ones are few, near the rim, and cost most.
        deepest = depth_of(max(1, sum(width**2 for width in reach)))
        of_site, positions = stand_ins(padded, sites, squares, deepest, max(degrees))
    filled, tried = _Rows(len(degrees)), _Rows(len(degrees))
    depths: list[list[int]] = [[], []]
    for square in sorted(set(squares.tolist())):
        own = (squares == square).nonzero().squeeze(1)
        of_trial = (squares[of_site] == square).nonzero().squeeze(1)
        offsets = offsets_between(square, math.sqrt(square) + wider, mask.ndim)
        of_sites = padded.words(sites[own], offsets)
        of_trials = words_in_common(padded, sites[of_site[of_trial]], positions[of_trial], offsets)
        at = padded.in_image(torch.cat([sites[own], positions[of_trial]]))
        steps = padded.image_steps(offsets)
        rows, columns, weights = _entries(torch.cat([of_sites, of_trials], 1), offsets, steps, at, degrees)
        first = rows < len(own)
        filled.add(rows[first], columns[first], weights[first], at[: len(own)])
        tried.add(rows[~first] - len(own), columns[~first], weights[~first], at[len(own) :])
        for found, count in zip(depths, (len(own), len(of_trial)), strict=True):
            found += [depth_of(square)] * count
    depth, trial_depth = (torch.tensor(found, dtype=torch.int64) for found in depths)
    deep = max(depths[0], default=0)
    counts = tuple(trial_depth.bincount(minlength=deep + 1)[1:].tolist())
    # In the order of the image, neighbours are read together.
    outside, order = filled.positions.sort()
    known, trial_order = tried.positions.sort(stable=True)
    maps = filled.to_map(order, mask.numel()), tried.to_map(trial_order, mask.numel())
    return Fill(outside, depth[order], deep, *maps, known, trial_depth[trial_order], counts)


class _Rows:
    """Rows of a sparse map, collected piece by piece."""

    def __init__(self, maps: int) -> None:
        none = torch.zeros(0, dtype=torch.int64)
        self._pieces = [(none, none, torch.zeros(0, maps, dtype=torch.float64))]
        self._positions = [none]
        self._count = 0

    @property
    def positions(self) -> Tensor:
        """The position of the pixel of each row."""
        return torch.cat(self._positions)

    def add(self, rows: Tensor, columns: Tensor, weights: Tensor, positions: Tensor) -> None:
        """Add rows, numbered from 0, for pixels at some positions."""
        self._pieces.append((rows + self._count, columns, weights))
        self._positions.append(positions)
        self._count += len(positions)

    def to_map(self, order: Tensor, pixels: int) -> LinearMap:
        """Return the map of images with so many pixels, its rows in another order."""
        rows, columns, weights = (torch.cat(piece) for piece in zip(*self._pieces, strict=True))
        rows, entries = order.argsort()[rows].sort(stable=True)
        return LinearMap(rows, columns[entries], weights[entries], len(order), pixels)


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
    return polynomial_weights(bits, points, degree)
