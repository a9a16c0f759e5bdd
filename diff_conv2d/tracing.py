"""What torch.jit.trace needs: it records the operations for one size of image, which may be wrong for others."""

from __future__ import annotations

import warnings
from collections.abc import Sequence
from typing import Any

import torch
from torch import Tensor

from diff_conv2d import padding_modes as modes
from diff_conv2d.arguments import Geometry
from diff_conv2d.boundary import Boundary

__all__ = ["only_as_traced"]

_SAME_FOR_ALL = (modes.Zeros, modes.Reflect, modes.Replicate, modes.Circular, modes.Symmetric, modes.Partial)


def only_as_traced(input: Tensor, mode: Boundary | None, geometry: Geometry) -> Tensor:
    """Return the image; while torch.jit.trace records, put a check of its size into the graph.

    Some modes do the same operations for all sizes, polynomials for all that are not tiny. The other modes, and
    `mode` None, are recorded for one size, and the check refuses others.
    """
    if not torch.jit.is_tracing() or torch.onnx.is_in_onnx_export() or isinstance(mode, _SAME_FOR_ALL):  # type: ignore
        return input
    with warnings.catch_warnings():
        # The tracer warns that sizes become constants, for which the check is there, and that script is deprecated.
        warnings.simplefilter("ignore")
        sizes = [int(size) for size in input.shape[-len(geometry.kernel) :]]
        least: Sequence[int] = sizes
        most = sizes
        if isinstance(mode, (modes.Extrapolate, modes.Diff)) and not mode.has_edge_kernels:
            # Enough samples for the polynomial on every lattice.
            enough = [(d + 2) * step for d, step in zip(mode.degrees(geometry), geometry.dilation, strict=True)]
            if all(size >= few for size, few in zip(sizes, enough, strict=True)):
                least, most = enough, [2**62] * len(sizes)
        check: Any = torch.jit.script(_check_sizes)
    checked: Tensor = check(input, least, most)
    return checked


def _check_sizes(input: Tensor, least: list[int], most: list[int]) -> Tensor:
    for axis in range(len(least)):
        size = input.size(axis - len(least))
        if size < least[axis] or size > most[axis]:
            raise ValueError("torch.jit.trace recorded this convolution for images of another size")
    return input
