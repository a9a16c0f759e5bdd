"""A convolution that never holds a padded image: first with zero padding, then the frame of the output again.

torch pads with zeros without copying the image. Its outputs are right but for the frame, whose windows leave the
image. Strips of the image along its edges suffice to compute the frame again. The gradient is computed in the same
way: first that of zero padding, then, for each strip, the part that zero padding misses.
"""

from __future__ import annotations

from collections.abc import Iterator
from functools import partial
from typing import TYPE_CHECKING, Any, NamedTuple

import torch
from torch import Tensor

from diff_conv2d.algorithms.blocks import faster_in_blocks, valid_convolution, zero_padded_convolution
from diff_conv2d.algorithms.gradients import gradients_by_autograd, gradients_of_convolution
from diff_conv2d.algorithms.regions import Run, convolve_by_region, cut_by_validity
from diff_conv2d.algorithms.segments import convolve_in_segments, fills_segments
from diff_conv2d.extension.by_axis import with_zeros
from diff_conv2d.geometry import Geometry
from diff_conv2d.tracing import is_autocast, is_traced, is_transformed

if TYPE_CHECKING:
    from diff_conv2d.modes.base import AxisExtension

__all__ = ["better_by_frame", "convolve_by_frame", "convolve_large_image", "convolve_without_copy", "is_large_image"]

# Fewest pixels of an image for which its strips cost less than a padded copy.
_LEAST_PIXELS = 1 << 21
# Least share of the outputs whose window lies in the image.
_LEAST_INSIDE = 0.75


def convolve_without_copy(
    extension: AxisExtension, input: Tensor, weight: Tensor, bias: Tensor | None, geometry: Geometry, groups: int
) -> Tensor:
    """Convolve without a padded copy of the image: by its frame if that pays, otherwise region by region."""
    if extension.constant and better_by_frame(input, weight, geometry):
        return convolve_by_frame(extension, input, weight, bias, geometry, groups)
    return convolve_by_region(extension, input, weight, bias, geometry, groups)


def better_by_frame(input: Tensor, weight: Tensor, geometry: Geometry) -> bool:
    """Whether `convolve_by_frame` is possible and pays.

    It is possible for real numbers where both ends of each axis are padded alike, outside traces, transforms and
    autocast. It does not pay where a large image is filtered in blocks, nor on small maps, where a quarter of the
    outputs lie in the frame.
    """
    if (
        geometry.before != geometry.after
        or is_traced()
        or is_autocast(input)
        or not input.is_floating_point()
        or is_transformed()
        or (geometry.algorithm != "direct" and faster_in_blocks(input, weight, geometry))
    ):
        return False
    inside = 1.0
    for axis, size in enumerate(input.shape[2:]):
        runs = cut_by_validity(geometry, axis, size)
        inside *= sum(run.stop - run.start for run in runs if not run.displacement) / runs[-1].stop
    return inside > _LEAST_INSIDE


def convolve_by_frame(
    extension: AxisExtension, input: Tensor, weight: Tensor, bias: Tensor | None, geometry: Geometry, groups: int
) -> Tensor:
    """Convolve the extended image, to rounding, where `better_by_frame` allows it.

    Args:
        extension: extends each axis, from the samples nearest its ends.
        input: images (N, C, ...).
        weight: the kernel.
        bias: the bias.
        geometry: see `Geometry`.
        groups: as torch.
    """
    result: Tensor = _Frame.apply(input, weight, bias, extension, geometry, groups)
    return result


def is_large_image(input: Tensor, weight: Tensor, bias: Tensor | None, geometry: Geometry) -> bool:
    """Whether `convolve_large_image` is possible and pays: where an image is filtered in segments, without gradients.

    Most convolutions fail the first conditions.
    """
    pixels = input.numel() // (input.shape[1] or 1)
    if geometry.algorithm == "direct" or pixels < _LEAST_PIXELS or not faster_in_blocks(input, weight, geometry):
        return False
    tensors = (input, weight) if bias is None else (input, weight, bias)
    wanted = torch.is_grad_enabled() and any(tensor.requires_grad for tensor in tensors)
    return not wanted and fills_segments(input, weight)


def convolve_large_image(
    extension: AxisExtension,
    input: Tensor,
    weight: Tensor,
    bias: Tensor | None,
    geometry: Geometry,
    groups: int,
    out: Tensor | None = None,
) -> Tensor:
    """Convolve the extended image, to rounding, where `is_large_image` allows it.

    The interior comes from the image itself, the frame from strips. What is not new memory is faster: a padded copy
    would take as long as the convolution.

    Args:
        extension: extends each axis, from the samples nearest its ends.
        input: images (N, C, H, W).
        weight: the kernel.
        bias: the bias.
        geometry: see `Geometry`.
        groups: as torch.
        out: a tensor to write to, which does not overlap the others.
    """
    sizes = tuple(input.shape[2:])
    if out is None:
        shape = (geometry.output_size(axis, size) for axis, size in enumerate(sizes))
        out = input.new_empty((len(input), len(weight), *shape))
    inside = [
        (run.start, run.stop)
        for axis, size in enumerate(sizes)
        for run in cut_by_validity(geometry, axis, size)
        if not run.displacement
    ]
    convolve_in_segments(input, weight, bias, groups, _cut(out, inside))
    for strip in _strips(extension, geometry, sizes):
        piece = _extended(extension, _cut(input, strip.part), strip, geometry)
        _cut(out, strip.outputs).copy_(valid_convolution(piece, weight, bias, geometry, groups))
    return out


