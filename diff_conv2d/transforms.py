"""Whether somebody stands between an operation and its values."""

from __future__ import annotations

import torch
from torch import Tensor

__all__ = ["is_transformed"]


def is_transformed(*tensors: Tensor) -> bool:
    """Whether a transform of torch.func is active (vmap, grad, jvp, ...), or a tensor is a batch of gradients.

    Example:
        >>> seen = []
        >>> _ = torch.vmap(lambda x: seen.append(is_transformed()) or x)(torch.ones(2))
        >>> seen, is_transformed()
        ([True], False)
    """
    # These names have been there since torch 2.0, but are private: without them the answer is the safe one.
    active: bool = getattr(torch._C, "_are_functorch_transforms_active", lambda: True)()
    # torch.autograd.grad(..., is_grads_batched=True) has an older kind of vmap.
    is_batch = getattr(torch._C._functorch, "is_legacy_batchedtensor", lambda tensor: True)
    return active or any(is_batch(tensor) for tensor in tensors)
