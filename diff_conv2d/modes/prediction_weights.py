r"""Weights that predict the samples beyond the ends of lines, fitted to the lines themselves.

Along one axis, in steps of the kernel's dilation: x(0) is the sample nearest the edge, x(1), ..., x(m - 1) lie
further inside, and x(-1), ..., x(-p) are to be predicted. Everything is written in the differences
``d(j) = x(j) - x(j - 1)``, so that constants are extended exactly, whatever the weights:

.. math:: \hat x(-s) = x(0) + \sum_{j=1}^{m-1} v_{s,j} \, d(j), \qquad s = 1, ..., p.

A window of the image is ``d(1 - p), ..., d(m - 1)``: the samples that a prediction reads, and its p true values. The
functions below take the windows near both ends of an axis (`edge_differences`), fit predictors to them
(`gram_matrix`, `fitted`), add polynomials as candidates (`polynomials`), measure how well each candidate predicts
(`scores`), and average them (`blend`). docs/adaptive.md derives them.

A small image's time goes into the number of operations. So all axes, lattices, candidates and distances are computed
at once, and what depends on sizes alone is made once (`kept`).
"""

from __future__ import annotations

from collections.abc import Sequence
from itertools import accumulate
from math import prod

import torch
from torch import Tensor

from diff_conv2d.modes.polynomial_weights import extrapolation_weights
from diff_conv2d.precision import is_on_cpu
from diff_conv2d.tracing import is_exporting, is_plain, kept, size_is_at_least

__all__ = [
    "blend",
    "edge_differences",
    "fitted",
    "gram_matrix",
    "neighbour_correlation",
    "polynomials",
    "scores",
    "solve_normal_equations",
]

# A candidate twice as bad as the best one gets 1 / 2^16 of its share: nearly a choice, but continuous.
_SHARPNESS = 16
# Above the largest -16 log of a number in float64: what counts as an error of 0.
_NO_ERROR = 2e4
# The least error that has a gradient, in smallest numbers of its precision.
_LEAST_ERROR = 1 << 12


