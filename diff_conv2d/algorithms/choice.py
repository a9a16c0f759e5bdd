"""From checked arguments to a result: the mode's own convolution, strips without a padded copy, or an extended image.

Where a large image is filtered in blocks is decided in `algorithms.blocks`, where strips pay in `algorithms.frame`.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from torch import Tensor

from diff_conv2d.algorithms.blocks import valid_convolution
from diff_conv2d.algorithms.frame import convolve_without_copy
from diff_conv2d.arguments import check_edge_kernels, check_tensors
from diff_conv2d.geometry import Geometry, Kernels
from diff_conv2d.tracing import only_as_traced

if TYPE_CHECKING:
    from diff_conv2d.modes.base import Boundary

__all__ = ["convolve", "convolve_batch", "extend"]

# Whether 'auto' is 'fused' on a GPU. It never ran on one: to be True as soon as tests/diff_conv2d/test_fused.py and
# the benchmark have (docs/speed.md).
_FUSED_ON_CUDA = False


def convolve(
    input: Tensor,
    weight: Tensor,
    bias: Tensor | None,
    geometry: Geometry,
    groups: int,
    mode: Boundary,
    edge_weight: Tensor | None = None,
    edge_bias: Tensor | None = None,
) -> Tensor:
    """Convolve with a boundary mode, after checking the tensors: images (N, C, ...) or one image (C, ...)."""
    axes = len(geometry.kernel)
    check_tensors(axes, input, weight, bias, groups, geometry)
    mode.check_image(input, geometry)
    if mode.has_edge_kernels or edge_weight is not None or edge_bias is not None:
        check_edge_kernels(mode.edge_weight_shape(tuple(weight.shape), geometry), weight, edge_weight, edge_bias)
    input = only_as_traced(input, mode, geometry)
    kernels = Kernels(weight, bias, groups, edge_weight, edge_bias)
    if input.ndim == axes + 1:
        return convolve_batch(input.unsqueeze(0), kernels, geometry, mode).squeeze(0)
    return convolve_batch(input, kernels, geometry, mode)


def convolve_batch(input: Tensor, kernels: Kernels, geometry: Geometry, mode: Boundary) -> Tensor:
    """Convolve a batch of images (N, C, ...): extend it first, unless the mode or the algorithm needs no copy."""
    if mode.does_sums:
        return mode.convolve(input, kernels, geometry)
    weight, bias, groups, *_ = kernels
    if geometry.algorithm == "memory":
        return convolve_without_copy(mode.for_image(input, geometry), input, weight, bias, geometry, groups)
    return valid_convolution(extend(input, geometry, mode), weight, bias, geometry, groups)


def extend(input: Tensor, geometry: Geometry, mode: Boundary) -> Tensor:
    """Extend a batch of images by a mode that `extends`."""
    algorithm = geometry.algorithm
    if _FUSED_ON_CUDA and input.is_cuda and algorithm == mode.auto == "auto" and not mode.why_not_fused:
        algorithm = "fused"
    return mode.extend_fused(input, geometry) if algorithm == "fused" else mode.extend(input, geometry)
