"""Kernels of their own for outputs whose window leaves the image, one for each displacement, in a few calls.

`regions.convolve_by_displacement` calls several operators for each displacement, of which a k x k kernel has k * k.
Here one batched product computes the outputs of the frame. Output f of displacement b is

    y[b, o, f] = sum_q E[b, o, q] X[b, q, f] + e[b, o],    q = (channel, tap),

where column f of X holds the window of the output, with zeros outside. X has one more row, of ones: the product of
the outputs' gradient with X is then the gradient of E and of the biases e. Displacements with fewer outputs than
others are filled up by columns of zeros. Cached tables of places say where samples are gathered, and where their
gradients are added. The box of outputs whose window is not displaced is an ordinary convolution.
"""

from __future__ import annotations

from functools import lru_cache
from itertools import product
from math import prod
from typing import Any, NamedTuple

import torch
import torch.nn.functional as F
from torch import Tensor

from diff_conv2d.algorithms.blocks import valid_convolution
from diff_conv2d.algorithms.gradients import gradients_by_autograd, gradients_of_convolution
from diff_conv2d.algorithms.regions import convolve_by_displacement, cut_by_displacement, displacements, kernel_at
from diff_conv2d.extension.by_axis import channels_last_format
from diff_conv2d.geometry import Geometry, Kernels
from diff_conv2d.precision import is_on_cpu
from diff_conv2d.tracing import is_autocast, is_traced, is_transformed

__all__ = ["better_at_once", "convolve_at_once"]

# Samples of all windows of the frame up to which they are held at once.
_MOST = 1 << 25
# On a CPU, those of a displacement up to which calls cost more than copies of windows, and the fewest displacements.
_FEW, _MANY = 1 << 12, 8


def better_at_once(input: Tensor, kernels: Kernels, geometry: Geometry) -> bool:
    """Whether `convolve_at_once` is possible and pays.

    It is possible for real numbers in torch's default layout, outside traces, transforms and autocast. It pays where
    calls cost more than copies of windows: on a CPU for small images, elsewhere as long as they take no more than
    128 MB in single precision.
    """
    if is_traced() or is_transformed() or kernels.edge_weight is None or not input.is_floating_point():
        return False
    if type(input) not in (Tensor, torch.nn.Parameter) or input.is_meta or geometry.algorithm == "memory":
        return False
    if channels_last_format(input) is not None or is_autocast(input):
        return False
    samples = _samples(geometry, tuple(input.shape[2:])) * input.shape[0] * input.shape[1]
    count = len(kernels.edge_weight)
    if is_on_cpu(input) and (count < _MANY or samples > _FEW * count):
        return False
    return 0 < samples <= _MOST


def convolve_at_once(input: Tensor, kernels: Kernels, geometry: Geometry) -> Tensor:
    """Convolve images (N, C, ...) as `convolve_by_displacement` does, where `better_at_once` allows it."""
    weight, bias, groups, edge_weight, edge_bias = kernels
    result: Tensor = _AtOnce.apply(input, weight, bias, edge_weight, edge_bias, geometry, groups)
    return result


