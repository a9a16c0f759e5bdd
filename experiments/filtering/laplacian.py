"""The Laplacian study: a derivative whose truth is known, up to the edge of the image."""

from collections.abc import Mapping, Sequence

import numpy as np
import torch
import torch.nn.functional as F
from torch import Tensor

from experiments.data.analytic import chebyshev_laplacian, chebyshev_on
from experiments.edge_error import frame_l1
from experiments.methods import Method
from experiments.models.halo import crop
from experiments.operators import laplacian_kernel

__all__ = ["laplacian_study"]

# The paper's field and grid: 501 samples on [0.3, 0.8], both ends included.
ORDER = 100
START, SPACING, SAMPLES = 0.3, 0.001, 501

# Pixels along each side of the zooms into the top right corner.
ZOOM = 10


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
