"""A linear map of an image as one node of autograd."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import torch
from torch import Tensor

__all__ = ["linear"]

_Map = Callable[..., Tensor]


def linear(input: Tensor, direct: _Map, transposed: _Map, *constants: Tensor | None) -> Tensor:
    """``direct(input, *constants)``, whose gradient is ``transposed(gradient, *constants)``.

    The gradient of the adjoint is the map itself, so that derivatives of every order exist, forwards and backwards.

    Args:
        input: the argument that the map is linear in.
        direct: the map.
        transposed: its adjoint.
        constants: tensors that both depend on; they get no gradient.

    Example:
        >>> x = torch.ones(3, requires_grad=True)
        >>> double = linear(x, lambda x: 2 * x, lambda gradient: 2 * gradient)
        >>> torch.autograd.grad(double.sum(), x)
        (tensor([2., 2., 2.]),)
    """
    result: Tensor = _Linear.apply(input, direct, transposed, *constants)
    return result


class _Linear(torch.autograd.Function):
    generate_vmap_rule = True

    @staticmethod
    def forward(input: Tensor, direct: _Map, transposed: _Map, *constants: Tensor | None) -> Tensor:
        return direct(input, *constants)

    @staticmethod
    def setup_context(ctx: Any, inputs: tuple[Any, ...], output: Tensor) -> None:
        _, ctx.direct, ctx.transposed, *constants = inputs
        ctx.save_for_backward(*constants)
        ctx.save_for_forward(*constants)

    @staticmethod
    def backward(ctx: Any, *grads: Any) -> Any:
        constants = ctx.saved_tensors
        grad = _Linear.apply(grads[0], ctx.transposed, ctx.direct, *constants)
        return (grad, None, None, *(None for _ in constants))

    @staticmethod
    def jvp(ctx: Any, *tangents: Any) -> Any:
        return _Linear.apply(tangents[0], ctx.direct, ctx.transposed, *ctx.saved_tensors)
