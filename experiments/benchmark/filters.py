"""Filters of whole pictures by this library, SciPy and OpenCV, with the same weights and the same edges."""

from collections.abc import Callable
from functools import partial
from typing import Any

import cv2
import numpy as np
import torch
from scipy import ndimage as scipy_ndimage

from diff_conv2d import ndimage
from diff_conv2d.derivatives import gradient
from diff_conv2d.masks import MaskedBoundary

__all__ = ["FILTERS", "MASKED", "filter_steps"]

# The modes of this library that are timed: SciPy's default, in which all libraries are compared, then others.
MODES: dict[str, Any] = {name: name for name in ("symmetric", "diff", "adaptive")}
# A kernel of 17 samples stands for a polynomial of degree 16, whose weights no float32 holds.
OF_GAUSSIAN = MODES | {"diff": {"mode": "diff", "degree": 2}}
# Filters with a fifth of the picture masked, by how it is filled; the rim is SciPy's.
MASKED = {f"masked_{fill}": fill for fill in ("nearest", "polynomial", "adaptive")}
SIDE = 2048
KERNEL = np.random.default_rng(0).standard_normal((5, 5)).astype(np.float32)
# SciPy's default cuts a Gaussian at four standard deviations.
SIGMA, RADIUS = 2.0, 8


def _gaussian(picture: Any) -> dict[str, Callable[[], object]]:
    taps = np.exp(-0.5 * (np.arange(-RADIUS, RADIUS + 1) / SIGMA) ** 2)
    taps /= taps.sum()
    return {
        "scipy": lambda: scipy_ndimage.gaussian_filter(picture, SIGMA),
        "opencv": lambda: cv2.sepFilter2D(picture, -1, taps, taps, borderType=cv2.BORDER_REFLECT),
        **{name: partial(ndimage.gaussian_filter, picture, SIGMA, mode=mode) for name, mode in OF_GAUSSIAN.items()},
    }


def _sobel(picture: Any) -> dict[str, Callable[[], object]]:
    # OpenCV has no result of bytes that wraps around, as SciPy's does; it saturates.
    return {
        "scipy": lambda: scipy_ndimage.sobel(picture),
        "opencv": lambda: cv2.Sobel(picture, -1, 1, 0, borderType=cv2.BORDER_REFLECT),
        **{name: partial(ndimage.sobel, picture, mode=mode) for name, mode in MODES.items()},
    }


def _correlate(picture: Any) -> dict[str, Callable[[], object]]:
    return {
        "scipy": lambda: scipy_ndimage.correlate(picture, KERNEL),
        "opencv": lambda: cv2.filter2D(picture, -1, KERNEL, borderType=cv2.BORDER_REFLECT),
        **{name: partial(ndimage.correlate, picture, KERNEL, mode=mode) for name, mode in MODES.items()},
        # A mask that stays is prepared once.
        **{
            name: partial(ndimage.correlate, picture, KERNEL, mode="symmetric", mask=_blobs(fill))
            for name, fill in MASKED.items()
        },
    }


def _gradient(picture: Any) -> dict[str, Callable[[], object]]:
    def scipys() -> list[Any]:
        return [scipy_ndimage.correlate1d(picture, [-0.5, 0, 0.5], axis, output=np.float32) for axis in (0, 1)]

    return {"scipy": scipys, **{name: partial(gradient, picture, mode=mode) for name, mode in MODES.items()}}


FILTERS: dict[str, Callable[[Any], dict[str, Callable[[], object]]]] = {
    "gaussian_filter(2)": _gaussian,
    "sobel": _sobel,
    "correlate 5x5": _correlate,
    "gradient": _gradient,
}


def _blobs(fill: Any) -> MaskedBoundary:
    """Prepare a mask of blobs for the kernel."""
    heights = scipy_ndimage.gaussian_filter(np.random.default_rng(1).standard_normal((SIDE, SIDE)), 12)
    valid = torch.from_numpy(heights < np.quantile(heights, 0.8))
    return MaskedBoundary(valid, kernel_size=KERNEL.shape, method=fill)


def filter_steps(name: str, dtype: torch.dtype) -> dict[str, Callable[[], object]]:
    """Return for each library or mode a function that filters a picture once.

    Args:
        name: of `FILTERS`.
        dtype: of the picture, 2048 x 2048.
    """
    cv2.setNumThreads(torch.get_num_threads())
    picture = scipy_ndimage.gaussian_filter(np.random.default_rng(0).standard_normal((SIDE, SIDE)), 1)
    picture = (100 + 200 * picture).clip(0, 255)
    return FILTERS[name](picture.astype(str(dtype).removeprefix("torch.")))
