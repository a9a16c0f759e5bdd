"""A filter as it is written on a command line, and the kernels that it is made of."""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any

import torch
from torch import Tensor

__all__ = ["HELP", "Filter", "filter_of"]

#: How a filter is written.
HELP = (
    "gaussian:SIGMA, uniform:SIZE, sobel or prewitt (the magnitude of the two differences), laplace, or a file of "
    "numpy with a two-dimensional array of weights, which is correlated with the image"
)

# Largest reach of a kernel, in pixels.
_MOST_REACH = 256


@dataclass(frozen=True)
class Filter:
    """A filter of an image (H, W): one linear filter, or the root of the sum of squares of two.

    Attributes:
        name: as it is part of a file's name.
        parts: linear filters, functions of an image and ``mode=``, ``mask=`` as those of `diff_conv2d.ndimage`.
        kernels: the weights of each part, float64.
    """

    name: str
    parts: tuple[Callable[..., Tensor], ...]
    kernels: tuple[Tensor, ...]

    @property
    def smooths(self) -> bool:
        """Whether its values are means of those of the image, and so in the same range."""
        (first, *others) = self.kernels
        return not others and bool((first >= 0).all()) and abs(first.sum().item() - 1) < 1e-6

    def __call__(self, image: Tensor, **options: Any) -> Tensor:
        """Filter an image, (H, W)."""
        (first, *others) = (part(image, **options) for part in self.parts)
        return torch.hypot(first, others[0]) if others else first


def filter_of(text: str) -> Filter:
    """Return the filter that a text names.

    Raises:
        ValueError: the text is no filter, or its number or its file does not fit.
        OSError: the file cannot be read.

    Example:
        >>> filter_of("sobel").kernels[1]
        tensor([[-1.,  0.,  1.],
                [-2.,  0.,  2.],
                [-1.,  0.,  1.]], dtype=torch.float64)
    """
    # Here and not above: filters of arrays stand on the highest floor of the library.
    from diff_conv2d.ndimage import gaussian_filter, laplace, prewitt, sobel, uniform_filter

    word, colon, number = text.partition(":")
    if text.endswith(".npy"):
        return _of_file(Path(text))
    if word == "gaussian":
        sigma = _number("gaussian:SIGMA", number, 1.0) if colon else 1.0
        reach = math.ceil(4 * sigma + 0.5)
        _check_reach(text, reach)
        return _filter(text, [partial(gaussian_filter, sigma=sigma)], reach)
    if word == "uniform":
        size = int(_number("uniform:SIZE", number, 1)) if colon else 3
        if size % 2 == 0 or (colon and str(size) != number):
            raise ValueError(f"--kernel uniform:SIZE must have an odd whole number, got {number!r}")
        _check_reach(text, size // 2)
        return _filter(text, [partial(uniform_filter, size=size)], size // 2)
    if text in ("sobel", "prewitt"):
        difference = sobel if text == "sobel" else prewitt
        return _filter(text, [partial(difference, axis=axis) for axis in (0, 1)], 1)
    if text == "laplace":
        return _filter(text, [laplace], 1)
    raise ValueError(f"--kernel must be {HELP}; got {text!r}")


def _filter(text: str, parts: list[Callable[..., Tensor]], reach: int) -> Filter:
    # The response to one bright pixel is the kernel, turned around.
    impulse = torch.zeros(2 * reach + 1, 2 * reach + 1, dtype=torch.float64)
    impulse[reach, reach] = 1
    kernels = tuple(_trimmed(part(impulse, mode={"mode": "zeros"}).flip(0, 1)) for part in parts)
    return Filter(text.replace(":", "-"), tuple(parts), kernels)


def _trimmed(kernel: Tensor) -> Tensor:
    """Return a kernel without the zeros all around it."""
    while min(kernel.shape) > 1 and not (kernel[[0, -1]].any() or kernel[:, [0, -1]].any()):
        kernel = kernel[1:-1, 1:-1]
    return kernel.contiguous()


def _number(what: str, text: str, least: float) -> float:
    try:
        value = float(text)
    except ValueError:
        value = math.nan
    if not (0 < value < math.inf):
        raise ValueError(f"--kernel {what} must have a number above 0, got {text!r}")
    return value


def _check_reach(text: str, reach: int) -> None:
    if reach > _MOST_REACH:
        raise ValueError(f"--kernel must reach at most {_MOST_REACH} pixels, got {text!r}, which reaches {reach}")


def _of_file(path: Path) -> Filter:
    import numpy as np

    from diff_conv2d.ndimage import correlate

    weights = np.load(path, allow_pickle=False)
    if weights.ndim != 2 or weights.dtype.kind not in "biuf" or not weights.size:
        raise ValueError(
            f"--kernel {path} must hold a two-dimensional array of real weights, got shape {weights.shape} and dtype "
            f"{weights.dtype}"
        )
    weights = weights.astype(np.float64)
    if not np.isfinite(weights).all() or not weights.any():
        raise ValueError(f"--kernel {path} must hold finite weights, some of them not 0")
    _check_reach(str(path), max(weights.shape) // 2)
    return Filter(path.stem, (partial(correlate, weights=weights),), (torch.from_numpy(weights),))
