"""The compared methods, each a function of an image and a kernel."""

from collections.abc import Callable, Iterable
from functools import partial
from types import MappingProxyType

import torch
from torch import Tensor

from diff_conv2d import conv2d

__all__ = ["METHODS", "Method", "compared", "degree_name", "seeded"]

# (N, C, H, W) or (C, H, W), convolved with (O, C, k, k) to an output of the image's height and width.
Method = Callable[[Tensor, Tensor], Tensor]

# Named as in the library, in the order of the paper, then the fitted ones. Modes that train their kernels, as
# explicit boundary handling does, have no answer for a kernel that is given.
METHODS: MappingProxyType[str, Method] = MappingProxyType(
    {
        "zeros": partial(conv2d, padding="same", padding_mode="zeros"),
        "reflect": partial(conv2d, padding="same", padding_mode="reflect"),
        "replicate": partial(conv2d, padding="same", padding_mode="replicate"),
        "circular": partial(conv2d, padding="same", padding_mode="circular"),
        "symmetric": partial(conv2d, padding="same", padding_mode="symmetric"),
        "extrapolate": partial(conv2d, padding="same", padding_mode="extrapolate"),
        "random": partial(conv2d, padding="same", padding_mode="random"),
        "partial": partial(conv2d, padding="same", padding_mode="partial"),
        "diff": partial(conv2d, padding="same", padding_mode="diff"),
        "linear_prediction": partial(conv2d, padding="same", padding_mode="linear_prediction"),
        "adaptive": partial(conv2d, padding="same", padding_mode="adaptive"),
    }
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
