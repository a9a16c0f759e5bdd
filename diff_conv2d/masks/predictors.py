r"""Weights that predict the pixel in the middle of a ball from the valid pixels in it.

`nearest_weights` takes the mean of the nearest valid pixels. `polynomial_weights` are exact on polynomials of a
degree d. Of all such weights they have the least expected error for a field whose increments have the generalised
covariance

.. math:: K(h) = (-1)^{\lceil e / 2 \rceil} |h|^e \quad (e \text{ odd}), \qquad
    K(h) = (-1)^{e / 2 + 1} |h|^e \log |h| \quad (e \text{ even}), \qquad e = d + 1

With K between the valid pixels, K(0) between them and the middle, p the monomials at the valid pixels and p(0) those
at the middle, the weights w minimise

.. math:: w^T K w - 2 w^T K(0) \quad \text{subject to} \quad p^T w = p(0)

which is interpolation by a polyharmonic spline: linear in one dimension for d = 0, the thin plate in two for d = 1.

Source: Matheron, The intrinsic random functions and their applications (1973); Duchon, Splines minimizing
rotation-invariant semi-norms in Sobolev spaces (1977).
"""

from __future__ import annotations

import itertools
from math import comb

import torch
import torch.nn.functional as F
from torch import Tensor

__all__ = ["carried_degrees", "margin", "nearest_weights", "polynomial_weights", "read_by_polynomial"]

# Numbers of a batch of systems that are solved at once.
_MOST_NUMBERS = 1 << 22
# For ranks in exact arithmetic: products of two residues fit into 63 bits.
_PRIME = 2**31 - 1


def margin(degree: int, axes: int) -> int:
    """Return by how much the ball is wider than the distance to the nearest valid pixel; 0 without a polynomial."""
    if degree < 0:
        return 0
    # Volumes have so many pixels in a ball that a narrower one will do. A polynomial needs degree + 1 rows.
    least = 3 if degree < 2 else 4
    return max(least if axes < 3 else least - 1, degree if axes == 3 else degree + 1)


def read_by_polynomial(bits: Tensor, points: Tensor, degree: int) -> Tensor:
    """Return the bits of the pixels that a polynomial reads.

    These are the valid pixels up to `margin` farther away than the nearest one. Where they lie all around there are
    more of them than beside a straight edge: then only the nearest are read, as many as there are beside an edge or
    somewhat more.

    Args:
        bits: which pixels of the ball are valid, (patterns, pixels).
        points: their offsets from the middle, integers, the nearest first, (pixels, axes).
        degree: of the polynomial.
    """
    squares = points.square().sum(1)
    # Rounding must not decide.
    distances, wider = squares.double().sqrt(), margin(degree, points.shape[1]) + 1e-9
    nearest = torch.where(bits, distances, torch.inf).amin(1, keepdim=True)
    within = bits & (distances <= nearest + wider)
    beside_edge = (points[:, 0] >= distances[0]) & (distances <= distances[0] + wider)
    # How many are nearer than each pixel: the same for all pixels of one distance.
    nearer = F.pad(within.cumsum(1), (1, 0))[:, torch.searchsorted(squares, squares)]
    return within & (nearer < beside_edge.sum())


def nearest_weights(bits: Tensor, squares: Tensor) -> Tensor:
    """Return weights of the mean of the nearest valid pixels.

    Args:
        bits: which pixels of the ball are valid, (patterns, pixels).
        squares: their squared distances from the middle, (pixels,).

    Example:
        >>> nearest_weights(torch.tensor([[True, True, True], [False, False, True]]), torch.tensor([1, 1, 2]))
        tensor([[0.5000, 0.5000, 0.0000],
                [0.0000, 0.0000, 1.0000]], dtype=torch.float64)
    """
    distances = torch.where(bits, squares, torch.iinfo(torch.int64).max)
    taken = bits & (distances == distances.amin(1, keepdim=True))
    return taken.double() / taken.sum(1, keepdim=True).clamp(min=1)


def _exponents(degree: int, axes: int) -> list[tuple[int, ...]]:
    """List the exponents of the monomials up to a degree, the lowest degree first."""
    every = itertools.product(range(degree + 1), repeat=axes)
    return sorted((e for e in every if sum(e) <= degree), key=lambda e: (sum(e), e))


def _monomials(points: Tensor, degree: int) -> Tensor:
    """Return the monomials at points (..., axes), in the points' dtype."""
    columns = [points.pow(torch.tensor(e)).prod(-1) for e in _exponents(degree, points.shape[-1])]
    return torch.stack(columns, -1)


