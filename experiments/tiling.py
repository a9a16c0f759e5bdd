"""Images made of tiles."""

import torch
from torch import Tensor

__all__ = ["edge_distance", "stitched"]


def stitched(tiles: Tensor) -> Tensor:
    """Put tiles side by side that do not overlap.

    Args:
        tiles: (n, m, H, W).

    Returns:
        The image, (n H, m W).

    Example:
        >>> stitched(torch.arange(4).view(2, 2, 1, 1))
        tensor([[0, 1],
                [2, 3]])
    """
    n, m, height, width = tiles.shape
    return tiles.permute(0, 2, 1, 3).reshape(n * height, m * width)


def edge_distance(height: int, width: int) -> Tensor:
    """How many pixels lie between each pixel and the nearest edge, int64, (height, width).

    Example:
        >>> edge_distance(3, 5)
        tensor([[0, 0, 0, 0, 0],
                [0, 1, 1, 1, 0],
                [0, 0, 0, 0, 0]])
    """
    rows, columns = (torch.minimum(torch.arange(n), torch.arange(n).flip(0)) for n in (height, width))
    return torch.minimum(rows[:, None], columns)
