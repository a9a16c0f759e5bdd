"""From checked arguments to a result: the mode's own convolution, strips without a padded copy, or an extended image.

Where a large image is filtered in blocks is decided in `algorithms.blocks`, where strips pay in `algorithms.frame`.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from torch import Tensor

from diff_conv2d.algorithms.blocks import valid_convolution
from diff_conv2d.algorithms.frame import convolve_large_image, convolve_without_copy, is_large_image
from diff_conv2d.arguments import check_edge_kernels, check_tensors
from diff_conv2d.geometry import Geometry, Kernels
from diff_conv2d.tracing import is_traced, only_as_traced

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
    out: Tensor | None = None,
) -> Tensor:
    """Convolve with a boundary mode, after checking the tensors: images (N, C, ...) or one image (C, ...).

    The result is written to `out` if it is given; it is checked already.
    """
    key = _key(input, weight, bias, edge_weight, edge_bias, groups)
    if key is not None:
        key = mode if mode.by_value else type(mode), geometry, key
    if key is None or key not in _CHECKED:
        check_tensors(len(geometry.kernel), input, weight, bias, groups, geometry)
        mode.check_image(input, geometry)
        if mode.has_edge_kernels or edge_weight is not None or edge_bias is not None:
            check_edge_kernels(mode.edge_weight_shape(tuple(weight.shape), geometry), weight, edge_weight, edge_bias)
        if key is not None:
            if len(_CHECKED) >= _MOST_CHECKED:
                _CHECKED.clear()
            _CHECKED.add(key)
        input = only_as_traced(input, mode, geometry)
    kernels = Kernels(weight, bias, groups, edge_weight, edge_bias)
    if input.ndim == len(geometry.kernel) + 1:
        outs = None if out is None else out.unsqueeze(0)
        return convolve_batch(input.unsqueeze(0), kernels, geometry, mode, outs).squeeze(0)
    return convolve_batch(input, kernels, geometry, mode, out)


# What has been found right, since checks take longer than small convolutions.
_CHECKED: set[Any] = set()
_MOST_CHECKED = 4096


def _key(
    input: Tensor,
    weight: Tensor,
    bias: Tensor | None,
    edge_weight: Tensor | None,
    edge_bias: Tensor | None,
    groups: int,
) -> Any:
    """Return all of the tensors that the checks of `convolve` depend on; None if these depend on more."""
    if type(groups) is not int or type(input) is not Tensor or not isinstance(weight, Tensor) or is_traced():
        return None
    dtype = input.dtype
    # Autocast allows several dtypes.
    if weight.dtype is not dtype:
        return None
    shapes: list[Any] = [groups, dtype, input.shape, weight.shape]
    for tensor in (bias, edge_weight, edge_bias):
        if tensor is None:
            shapes.append(None)
        elif isinstance(tensor, Tensor) and tensor.dtype is dtype:
            shapes.append(tensor.shape)
        else:
            return None
    return tuple(shapes)


def convolve_batch(
    input: Tensor, kernels: Kernels, geometry: Geometry, mode: Boundary, out: Tensor | None = None
) -> Tensor:
    """Convolve a batch of images (N, C, ...): extend it first, unless the mode or the algorithm needs no copy."""
    weight, bias, groups, *_ = kernels
    from_strips = mode.extends and not (mode.why_padded or mode.has_edge_kernels)
    if from_strips and geometry.algorithm != "fused" and is_large_image(input, weight, bias, geometry):
        return convolve_large_image(mode.for_image(input, geometry), input, weight, bias, geometry, groups, out)
    if mode.does_sums:
        result = mode.convolve(input, kernels, geometry)
    elif geometry.algorithm == "memory":
        result = convolve_without_copy(mode.for_image(input, geometry), input, weight, bias, geometry, groups)
    else:
        return valid_convolution(extend(input, geometry, mode), weight, bias, geometry, groups, out)
    return result if out is None else out.copy_(result)


def extend(input: Tensor, geometry: Geometry, mode: Boundary) -> Tensor:
    """Extend a batch of images by a mode that `extends`."""
    algorithm = geometry.algorithm
    if _FUSED_ON_CUDA and input.is_cuda and algorithm == mode.auto == "auto" and not mode.why_not_fused:
        algorithm = "fused"
    return mode.extend_fused(input, geometry) if algorithm == "fused" else mode.extend(input, geometry)
