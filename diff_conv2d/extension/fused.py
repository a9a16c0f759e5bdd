"""The extension of an image by one kernel, and its gradient by another: three operators of torch.

On a GPU a layer costs what it launches. Each operator takes one launch, for kernels of every size and 1 to 3 axes:

- ``diff_conv2d::extend`` extends an image,
- ``diff_conv2d::extend_adjoint`` is its gradient with respect to the image,
- ``diff_conv2d::extend_gradients`` is that with respect to the image and the weights of predictors.

The kernels are Triton's, and their results the same from run to run. Where they cannot work, an operator does the
same in the plain way: without Triton, on a CPU (unless Triton interprets kernels there, by TRITON_INTERPRET=1), for
images of some 2**31 samples, and for sums of thousands of terms. A compiler sees each operator as one. Derivatives of
gradients, transforms of torch.func, torch.jit.trace and torch.export have no operators, but torch's own operations.
"""

from __future__ import annotations

import os
from collections.abc import Sequence
from contextlib import AbstractContextManager, nullcontext
from functools import cache
from typing import Any

import torch
from torch import Tensor

from diff_conv2d.extension import by_axis, fused_plain
from diff_conv2d.extension.axis import IntegerMatrix
from diff_conv2d.extension.fused_tables import Plan, Predictor, axes_of, plan_for
from diff_conv2d.tracing import is_differentiated, is_exporting

__all__ = ["Rules", "as_written", "can_be_fused", "extended_as_written", "extended_fused"]

#: The rules of the two ends of an axis: a matrix, weights as of `by_axis.predicted`, or None where nothing is added.
Rules = tuple[IntegerMatrix | Tensor | None, IntegerMatrix | Tensor | None]

_DTYPES = (torch.float16, torch.bfloat16, torch.float32, torch.float64)
# What Triton takes for yes.
_YES = ("1", "true", "yes", "on", "y")


def can_be_fused(input: Tensor) -> bool:
    """Whether the operators take an image: real, on a CPU or a GPU, outside transforms, traces and exports."""
    if type(input) not in (Tensor, torch.nn.Parameter) or input.dtype not in _DTYPES:
        return False
    if input.device.type not in ("cpu", "cuda") or is_exporting():
        return False
    return not (torch.jit.is_tracing() or is_differentiated())  # type: ignore[attr-defined, no-untyped-call]


def extended_fused(
    input: Tensor, before: Sequence[int], after: Sequence[int], rules: Sequence[Rules], dilation: Sequence[int]
) -> Tensor:
    """Extend a batch of images (N, C, ...) that `can_be_fused`, along all its axes.

    Args:
        input: the images.
        before: samples added at the low end of each axis, outermost first.
        after: samples added at the high end.
        rules: of the two ends of each axis.
        dilation: of the predictors along each axis.

    Example:
        >>> from diff_conv2d.modes.polynomial_weights import Polynomial
        >>> squares, rule = torch.tensor([[[0.0, 1.0, 4.0, 9.0]]]), Polynomial(degree=2)
        >>> extended_fused(squares, (2,), (1,), [(rule, rule)], (1,))
        tensor([[[ 4.,  1.,  0.,  1.,  4.,  9., 16.]]])
    """
    return extended_as_written(input, *as_written(before, after, rules, dilation))


def as_written(
    before: Sequence[int], after: Sequence[int], rules: Sequence[Rules], dilation: Sequence[int]
) -> tuple[str, list[Tensor | None]]:
    """Return what an operator is told: the axes as text, and the weights of three axes."""
    texts = []
    weights: list[Tensor | None] = []
    for low_width, high_width, ends, step in zip(before, after, rules, dilation, strict=True):
        low, high, of_axis = _as_arguments(*ends, step)
        texts.append(f"{low_width} {high_width} {low} {high}")
        weights.append(of_axis)
    return ";".join(texts), weights + [None] * (3 - len(weights))


