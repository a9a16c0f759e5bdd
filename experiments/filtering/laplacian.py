"""The Laplacian study: a derivative whose truth is known, up to the edge of the image."""

from collections.abc import Mapping, Sequence
from fractions import Fraction
from math import factorial

import numpy as np
import torch
import torch.nn.functional as F
from torch import Tensor

from experiments.data.analytic import chebyshev_laplacian, chebyshev_on
from experiments.edge_error import crop, frame_l1
from experiments.methods import Method

__all__ = ["laplacian_kernel", "laplacian_study"]

# The paper's field and grid: 501 samples on [0.3, 0.8], both ends included.
ORDER = 100
START, SPACING, SAMPLES = 0.3, 0.001, 501

# Pixels along each side of the zooms into the top right corner.
ZOOM = 10


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


def laplacian_study(
    kernel_sizes: Sequence[int], methods: Mapping[str, Method], dtype: torch.dtype
) -> tuple[list[dict[str, object]], dict[str, np.ndarray]]:
    """Take the Laplacian of the Chebyshev field with each method, per squared spacing.

    Args:
        kernel_sizes: Odd sizes of the finite-difference kernel.
        methods: The compared methods.
        dtype: Precision of the field and of the convolutions.

    Returns:
        Rows, one for each size and method: ``l1_error`` is against the same kernel on the extended field, as in
        the paper; ``l1_error_analytical`` against the derivative itself, so that it holds the error of the
        finite difference too. And pictures: ``laplacian/analytical``, every third sample, and
        ``laplacian/zoom/<size>/<method>``, the top right corner, with ``truth`` among the methods.

    """
    # In the unit of the kernels: second differences that are not divided by the squared spacing.
    analytical = SPACING**2 * chebyshev_laplacian(ORDER, _axis(0), _axis(0))
    rows, pictures = [], {"laplacian/analytical": analytical[::3, ::3]}
    for size in kernel_sizes:
        width = size // 2
        image = chebyshev_on(ORDER, _axis(width), _axis(width)).to(dtype)[None]
        kernel = laplacian_kernel(size).to(dtype)[None, None]
        truth = F.conv2d(image, kernel)
        pictures[f"laplacian/zoom/{size}/truth"] = truth[0, :ZOOM, -ZOOM:]
        for name, method in methods.items():
            output = method(crop(image, width), kernel)
            pictures[f"laplacian/zoom/{size}/{name}"] = output[0, :ZOOM, -ZOOM:]
            rows.append(
                {
                    "field": "chebyshev",
                    "order": ORDER,
                    "kernel_size": size,
                    "method": name,
                    "l1_error": frame_l1(output, truth, width),
                    "l1_error_analytical": frame_l1(output, analytical[None], width),
                    "unit": "per squared spacing",
                    "spacing": SPACING,
                    "dtype": str(dtype).removeprefix("torch."),
                }
            )
    return rows, {name: picture.to(torch.float32).numpy() for name, picture in pictures.items()}


def _axis(extra: int) -> Tensor:
    """Return the coordinates with ``extra`` samples beyond each end, the same along rows and columns."""
    return START + SPACING * torch.arange(-extra, SAMPLES + extra, dtype=torch.float64)
