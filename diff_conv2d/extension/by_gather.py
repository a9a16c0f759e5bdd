"""The extension of small images whose samples outside are copies: one gather, whatever the mode.

Each sample outside is ``w x + b`` with one sample x of the image, w = 1, -1 or 0 and a number b. The plain way tells
where x lies, and w and b: an image of zeros gives b, one of ones w + b, and one that numbers its samples ``w n + b``.
torch has the gradient of a gather, of every order.
"""

from __future__ import annotations

from collections.abc import Callable
from math import prod
from typing import NamedTuple

import torch
from torch import Tensor

__all__ = ["MOST_EXTENDED", "Gather", "extended_by_gather", "gather_of", "is_faster_by_gather"]

# Samples of a batch up to which a gather is faster than the plain way, on a CPU.
_MOST = 1 << 17
#: Samples of an extended batch up to which its table takes a few megabytes at most, and is kept.
MOST_EXTENDED = 1 << 18
# Above it, sums with a number could not tell a sample.
_MOST_NUMBER = 1 << 30


class Gather(NamedTuple):
    """Where the samples of an extended image (C, ...) come from.

    Attributes:
        places: in the flattened image.
        sizes: of the spatial axes of the extended image.
        weights: w of each sample of the extended image; None if all are 1.
        zeros: the samples for which w is 0; None if there are none.
        numbers: b, for all channels or for each, -0 for 0; None if all are 0.
    """

    places: Tensor
    sizes: tuple[int, ...]
    weights: Tensor | None
    zeros: Tensor | None
    numbers: Tensor | None


def extended_by_gather(input: Tensor, gather: Gather) -> Tensor:
    """Return the extended images (N, C, ...).

    Example:
        >>> line = torch.tensor([[[1.0, 2.0, 3.0]]])
        >>> gather = gather_of(lambda x: torch.cat([x[..., :2].flip(-1), x], -1), line.shape, line.dtype)
        >>> extended_by_gather(line, gather)
        tensor([[[2., 1., 1., 2., 3.]]])
    """
    # Two dimensions, of which torch gathers several times faster than of three. Then in place: no gradient needs the
    # values that are overwritten.
    images, channels, *_ = input.shape
    result = input.view(images * channels, -1).index_select(1, gather.places)
    if gather.weights is not None:
        result.mul_(gather.weights)
    if gather.zeros is not None:
        # NaN times 0 is no zero, and masks are slow.
        result.index_fill_(1, gather.zeros, 0)
    result = result.view(images, channels, *gather.sizes)
    return result if gather.numbers is None else result + gather.numbers


def is_faster_by_gather(images: Tensor) -> bool:
    """Whether images (N, C, ...) are extended faster by a gather."""
    return images.is_cpu and 0 < images.numel() <= _MOST and images.is_contiguous() and images.is_floating_point()


def gather_of(extend: Callable[[Tensor], Tensor], shape: tuple[int, ...], dtype: torch.dtype) -> Gather | None:
    """Read the gather that does the same off a function that extends images by copies; None if numbers are too large.

    Args:
        extend: the plain way.
        shape: of the images, (N, C, ...), on a CPU.
        dtype: of the images.
    """
    with torch.inference_mode(False), torch.no_grad():
        zeros = torch.zeros((1, *shape[1:]), dtype=torch.float64, device="cpu")
        count = prod(shape[2:])
        numbers = torch.arange(count, dtype=torch.float64, device="cpu").view(1, 1, *shape[2:]) + zeros
        b = extend(zeros)
        known = b.isfinite()
        if (b[known].abs() > _MOST_NUMBER).any():
            return None
        # A number b may be rounded in these sums; w and places are integers. One that is not finite stands alone.
        w = torch.where(known, extend(zeros + 1) - b, 0).round()
        places = torch.where(w == 0, 0, (extend(numbers) - b) * w).round().long()
        sizes = tuple(b.shape[2:])
        b, w, places = (t[0].flatten(1) for t in (b, w, places))
        w, places = w[0], places[0]
        same = bool((b == b[:1]).all())
        # The sum of a sample and -0 is the sample, also if that is -0.
        b = torch.where(b == 0, -0.0, b)
        of_channels = (b[:1] if same else b).view(-1, *sizes).to(dtype) if b.any() else None
        return Gather(
            places,
            sizes,
            (w + (w == 0)).to(dtype) if (w < 0).any() else None,
            (w == 0).nonzero().flatten() if (w == 0).any() else None,
            of_channels,
        )
