"""Fields on which no constant of the mode ``adaptive`` was chosen, of the same kinds as those of ``study_fields``.

No picture, region or snapshot of them is shared with those, and no seed or set of parameters of a formula.
"""

from functools import cache, partial

import numpy as np
import torch
from matplotlib.cbook import get_sample_data
from matplotlib.image import imread
from scipy.ndimage import gaussian_filter
from scipy.special import j0
from torch import Tensor

from experiments.data.analytic import chebyshev, spherical_harmonics
from experiments.data.landcover import CLASSES, PIXELS_PER_DEGREE, load_maps
from experiments.data.navier_stokes import load_snapshots
from experiments.data.runge import runge
from experiments.data.synthetic_fields import (
    SIZE,
    H,
    Kinds,
    W,
    blurred,
    bumps,
    cells,
    coloured,
    discs,
    mandelbrot,
    salted,
    source,
    standardised,
    waves,
)
from experiments.data.terrain import load_terrain

__all__ = ["HELD_OUT_KINDS", "held_out_field"]

RED, GREEN, BLUE = range(3)


def _terrain(row: int, column: int) -> np.ndarray:
    return load_terrain()[row : row + SIZE, column : column + SIZE].numpy()


@cache
def _maps() -> tuple[np.ndarray, np.ndarray]:
    return load_maps()


def _square(north: float, west: float) -> tuple[slice, slice]:
    """Return the rows and columns of a square of the maps of land cover, told by its north-western corner."""
    top, left = int((90 - north) * PIXELS_PER_DEGREE), int((180 + west) * PIXELS_PER_DEGREE)
    return slice(top, top + SIZE), slice(left, left + SIZE)


def _satellite(north: float, west: float, channel: int) -> np.ndarray:
    """Cut a square from one channel of the Blue Marble."""
    return _maps()[0][(*_square(north, west), channel)]


def _cover(name: str, north: float, west: float) -> np.ndarray:
    """Mark the pixels of a square that one class of land cover has."""
    return _maps()[1][_square(north, west)] == CLASSES.index(name)


def _lettering() -> np.ndarray:
    """Read the logo that comes with matplotlib, on white, as luminance (ITU-R BT.601)."""
    picture = np.asarray(imread(get_sample_data("logo2.png", asfileobj=False)), float)
    opacity = picture[..., 3:]
    return (picture[..., :3] * opacity + 1 - opacity) @ [0.299, 0.587, 0.114]


def _snapshot(number: int) -> np.ndarray:
    """Load a snapshot of Navier-Stokes, counted from 1."""
    return load_snapshots()[number - 1].numpy()


def _runge() -> np.ndarray:
    axis = torch.linspace(-1, 1, SIZE, dtype=torch.float64)
    return runge(axis, axis)["smoothing"].numpy()


def _smeared() -> np.ndarray:
    """Blur white noise along rows more than along columns."""
    return gaussian_filter(source(107).standard_normal((SIZE, SIZE)), (0.8, 3), mode="wrap")


def _half_planes(count: int, seed: int) -> np.ndarray:
    """Add half planes, whose edges cross at any angle."""
    rng, field = source(seed), np.zeros((SIZE, SIZE))
    for _ in range(count):
        angle, h, w = rng.uniform(0, 2 * np.pi), *rng.uniform(0, SIZE, 2)
        field += rng.standard_normal() * (np.cos(angle) * (H - h) + np.sin(angle) * (W - w) > 0)
    return field


HELD_OUT_KINDS: Kinds = {
    "real": {
        "terrain_pamir": partial(_terrain, 640, 700),
        "terrain_karakoram": partial(_terrain, 700, 1300),
        "terrain_tarim": partial(_terrain, 100, 1700),
        "terrain_indus": partial(_terrain, 1500, 330),
        "satellite_sahara": partial(_satellite, 32, -5, RED),
        "satellite_amazon": partial(_satellite, 5, -75, GREEN),
        "satellite_europe": partial(_satellite, 60, 0, GREEN),
        "satellite_islands": partial(_satellite, 15, 100, BLUE),
        "satellite_canada": partial(_satellite, 72, -125, RED),
        "lettering": _lettering,
        "navier_stokes_3": partial(_snapshot, 3),
        "navier_stokes_5": partial(_snapshot, 5),
        "navier_stokes_7": partial(_snapshot, 7),
        "navier_stokes_9": partial(_snapshot, 9),
    },
    "smooth": {
        "chebyshev_25": lambda: chebyshev(25, SIZE).numpy(),
        "spherical_harmonics_20": lambda: spherical_harmonics(20, SIZE).numpy(),
        "narrow_bumps": partial(bumps, 120, 100, 6, 25),
        "slow_exponentials": lambda: np.exp(H / 70 - W / 40) + np.exp(W / 120),
        "many_waves": partial(waves, 14, 101),
        "runge": _runge,
        "bessel": lambda: j0(np.hypot(H - 300, W - 210) / 6),
        "chirp": lambda: np.sin((W / 60) ** 2 + H / 9),
    },
    "noise": {
        "uniform": lambda: source(102).uniform(size=(SIZE, SIZE)),
        "blurred_0.7": partial(blurred, 0.7, 103),
        "blurred_1.5": partial(blurred, 1.5, 104),
        "blurred_3": partial(blurred, 3, 105),
        "coloured_1.5": partial(coloured, 1.5, 106),
        "coloured_2.5": partial(coloured, 2.5, 108),
        "smeared": _smeared,
        "wave_with_noise": lambda: np.sin(W / 9 + H / 14) + 0.1 * source(109).standard_normal((SIZE, SIZE)),
        "counts": lambda: source(110).poisson(20 + 15 * np.sin(W / 19) * np.cos(H / 27)),
    },
    "edges": {
        "slanted_grating": lambda: np.sin(2 * np.pi * (W + 0.7 * H) / 5.1),
        "steep_square_grating": lambda: np.sign(np.sin(2 * np.pi * (0.3 * W + H) / 11)),
        "small_checkerboard": lambda: ((H + 2) // 5 + (W + 1) // 5) % 2,
        "large_discs": partial(discs, 40, 20, 60, 111),
        "sparse_binary_noise": lambda: coloured(1.2, 112) > 0.7,
        "large_cells": partial(cells, 150, False, 113),
        "small_shaded_cells": partial(cells, 200, True, 114),
        "half_planes": partial(_half_planes, 60, 115),
        "forest": partial(_cover, "forest", 5, -75),
        "other_mandelbrot": partial(mandelbrot, -1.3, 0.02, 0.12),
        "salted_bumps": lambda: salted(bumps(60, 116), 0.03, 117),
    },
}


def held_out_field(name: str) -> Tensor:
    """Make or load a held-out field, with mean 0 and standard deviation 1.

    Args:
        name: One of ``HELD_OUT_KINDS``.

    Returns:
        The field, float64, :math:`(H, W)`; 518 samples along each axis, or what a file holds.

    Raises:
        ValueError: There is no such field.
        FileNotFoundError: A file of ``data/`` is missing.

    Example:
        >>> held_out_field("small_checkerboard").shape
        torch.Size([518, 518])

    """
    return standardised(HELD_OUT_KINDS, name)
