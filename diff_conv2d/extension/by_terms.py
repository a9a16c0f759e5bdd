"""The extension of small images by predictors: a table of all terms, whose weights are products over the axes.

Each sample of the frame is a weighted sum of samples of the image, ``sum_t w[t] x(source[t])``. A sample outside
along one axis has the weights of a predictor; one outside along several axes has their products. The places of all
terms depend on sizes alone and are cached. The weights are put together once for many batches, or, where they are
trained, at each call. As in `by_table`, one gather, one product and one addition do the rest.
"""

from __future__ import annotations

from collections.abc import Sequence
from functools import lru_cache
from itertools import product
from math import prod
from typing import NamedTuple

import torch
import torch.nn.functional as F
from torch import Tensor

__all__ = ["Terms", "add_terms", "adjoint_by_terms", "extended_by_terms", "terms_of", "weights_of_terms"]

# Terms of a batch up to which a table is faster than a product for each side, on a CPU.
_FEW_TERMS = 1 << 17
# Samples and terms of an image up to which its table is made in milliseconds.
_SMALL, _FEW_OF_IMAGE = 1 << 12, 1 << 13


class Terms(NamedTuple):
    """The terms of the frame of images of one size.

    Attributes:
        sources: places in the flattened image.
        targets: places in the flattened extended image.
        factors: for each axis a matrix (p (m - 1), terms) and a row (terms): its factor of the term's weight is the
            weights of its predictors, flattened, times the matrix, plus the row.
        edges: 1 for the first term of each sample, which is that of the edge sample; otherwise 0.
        padding: what F.pad needs.
    """

    sources: Tensor
    targets: Tensor
    factors: tuple[tuple[Tensor, Tensor] | None, ...]
    edges: Tensor
    padding: list[int]


def terms_of(
    shape: tuple[int, ...], before: tuple[int, ...], after: tuple[int, ...], taps: tuple[int, ...], dtype: torch.dtype
) -> Terms | None:
    """Return the terms for images (N, C, ...) on a CPU; None if they are too many, or an image has too few samples.

    Args:
        shape: of the images.
        before: samples added at the low end of each axis.
        after: samples added at the high end.
        taps: samples that the predictors of each axis read; 1 repeats the edge sample.
        dtype: of the weights.
    """
    sizes = shape[2:]
    inside = prod(sizes)
    if inside > _SMALL or any(n < m for n, m in zip(sizes, taps, strict=True)):
        return None
    every = prod(n + (low + high) * m for n, low, high, m in zip(sizes, before, after, taps, strict=True))
    count = (every - inside) * shape[0] * shape[1]
    if not 0 < count <= min(_FEW_TERMS, _FEW_OF_IMAGE * shape[0] * shape[1]):
        return None
    return _terms(tuple(sizes), before, after, taps, dtype)


@lru_cache(maxsize=128)
def _terms(
    sizes: tuple[int, ...], before: tuple[int, ...], after: tuple[int, ...], taps: tuple[int, ...], dtype: torch.dtype
) -> Terms:
    lines = []
    for n, low, high, m in zip(sizes, before, after, taps, strict=True):
        # Of each term of a line: the sample that it adds to, the one that it reads, its number, its distance outside.
        below = [(low - s, j, j, s) for s in range(low, 0, -1) for j in range(m)]
        same = [(low + i, i, 0, 0) for i in range(n)]
        above = [(low + n - 1 + s, n - 1 - j, j, s) for s in range(1, high + 1) for j in range(m)]
        lines.append(below + same + above)
    found = []
    for terms in product(*lines):
        if any(distance for *_, distance in terms):
            source = target = 0
            for (i, place, _, _), n, low, high in zip(terms, sizes, before, after, strict=True):
                source, target = source * n + place, target * (n + low + high) + i
            found.append((sum(term[2] for term in terms), source, target, [term[2:] for term in terms]))
    # First the first terms of all sums, then others: two additions to one target in a row are slow.
    found.sort(key=lambda term: term[0])
    numbers, sources, targets, every = zip(*found, strict=True)
    with torch.inference_mode(False):
        factors = tuple(
            _factor([terms[axis] for terms in every], max(before[axis], after[axis]), m, dtype)
            for axis, m in enumerate(taps)
        )
        places = torch.tensor([sources, targets], dtype=torch.int64, device="cpu")
        edges = torch.tensor([number == 0 for number in numbers], dtype=dtype, device="cpu")
    widths = [width for ends in zip(reversed(before), reversed(after), strict=True) for width in ends]
    return Terms(places[0], places[1], factors, edges, widths)