def extended_as_written(input: Tensor, axes: str, weights: Sequence[Tensor | None]) -> Tensor:
    """Do the same with the arguments of an operator."""
    if torch.compiler.is_compiling():
        result: Tensor = torch.ops.diff_conv2d.extend(input, *weights, axes)
    elif torch.is_grad_enabled():
        # As the operator, which takes 20 microseconds more to find out its gradient.
        result = _Extended.apply(input, *weights, axes)
    else:
        result = _EXTEND(input, *weights, axes)
    return result


def _as_arguments(
    low: IntegerMatrix | Tensor | None, high: IntegerMatrix | Tensor | None, step: int
) -> tuple[str, str, Tensor | None]:
    """Return the rules of an axis as text, and the weights of its predictors, (N or 1, C or 1, weights)."""
    texts: list[str] = []
    several: list[Tensor] = []
    first = 0
    for end in (low, high):
        if end is None:
            texts.append("-")
        elif not isinstance(end, Tensor):
            texts.append(end.text)
        elif several and end is low:
            # Most predictors serve both ends.
            texts.append(texts[0])
        else:
            distances, differences = _fixed(end.shape[2]), _fixed(end.shape[3])
            texts.append(Predictor(first, distances, differences, step).text)
            several.append(end.flatten(2))
            first += distances * differences
    if len(several) == 2:
        images, channels = (max(several[0].shape[dim], several[1].shape[dim]) for dim in (0, 1))
        several = [torch.cat([weights.expand(images, channels, -1) for weights in several], 2)]
    return texts[0], texts[1], several[0] if several else None


def _fixed(size: int) -> int:
    """Return a size as a number, also where it is a symbol to a compiler."""
    if not torch.compiler.is_compiling():
        return size
    number = 0
    # The comparisons fix it.
    while number < size:
        number += 1
    return number


# What the operators are called with: the weights of each axis, outermost first, and the axes as text.
_Weights = Sequence[Tensor | None]


def _extend(input: Tensor, *arguments: Any) -> Tensor:
    return _multiplied(input, arguments[:3], arguments[3], False)


def _extend_adjoint(grad: Tensor, *arguments: Any) -> Tensor:
    return _multiplied(grad, arguments[:3], arguments[3], True)


def _multiplied(source: Tensor, weights: _Weights, axes: str, is_adjoint: bool) -> Tensor:
    kernels = _kernels_for(source.device)
    plan = None if kernels is None else _plan(source, axes, is_adjoint)
    if plan is None:
        plain = fused_plain.adjoint if is_adjoint else fused_plain.extended
        return plain(source, weights, axes_of(axes)).contiguous(memory_format=_layout(source))
    result = source.new_empty_strided(plan.sizes, plan.strides)
    if plan.programs:
        with _on(source.device):
            kernels.multiplied[(plan.programs,)](
                *(source, result, plan.table, plan.constants),
                *_of_three_axes(weights, axes),
                *(*plan.integers, *plan.read, *plan.write),
                **plan.options,
            )
    return result


def _extend_gradients(grad: Tensor, image: Tensor, *arguments: Any) -> tuple[Tensor, ...]:
    weights, axes, needed = arguments[:3], arguments[3], arguments[4]
    kernels = _kernels_for(grad.device)
    direct = None if kernels is None else _plan(image, axes, False)
    adjoint = None if kernels is None else _plan(grad, axes, True)
    if direct is None or adjoint is None:
        return _plain_gradients(grad, image, weights, axes, needed)
    of_image, *of_weights = _fake_gradients(grad, image, *arguments)
    wanted = [tensor if need else None for tensor, need in zip(of_weights, needed[1:], strict=True)]
    programs = adjoint.programs * needed[0] + sum(tensor.numel() for tensor in of_weights)
    # Before the axes that the image has there are others.
    lacking = 3 - len(axes_of(axes))
    several = [1, 1] * lacking
    for w in weights[: 3 - lacking]:
        several += (1, 1) if w is None else w.shape[:2]
    if programs:
        with _on(grad.device):
            kernels.gradients[(programs,)](
                *(grad, image, of_image if needed[0] else None),
                *([None] * lacking + wanted)[:3],
                *(direct.table, direct.constants, adjoint.table, adjoint.constants),
                *_of_three_axes(weights, axes),
                *(*several, *direct.integers, *adjoint.integers[2:], *direct.read, *adjoint.read, *adjoint.write),
                **adjoint.options,
            )
    return of_image, *of_weights


