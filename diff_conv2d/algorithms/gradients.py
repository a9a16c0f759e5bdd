"""What the hand-written gradients of convolutions have in common."""

from __future__ import annotations

from collections.abc import Callable

import torch
from torch import Tensor

__all__ = ["gradients_by_autograd", "gradients_of_convolution"]


def gradients_of_convolution(
    grad: Tensor,
    input: Tensor,
    weight: Tensor,
    padding: tuple[int, ...],
    stride: tuple[int, ...],
    dilation: tuple[int, ...],
    groups: int,
    needed: tuple[bool, bool, bool],
) -> tuple[Tensor | None, Tensor | None, Tensor | None]:
    """Return the gradients of torch's convolution with zero padding: of input, weight and bias."""
    none = [0] * len(padding)
    result: tuple[Tensor | None, Tensor | None, Tensor | None] = torch.ops.aten.convolution_backward(
        grad, input, weight, [weight.shape[0]], stride, padding, dilation, False, none, groups, needed
    )
    return result


def gradients_by_autograd(
    convolve: Callable[..., Tensor],
    grad: Tensor,
    tensors: tuple[Tensor | None, ...],
    needed: tuple[bool, ...],
    create_graph: bool,
) -> tuple[Tensor | None, ...]:
    """Return the gradients of ``convolve(*tensors)``, which consists of plain operations, where they are needed.

    None for a tensor that no output depends on.
    """
    with torch.enable_grad():
        # Gradients of the tensors themselves would include paths from one of them to another, and run their hooks;
        # those of views end here.
        views = [tensor if tensor is None else tensor.view_as(tensor) for tensor in tensors]
        output = convolve(*views)
    sources = [view for view, need in zip(views, needed, strict=True) if need and view is not None]
    found = iter(torch.autograd.grad(output, sources, grad, create_graph=create_graph, allow_unused=True))
    return tuple(next(found) if need else None for need in needed)
