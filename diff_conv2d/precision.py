"""Which dtype computes, and on what: samples outside, products of samples, and fits."""

from __future__ import annotations

import torch
from torch import Tensor

__all__ = ["computing_dtype", "fitting_dtype", "is_on_cpu", "working_dtype"]

# Where there is no GPU, what would be called on one is counted by changing this.
CPU = "cpu"


def is_on_cpu(tensor: Tensor) -> bool:
    """Whether a tensor is on a CPU, where copies and new memory are what costs; on a GPU it is each call."""
    return tensor.device.type == CPU


def computing_dtype(dtype: torch.dtype) -> torch.dtype:
    """Return the dtype in which samples outside an image of this dtype are computed: at least float32."""
    return torch.float32 if dtype in (torch.float16, torch.bfloat16) else dtype


def fitting_dtype(input: Tensor) -> torch.dtype:
    """Return the dtype of a fit: float64, or float32 on devices without it (Apple's)."""
    return torch.float32 if input.device.type == "mps" else torch.float64


def working_dtype(image: Tensor) -> torch.dtype:
    """Return the dtype of products of samples: float32 for float32, unless the device would round it further."""
    # Autocast rounds factors to half precision, and a GPU may round them to TF32; neither touches float64.
    exact = is_on_cpu(image) and not torch.is_autocast_enabled("cpu")
    return torch.float32 if exact and image.dtype != torch.float64 else fitting_dtype(image)