class _Frame(torch.autograd.Function):
    @staticmethod
    def forward(
        ctx: Any,
        input: Tensor,
        weight: Tensor,
        bias: Tensor | None,
        extension: AxisExtension,
        geometry: Geometry,
        groups: int,
    ) -> Tensor:
        ctx.save_for_backward(input, weight, bias)
        ctx.arguments = extension, geometry, groups
        output = zero_padded_convolution(input, weight, bias, geometry, groups)
        for strip in _strips(extension, geometry, input.shape[2:]):
            piece = _extended(extension, _cut(input, strip.part), strip, geometry)
            _cut(output, strip.outputs).copy_(valid_convolution(piece, weight, bias, geometry, groups))
        return output

    @staticmethod
    def backward(ctx: Any, *grads: Any) -> Any:
        (grad,) = grads
        input, weight, bias = ctx.saved_tensors
        extension, geometry, groups = ctx.arguments
        needed = ctx.needs_input_grad[:3]
        if torch.is_grad_enabled() or is_transformed(grad):
            # A derivative of this gradient is wanted, or a batch of gradients: autograd finds them from the plain
            # operations.
            plain = partial(convolve_by_region, extension, geometry=geometry, groups=groups)
            create_graph = torch.is_grad_enabled()
            found = gradients_by_autograd(plain, grad, (input, weight, bias), needed, create_graph)
            return *found, None, None, None
        settings = geometry.stride, geometry.dilation, groups
        of_input, of_weight, of_bias = gradients_of_convolution(
            grad, input, weight, geometry.before, *settings, needed
        )
        none = (0,) * len(geometry.kernel)
        for strip in _strips(extension, geometry, input.shape[2:]):
            with torch.enable_grad():
                near = _cut(input, strip.part).detach().requires_grad_()
                # Only the samples outside: zero padding has the rest already.
                piece = _extended(extension, near, strip, geometry) - with_zeros(near, strip.windows)
            part = _cut(grad, strip.outputs).contiguous()
            of_piece, more, _ = gradients_of_convolution(
                part, piece.detach(), weight, none, *settings, (*needed[:2], False)
            )
            if of_input is not None:
                _cut(of_input, strip.part).add_(torch.autograd.grad(piece, near, of_piece)[0])
            if of_weight is not None and more is not None:
                of_weight.add_(more)
        return of_input, of_weight, of_bias, None, None, None


# For each axis the first sample and one past the last.
_Bounds = list[tuple[int, int]]


class _Strip(NamedTuple):
    """Outputs along an edge, the part of the image that they are made of, their windows as seen from that part."""

    outputs: _Bounds
    part: _Bounds
    windows: _Bounds


def _strip(runs: tuple[Run, ...], geometry: Geometry, sizes: tuple[int, ...], reach: tuple[int, ...]) -> _Strip:
    strip = _Strip([(run.start, run.stop) for run in runs], [], [])
    for axis, (run, size, deep) in enumerate(zip(runs, sizes, reach, strict=True)):
        start, stop = geometry.window(axis, run.start, run.stop)
        first = max(0, min(start, size - deep) if stop > size else start)
        last = min(size, max(stop, deep) if start < 0 else stop)
        strip.part.append((first, last))
        strip.windows.append((start - first, stop - first))
    return strip


def _cut(tensor: Tensor, bounds: _Bounds) -> Tensor:
    """The part of an image or an output, (N, C, ...), within bounds."""
    for axis, (first, last) in enumerate(bounds):
        tensor = tensor.narrow(axis + 2, first, last - first)
    return tensor


def _strips(extension: AxisExtension, geometry: Geometry, sizes: tuple[int, ...]) -> Iterator[_Strip]:
    """Yield two strips for each axis: the top and the bottom of a picture, then left and right between them."""
    reach = tuple(extension.reach(geometry, axis, size) for axis, size in enumerate(sizes))
    between: list[Run] = []
    for axis, size in enumerate(sizes):
        cuts = cut_by_validity(geometry, axis, size)
        whole = [Run(0, 0, geometry.output_size(a, sizes[a])) for a in range(axis + 1, len(sizes))]
        for run in cuts:
            if run.displacement:
                yield _strip((*between, run, *whole), geometry, sizes, reach)
        inside = [run for run in cuts if not run.displacement]
        if not inside:
            return
        between += inside


def _extended(extension: AxisExtension, near: Tensor, strip: _Strip, geometry: Geometry) -> Tensor:
    """What the windows of a strip see: its part of the image, extended."""
    for axis, (start, stop) in enumerate(strip.windows):
        near = extension.extend_axis(near, axis, start, stop, geometry)
    return near
