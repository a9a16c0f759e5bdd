"""The regions of an image by distance to its edge, and sums over each of them."""

import torch
from torch import Tensor

__all__ = ["ATOMS", "CROPS", "FRAME", "REGIONS", "atoms", "sum_by_atom"]

# Width of the frame in pixels, as in the paper's super-resolution experiment.
FRAME = 8
# Pixels cut off each side in the control that crops the output; at most the frame's width.
CROPS = (1, 2, 4, 8)
# Every pixel belongs to one atom, and every region is a union of atoms: shell s has the atom 2 s (one edge near) and
# 2 s + 1 (a corner: two edges within the frame's width); the last atom is the interior.
ATOMS = 2 * FRAME + 1
REGIONS: dict[str, tuple[int, ...]] = {
    "whole": tuple(range(ATOMS)),
    "frame": tuple(range(ATOMS - 1)),
    "interior": (ATOMS - 1,),
    "edges": tuple(range(0, ATOMS - 1, 2)),
    "corners": tuple(range(1, ATOMS - 1, 2)),
    **{f"shell_{shell}": (2 * shell, 2 * shell + 1) for shell in range(FRAME)},
    # What is left of an output that is cropped by some pixels on every side: the cheap competitor of any method.
    **{f"crop{width}": tuple(range(2 * width, ATOMS)) for width in CROPS},
}


def atoms(height: int, width: int, device: torch.device | None = None, frame: int = FRAME) -> Tensor:
    """The atom of each pixel.

    Args:
        height: pixels along the first axis.
        width: pixels along the second axis.
        device: where the result is to be.
        frame: width of the frame in pixels; the interior is the atom ``2 * frame``.

    Returns:
        int64, (height, width).

    Example:
        >>> atoms(18, 18)[0, [0, 7, 8]].tolist(), atoms(18, 18)[8, 8].item()
        ([1, 1, 0], 16)
    """

    def distance(size: int) -> Tensor:
        positions = torch.arange(size, device=device)
        return torch.minimum(positions, size - 1 - positions)

    h, w = distance(height)[:, None], distance(width)[None]
    shell, corner = torch.minimum(h, w), (torch.maximum(h, w) < frame).long()
    return torch.where(shell < frame, 2 * shell + corner, 2 * frame)


def sum_by_atom(values: Tensor, index: Tensor, frame: int = FRAME) -> Tensor:
    """Sum the values of each atom over the last two axes.

    Args:
        values: (..., H, W).
        index: `atoms(H, W, frame=frame)`.
        frame: width of the frame in pixels.

    Returns:
        float64, (..., 2 * frame + 1), which is ATOMS unless a frame is given.
    """
    flat = values.flatten(-2).double()
    total = flat.new_zeros(*flat.shape[:-1], 2 * frame + 1)
    return total.index_add(-1, index.flatten(), flat)
