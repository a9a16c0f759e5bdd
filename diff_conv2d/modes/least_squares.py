"""Least squares for the modes that fit themselves to the image: many small problems in one batch."""

from __future__ import annotations

import torch
from torch import Tensor

__all__ = ["solve_normal_equations"]


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
