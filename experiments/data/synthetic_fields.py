"""Formulas and random draws for the fields of both sets of the study of adaptive boundaries."""

from collections.abc import Callable, Mapping

import numpy as np
import torch
from scipy.ndimage import gaussian_filter
from scipy.spatial import cKDTree
from torch import Tensor

__all__ = [
    "SIZE",
    "H",
    "Kinds",
    "W",
    "blurred",
    "bumps",
    "cells",
    "coloured",
    "discs",
    "mandelbrot",
    "polynomial",
    "salted",
    "smooth",
    "source",
    "standardised",
    "waves",
]

# Fields by kind and name.
Kinds = Mapping[str, Mapping[str, Callable[[], np.ndarray]]]

# The largest crop, 512, and a frame of 3 for the largest kernel.
SIZE = 518
H, W = np.meshgrid(np.arange(SIZE, dtype=float), np.arange(SIZE, dtype=float), indexing="ij")


def standardised(kinds: Kinds, name: str) -> Tensor:
    """Make or load a field of some kinds, float64, with mean 0 and standard deviation 1.

    Raises:
        ValueError: There is no such field.

    """
    fields = {field: make for kind in kinds.values() for field, make in kind.items()}
    if name not in fields:
        raise ValueError(f"fields must be of {', '.join(fields)}; got {name!r}")
    field = torch.from_numpy(np.ascontiguousarray(fields[name](), dtype=float))
    return (field - field.mean()) / field.std()


def source(seed: int) -> np.random.Generator:
    """Return the source of a field's draws."""
    return np.random.default_rng(seed)


def blurred(width: float, seed: int) -> np.ndarray:
    """Blur white noise by a Gaussian of some width."""
    noise = source(seed).standard_normal((SIZE, SIZE))
    return gaussian_filter(noise, width, mode="wrap") if width else noise


def coloured(slope: float, seed: int) -> np.ndarray:
    """Shape white noise so that its amplitude falls with this power of the wave number."""
    frequency = np.fft.fftfreq(SIZE)
    radius = np.hypot(frequency[:, None], frequency)
    radius[0, 0] = np.inf
    field = np.fft.ifft2(np.fft.fft2(source(seed).standard_normal((SIZE, SIZE))) * radius**-slope).real
    return field / field.std()


def waves(count: int, seed: int) -> np.ndarray:
    """Add plane waves of wave numbers up to 1.5 per pixel along each axis."""
    draws = source(seed).uniform(-1.5, 1.5, (count, 3))
    return sum(np.sin(a * H + b * W + 2 * c) for a, b, c in draws)


def smooth() -> np.ndarray:
    """Add two long waves."""
    return np.sin(W / 23 + H / 31) + np.cos(W / 40 - H / 17)


def bumps(count: int, seed: int, narrowest: float = 10, widest: float = 60) -> np.ndarray:
    """Add bell curves of random places, heights and widths."""
    rng, field = source(seed), np.zeros((SIZE, SIZE))
    for _ in range(count):
        h, w = rng.uniform(0, SIZE, 2)
        height, width = rng.standard_normal(), rng.uniform(narrowest, widest)
        field += height * np.exp(-((H - h) ** 2 + (W - w) ** 2) / (2 * width**2))
    return field


def discs(count: int, smallest: float, largest: float, seed: int) -> np.ndarray:
    """Draw discs, each of which swaps 0 and 1 within it."""
    rng, field = source(seed), np.zeros((SIZE, SIZE), bool)
    for _ in range(count):
        h, w = rng.uniform(0, SIZE, 2)
        field ^= (H - h) ** 2 + (W - w) ** 2 < rng.uniform(smallest, largest) ** 2
    return field.astype(float)


def cells(count: int, shaded: bool, seed: int) -> np.ndarray:
    """Fill Voronoi's cells, each with one value, or with that and a wave."""
    rng = source(seed)
    nearest = cKDTree(rng.uniform(0, SIZE, (count, 2))).query(np.stack([H, W], -1))[1]
    field, rates = rng.standard_normal(count)[nearest], 0.03 * rng.standard_normal((count, 2))
    return field + np.sin(rates[nearest, 0] * H + rates[nearest, 1] * W) if shaded else field


def salted(field: np.ndarray, share: float, seed: int) -> np.ndarray:
    """Set a share of the pixels to the lowest or the highest value."""
    draws, low, high = source(seed).random(field.shape), field.min(), field.max()
    return np.where(draws < share / 2, low, np.where(draws > 1 - share / 2, high, field))


def mandelbrot(left: float = -0.8, top: float = 0.05, width: float = 0.1) -> np.ndarray:
    """Count the steps to escape, at most 100."""
    c = np.linspace(left, left + width, SIZE) + 1j * np.linspace(top, top + width, SIZE)[:, None]
    z, steps = np.zeros_like(c), np.zeros(c.shape)
    for _ in range(100):
        inside = np.abs(z) < 4
        z = np.where(inside, z * z + c, z)
        steps += inside
    return steps


def polynomial() -> np.ndarray:
    """Evaluate a cubic polynomial."""
    h, w = (H - 100) / 150, (W - 200) / 100
    return w**3 - h**2 * w
