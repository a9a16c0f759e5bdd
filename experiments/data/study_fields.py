"""Fields of many kinds for the study of adaptive boundaries: real, smooth, noisy, textured, piecewise constant."""

import gzip
from collections.abc import Callable
from functools import partial

import numpy as np
import torch
from matplotlib.cbook import get_sample_data
from matplotlib.image import imread
from scipy.ndimage import gaussian_filter
from scipy.spatial import cKDTree
from torch import Tensor

from experiments.data.analytic import chebyshev, spherical_harmonics
from experiments.data.navier_stokes import load_snapshots
from experiments.data.terrain import load_terrain

__all__ = ["FIELDS", "KINDS", "study_field"]

# The largest crop, 512, and a frame of 3 for the largest kernel.
SIZE = 518
H, W = np.meshgrid(np.arange(SIZE, dtype=float), np.arange(SIZE, dtype=float), indexing="ij")


def _rng(seed: int) -> np.random.Generator:
    return np.random.default_rng(seed)


def _terrain(row: int, column: int) -> np.ndarray:
    return load_terrain()[row : row + SIZE, column : column + SIZE].numpy()


def _sample(name: str, key: str) -> np.ndarray:
    """Read an array of elevations that comes with matplotlib."""
    return np.load(get_sample_data(name, asfileobj=False))[key].astype(float)


def _picture(name: str) -> np.ndarray:
    """Read a picture that comes with matplotlib, as luminance (ITU-R BT.601)."""
    return np.asarray(imread(get_sample_data(name, asfileobj=False)), float)[..., :3] @ [0.299, 0.587, 0.114]


def _scan() -> np.ndarray:
    """Read the magnetic resonance image that comes with matplotlib."""
    with gzip.open(get_sample_data("s1045.ima.gz", asfileobj=False)) as file:
        return np.frombuffer(file.read(), np.uint16).astype(float).reshape(256, 256)


def _blurred(width: float, seed: int) -> np.ndarray:
    """Blur white noise by a Gaussian of some width."""
    noise = _rng(seed).standard_normal((SIZE, SIZE))
    return gaussian_filter(noise, width, mode="wrap") if width else noise


def _coloured(slope: float, seed: int) -> np.ndarray:
    """Shape white noise so that its amplitude falls with this power of the wave number."""
    frequency = np.fft.fftfreq(SIZE)
    radius = np.hypot(frequency[:, None], frequency)
    radius[0, 0] = np.inf
    field = np.fft.ifft2(np.fft.fft2(_rng(seed).standard_normal((SIZE, SIZE))) * radius**-slope).real
    return field / field.std()


def _waves(count: int, seed: int) -> np.ndarray:
    draws = _rng(seed).uniform(-1.5, 1.5, (count, 3))
    return sum(np.sin(a * H + b * W + 2 * c) for a, b, c in draws)


def _smooth() -> np.ndarray:
    return np.sin(W / 23 + H / 31) + np.cos(W / 40 - H / 17)


def _bumps(count: int, seed: int) -> np.ndarray:
    rng, field = _rng(seed), np.zeros((SIZE, SIZE))
    for _ in range(count):
        h, w = rng.uniform(0, SIZE, 2)
        field += rng.standard_normal() * np.exp(-((H - h) ** 2 + (W - w) ** 2) / (2 * rng.uniform(10, 60) ** 2))
    return field


def _discs(count: int, smallest: float, largest: float, seed: int) -> np.ndarray:
    rng, field = _rng(seed), np.zeros((SIZE, SIZE), bool)
    for _ in range(count):
        h, w = rng.uniform(0, SIZE, 2)
        field ^= (H - h) ** 2 + (W - w) ** 2 < rng.uniform(smallest, largest) ** 2
    return field.astype(float)


def _cells(count: int, shaded: bool, seed: int) -> np.ndarray:
    """Fill Voronoi's cells, each with one value, or with that and a wave."""
    rng = _rng(seed)
    nearest = cKDTree(rng.uniform(0, SIZE, (count, 2))).query(np.stack([H, W], -1))[1]
    field, waves = rng.standard_normal(count)[nearest], 0.03 * rng.standard_normal((count, 2))
    return field + np.sin(waves[nearest, 0] * H + waves[nearest, 1] * W) if shaded else field


def _salted(field: np.ndarray, share: float, seed: int) -> np.ndarray:
    """Set a share of the pixels to the lowest or the highest value."""
    draws, low, high = _rng(seed).random(field.shape), field.min(), field.max()
    return np.where(draws < share / 2, low, np.where(draws > 1 - share / 2, high, field))


