"""Elevations of land and sea floor, with the latitudes of their rows."""

from collections.abc import Callable
from functools import partial
from typing import NamedTuple

import numpy as np
from matplotlib.cbook import get_sample_data

from experiments.data.terrain import load_terrain

__all__ = ["TERRAINS", "Terrain"]

# Rows and columns of a region of the Himalaya crop.
SIZE = 518


class Terrain(NamedTuple):
    """A map: elevations in metres, (H, W), latitudes of the rows and the spacing of rows and columns, in degrees.

    The spacing of the rows is positive where they go southwards.
    """

    elevation: np.ndarray
    latitude: np.ndarray
    spacing: tuple[float, float]


def _himalaya(top: int, left: int) -> Terrain:
    """Cut a region from the crop of the Himalaya, whose rows go from 42.5 degrees north southwards."""
    elevation = load_terrain()[top : top + SIZE, left : left + SIZE].numpy()
    step = 1 / 120
    return Terrain(elevation, 42.5 - step * (top + np.arange(SIZE) + 0.5), (step, step))


def _fault() -> Terrain:
    """Read the fault of Jacksboro, which comes with matplotlib."""
    found = np.load(get_sample_data("jacksboro_fault_dem.npz", asfileobj=False))
    elevation = found["elevation"].astype(float)
    # The file names the northern rim ymin.
    latitude = float(found["ymin"]) - float(found["dy"]) * np.arange(len(elevation))
    return Terrain(elevation, latitude, (float(found["dy"]), float(found["dx"])))


def _sea_floor() -> Terrain:
    """Read the sea floor off the coast of Washington, which comes with matplotlib; its rows go northwards."""
    found = np.load(get_sample_data("topobathy.npz", asfileobj=False))
    latitude, longitude = (found[name].astype(float) for name in ("latitude", "longitude"))
    spacing = (
        -(latitude[-1] - latitude[0]) / (len(latitude) - 1),
        (longitude[-1] - longitude[0]) / (len(longitude) - 1),
    )
    return Terrain(found["topo"].astype(float), latitude, spacing)


TERRAINS: dict[str, Callable[[], Terrain]] = {
    "mountains": partial(_himalaya, 1500, 2200),
    "plateau": partial(_himalaya, 900, 2000),
    "plain": partial(_himalaya, 1500, 900),
    "desert": partial(_himalaya, 100, 300),
    "fault": _fault,
    "sea_floor": _sea_floor,
}