def edge_differences(
    image: Tensor, dims: tuple[int, ...], rows: int, lines: int, step: int, dtype: torch.dtype
) -> tuple[Tensor, tuple[int, ...]]:
    """Return the differences of the samples near both ends of axes, ordered from outside in.

    Args:
        image: images (N, C, ...).
        dims: the axes, counted from the last.
        rows: samples taken from each end, at most the size of the axis; a multiple of `step`.
        lines: how many lines along the axis are taken at least, evenly spread; all if there are fewer.
        step: distance between the two samples of a difference.
        dtype: precision of the differences.

    Returns:
        Differences (N, C, axes, rows / step - 1, step, M), outermost first: each lattice is a line of its own. The
        lines of the low end come first, then those of the high one, then lines of zeros if another axis has more;
        and how many lines each axis has without these.
    """
    sizes = tuple(image.shape[2:])
    if is_plain(image) and not image.requires_grad:
        # As it lies in memory: no layout is copied.
        strides = tuple(image.stride()[2:])
        span = 1 + sum((size - 1) * stride for size, stride in zip(sizes, strides, strict=True))
        samples = image.as_strided((*image.shape[:2], span), (*image.stride()[:2], 1))
    else:
        strides = _row_major(sizes)
        samples = image.flatten(2)
    places, counts = kept(_places, image)(sizes, strides, dims, rows, lines, image.device)
    near = samples.gather(2, places.expand(*samples.shape[:2], -1))
    near = torch.unflatten(near, 2, (len(dims), rows // step, step, -1))
    near = near * kept(_signs, image)(counts, dtype, image.device)
    return near.narrow(3, 1, rows // step - 1) - near.narrow(3, 0, rows // step - 1), counts


def _row_major(sizes: tuple[int, ...]) -> tuple[int, ...]:
    """Return the strides of an image of these sizes in row-major order."""
    return tuple(accumulate(reversed(sizes[1:]), lambda a, b: a * b, initial=1))[::-1]


def _places(
    sizes: tuple[int, ...],
    strides: tuple[int, ...],
    dims: tuple[int, ...],
    rows: int,
    lines: int,
    device: torch.device,
) -> tuple[Tensor, tuple[int, ...]]:
    """Return where in memory the samples of `edge_differences` are, and how many lines each axis has.

    They come axis by axis, from outside in, line by line. An axis with fewer lines than another repeats its last one.
    """
    places = torch.zeros((), dtype=torch.int64, device=device)
    for size, stride in zip(sizes, strides, strict=True):
        places = places.unsqueeze(-1) + stride * torch.arange(size, device=device)
    across = len(sizes) - 1
    # 64 lines are 64 along one axis, or 8 x 8 along two.
    each = lines if across < 2 else round(lines**0.5)
    pieces = []
    for dim in dims:
        low = places.movedim(dim, 0)
        ends = []
        for bands in ([low[:rows]], [low.flip(0)[:rows]]):
            for other in range(1, low.ndim):
                bands = [part for band in bands for part in _evenly_spread(band, other, each)]
            ends += [band.reshape(rows, -1) for band in bands]
        pieces.append(torch.cat(ends, 1))
    counts = tuple(piece.shape[1] for piece in pieces)
    repeated = [
        piece if count == max(counts) else torch.cat([piece, piece[:, -1:].expand(-1, max(counts) - count)], 1)
        for piece, count in zip(pieces, counts, strict=True)
    ]
    return torch.cat([piece.flatten() for piece in repeated]), counts


def _signs(counts: tuple[int, ...], dtype: torch.dtype, device: torch.device) -> Tensor:
    """Return 1 for the lines of the low end and -1 for those of the high end: differences are those of the image.

    The shape is (axes, 1, 1, M). Lines that an axis lacks are multiplied by 0.
    """
    signs = torch.zeros(len(counts), 1, 1, max(counts), dtype=dtype, device=device)
    for axis, count in enumerate(counts):
        signs[axis, ..., : count // 2] = 1
        signs[axis, ..., count // 2 : count] = -1
    return signs


def _evenly_spread(x: Tensor, dim: int, count: int) -> list[Tensor]:
    """Return every n-th sample of an axis, about `count`: one half counted from each end."""
    size = x.shape[dim]
    if not size_is_at_least(size, 2 * count):
        return [x]
    step = size // count
    half = size // (2 * step) * step
    before = (slice(None),) * dim
    return [x[(*before, slice(0, half, step))], x[(*before, slice(size - 1 - half + step, size, step))]]


def gram_matrix(differences: Tensor, width: int) -> Tensor:
    r"""Sum the products of the differences in a window over all windows of all lines, in both directions.

    .. math:: S_{ij} = \sum_a d(a + i) \, d(a + j) + \sum_a d(a + w - 1 - i) \, d(a + w - 1 - j)

    No window is copied: all rows are multiplied with each other at once, ``K = D D^T``, and the window at position a
    is a block on the diagonal of K. A reversed line has mirrored windows: its differences change their sign, their
    products do not.

    Args:
        differences: D of shape (*, R, M).
        width: differences w in a window.

    Returns:
        S of shape (*, w, w).

    Example:
        >>> gram_matrix(torch.tensor([[1.0], [2.0], [3.0]]), width=2)
        tensor([[18.,  16.],
                [16.,  18.]])
    """
    blocks = (differences @ differences.mT).unfold(-2, width, 1).unfold(-2, width, 1)
    total = blocks.diagonal(0, -4, -3).sum(-1)
    return total + total.flip(-2, -1)


def fitted(gram: Tensor, distances: int, taps: Sequence[int], ridge: float) -> Tensor:
    r"""Fit predictors from the samples nearest the edge by least squares.

    Each fit solves ``(G + R) v = M`` for all distances, with G the part of S that belongs to d(1), ..., d(m - 1). R
    is diagonal: for the n - 1 differences that the fit uses, the ridge times the mean of G's diagonal there, so that
    scaling the data does not change v; for those farther inside a number so large that their weights vanish. So all
    fits are equations of one size, solved at once.

    Args:
        gram: S of windows of p + m - 1 differences.
        distances: p; each has weights of its own.
        taps: n of each fit, from 2 to m.
        ridge: added to the diagonal, relative to its mean. It keeps Cholesky's factorisation from failing if it
            exceeds the rounding of G, some n times 2e-16 in float64.

    Returns:
        v of shape (*, fits, p, m - 1).
    """
    p, inner = distances, gram.shape[-1] - distances
    # x(-s) - x(0) = -(d(0) + d(-1) + ... + d(1 - s)), and d(0) is entry p - 1 of the window.
    products = gram[..., p:, :p]
    moments = -products if p == 1 else products @ kept(_minus_outer, gram)(p, gram.dtype, gram.device).mT
    matrices = gram[..., p:, p:]
    means, identity, least = kept(_ridges, gram)(tuple(taps), inner, ridge, gram.dtype, gram.device)
    squares = matrices.diagonal(dim1=-2, dim2=-1)
    added = torch.unflatten(torch.addmm(least, squares.reshape(-1, inner), means), -1, (len(taps), inner, 1))
    added = torch.unflatten(added, 0, gram.shape[:-2])
    weights = _solved(torch.addcmul(matrices.unsqueeze(-3), added, identity), moments.unsqueeze(-3)).mT
    # Where there is no solution, the candidate is a bad one, and its score tells.
    return torch.nan_to_num(weights, 0.0, 0.0, 0.0)


def _ridges(
    taps: tuple[int, ...], inner: int, ridge: float, dtype: torch.dtype, device: torch.device
) -> tuple[Tensor, Tensor, Tensor]:
    """Return the map from a diagonal to the ridges, (inner, fits * inner), an identity, and the least ridges."""
    used = torch.arange(inner, device=device) < torch.tensor(taps, device=device).unsqueeze(-1) - 1
    # Filled, since numbers alone would have torch's default dtype.
    relative = torch.full(used.shape, torch.finfo(dtype).eps ** -1.5, dtype=dtype, device=device)
    relative = relative.masked_fill(used, ridge)
    means = used.to(dtype) / used.sum(-1, keepdim=True)
    matrix = (means.unsqueeze(-1) * relative.unsqueeze(-2)).movedim(1, 0).flatten(1)
    least = torch.full((len(taps) * inner,), torch.finfo(dtype).tiny, dtype=dtype, device=device)
    return matrix, torch.eye(inner, dtype=dtype, device=device), least


def polynomials(
    degrees: Sequence[int], distances: int, taps: int, dtype: torch.dtype, device: torch.device | None = None
) -> Tensor:
    """Return the weights v of the polynomials through the degree + 1 nearest samples, (degrees, p, m - 1).

    Example:
        >>> polynomials([2], distances=2, taps=4, dtype=torch.float32)  # x(0) - 2 d(1) + d(2) = 3 x(0) - ...
        tensor([[[-2.,  1.,  0.],
                 [-5.,  3.,  0.]]])
    """
    rows = []
    for degree in degrees:
        for s in range(1, distances + 1):
            # x(j) = x(0) + d(1) + ... + d(j): the weight of d(j) is the sum of the weights of x(j), x(j + 1), ...
            sums = list(accumulate(reversed(extrapolation_weights(degree + 1, s))))
            rows.append(sums[-2::-1] + [0] * (taps - 1 - degree))
    return torch.tensor(rows, dtype=dtype, device=device).view(len(degrees), distances, taps - 1)


def scores(
    differences: Tensor,
    counts: tuple[int, ...],
    candidates: Tensor,
    freedom: Sequence[int],
    pooled: tuple[int, ...],
    in_a_row: bool = True,
) -> Tensor:
    r"""Estimate the error of predictors beyond the edge from their residuals r in the N windows.

    .. math:: N e = \Bigl(1 + \frac{f}{q l}\Bigr) \sum |r| + \max |r| \, \lVert w \rVert_1

    The sum of absolute values, not of squares, tells piecewise constant images and outliers from noise. The factor
    corrects for windows that the fit has seen: f weights were fitted at q positions of l independent lines. The last
    term allows for one sample as surprising as the worst of the N windows, which then is itself used to predict; w
    are the weights of the samples.

    Of M lines,

    .. math:: l = \max\Bigl(1, M \frac{1 - \rho}{1 + \rho}\Bigr)

    are independent, with rho the correlation of the residuals of neighbours, at least 0. This is the effective sample
    size for the mean of a first-order autoregressive series. The lines of a smooth image count as one, those of white
    noise in full.

    Args:
        differences: D of shape (N, C, axes, R, lattices, lines), from `edge_differences`.
        counts: M of each axis; beyond it lines are 0.
        candidates: weights v of shape (N, C, axes, c, p, m - 1), with size 1 in pooled dimensions.
        freedom: degrees of freedom f of each of the c candidates, those with 0 first.
        pooled: dimensions over which the residuals are taken together.
        in_a_row: consecutive lines are neighbours; otherwise, as in volumes, all lines count as one.

    Returns:
        N e of shape (N, C, axes, c, p), with size 1 in pooled dimensions.
    """
    count, p, inner = candidates.shape[-3:]
    rows, width = differences.shape[-3], p + inner
    zeros = rows - width
    # The residual of distance s is v(1) d(1) + v(2) d(2) + ... + d(0) + d(-1) + ... + d(1 - s).
    before, after = kept(_beside, candidates)(p, zeros, candidates.dtype, candidates.device)
    shape = candidates.shape[:-1]
    filters = torch.cat([before.expand(*shape, -1), candidates, after.expand(*shape, -1)], -1)
    residuals = _filtered(differences.flatten(-2), filters, zeros)
    # Candidates that are not fitted come first and need no correction.
    fixed = sum(not f for f in freedom)
    factor = None
    if fixed < count:
        shares = [f / (zeros + 1) for f in freedom[fixed:]]
        if in_a_row:
            # (N, C, axes, fits, p, q M) as (N, C, axes, fits p, q, M).
            each = torch.unflatten(residuals[..., fixed:, :, :].flatten(-3, -2), -1, (-1, differences.shape[-1]))
            correlation = torch.unflatten(neighbour_correlation(each, counts, pooled), -1, (len(shares), p))
            together = prod([differences.shape[dim] for dim in pooled])
            factor = _corrections(correlation, shares, tuple(together * lines for lines in counts))
        else:
            ones = tuple(1 + share for share in shares)
            factor = kept(_column, residuals)(ones, residuals.dtype, residuals.device)
    # In place if no gradient is needed: new memory costs more than the absolute values.
    residuals = residuals.abs() if residuals.requires_grad else residuals.abs_()
    total, largest = residuals.sum(-1), residuals.amax((-2, -1))
    if pooled:
        total, largest = total.sum(pooled, keepdim=True), largest.amax(pooled, keepdim=True)
    if factor is not None:
        total[..., fixed:, :].mul_(factor)
    # The weights of the samples are the differences of 1, v(1), v(2), ..., 0, see `by_axis.sample_weights`.
    ends = filters.narrow(-1, zeros + p - 1, inner + 2)
    weights = ends[..., :-1] - ends[..., 1:]
    # One launch on a GPU; on a CPU torch's norms of short rows are ten times slower than two operations.
    norms = weights.abs().sum(-1) if is_on_cpu(weights) else torch.linalg.vector_norm(weights, 1, -1)
    errors: Tensor = torch.addcmul(total, largest.unsqueeze(-1), norms)
    return errors


def _outer(p: int, dtype: torch.dtype, device: torch.device) -> Tensor:
    """Return the weights of d(1 - p), ..., d(0) for each distance, (p, p)."""
    return torch.ones(p, p, dtype=dtype, device=device).tril().flip(-1)


def _minus_outer(p: int, dtype: torch.dtype, device: torch.device) -> Tensor:
    return -_outer(p, dtype, device)


def _beside(p: int, zeros: int, dtype: torch.dtype, device: torch.device) -> tuple[Tensor, Tensor]:
    """Return what stands before and after the weights v in a filter: `zeros` zeros at either end, and one more."""
    before = torch.cat([torch.zeros(p, zeros, dtype=dtype, device=device), _outer(p, dtype, device)], 1)
    return before, torch.zeros(1, zeros + 1, dtype=dtype, device=device)


def _filtered(lines: Tensor, filters: Tensor, zeros: int) -> Tensor:
    """Apply filters at all positions of lines, (*, R, M): return sums of shape (*, c, p, positions M).

    Filters have the shape (*, c, p, R + zeros + 1); their R - zeros weights stand between zeros.
    """
    count, p = filters.shape[-3:-1]
    rows = lines.shape[-2]
    width = rows - zeros
    if size_is_at_least(width, lines.shape[-1]):
        # For few lines, copying the windows is cheaper than a matrix for every filter.
        windows = lines.unfold(-2, width, 1).flatten(-3, -2)
        return torch.unflatten(filters.narrow(-1, zeros, width).flatten(-3, -2) @ windows.mT, -2, (count, p))
    # A filter between zeros, cut at each position, is the matrix that applies it at all positions.
    matrices = filters[..., :-1].unfold(-1, rows, 1).flatten(-4, -2)
    return torch.unflatten(matrices @ lines, -2, (count, p, zeros + 1)).flatten(-2)


def _corrections(correlation: Tensor, shares: Sequence[float], lines: tuple[int, ...]) -> Tensor:
    """Return the factors 1 + f / (q l) of `scores`.

    Args:
        correlation: rho of shape (*, axes, fits, p).
        shares: f / q of each fit.
        lines: M of each axis, over all that is pooled.
    """
    dtype, device = correlation.dtype, correlation.device
    if is_exporting():
        # M may be open.
        correlation = correlation.clamp(0, 1)
        independent = (lines[0] * (1 - correlation) / (1 + correlation)).clamp_min(1)
        return 1 + _column(tuple(shares), dtype, device) / independent
    least, most, first, second = kept(_of_correlation, correlation)(tuple(shares), lines, dtype, device)
    return torch.addcdiv(first, second, 1 - correlation.clamp(least, most))


def _of_correlation(
    shares: tuple[float, ...], lines: tuple[int, ...], dtype: torch.dtype, device: torch.device
) -> tuple[Tensor, Tensor, Tensor, Tensor]:
    """Return the bounds of rho, and the terms of f / (q l) = f / (q M) (2 / (1 - rho) - 1), each (axes, fits, 1).

    From a certain rho on l is 1. The lower bound is above 0, so that a rho of 0 has no gradient.
    """
    columns = (
        [[torch.finfo(dtype).tiny] * len(shares) for _ in lines],
        [[(count - 1) / (count + 1)] * len(shares) for count in lines],
        [[1 - share / count for share in shares] for count in lines],
        [[2 * share / count for share in shares] for count in lines],
    )
    least, most, first, second = (torch.tensor(c, dtype=dtype, device=device).unsqueeze(-1) for c in columns)
    return least, most, first, second


def _column(values: tuple[float, ...], dtype: torch.dtype, device: torch.device) -> Tensor:
    return torch.tensor(values, dtype=dtype, device=device).unsqueeze(-1)


def neighbour_correlation(residuals: Tensor, counts: tuple[int, ...], pooled: tuple[int, ...] = ()) -> Tensor:
    r"""Return the correlation of neighbouring lines.

    .. math:: \rho = \frac{\sum r_i r_{i + 1}}{\sum r_i^2}

    Args:
        residuals: r of shape (N, C, axes, k, q, lines), at q positions.
        counts: M of each axis; beyond it residuals are 0.
        pooled: dimensions over which the lines are taken together.

    Returns:
        Correlations (N, C, axes, k), with size 1 in pooled dimensions; 0 where all residuals are 0.

    Example:
        >>> residuals = torch.tensor([[1.0, 1.0, 1.0, 0.0], [1.0, -1.0, 0.0, 0.0]])
        >>> neighbour_correlation(residuals.view(1, 1, 1, 2, 1, 4), (3,))
        tensor([[[[ 1.0000, -0.5000]]]])
    """
    # The last line counts as a neighbour of the first, so that a mirrored image has the same pairs.
    if all(count == residuals.shape[-1] for count in counts):
        neighbours = residuals.roll(1, -1)
    else:
        places = kept(_lines_before, residuals)(counts, residuals.shape[-1], residuals.device)
        neighbours = residuals.gather(-1, places.expand_as(residuals))
    # The diagonals of matrix products, which read the residuals once. The smallest number keeps 0 / 0 from arising.
    first, second = (x.flatten(-2).flatten(0, -3) for x in (residuals, neighbours))
    least = kept(_least, residuals)(residuals.dtype, residuals.device)
    both = first @ second.mT, torch.baddbmm(least, first, first.mT)
    products, squares = (torch.unflatten(x.diagonal(dim1=1, dim2=2), 0, residuals.shape[:-3]) for x in both)
    if pooled:
        products, squares = products.sum(pooled, keepdim=True), squares.sum(pooled, keepdim=True)
    return products / squares


def _lines_before(counts: tuple[int, ...], lines: int, device: torch.device) -> Tensor:
    """Return the neighbour of each line of each axis, (axes, 1, 1, lines): the one before it."""
    places = torch.arange(-1, lines - 1, device=device).repeat(len(counts), 1)
    places[:, 0] = torch.tensor(counts, device=device) - 1
    return places[:, None, None]


def _least(dtype: torch.dtype, device: torch.device) -> Tensor:
    return torch.full((1, 1, 1), torch.finfo(dtype).tiny, dtype=dtype, device=device)


def blend(candidates: Tensor, scores: Tensor) -> Tensor:
    """Average candidates, (*, c, p, m - 1), weighted by a high power of their inverse scores, (*, c, p).

    The first candidate is 'replicate'. Where it has no error no other one is needed, and the average is 0 or not a
    number; not a number, too, where its score is not finite.
    """
    if scores.requires_grad:
        # 0 / 0 has no gradient, and that of the logarithm of the smallest number overflows.
        flat = (scores[..., 0, :] == 0).unsqueeze(-1)
        scores = scores + _LEAST_ERROR * torch.finfo(scores.dtype).tiny
        return _average(candidates, scores).masked_fill(flat, 0.0)
    return _average(candidates, scores)


def _average(candidates: Tensor, scores: Tensor) -> Tensor:
    # Relative to the first, so that scaling the data changes no bit; the shares do not depend on it, and its gradient
    # would overflow. Any other failed fit counts for nothing.
    logarithms = torch.special.xlogy(-_SHARPNESS, scores / scores[..., :1, :].detach())
    shares = torch.nan_to_num(logarithms, -torch.inf, _NO_ERROR, -torch.inf).softmax(-2)
    return (candidates * shares.unsqueeze(-1)).sum(-3)


def solve_normal_equations(gram: Tensor, moments: Tensor, ridge: float) -> Tensor:
    r"""Solve ``(G + ridge * g I) W = M`` with g the mean of G's diagonal.

    The ridge is relative, so that scaling the data does not change W. Where G is zero (constant data) W is zero. The
    solution uses Cholesky's factorisation. The ridge keeps it from failing if it exceeds the rounding of G, some n
    times 2e-16 in float64.

    Args:
        gram: symmetric, positive semidefinite matrices G of shape (*, n, n).
        moments: right-hand sides M of shape (*, n, p).
        ridge: relative ridge, above 0.

    Returns:
        W of shape (*, n, p).

    Example:
        >>> solve_normal_equations(torch.eye(2).double() * 4, torch.tensor([[2.0], [1.0]]).double(), 1e-12)
        tensor([[0.5000],
                [0.2500]], dtype=torch.float64)
    """
    mean = gram.diagonal(dim1=-2, dim2=-1).mean(-1)[..., None, None]
    scale = torch.where(mean > 0, mean, 1.0)
    identity = torch.eye(gram.shape[-1], dtype=gram.dtype, device=gram.device)
    matrix = gram / scale + ridge * identity
    return _solved(matrix, moments / scale)


def _solved(matrix: Tensor, moments: Tensor) -> Tensor:
    """Solve equations with positive definite matrices."""
    if matrix.shape[-1] == 1:
        # torch factorises matrix by matrix, and there may be thousands of them.
        return moments / matrix
    if is_exporting():
        # ONNX has no factorisation.
        return _eliminate(matrix, moments)
    factor, _ = torch.linalg.cholesky_ex(matrix)
    return torch.cholesky_solve(moments, factor)


def _eliminate(matrix: Tensor, moments: Tensor) -> Tensor:
    """Solve by Gauss-Jordan elimination, which needs no pivoting for a positive definite matrix."""
    size = matrix.shape[-1]
    system = torch.cat([matrix, moments.expand(*matrix.shape[:-1], -1)], -1)
    for step in range(size):
        row = system[..., step : step + 1, :] / system[..., step : step + 1, step : step + 1]
        reduced = system - system[..., :, step : step + 1] * row
        system = torch.cat([reduced[..., :step, :], row, reduced[..., step + 1 :, :]], -2)
    return system[..., size:]
