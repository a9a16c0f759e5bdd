r"""Weights that predict the samples beyond the ends of lines, fitted to the lines themselves.

Along one axis, in steps of the kernel's dilation: x(0) is the sample nearest the edge, x(1), ..., x(m - 1) lie
further inside, and x(-1), ..., x(-p) are to be predicted. Everything is written in the differences
``d(j) = x(j) - x(j - 1)``, so that constants are extended exactly, whatever the weights:

.. math:: \hat x(-s) = x(0) + \sum_{j=1}^{m-1} v_{s,j} \, d(j), \qquad s = 1, ..., p.

A window of the image is ``d(1 - p), ..., d(m - 1)``: the samples that a prediction reads, and its p true values. The
functions below take the windows near both ends of an axis (`edge_differences`), fit predictors to them
(`gram_matrix`, `fitted`), add polynomials as candidates (`polynomial`), measure how well each candidate predicts
(`scores`), and average them (`blend`). docs/adaptive.md derives them.
"""

from __future__ import annotations

from collections.abc import Sequence
from itertools import accumulate

import torch
import torch.nn.functional as F
from torch import Tensor

from diff_conv2d.extension.by_axis import sample_weights
from diff_conv2d.modes.polynomial_weights import extrapolation_weights
from diff_conv2d.tracing import size_is_at_least

__all__ = [
    "blend",
    "edge_differences",
    "fitted",
    "gram_matrix",
    "independent_lines",
    "polynomial",
    "scores",
    "solve_normal_equations",
]

# A candidate twice as bad as the best one gets 1 / 2^16 of its share: nearly a choice, but continuous.
_SHARPNESS = 16


def edge_differences(image: Tensor, dim: int, rows: int, lines: int, step: int, dtype: torch.dtype) -> Tensor:
    """Return the differences of the samples near both ends of an axis, ordered from outside in.

    Args:
        image: images (N, C, ...).
        dim: the axis.
        rows: samples taken from each end, at most the size of the axis.
        lines: how many lines along the axis are taken at least, evenly spread; all if there are fewer.
        step: distance between the two samples of a difference.
        dtype: precision of the differences.

    Returns:
        Differences (N, C, rows - step, M), outermost first; the lines of the low end, then those of the high one.
    """
    x = image.movedim(dim, 2)
    across = x.ndim - 3
    # 64 lines are 64 along one axis, or 8 x 8 along two.
    each = lines if across < 2 else round(lines**0.5)
    pieces = []
    for high_end in (False, True):
        bands = [x.narrow(2, x.shape[2] - rows if high_end else 0, rows)]
        for other in range(3, x.ndim):
            bands = [part for band in bands for part in _evenly_spread(band, other, each)]
        for band in bands:
            first, second = (band.narrow(2, start, rows - step).to(dtype) for start in (0, step))
            # From outside in, differences at the high end change their sign, which does not matter: only squares and
            # absolute values of linear functions of them are used.
            difference = (second - first).flip(2) if high_end else second - first
            pieces.append(difference.flatten(3) if across else difference.unsqueeze(3))
    return torch.cat(pieces, 3)


def _evenly_spread(x: Tensor, dim: int, count: int) -> list[Tensor]:
    """Return every n-th sample of an axis, about `count`: one half counted from each end."""
    size = x.shape[dim]
    if not size_is_at_least(size, 2 * count):
        return [x]
    step = size // count
    half = size // (2 * step) * step
    before = (slice(None),) * dim
    return [x[(*before, slice(0, half, step))], x[(*before, slice(size - 1 - half + step, size, step))]]


def gram_matrix(differences: Tensor, width: int, step: int) -> Tensor:
    r"""Sum the products of the differences in a window over all windows of all lines, in both directions.

    .. math:: S_{ij} = \sum_a d(a + i) \, d(a + j) + \sum_a d(a + w - 1 - i) \, d(a + w - 1 - j)

    No window is copied: all rows are multiplied with each other at once, ``K = D D^T``, and the window at position a
    is a block on the diagonal of K. A reversed line has mirrored windows: its differences change their sign, their
    products do not.

    Args:
        differences: D of shape (*, R, M).
        width: differences w in a window.
        step: distance between them, in rows.

    Returns:
        S of shape (*, w, w).

    Example:
        >>> gram_matrix(torch.tensor([[1.0], [2.0], [3.0]]), width=2, step=1)
        tensor([[18.,  16.],
                [16.,  18.]])
    """
    span = (width - 1) * step + 1
    products = differences @ differences.mT
    blocks = products.unfold(-2, span, 1).unfold(-2, span, 1)[..., ::step, ::step]
    total = blocks.diagonal(0, -4, -3).sum(-1)
    return total + total.flip(-2, -1)