def _plain_gradients(
    grad: Tensor, image: Tensor, weights: _Weights, axes: str, needed: Sequence[bool]
) -> tuple[Tensor, ...]:
    none, every = grad.new_empty(0), axes_of(axes)
    of_image = fused_plain.adjoint(grad, weights, every) if needed[0] else none
    return of_image.contiguous(memory_format=_layout(grad)) if needed[0] else none, *(
        fused_plain.gradient_of_weights(grad, image, weights, every, number) if need else grad.new_empty(0)
        for number, need in enumerate(needed[1:])
    )


@cache
def _kernels() -> Any:
    """Return the module of the kernels; None without Triton."""
    try:
        from diff_conv2d.extension import fused_kernels
    except ImportError:
        return None
    return fused_kernels


def _kernels_for(device: torch.device) -> Any:
    # Triton takes long to import.
    if device.type == "cpu" and os.environ.get("TRITON_INTERPRET", "").lower() not in _YES:
        return None
    return _kernels()


def _on(device: torch.device) -> AbstractContextManager[Any]:
    """Make a GPU the current one, on which Triton launches."""
    if device.type == "cpu" or device.index == torch.cuda.current_device():
        return nullcontext()
    return torch.cuda.device(device)


def _plan(tensor: Tensor, axes: str, is_adjoint: bool) -> Plan | None:
    return plan_for(axes, tuple(tensor.shape), tensor.stride(), tensor.dtype, tensor.device, is_adjoint)


def _of_three_axes(weights: _Weights, axes: str) -> list[Any]:
    """Return the weights for the kernels, for which an image has three axes, and their strides, 0 if shared."""
    used = len(axes_of(axes))
    every: list[Tensor | None] = [None] * (3 - used)
    strides = [0, 0] * (3 - used)
    for w in weights[:used]:
        if w is not None and w.stride(2) != 1:
            w = w.contiguous()
        every.append(w)
        strides += (0, 0) if w is None else (w.stride(0) * (w.shape[0] > 1), w.stride(1) * (w.shape[1] > 1))
    return [*every, *strides]


def _layout(source: Tensor) -> torch.memory_format:
    """Return the layout of a result."""
    return by_axis.channels_last_format(source) or torch.contiguous_format


def _fake_extended(input: Tensor, *arguments: Any) -> Tensor:
    return _empty(input, arguments[3], 1)


def _fake_adjoint(grad: Tensor, *arguments: Any) -> Tensor:
    return _empty(grad, arguments[3], -1)


def _fake_gradients(grad: Tensor, image: Tensor, *arguments: Any) -> tuple[Tensor, ...]:
    """What is not needed has no samples."""
    weights, axes, needed = arguments[:3], arguments[3], arguments[4]
    return _empty(grad, axes, -1) if needed[0] else grad.new_empty(0), *(
        w.new_empty(w.shape) if need and w is not None else grad.new_empty(0)
        for w, need in zip(weights, needed[1:], strict=True)
    )


def _empty(source: Tensor, axes: str, sign: int) -> Tensor:
    sizes = [*source.shape[:2]]
    for size, axis in zip(source.shape[2:], axes_of(axes), strict=True):
        sizes.append(size + sign * (axis.before + axis.after))
    return torch.empty(sizes, dtype=source.dtype, device=source.device, memory_format=_layout(source))


