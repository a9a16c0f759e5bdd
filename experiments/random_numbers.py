"""Random numbers that depend on what they are for, and on nothing that was drawn before."""

import hashlib

import torch
from torch import Tensor

__all__ = ["random_kernels", "random_source"]


def random_source(*key: object) -> torch.Generator:
    """Return a generator that depends on a key alone, so that part of a run gives the numbers of the whole."""
    digest = hashlib.sha256("/".join(map(str, key)).encode()).digest()
    # torch seeds with 64 bits, of which it takes the sign off.
    return torch.Generator().manual_seed(int.from_bytes(digest[:8], "big") >> 1)


def random_kernels(count: int, size: int, *key: object) -> Tensor:
    """Draw normal kernels that depend on a key, float64, (count, size, size)."""
    return torch.randn(count, size, size, generator=random_source("kernels", *key), dtype=torch.float64)