def _factor(
    terms: list[tuple[int, int]], distances: int, taps: int, dtype: torch.dtype
) -> tuple[Tensor, Tensor] | None:
    """Return how an axis' factors of all terms come from its predictors v, see `by_axis.sample_weights`."""
    if taps < 2 or not distances:
        return None
    matrix = torch.zeros((distances, taps - 1, len(terms)), dtype=dtype, device="cpu")
    row = torch.zeros(len(terms), dtype=dtype, device="cpu")
    for number, (j, distance) in enumerate(terms):
        # w(0) = 1 - v(1), w(j) = v(j) - v(j + 1)
        if distance and j:
            matrix[distance - 1, j - 1, number] = 1
        else:
            row[number] = 1
        if distance and j < taps - 1:
            matrix[distance - 1, j, number] = -1
    return matrix.flatten(0, 1), row


def weights_of_terms(terms: Terms, predictors: Sequence[Tensor]) -> Tensor:
    """Return the weight of each term, (C or 1, terms), with the gradients of the predictors.

    Args:
        terms: of the frame.
        predictors: of each axis, v (C or 1, p, m - 1), see `by_axis.predicted`.
    """
    result: Tensor | None = None
    for v, factor in zip(predictors, terms.factors, strict=True):
        if factor is not None:
            matrix, row = factor
            of_axis = torch.addmm(row, v.flatten(1), matrix)
            result = of_axis if result is None else result * of_axis
    # There are none where each axis repeats its edge samples.
    return terms.edges.unsqueeze(0) if result is None else result


def extended_by_terms(input: Tensor, terms: Terms, weights: Tensor) -> Tensor:
    """Return the extended images (N, C, ...), contiguous.

    Args:
        input: contiguous images.
        terms: for this size.
        weights: of `weights_of_terms`, (C or 1, terms), or (N C, terms).

    Example:
        >>> line = torch.tensor([[[3.0, 5.0]]])  # 2 x(0) - x(1)
        >>> terms = terms_of(line.shape, (1,), (0,), (2,), line.dtype)
        >>> extended_by_terms(line, terms, weights_of_terms(terms, [torch.tensor([[[-1.0]]])]))
        tensor([[[1., 3., 5.]]])
    """
    padded = F.pad(input, terms.padding, "replicate")
    return add_terms(input, padded, terms.sources, terms.targets, weights - terms.edges)


def adjoint_by_terms(grad: Tensor, terms: Terms, weights: Tensor) -> Tensor:
    """Return the adjoint of `extended_by_terms`: gradients of samples outside, added to those of their sources."""
    inside = F.pad(grad, [-width for width in terms.padding])
    return add_terms(grad, inside, terms.targets, terms.sources, weights)


def add_terms(source: Tensor, target: Tensor, sources: Tensor, targets: Tensor, weights: Tensor) -> Tensor:
    """Return the target images with the terms added that are made of the source images."""
    images, channels = source.shape[:2]
    rows = source.view(images * channels, -1)
    terms = rows.gather(1, sources.expand(len(rows), -1))
    if len(weights) in (1, len(rows)):
        terms = terms * weights
    else:
        terms = (terms.view(images, channels, -1) * weights).view(len(rows), -1)
    flat = target.view(len(rows), -1)
    return flat.scatter_add(1, targets.expand(len(rows), -1), terms).view(target.shape)