def carried_degrees(bits: Tensor, points: Tensor, degree: int) -> Tensor:
    """Return for each pattern the largest degree, at most `degree`, whose polynomials its pixels determine.

    The rank of the monomials at the pixels is that of their Gram matrix. Its entries are integers, so elimination is
    exact: modulo a prime, which misses a rank about once in 10^9 patterns. A Gram matrix has full rank if and only if
    no pivot on its diagonal vanishes, and the first pivots are those of the lower degrees.

    Example:
        >>> points = torch.tensor([[0, 1], [0, 2], [1, 1]])
        >>> carried_degrees(torch.tensor([[True, True, True], [True, True, False]]), points, degree=1)
        tensor([1, 0])
    """
    monomials, axes = _monomials(points, degree), points.shape[1]
    # Far points have large monomials, whose products overflow: only their residues count.
    products = (monomials[:, :, None] % _PRIME) * (monomials[:, None, :] % _PRIME) % _PRIME
    count = monomials.shape[1]
    gram = torch.zeros(len(bits), count, count, dtype=torch.int64)
    for pixel, product in enumerate(products):
        gram += bits[:, pixel, None, None] * product
    gram %= _PRIME
    carried, known = torch.zeros(len(bits), dtype=torch.int64), torch.ones(len(bits), dtype=torch.bool)
    for j in range(count):
        pivot = gram[:, j, j]
        known &= pivot != 0
        for q in range(1, degree + 1):
            if j + 1 == comb(q + axes, axes):
                carried[known] = q
        rows = gram[:, j + 1 :]
        gram[:, j + 1 :] = (rows * pivot[:, None, None] - rows[:, :, j, None] * gram[:, j, None]) % _PRIME
    return carried


def polynomial_weights(bits: Tensor, points: Tensor, degree: int) -> Tensor:
    """Return the weights of this module's formula; where the pixels carry a lower degree alone, those of that degree.

    Args:
        bits: which pixels of the ball are valid, at least one of each pattern, (patterns, pixels).
        points: their offsets from the middle, integers, the nearest first, (pixels, axes).
        degree: d, at least 0.

    Example:
        >>> points = torch.tensor([[1], [2], [3]])
        >>> polynomial_weights(torch.tensor([[True, True, False]]), points, degree=1).round(decimals=8)
        tensor([[ 2., -1.,  0.]], dtype=torch.float64)
    """
    bits = read_by_polynomial(bits, points, degree)
    carried = carried_degrees(bits, points, degree)
    result = torch.zeros(bits.shape, dtype=torch.float64)
    counts = bits.sum(1)
    for q in range(degree + 1):
        own = (carried == q).nonzero().squeeze(1)
        # Sorted by their number of pixels, patterns that are solved together need little filling.
        own = own[counts[own].argsort(stable=True)]
        while len(own):
            size = int(counts[own[-1]]) + comb(q + points.shape[1], q)
            few = max(1, _MOST_NUMBERS // size**2)
            result[own[-few:]] = _solved(bits[own[-few:]], points, q)
            own = own[:-few]
    return result


def _solved(bits: Tensor, points: Tensor, degree: int) -> Tensor:
    """Solve the systems of patterns that carry a degree."""
    count = int(bits.sum(1).max())
    # The valid pixels of each pattern come first; what fills the rest gets the equation w = 0.
    order = bits.to(torch.int8).argsort(dim=1, descending=True, stable=True)[:, :count]
    used = bits.gather(1, order)
    # The unit of length does not change the weights; this one keeps all numbers near 1.
    scaled = points.double() / points.abs().max()
    monomials = _monomials(scaled, degree)
    covariances = _covariance(torch.cdist(scaled, scaled), degree + 1)
    to_middle = _covariance(scaled.norm(dim=1), degree + 1)
    both = used[:, :, None] & used[:, None, :]
    among = covariances[order[:, :, None], order[:, None, :]]
    among = torch.where(both, among, torch.diag_embed((~used).double()))
    conditions = torch.where(used[:, :, None], monomials[order], 0.0)
    weights = _constrained(among, torch.where(used, to_middle[order], 0.0), conditions)
    return torch.zeros(bits.shape).double().scatter_(1, order, torch.where(used, weights, 0.0))


def _constrained(among: Tensor, to_middle: Tensor, conditions: Tensor) -> Tensor:
    """Solve for the weights w: of least ``w K w - 2 w K(0)`` among those that fulfil ``p^T w = (1, 0, ..., 0)``.

    On the w with ``p^T w = 0`` the covariance K is positive definite, so that Cholesky's factorisation does.

    Args:
        among: K, (patterns, n, n).
        to_middle: K(0), (patterns, n).
        conditions: p, (patterns, n, m), of rank m.
    """
    m = conditions.shape[2]
    q, r = torch.linalg.qr(conditions, mode="complete")
    fulfilling, free = q[:, :, :m], q[:, :, m:]
    first = torch.zeros(len(q), m, 1, dtype=q.dtype)
    first[:, 0] = 1
    weights: Tensor = fulfilling @ torch.linalg.solve_triangular(r[:, :m].mT, first, upper=False)
    if free.shape[2]:
        factor = torch.linalg.cholesky(free.mT @ among @ free)
        weights = weights + free @ torch.cholesky_solve(free.mT @ (to_middle[:, :, None] - among @ weights), factor)
    return weights.squeeze(2)


def _covariance(distances: Tensor, exponent: int) -> Tensor:
    """Return K(h), see the formula of this module."""
    power: Tensor = distances**exponent
    if exponent % 2:
        return power if (exponent + 1) % 4 == 0 else -power
    power = torch.special.xlogy(power, distances)
    return power if exponent % 4 else -power