class _Extended(torch.autograd.Function):
    @staticmethod
    def forward(ctx: Any, *inputs: Any) -> Tensor:
        _save(ctx, inputs)
        with torch._C._AutoDispatchBelowAutograd():
            result: Tensor = _EXTEND(*inputs)
        return result

    @staticmethod
    def backward(ctx: Any, *grads: Any) -> Any:
        return _backward(ctx, *grads)


def _save(ctx: Any, inputs: tuple[Any, ...], output: Tensor | None = None) -> None:
    input, *weights, ctx.axes = inputs
    ctx.sizes = input.shape
    # The gradient of the image alone does not depend on the image.
    ctx.save_for_backward(input if any(ctx.needs_input_grad[1:4]) else None, *weights)


def _backward(ctx: Any, grad: Tensor) -> tuple[Any, ...]:
    input, *weights = ctx.saved_tensors
    needed = list(ctx.needs_input_grad[:4])
    if torch.is_grad_enabled() or is_differentiated(grad):
        return *_differentiable(grad, input, weights, ctx.axes, ctx.sizes, needed), None
    if input is None:
        return _EXTEND_ADJOINT(grad, *weights, ctx.axes), None, None, None, None
    found = _EXTEND_GRADIENTS(grad, input, *weights, ctx.axes, needed)
    return *(tensor if need else None for tensor, need in zip(found, needed, strict=True)), None


def _differentiable(
    grad: Tensor, input: Tensor | None, weights: _Weights, axes: str, sizes: Sequence[int], needed: Sequence[bool]
) -> tuple[Tensor | None, ...]:
    """Return gradients that have derivatives themselves, or those of a batch of gradients."""
    create_graph = torch.is_grad_enabled()
    with torch.enable_grad():
        # Views: gradients of the tensors themselves would include paths from one of them to another.
        image = input if input is None else input.view_as(input)
        if image is None:
            # Not made from the gradient, which may be a batch of them.
            image = torch.zeros(sizes, dtype=grad.dtype, device=grad.device, requires_grad=True)
        views = [image, *(w if w is None else w.view_as(w) for w in weights)]
        output = fused_plain.extended_with_gradient(image, views[1:], axes_of(axes))
    sources = [view for view, need in zip(views, needed, strict=True) if need and view is not None]
    found = iter(torch.autograd.grad(output, sources, grad, create_graph=create_graph))
    return tuple(next(found) if need else None for need in needed)


_LIBRARY: Any = torch.library.Library("diff_conv2d", "FRAGMENT")  # type: ignore[no-untyped-call]
_WEIGHTS = "Tensor? weights0, Tensor? weights1, Tensor? weights2, str axes"
for _schema, _function, _fake in (
    (f"extend(Tensor input, {_WEIGHTS}) -> Tensor", _extend, _fake_extended),
    (f"extend_adjoint(Tensor grad, {_WEIGHTS}) -> Tensor", _extend_adjoint, _fake_adjoint),
    (
        f"extend_gradients(Tensor grad, Tensor image, {_WEIGHTS}, bool[] needed) -> (Tensor, Tensor, Tensor, Tensor)",
        _extend_gradients,
        _fake_gradients,
    ),
):
    _name = _LIBRARY.define(_schema)
    _LIBRARY.impl(_name, _function, "CompositeExplicitAutograd")
    torch.library.register_fake(f"diff_conv2d::{_name}", _fake, lib=_LIBRARY)
torch.library.register_autograd("diff_conv2d::extend", _backward, setup_context=_save, lib=_LIBRARY)
_EXTEND: Any = torch.ops.diff_conv2d.extend.default
_EXTEND_ADJOINT: Any = torch.ops.diff_conv2d.extend_adjoint.default
_EXTEND_GRADIENTS: Any = torch.ops.diff_conv2d.extend_gradients.default
