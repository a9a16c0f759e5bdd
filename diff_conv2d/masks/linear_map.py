"""A sparse linear map of the pixels of an image, and how it is applied."""

from __future__ import annotations

import warnings
from typing import Any

import torch
from torch import Tensor

from diff_conv2d.precision import computing_dtype
from diff_conv2d.tracing import is_traced, is_transformed

__all__ = ["LinearMap"]

# Products of weights and pixels that are held at once.
_MOST_PRODUCTS = 1 << 24


class LinearMap:
    r"""Several maps with the same pixels and different weights.

    .. math:: y_{r} = \sum_{i: \, row(i) = r} w_{i, k} \, x_{column(i)}, \qquad k = 0, 1, ...

    Pixels that are in no row are never read, so that NaN in them stays there.

    Images are real.

    Args:
        rows: ascending.
        columns: positions in the image, flat, ascending in each row.
        weights: (entries, maps), float64.
        count: number of rows.
        pixels: of an image.
    """

    def __init__(self, rows: Tensor, columns: Tensor, weights: Tensor, count: int, pixels: int) -> None:
        self.rows, self.columns, self.weights = rows, columns, weights
        self.count, self.pixels = count, pixels
        self._kept: dict[tuple[object, ...], Any] = {}

    @property
    def maps(self) -> int:
        """How many maps there are."""
        return self.weights.shape[1]

    def __getstate__(self) -> dict[str, Any]:
        """Leave out what is made again."""
        return {**vars(self), "_kept": {}}

    def __call__(self, planes: Tensor, which: int = 0) -> Tensor:
        """Apply a map to images (B, pixels); return (B, rows)."""
        if not self.count or not len(planes):
            return planes.new_zeros(len(planes), self.count)
        if is_traced() or is_transformed(planes) or planes.device.type != "cpu" or not _has_sparse(planes.dtype):
            return self._plain(planes, which)
        if torch.is_grad_enabled() and planes.requires_grad:
            result: Tensor = _Applied.apply(planes, self, which)
            return result
        return self._fast(planes, which)

    def _fast(self, planes: Tensor, which: int) -> Tensor:
        """Apply a map by the sparse product of torch, which has one vector at a time."""
        key = planes.dtype, which
        if key not in self._kept:
            self._kept[key] = self._compressed(planes.dtype, which)
        matrix = self._kept[key]
        # Autocast rounds the factors of a matrix product, but not of mv.
        return torch.stack([torch.mv(matrix, plane) for plane in planes])

    def _compressed(self, dtype: torch.dtype, which: int) -> Tensor:
        # Compressed rows with indices of 32 bits, for which the product is twice as fast.
        index = torch.int32 if max(self.pixels, len(self.rows)) < 2**31 else torch.int64
        starts = torch.searchsorted(self.rows, torch.arange(self.count + 1)).to(index)
        with warnings.catch_warnings():
            # Torch warns that this layout may change.
            warnings.simplefilter("ignore")
            return torch.sparse_csr_tensor(
                starts,
                self.columns.to(index),
                self.weights[:, which].to(dtype),
                (self.count, self.pixels),
                check_invariants=True,
            )

    def _plain(self, planes: Tensor, which: int) -> Tensor:
        """Apply a map by operations that every device, dtype and transform has."""
        rows, columns, weights = self._on(planes, which)
        together = max(1, _MOST_PRODUCTS // max(1, len(rows)))
        if is_traced() or len(planes) <= together:
            return self._summed(planes, rows, columns, weights)
        return torch.cat([self._summed(some, rows, columns, weights) for some in torch.split(planes, together)])

    def _on(self, planes: Tensor, which: int) -> tuple[Tensor, Tensor, Tensor]:
        """Return rows, columns and the weights of a map, where the planes are."""
        dtype = computing_dtype(planes.dtype)
        if is_traced():
            return self._moved(planes.device, dtype, which)
        key = planes.device, dtype, which
        if key not in self._kept:
            self._kept[key] = self._moved(*key)
        found: tuple[Tensor, Tensor, Tensor] = self._kept[key]
        return found

    def _moved(self, device: torch.device, dtype: torch.dtype, which: int) -> tuple[Tensor, Tensor, Tensor]:
        # No view: a graph that a compiler keeps would hold the whole of it.
        return self.rows.to(device), self.columns.to(device), self.weights[:, which].to(device, dtype)

    def _summed(self, planes: Tensor, rows: Tensor, columns: Tensor, weights: Tensor) -> Tensor:
        products = planes[:, columns].to(computing_dtype(planes.dtype)) * weights
        total = products.new_zeros(len(planes), self.count)
        return total.index_add(1, rows, products).to(planes.dtype)

    def adjoint(self, rows: Tensor, which: int) -> Tensor:
        """Apply the adjoint of a map to (B, rows); return (B, pixels)."""
        of_entry, columns, weights = self._on(rows, which)
        return rows.new_zeros(len(rows), self.pixels).index_add(1, columns, rows[:, of_entry] * weights)


def _has_sparse(dtype: torch.dtype) -> bool:
    return dtype in (torch.float32, torch.float64)


class _Applied(torch.autograd.Function):
    @staticmethod
    def forward(ctx: Any, planes: Tensor, linear_map: LinearMap, which: int) -> Tensor:
        ctx.linear_map, ctx.which = linear_map, which
        return linear_map._fast(planes, which)

    @staticmethod
    def backward(ctx: Any, *grads: Any) -> Any:
        # Operations that autograd differentiates again.
        return ctx.linear_map.adjoint(grads[0], ctx.which), None, None