class _AtOnce(torch.autograd.Function):
    @staticmethod
    def forward(
        ctx: Any,
        input: Tensor,
        weight: Tensor,
        bias: Tensor | None,
        edge_weight: Tensor,
        edge_bias: Tensor | None,
        geometry: Geometry,
        groups: int,
    ) -> Tensor:
        plan = _plan(geometry, tuple(input.shape[2:]), input.device)
        count, taps = len(edge_weight), edge_weight[0, 0].numel()
        x = _gathered(input, plan, groups, with_ones=edge_bias is not None)
        kernels, samples = edge_weight.reshape(count * groups, -1, taps), x[:, :taps]
        if edge_bias is None:
            y = kernels.bmm(samples)
        else:
            y = torch.baddbmm(edge_bias.reshape(count * groups, -1, 1), kernels, samples)
        outputs, piece = plan.outputs, None
        output = input.new_empty((len(input), len(weight), outputs[0] + (not plan.box), *outputs[1:]))
        places = _channels(len(weight), groups, input.device), plan.places
        _by_place(output).index_put_(places, y.view(count, groups, -1, plan.columns, len(input)))
        if plan.box:
            piece = _part(input, plan.window)
            # Over what the columns that are filled up have left there.
            _cut(output, plan.box).copy_(valid_convolution(piece, weight, bias, geometry, groups))
        else:
            output = output.narrow(2, 0, outputs[0]).contiguous()
        ctx.save_for_backward(input, weight, bias, edge_weight, edge_bias, piece, x)
        ctx.arguments = geometry, groups, plan
        return output

    @staticmethod
    def backward(ctx: Any, *grads: Any) -> Any:
        (grad,) = grads
        *tensors, piece, x = ctx.saved_tensors
        input, weight, _, edge_weight, edge_bias = tensors
        geometry, groups, plan = ctx.arguments
        needed = ctx.needs_input_grad[:5]
        if torch.is_grad_enabled() or is_transformed(grad):
            # A derivative of this gradient is wanted, or a batch of gradients: autograd finds them from the plain
            # operations.

            def plain(image: Tensor, weight: Tensor, bias: Tensor | None, *edge: Tensor | None) -> Tensor:
                return convolve_by_displacement(image, Kernels(weight, bias, groups, *edge), geometry)

            found = gradients_by_autograd(plain, grad, tuple(tensors), needed, torch.is_grad_enabled())
            return *found, None, None
        of_input = of_weight = of_bias = of_edge = of_edge_bias = None
        if piece is not None:
            none = (0,) * len(geometry.kernel)
            settings = none, geometry.stride, geometry.dilation, groups
            of_input, of_weight, of_bias = gradients_of_convolution(
                _cut(grad, plan.box), piece, weight, *settings, needed[:3]
            )
        places = _channels(len(weight), groups, grad.device), plan.targets
        of_y = _by_place(grad)[places]
        if is_on_cpu(grad):
            # The zeros of X times a gradient that is not finite are NaN. On a GPU this launch is spared: there NaN
            # reaches kernels whose gradient is not finite anyway, and, of strided convolutions, some without outputs.
            of_y.masked_fill_(plan.filled, 0)
        of_y = of_y.view(len(x), -1, x.shape[2])
        if needed[3] or needed[4]:
            product_with_x = of_y.bmm(x.mT)
            of_edge = product_with_x[..., : edge_weight[0, 0].numel()].view(edge_weight.shape)
            of_edge_bias = None if edge_bias is None else product_with_x[..., -1].view(edge_bias.shape)
        if needed[0]:
            of_x = edge_weight.reshape(*of_y.shape[:2], -1).mT.bmm(of_y)
            of_input = _embedded(of_input, input, plan.window)
            places = _channels(input.shape[1], groups, grad.device).unsqueeze(-1), plan.sinks
            shape = len(edge_weight), groups, -1, *plan.sinks.shape[-2:], len(input)
            _by_place(of_input).index_put_(places, of_x.view(shape), accumulate=True)
            of_input = of_input.narrow(2, 0, input.shape[2])
        return of_input, of_weight, of_bias, of_edge, of_edge_bias, None, None


def _gathered(input: Tensor, plan: _Plan, groups: int, with_ones: bool) -> Tensor:
    """Return X, (displacements * groups, channels of a group * taps (+ 1), columns * N)."""
    count, columns, images = len(plan.sinks), plan.columns, len(input)
    rows = input.shape[1] // groups * plan.sinks.shape[-2]
    x = input.new_empty((count, groups, rows + with_ones, columns, images))
    samples = torch.unflatten(x[:, :, :rows], 2, (-1, plan.sinks.shape[-2]))
    places = [_channels(input.shape[1], groups, input.device).unsqueeze(-1), plan.sources]
    torch.ops.aten.index.Tensor_out(_by_place(input), places, out=samples)
    samples.masked_fill_(plan.outside, 0)
    if with_ones:
        x[:, :, rows] = plan.real
    return x.view(count * groups, -1, columns * images)


def _by_place(images: Tensor) -> Tensor:
    """View images (N, C, ...) as (C, samples, N)."""
    return images.flatten(2).permute(1, 2, 0)


def _part(input: Tensor, window: tuple[tuple[int, int], ...]) -> Tensor:
    """Return a window of an image, with zeros outside where it leaves the image."""
    if any(first < 0 or stop > size for (first, stop), size in zip(window, input.shape[2:], strict=True)):
        widths = [(-first, stop - size) for (first, stop), size in zip(window, input.shape[2:], strict=True)]
        return F.pad(input, [width for ends in reversed(widths) for width in ends])
    return _cut(input, window)


def _embedded(of_part: Tensor | None, input: Tensor, window: tuple[tuple[int, int], ...]) -> Tensor:
    """Return the gradient of an image from that of a window, with one row more for what lies outside."""
    if of_part is None:
        return input.new_zeros((*input.shape[:2], input.shape[2] + 1, *input.shape[3:]))
    widths = [[first, size - stop] for (first, stop), size in zip(window, input.shape[2:], strict=True)]
    widths[0][1] += 1
    return F.pad(of_part, [width for ends in reversed(widths) for width in ends])


def _cut(tensor: Tensor, bounds: tuple[tuple[int, int], ...]) -> Tensor:
    """View the part of images or outputs (N, C, ...) within bounds."""
    for axis, (first, stop) in enumerate(bounds):
        tensor = tensor.narrow(axis + 2, first, stop - first)
    return tensor