def fitted(gram: Tensor, distances: int, taps: int, ridge: float) -> Tensor:
    """Fit predictors from the `taps` samples nearest the edge by least squares.

    Args:
        gram: S of windows of p + m - 1 differences.
        distances: p; each has weights of its own.
        taps: n, from 2 to m.
        ridge: see `solve_normal_equations`.

    Returns:
        v of shape (*, p, m - 1); farther samples have weight 0.
    """
    p, last = distances, distances + taps - 1
    # x(-s) - x(0) = -(d(0) + d(-1) + ... + d(1 - s)), and d(0) is entry p - 1 of the window.
    moments = -gram[..., p:last, :p].flip(-1).cumsum(-1)
    weights = solve_normal_equations(gram[..., p:last, p:last], moments, ridge).mT
    return F.pad(weights, (0, gram.shape[-1] - last))


def polynomial(degree: int, distances: int, taps: int) -> list[list[int]]:
    """Return the weights v, a row for each distance, of the polynomial through the degree + 1 nearest samples.

    Example:
        >>> polynomial(2, distances=2, taps=4)  # 3 x(0) - 3 x(1) + x(2) = x(0) - 2 d(1) + d(2)
        [[-2, 1, 0], [-5, 3, 0]]
    """
    rows = []
    for s in range(1, distances + 1):
        # x(j) = x(0) + d(1) + ... + d(j): the weight of d(j) is the sum of the weights of x(j), x(j + 1), ...
        sums = list(accumulate(reversed(extrapolation_weights(degree + 1, s))))
        rows.append(sums[-2::-1] + [0] * (taps - 1 - degree))
    return rows


def scores(
    differences: Tensor,
    candidates: Tensor,
    freedom: Sequence[int],
    step: int,
    pooled: tuple[int, ...],
    in_a_row: bool = True,
) -> Tensor:
    r"""Estimate the error of predictors beyond the edge from their residuals r in the N windows.

    .. math:: e = \Bigl(1 + \frac{f}{q l}\Bigr) \operatorname{mean} |r| + \frac{1}{N} \max |r| \, \lVert w \rVert_1

    The mean of absolute values, not of squares, tells piecewise constant images and outliers from noise. The factor
    corrects for windows that the fit has seen: f weights were fitted at q positions of l independent lines (see
    `independent_lines`). The last term allows for one sample as surprising as the worst of the N windows, which then
    is itself used to predict; w are the weights of the samples.

    Args:
        differences: D of shape (N, C, R, M), from `edge_differences`.
        candidates: weights v of shape (N, C, c, p, m - 1), with size 1 in pooled dimensions.
        freedom: degrees of freedom f of each of the c candidates, those with 0 first.
        step: distance between the differences of a window, in rows.
        pooled: dimensions over which the residuals are taken together.
        in_a_row: consecutive lines are neighbours; otherwise, as in volumes, all lines count as one.

    Returns:
        Scores of shape (N, C, c, p), with size 1 in pooled dimensions.
    """
    count, p, inner = candidates.shape[2:]
    rows, lines = differences.shape[2:]
    positions = rows - (p + inner - 1) * step
    # The residual of distance s is v(1) d(1) + v(2) d(2) + ... + d(0) + d(-1) + ... + d(1 - s).
    outer = torch.ones(p, p, dtype=candidates.dtype, device=candidates.device).tril().flip(-1)
    filters = torch.cat([outer.expand(*candidates.shape[:4], p), candidates], -1).flatten(2, 3)
    if size_is_at_least(p + inner - 1, lines):
        # For few lines, copying the windows is cheaper than a filter matrix for every position.
        few = differences.unfold(2, (p + inner - 1) * step + 1, 1)[..., ::step]
        residuals = torch.unflatten(filters @ few.flatten(2, 3).mT, -1, (positions, lines))
    else:
        residuals = torch.unflatten(_sliding(filters, step, positions, rows) @ differences, 2, (-1, positions))
    residuals = torch.unflatten(residuals, 2, (count, p))
    # Candidates that are not fitted come first and need no correction.
    fixed = sum(not f for f in freedom)
    fits = residuals[:, :, fixed:]
    independent = independent_lines(fits, pooled) if in_a_row else fits.new_ones(())
    shares = [f * step / positions for f in freedom[fixed:]]
    seen = torch.tensor(shares, dtype=independent.dtype, device=residuals.device)
    factor = F.pad(1 + seen.unsqueeze(-1) / independent, (0, 0, fixed, 0), value=1.0)
    # In place if no gradient is needed: new memory costs more than the absolute values.
    residuals = (residuals.abs() if residuals.requires_grad else residuals.abs_()).flatten(-2)
    total, largest, windows = residuals.sum(-1), residuals.amax((-2, -1)), positions * lines
    if pooled:
        total, largest = total.sum(pooled, keepdim=True), largest.amax(pooled, keepdim=True)
        for dim in pooled:
            windows = windows * differences.shape[dim]
    weights = sample_weights(candidates)
    return (total * factor + largest.unsqueeze(-1) * weights.abs().sum(-1)) / windows


