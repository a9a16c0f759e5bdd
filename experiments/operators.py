"""Kernels that are operators: a smoothing, and the first and second derivatives by finite differences."""

from fractions import Fraction
from math import comb, factorial

import torch
from torch import Tensor

__all__ = [
    "OPERATORS",
    "derivative_kernels",
    "gradient_kernel",
    "laplacian_kernel",
    "operator_kernels",
    "smoothing_kernel",
]

# How often each operator differentiates: its kernel is divided by this power of the spacing.
OPERATORS = {"smoothing": 0, "gradient": 1, "laplacian": 2}


def smoothing_kernel(size: int) -> Tensor:
    """Return the binomial kernel of a size, which adds up to 1.

    Example:
        >>> smoothing_kernel(3)[1]
        tensor([0.1250, 0.2500, 0.1250], dtype=torch.float64)

    """
    line = torch.tensor([comb(size - 1, j) for j in range(size)], dtype=torch.float64) / 2 ** (size - 1)
    return line[:, None] * line


def derivative_kernels(size: int) -> tuple[Tensor, Tensor]:
    r"""Return the central first differences along each axis, exact to order ``size - 1``.

    .. math:: c_j = \frac{(-1)^{j+1} (p!)^2}{j \, (p-j)! \, (p+j)!}, \qquad c_{-j} = -c_j, \qquad c_0 = 0

    with p = size // 2 and unit spacing.

    References:
        | B. Fornberg, Mathematics of Computation 51 (1988), 699-706

    Example:
        >>> derivative_kernels(3)[1][1]
        tensor([-0.5000,  0.0000,  0.5000], dtype=torch.float64)

    """
    p = size // 2
    half = [
        float(Fraction((-1) ** (j + 1) * factorial(p) ** 2, j * factorial(p - j) * factorial(p + j)))
        for j in range(1, p + 1)
    ]
    kernel = torch.zeros(size, size, dtype=torch.float64)
    kernel[p] = torch.tensor([*(-c for c in half[::-1]), 0.0, *half], dtype=torch.float64)
    return kernel.T.contiguous(), kernel


def gradient_kernel(size: int) -> Tensor:
    """Return the sum of the first differences along both axes: at every edge one of them crosses it."""
    along_h, along_w = derivative_kernels(size)
    return along_h + along_w


def laplacian_kernel(size: int) -> Tensor:
    r"""Return the finite-difference Laplacian of a size, cross-shaped, exact to order ``size - 1``.

    .. math:: c_j = \frac{2 (-1)^{j+1} (p!)^2}{j^2 \, (p-j)! \, (p+j)!}, \qquad c_0 = -2 \sum_{j=1}^p c_j

    is the second derivative along one axis with p = size // 2 and unit spacing; the kernel is the sum of two.

    References:
        | B. Fornberg, Mathematics of Computation 51 (1988), 699-706

    Args:
        size: Samples along each axis, odd and at least 3; 3, 5, 7 give orders 2, 4, 6.

    Returns:
        The kernel, float64, :math:`(size, size)`.

    Raises:
        ValueError: ``size`` is even or below 3.

    Example:
        >>> laplacian_kernel(3)
        tensor([[ 0.,  1.,  0.],
                [ 1., -4.,  1.],
                [ 0.,  1.,  0.]], dtype=torch.float64)

    """
    if size % 2 == 0 or size < 3:
        raise ValueError(f"size must be odd and at least 3, got {size}")
    p = size // 2
    half = [
        Fraction(2 * (-1) ** (j + 1) * factorial(p) ** 2, j**2 * factorial(p - j) * factorial(p + j))
        for j in range(1, p + 1)
    ]
    line = torch.tensor([float(c) for c in [*half[::-1], -2 * sum(half), *half]], dtype=torch.float64)
    kernel = torch.zeros(size, size, dtype=torch.float64)
    kernel[p] += line
    kernel[:, p] += line
    return kernel


def operator_kernels(size: int) -> Tensor:
    """Return the kernels of ``OPERATORS`` in this order, unit spacing, float64, (3, 1, size, size)."""
    return torch.stack([smoothing_kernel(size), gradient_kernel(size), laplacian_kernel(size)])[:, None]