class _Plan(NamedTuple):
    """The outputs of images of one size, and where they come from.

    Tables have the dimensions (displacement, group, channel of the group, tap, column), of size 1 where the places do
    not depend on it; those of outputs have no taps.

    Attributes:
        outputs: sizes of the output.
        box: for each axis the outputs whose window is not displaced, as start and stop; empty if there are none.
        window: for each axis the samples that they see.
        columns: outputs of the displacement that has most.
        sources: places of samples, any one for a sample outside and in a column that is filled up.
        outside: whether it is such a one; with a dimension more, of the images.
        sinks: as `sources`, but places after the last sample for those outside.
        targets: places of outputs, one of the same displacement for columns that are filled up, or any one.
        filled: whether a column is filled up; with a dimension more, of the images.
        places: as `targets`, but in the box for columns that are filled up, or after the last output without a box.
        real: 0 for columns that are filled up, otherwise 1; with a dimension more, of the images.
    """

    outputs: tuple[int, ...]
    box: tuple[tuple[int, int], ...]
    window: tuple[tuple[int, int], ...]
    columns: int
    sources: Tensor
    outside: Tensor
    sinks: Tensor
    targets: Tensor
    filled: Tensor
    places: Tensor
    real: Tensor


@lru_cache(maxsize=256)
def _channels(channels: int, groups: int, device: torch.device) -> Tensor:
    """Return the numbers of channels, (1, groups, channels of a group, 1)."""
    with torch.inference_mode(False):
        return torch.arange(channels, device=device).view(1, groups, -1, 1)


@lru_cache(maxsize=1024)
def _samples(geometry: Geometry, sizes: tuple[int, ...]) -> int:
    """Return how many samples the windows of the frame hold, those of columns that are filled up among them."""
    every = _outputs(geometry, sizes)
    return max(map(len, every), default=0) * len(every) * prod(geometry.kernel)


def _outputs(geometry: Geometry, sizes: tuple[int, ...]) -> list[list[tuple[int, ...]]]:
    """Return the outputs of each edge kernel, each by its place along each axis."""
    counts = [sum(displacements(geometry, axis)) + 1 for axis in range(len(sizes))]
    found: list[list[tuple[int, ...]]] = [[] for _ in range(prod(counts) - 1)]
    for region in product(*(cut_by_displacement(geometry, axis, size) for axis, size in enumerate(sizes))):
        index = kernel_at([run.displacement for run in region], geometry)
        if index is not None:
            found[index] += product(*(range(run.start, run.stop) for run in region))
    return found


@lru_cache(maxsize=64)
def _plan(geometry: Geometry, sizes: tuple[int, ...], device: torch.device) -> _Plan:
    with torch.inference_mode(False):
        return _planned(geometry, sizes, device)


def _planned(geometry: Geometry, sizes: tuple[int, ...], device: torch.device) -> _Plan:
    every = _outputs(geometry, sizes)
    columns, axes = max(map(len, every)), range(len(sizes))
    outputs = tuple(geometry.output_size(axis, size) for axis, size in enumerate(sizes))
    nowhere = [
        [run for run in cut_by_displacement(geometry, axis, sizes[axis]) if not run.displacement] for axis in axes
    ]
    box = tuple((runs[0].start, runs[0].stop) for runs in nowhere if runs) if all(nowhere) else ()
    window = tuple(geometry.window(axis, *bounds) for axis, bounds in enumerate(box))
    first = next(outputs_of_one[0] for outputs_of_one in every if outputs_of_one)
    filled = torch.tensor(
        [some + [some[0] if some else first] * (columns - len(some)) for some in every], device="cpu"
    )
    real = torch.tensor([[column < len(some) for column in range(columns)] for some in every], device="cpu")
    # The places of outputs, and of the samples of their windows, row-major: (displacement, taps ..., column).
    targets, sources = torch.zeros_like(filled[..., 0]), torch.zeros((), dtype=torch.int64, device="cpu")
    inside = real.view(len(every), *(1,) * len(sizes), columns)
    for axis, (size, output) in enumerate(zip(sizes, outputs, strict=True)):
        targets = targets * output + filled[..., axis]
        taps = torch.arange(geometry.kernel[axis], device="cpu").view(-1, *(1,) * (len(sizes) - axis))
        start = filled[..., axis] * geometry.stride[axis] - geometry.before[axis]
        sample = start.view(inside.shape[:1] + (1,) * len(sizes) + (columns,)) + taps * geometry.dilation[axis]
        inside = inside & (sample >= 0) & (sample < size)
        sources = sources * size + sample
    shape = len(every), 1, 1, prod(geometry.kernel), columns
    inside, sources = inside.reshape(shape), sources.expand(inside.shape).reshape(shape)
    unused = 0
    for (low, _), output in zip(box or [(0, 0)] * len(sizes), outputs, strict=True):
        unused = unused * output + low
    targets = targets.view(len(every), 1, 1, columns)
    there = real.view(targets.shape)
    tables = (
        sources.where(inside, 0),
        ~inside.unsqueeze(-1),
        sources.where(inside, prod(sizes)),
        targets,
        ~there.unsqueeze(-1),
        targets.where(there, unused if box else prod(outputs)),
        there.squeeze(1).unsqueeze(-1).to(torch.get_default_dtype()),
    )
    return _Plan(outputs, box, window, columns, *(table.to(device) for table in tables))
