"""Fields of many kinds for the study of adaptive boundaries: real, smooth, noisy, textured, piecewise constant.

The constants of the mode ``adaptive`` were chosen on these fields; those of ``held_out_fields`` were kept from that.
"""

import gzip
from collections.abc import Callable
from functools import partial

import numpy as np
from matplotlib.cbook import get_sample_data
from matplotlib.image import imread
from torch import Tensor

from experiments.data.analytic import chebyshev, spherical_harmonics
from experiments.data.navier_stokes import load_snapshots
from experiments.data.synthetic_fields import (
    SIZE,
    H,
    W,
    blurred,
    bumps,
    cells,
    coloured,
    discs,
    mandelbrot,
    polynomial,
    salted,
    smooth,
    source,
    standardised,
    waves,
)
from experiments.data.terrain import load_terrain

__all__ = ["FIELDS", "KINDS", "study_field"]


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
        "bumps": partial(bumps, 60, 0),
        "exponentials": lambda: np.exp(W / 60 - H / 45) + np.exp(-W / 30),
        "waves": partial(waves, 9, 1),
        "rings": lambda: np.sin(((H - 250) ** 2 + (W - 250) ** 2) / 400),
    },
    "noise": {
        "white": partial(blurred, 0, 2),
        "blurred_1": partial(blurred, 1, 3),
        "blurred_2": partial(blurred, 2, 4),
        "blurred_4": partial(blurred, 4, 5),
        "coloured_1": partial(coloured, 1, 6),
        "coloured_2": partial(coloured, 2, 7),
        "coloured_3": partial(coloured, 3, 8),
        "polynomial_with_noise": lambda: polynomial() + 0.01 * source(9).standard_normal((SIZE, SIZE)),
        "ramp_with_noise": lambda: W / 100 + H / 200 + 0.05 * source(10).standard_normal((SIZE, SIZE)),
        "speckle": lambda: (2 + smooth()) * source(11).gamma(4, 0.25, (SIZE, SIZE)),
    },
    "edges": {
        "grating": lambda: np.sin(2 * np.pi * W / 7.3),
        "square_grating": lambda: np.sign(np.sin(2 * np.pi * (W + 0.5 * H) / 17)),
        "checkerboard": lambda: (H // 8 + W // 8) % 2,
        "discs": partial(discs, 150, 5, 30, 12),
        "dots": partial(discs, 600, 2, 8, 13),
        "binary_noise": lambda: (coloured(1.5, 14) > 0).astype(float),
        "cells": partial(cells, 400, False, 15),
        "shaded_cells": partial(cells, 60, True, 16),
        "rectified": lambda: np.maximum(blurred(1.5, 17) / 0.2 - 0.5, 0),
        "mandelbrot": mandelbrot,
        "salted_waves": lambda: salted(smooth(), 0.02, 18),
        "salted_photograph": lambda: salted(_picture("grace_hopper.jpg"), 0.02, 19),
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
    return standardised(KINDS, name)