def independent_lines(residuals: Tensor, pooled: tuple[int, ...] = ()) -> Tensor:
    r"""Estimate how many of M lines are independent, from the correlation of the residuals r of neighbours.

    .. math:: l = \max\Bigl(1, M \frac{1 - \rho}{1 + \rho}\Bigr), \qquad
        \rho = \max\Bigl(0, \frac{\sum r_i r_{i + 1}}{\sum r_i^2}\Bigr)

    This is the effective sample size for the mean of a first-order autoregressive series. The lines of a smooth image
    count as one, those of white noise in full.

    Args:
        residuals: r of shape (N, C, ..., q, M), the lines last.
        pooled: dimensions over which the lines are taken together.

    Returns:
        l of shape (N, C, ...), with size 1 in pooled dimensions.

    Example:
        >>> independent_lines(torch.ones(1, 1, 1, 8)).item()
        1.0
    """
    lines = residuals.shape[-1]
    # The last line counts as a neighbour of the first, so that a mirrored image has the same pairs.
    products = (residuals * residuals.roll(1, -1)).sum((-2, -1))
    squares = residuals.square().sum((-2, -1))
    if pooled:
        products, squares = products.sum(pooled, keepdim=True), squares.sum(pooled, keepdim=True)
        for dim in pooled:
            lines = lines * residuals.shape[dim]
    correlation = (products / (squares + torch.finfo(squares.dtype).tiny)).clamp(0, 1)
    return (lines * (1 - correlation) / (1 + correlation)).clamp_min(1)


def _sliding(filters: Tensor, step: int, positions: int, rows: int) -> Tensor:
    """Return the matrices (*, k * positions, rows) that apply k filters (*, k, w) at each position of a line."""
    if step > 1:
        filters = F.pad(filters.unsqueeze(-1), (0, step - 1)).flatten(-2)[..., : -(step - 1)]
    # Pad each filter with zeros to rows + 1 and repeat it. In pieces of `rows` each repetition starts one later.
    padded = F.pad(filters, (0, rows + 1 - filters.shape[-1])).unsqueeze(-2)
    repeated = padded.expand(*filters.shape[:-1], positions, rows + 1).flatten(-2)
    return torch.unflatten(repeated[..., : positions * rows], -1, (positions, rows)).flatten(-3, -2)


def blend(candidates: Tensor, scores: Tensor) -> Tensor:
    """Average the candidates, (N, C, c, p, m - 1), weighted by a high power of their inverse scores."""
    # A failed fit has no finite score; if none has one, the weights become NaN.
    usable = torch.where(scores.isfinite(), scores, torch.inf) + torch.finfo(scores.dtype).tiny
    shares = (usable.amin(2, keepdim=True) / usable) ** _SHARPNESS
    return (candidates * (shares / shares.sum(2, keepdim=True)).unsqueeze(-1)).sum(2)


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
    if gram.shape[-1] == 1:
        # torch factorises matrix by matrix, and there may be thousands of them.
        return moments / scale / matrix
    if torch.compiler.is_exporting():
        # ONNX has no factorisation.
        return _eliminate(matrix, moments / scale)
    factor, _ = torch.linalg.cholesky_ex(matrix)
    return torch.cholesky_solve(moments / scale, factor)


def _eliminate(matrix: Tensor, moments: Tensor) -> Tensor:
    """Solve by Gauss-Jordan elimination, which needs no pivoting for a positive definite matrix."""
    size = matrix.shape[-1]
    system = torch.cat([matrix, moments], -1)
    for step in range(size):
        row = system[..., step : step + 1, :] / system[..., step : step + 1, step : step + 1]
        reduced = system - system[..., :, step : step + 1] * row
        system = torch.cat([reduced[..., :step, :], row, reduced[..., step + 1 :, :]], -2)
    return system[..., size:]
