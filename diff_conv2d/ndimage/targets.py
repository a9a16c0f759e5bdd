"""Arrays to write to, given as `output`: which of them the steps of a filter may write to directly."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

import numpy as np
import torch
from torch import Tensor

from diff_conv2d.outputs import may_overlap
from diff_conv2d.tracing import is_transformed

if TYPE_CHECKING:
    from diff_conv2d.ndimage.correlation import Step

__all__ = ["is_written", "writable"]


def writable(output: Any, input: Tensor, steps: Sequence[Step], dtype: torch.dtype) -> Tensor | None:
    """Return an output as a tensor if the steps may write to it, while they read the input and their kernels.

    Args:
        output: an array or a tensor; None or a dtype is no memory.
        input: what is filtered.
        steps: of the filter.
        dtype: of the result.
    """
    read: list[Tensor] = [input, *(step.kernel for step in steps if isinstance(step.kernel, Tensor))]
    target: Tensor
    if isinstance(output, np.ndarray):
        if not (output.dtype.isnative and output.flags.c_contiguous and output.flags.writeable):
            return None
        if any(isinstance(step.kernel, np.ndarray) and np.may_share_memory(output, step.kernel) for step in steps):
            return None
        target = torch.from_numpy(output)
    elif isinstance(output, Tensor):
        target = output
    else:
        return None
    tracked = torch.is_grad_enabled() and any(tensor.requires_grad for tensor in (target, *read))
    if target.dtype is not dtype or target.device != input.device or tracked or is_transformed(target, *read):
        return None
    if not target.is_contiguous() or any(may_overlap(target, tensor) for tensor in read):
        return None
    return target


def is_written(result: Tensor, target: Tensor | None) -> bool:
    """Whether a result lies in a target of its shape already."""
    return target is not None and result.data_ptr() == target.data_ptr() and result.stride() == target.stride()
