"""The compared methods, each a function of an image and a kernel."""

from collections.abc import Callable, Iterable
from functools import partial
from types import MappingProxyType

import torch
from torch import Tensor

from diff_conv2d import MODES, conv2d
from experiments.padding_configs import COMPARED

__all__ = ["METHODS", "Method", "compared", "degree_name", "seeded"]

# (N, C, H, W) or (C, H, W), convolved with (O, C, k, k) to an output of the image's height and width.
Method = Callable[[Tensor, Tensor], Tensor]

# Every mode that is compared, in the library's order, but those that train weights of their own: they have no answer
# for a kernel that is given.
METHODS: MappingProxyType[str, Method] = MappingProxyType(
    {name: partial(conv2d, padding="same", padding_mode=name) for name in COMPARED if not MODES[name].trained}
)


def seeded(generator: torch.Generator) -> dict[str, Method]:
    """Return the methods, with the noise of random padding drawn from a generator.

    Args:
        generator: Source of the noise; it moves on with every call.

    Returns:
        The methods by name, in the order of ``METHODS``.

    Example:
        >>> image, kernel = torch.ones(1, 4, 4), torch.ones(1, 1, 3, 3)
        >>> seeded(torch.Generator().manual_seed(0))["diff"](image, kernel).unique()
        tensor([9.])

    """
    return {**METHODS, "random": partial(METHODS["random"], generator=generator)}


def degree_name(degree: int) -> str:
    """Name the polynomial of some degree in the tables."""
    return f"degree_{degree}"


def compared(modes: Iterable[str], degrees: Iterable[int], generator: torch.Generator) -> dict[str, Method]:
    """Return what a study compares: modes as they are by default, then the polynomials of some degrees.

    Args:
        modes: Names of ``METHODS``.
        degrees: Of the polynomials, which are named by `degree_name`.
        generator: Source of the noise of random padding.

    Example:
        >>> list(compared(["zeros", "diff"], [0, 1], torch.Generator()))
        ['zeros', 'diff', 'degree_0', 'degree_1']

    """
    methods = seeded(generator)
    polynomials = {
        degree_name(degree): partial(conv2d, padding="same", padding_mode="diff", degree=degree) for degree in degrees
    }
    return {name: methods[name] for name in modes} | polynomials