def _mandelbrot() -> np.ndarray:
    """Count the steps to escape, at most 100."""
    c = np.linspace(-0.8, -0.7, SIZE) + 1j * np.linspace(0.05, 0.15, SIZE)[:, None]
    z, steps = np.zeros_like(c), np.zeros(c.shape)
    for _ in range(100):
        inside = np.abs(z) < 4
        z = np.where(inside, z * z + c, z)
        steps += inside
    return steps


def _polynomial() -> np.ndarray:
    h, w = (H - 100) / 150, (W - 200) / 100
    return w**3 - h**2 * w


KINDS: dict[str, dict[str, Callable[[], np.ndarray]]] = {
    "real": {
        "terrain_mountains": partial(_terrain, 1500, 2200),
        "terrain_plateau": partial(_terrain, 900, 2000),
        "terrain_plain": partial(_terrain, 1500, 900),
        "terrain_desert": partial(_terrain, 100, 300),
        "fault": partial(_sample, "jacksboro_fault_dem.npz", "elevation"),
        "bathymetry": partial(_sample, "topobathy.npz", "topo"),
        "photograph": partial(_picture, "grace_hopper.jpg"),
        "graphic": partial(_picture, "Minduka_Present_Blue_Pack.png"),
        "scan": _scan,
        "navier_stokes_1": lambda: load_snapshots()[0].numpy().astype(float),
        "navier_stokes_11": lambda: load_snapshots()[10].numpy().astype(float),
    },
    "smooth": {
        "chebyshev_10": lambda: chebyshev(10, SIZE).numpy(),
        "chebyshev_60": lambda: chebyshev(60, SIZE).numpy(),
        "spherical_harmonics_5": lambda: spherical_harmonics(5, SIZE).numpy(),
        "spherical_harmonics_50": lambda: spherical_harmonics(50, SIZE).numpy(),
        "bumps": partial(_bumps, 60, 0),
        "exponentials": lambda: np.exp(W / 60 - H / 45) + np.exp(-W / 30),
        "waves": partial(_waves, 9, 1),
        "rings": lambda: np.sin(((H - 250) ** 2 + (W - 250) ** 2) / 400),
    },
    "noise": {
        "white": partial(_blurred, 0, 2),
        "blurred_1": partial(_blurred, 1, 3),
        "blurred_2": partial(_blurred, 2, 4),
        "blurred_4": partial(_blurred, 4, 5),
        "coloured_1": partial(_coloured, 1, 6),
        "coloured_2": partial(_coloured, 2, 7),
        "coloured_3": partial(_coloured, 3, 8),
        "polynomial_with_noise": lambda: _polynomial() + 0.01 * _rng(9).standard_normal((SIZE, SIZE)),
        "ramp_with_noise": lambda: W / 100 + H / 200 + 0.05 * _rng(10).standard_normal((SIZE, SIZE)),
        "speckle": lambda: (2 + _smooth()) * _rng(11).gamma(4, 0.25, (SIZE, SIZE)),
    },
    "edges": {
        "grating": lambda: np.sin(2 * np.pi * W / 7.3),
        "square_grating": lambda: np.sign(np.sin(2 * np.pi * (W + 0.5 * H) / 17)),
        "checkerboard": lambda: (H // 8 + W // 8) % 2,
        "discs": partial(_discs, 150, 5, 30, 12),
        "dots": partial(_discs, 600, 2, 8, 13),
        "binary_noise": lambda: (_coloured(1.5, 14) > 0).astype(float),
        "cells": partial(_cells, 400, False, 15),
        "shaded_cells": partial(_cells, 60, True, 16),
        "rectified": lambda: np.maximum(_blurred(1.5, 17) / 0.2 - 0.5, 0),
        "mandelbrot": _mandelbrot,
        "salted_waves": lambda: _salted(_smooth(), 0.02, 18),
        "salted_photograph": lambda: _salted(_picture("grace_hopper.jpg"), 0.02, 19),
    },
}
FIELDS = {name: make for kind in KINDS.values() for name, make in kind.items()}


def study_field(name: str) -> Tensor:
    """Make or load a field, with mean 0 and standard deviation 1.

    Args:
        name: One of ``FIELDS``; ``KINDS`` has them by kind.

    Returns:
        The field, float64, :math:`(H, W)`; 518 samples along each axis, or what a file holds.

    Raises:
        ValueError: There is no such field.

    Example:
        >>> study_field("checkerboard").shape
        torch.Size([518, 518])

    """
    if name not in FIELDS:
        raise ValueError(f"fields must be of {', '.join(FIELDS)}; got {name!r}")
    field = torch.from_numpy(np.ascontiguousarray(FIELDS[name]()))
    return (field - field.mean()) / field.std()
