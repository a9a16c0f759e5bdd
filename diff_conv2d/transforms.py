"""Whether tensors are plain: hold values, and stand for themselves."""

from __future__ import annotations

import torch
from torch import Tensor
from torch.autograd import forward_ad

__all__ = ["is_autocast", "is_transformed"]


def is_autocast(tensor: Tensor) -> bool:
    """Whether autocast is active on the device of a tensor; some devices, such as 'meta', have none.

    Example:
        >>> with torch.autocast("cpu"):
        ...     is_autocast(torch.ones(1)), is_autocast(torch.ones(1, device="meta"))
        (True, False)
    """
    device = tensor.device.type
    return torch.amp.is_autocast_available(device) and torch.is_autocast_enabled(device)


def is_transformed(*tensors: Tensor) -> bool:
    """Whether a transform of torch.func or a dispatch mode is active, or a tensor is a batch of gradients.

    Then a tensor may stand for many tensors, for a derivative, or for none (a fake one). Its values cannot be read,
    and nothing that is computed then may be cached.

    Example:
        >>> seen = []
        >>> _ = torch.vmap(lambda x: seen.append(is_transformed()) or x)(torch.ones(2))
        >>> seen, is_transformed()
        ([True], False)
    """
    # These names exist since torch 2.0 but are private: if one vanishes, the answer is the safe one.
    active = getattr(torch._C, "_are_functorch_transforms_active", lambda: True)()
    modes = getattr(torch._C, "_len_torch_dispatch_stack", lambda: 1)()
    # torch.autograd.grad(..., is_grads_batched=True) uses an older vmap.
    is_batch = getattr(torch._C._functorch, "is_legacy_batchedtensor", lambda tensor: True)
    # Tangents of torch.autograd.forward_ad are no values of their tensors.
    level = getattr(forward_ad, "_current_level", 0)
    return active or modes > 0 or level >= 0 or any(is_batch(tensor) for tensor in tensors)
