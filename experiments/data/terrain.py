"""Real terrain: a crop of NOAA's GLOBE elevation model over the Himalaya, and patches of it."""

import io

import numpy as np
import torch
from PIL import Image
from torch import Tensor

from experiments.data.embedded import DATA, read_embedded

__all__ = ["TERRAIN", "load_terrain", "terrain_patches"]

TERRAIN = DATA / "globe" / "himalaya.png"
SHAPE = (2048, 3072)

# The crop is a board of 4 x 6 cells of 512 pixels. One colour of the board, read row by row, gives twelve
# cells that share no edge and cover desert, plain, plateau and mountains; the first eleven are used.
CELL = 512
CELLS = tuple((row, column) for row in range(4) for column in range(6) if (row + column) % 2 == 0)[:11]


def load_terrain() -> Tensor:
    """Load the elevation of the Himalaya crop.

    Rows run from 42.5 degrees north southwards, columns from 64.4 degrees east to 90, every 30 arc-seconds.

    References:
        | GLOBE Task Team, Global Land One-kilometer Base Elevation, NOAA, 1999

    Returns:
        The elevation above sea level in metres, float64, :math:`(2048, 3072)`; the sea, and land below its
        level, is 0.

    Raises:
        FileNotFoundError: The file is missing.
        ValueError: The file has changed, or holds something else.

    Example:
        >>> load_terrain().max().item()
        8752.0
    """
    if not TERRAIN.is_file():
        raise FileNotFoundError(f"no terrain at {TERRAIN}; `python -m scripts.prepare_globe` makes it")
    with Image.open(io.BytesIO(read_embedded(TERRAIN))) as image:
        mode, elevation = image.mode, np.asarray(image)
    # A viewer that saved the picture in 8 bits, which is mode L, would have destroyed the unit. Older versions of
    # Pillow read 16 bits as mode I.
    if elevation.shape != SHAPE or mode not in ("I;16", "I"):
        raise ValueError(
            f"{TERRAIN} must be 16-bit grey of shape {SHAPE}, got mode {mode} of shape {elevation.shape}"
        )
    return torch.from_numpy(elevation.astype(np.float64))


def terrain_patches(size: int = 500) -> Tensor:
    r"""Cut the eleven patches of the filtering experiment, numbers 1 to 11 in this order.

    Each lies in the middle of its own cell of a 4 x 6 board laid over the crop, so patches never overlap,
    whatever their size. Each is standardised by its own moments, so that errors of plains, plateaus and
    mountains, and of other fields, can be compared:

    .. math:: p = \frac{z - \operatorname{mean}(z)}{\operatorname{std}(z)}

    Args:
        size: Pixels along each axis, 2 to 512.

    Returns:
        The patches, float64, of zero mean and unit standard deviation, :math:`(11, size, size)`.

    Raises:
        TypeError: ``size`` is not an integer.
        ValueError: ``size`` is not within 2 and 512.
        FileNotFoundError: The terrain file is missing.

    Example:
        >>> terrain_patches(size=64).shape
        torch.Size([11, 64, 64])
    """
    if isinstance(size, bool) or not isinstance(size, int):
        raise TypeError(f"size must be an integer, got {size!r}")
    if not 2 <= size <= CELL:
        raise ValueError(f"size must be within 2 and {CELL}, got {size}")
    terrain = load_terrain()
    margin = (CELL - size) // 2
    corners = [(row * CELL + margin, column * CELL + margin) for row, column in CELLS]
    patches = torch.stack([terrain[top : top + size, left : left + size] for top, left in corners])
    # No cell is level all over; a tiny patch could be, and stays zero then.
    centred = patches - patches.mean(dim=(-2, -1), keepdim=True)
    deviation = centred.std(dim=(-2, -1), keepdim=True, correction=0)
    return centred / deviation.where(deviation > 0, 1.0)
