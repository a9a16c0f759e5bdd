"""Ways of finding a slope at the rim of a map: those of other programs, and boundary modes."""

from collections.abc import Callable
from functools import partial

import numpy as np

from diff_conv2d.grids import metres_of_a_degree
from diff_conv2d.terrain import slope

__all__ = ["METHODS", "richdem"]

HORN = np.array([[-1, 0, 1], [-2, 0, 2], [-1, 0, 1]]) / 8


def richdem(elevation: np.ndarray, spacing: tuple[float, float], latitude: np.ndarray) -> np.ndarray:
    """Return Horn's slope with the elevation of the cell itself in place of each neighbour beyond the rim.

    References:
        | richdem, include/richdem/methods/terrain_attributes.hpp, TerrainSetup: as ArcGIS suggests
    """
    padded = np.pad(elevation, 1, constant_values=np.nan)
    windows = np.lib.stride_tricks.sliding_window_view(padded, (3, 3))
    windows = np.where(np.isnan(windows), elevation[..., None, None], windows)
    along, across = (lengths[:, None] for lengths in metres_of_a_degree(latitude))
    east = np.einsum("hwij,ij->hw", windows, HORN) / (spacing[1] * across)
    south = np.einsum("hwij,ji->hw", windows, HORN) / (spacing[0] * along)
    return np.rad2deg(np.arctan(np.hypot(east, south)))


# Each takes elevations (H, W), the spacing and the latitudes, and returns degrees (H, W).
METHODS: dict[str, Callable[..., np.ndarray]] = {
    # gdaldem slope -compute_edges: each line goes on as the straight one through its last two cells.
    "gdal": partial(slope, mode={"mode": "extrapolate", "degree": 1}),
    "richdem": richdem,
    "zeros": partial(slope, mode="zeros"),
    "reflect": partial(slope, mode={"mode": "reflect"}),
    "symmetric": partial(slope, mode="symmetric"),
    "replicate": partial(slope, mode="replicate"),
    "diff": partial(slope, mode="diff"),
    "linear_prediction": partial(slope, mode="linear_prediction"),
    "adaptive": partial(slope, mode="adaptive"),
}
