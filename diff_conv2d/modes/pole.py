"""The mode of a longitude-latitude grid: beyond a pole lies the row on the other side of the globe."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal

from torch import Tensor

from diff_conv2d.extension import by_axis
from diff_conv2d.geometry import Geometry
from diff_conv2d.modes.base import AxisExtension

__all__ = ["Pole"]


@dataclass(frozen=True)
class Pole(AxisExtension):
    r"""Across a pole: the mirrored rows, turned by half the circle.

    .. math:: x(-s, j) = \pm x(s - 1, j + W / 2) \quad \text{(at="half")}, \qquad
        x(-s, j) = \pm x(s, j + W / 2) \quad \text{(at="sample")}

    for a grid whose last axis, of W columns, is a whole circle of longitudes. With `circular` along that axis it is
    the sphere: ``padding_mode=("pole", "circular")``.

    Args:
        at: where the pole is: 'half' a sample beyond the outermost row (as in grids of cells), or at the outermost
            row itself, the 'sample' (all of whose values should be the same).
        sign: -1 for a component of a vector along the meridian or the parallel, which points the other way beyond
            the pole; 1 for scalars.

    Example:
        >>> import torch, diff_conv2d
        >>> rows = torch.tensor([[[[1, 2, 3, 4], [5, 6, 7, 8.0]]]])
        >>> diff_conv2d.pad(rows, (0, 0, 1, 0), mode=("pole", "circular"))
        tensor([[[[3., 4., 1., 2.],
                  [1., 2., 3., 4.],
                  [5., 6., 7., 8.]]]])
    """

    name = "pole"
    why_padded = "reads the samples on the other side of the globe"
    why_not_fused = why_padded
    why_not_chunked = "reads the samples on the other side of the globe"
    reads_across = True
    gathers = True

    at: Literal["half", "sample"] = "half"
    sign: int = 1

    def __post_init__(self) -> None:
        """Check the options."""
        if self.at not in ("half", "sample"):
            raise ValueError(f"at must be 'half' (half a sample outside) or 'sample', got {self.at!r}")
        if isinstance(self.sign, bool) or self.sign not in (1, -1):
            raise ValueError(f"sign must be 1 (scalars) or -1 (components of vectors), got {self.sign!r}")

    def check_image(self, input: Tensor, geometry: Geometry) -> None:
        """See `Boundary`: the columns are a whole circle, and the rows reach from pole to pole.

        Raises:
            ValueError: the last axis is extended by this mode, has an odd number of columns, or there are too few
                rows.
        """
        super().check_image(input, geometry)
        spare = self.at == "sample"
        for axis, dim in enumerate(geometry.dims):
            width = max(geometry.before[axis], geometry.after[axis])
            if not width:
                continue
            if dim == -1:
                raise ValueError(
                    "padding_mode='pole' is for an axis of latitudes; the last axis is that of longitudes: write "
                    "padding_mode=('pole', 'circular')"
                )
            if input.shape[-1] % 2:
                raise ValueError(
                    "input must have an even number of columns for padding_mode='pole', which turns rows by half the "
                    f"circle; got {input.shape[-1]}"
                )
            if width + spare > input.shape[dim]:
                raise ValueError(
                    f"padding must be at most {input.shape[dim] - spare} samples along dimension {dim} for "
                    f"padding_mode='pole', as many as there are rows to reflect; got {width}"
                )

    def outside(self, input: Tensor, axis: int, distances: range, high_end: bool, geometry: Geometry) -> list[Tensor]:
        """See `AxisExtension`."""
        dim, half = geometry.dims[axis], input.shape[-1] // 2
        pieces = by_axis.mirrored(input, dim, distances, high_end, repeat_edge=self.at == "half")
        return [piece.roll(half, -1) * self.sign for piece in pieces]

    def traced_sizes(self, geometry: Geometry) -> Sequence[int] | None:
        """See `Boundary`: its columns are turned by half of one size."""
        return None
