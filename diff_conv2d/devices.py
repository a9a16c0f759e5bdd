"""Where a tensor is: on a CPU copies and new memory are what costs, on a GPU each call of an operator."""

from __future__ import annotations

from torch import Tensor

__all__ = ["is_on_cpu"]

# What is counted as on a GPU on a machine that has none is told so here.
CPU = "cpu"


def is_on_cpu(tensor: Tensor) -> bool:
    """Whether a tensor is on a CPU, and its work is divided as suits one."""
    return tensor.device.type == CPU
