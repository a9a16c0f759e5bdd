"""Units whose response in the frame differs from that inside: padding-aware units.

B. Alsallakh, N. Kokhlikyan, V. Miglani, J. Yuan and O. Reblitz-Richardson (2021), Mind the Pad: CNNs Can Develop
Blind Spots, arXiv 2010.02178, look at the mean of a feature map over many images: whatever stands out near the edge
comes from the padding, not from an image. D. Garcia-Gasulla, V. Gimenez-Abalos and P. Martin-Torres (2023), Padding
Aware Neurons, arXiv 2309.08048, find units by their activations at the edge, and count them. Here the criterion is
the difference of these means in standard deviations. It is not theirs: their counts cannot be compared with these.

A unit is a channel of a convolution with padding, and its response what the convolution gives, before normalisation
and activation. A side of the frame is the outputs whose window leaves the image there and nowhere else, without the
corners. With the mean over images and pixels of a side, and mean and standard deviation of those inside,

    d = max over sides |mean(side) - mean(inside)| / deviation(inside),

a unit is padding-aware at a threshold t if d is at least t. The response is that in the network as it runs: what
earlier layers made of the edge counts, too. A layer whose map has no output inside has no such units.
"""

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import torch
from torch import Tensor, nn

from experiments.models.halo import crop

__all__ = ["EdgeResponse", "watched_layers"]


class EdgeResponse:
    """Collects the responses of a layer, batch by batch.

    Args:
        layer: the convolution.
        share: the halo's width as a part of the image's with its halo; the response is cut by as much.
    """

    def __init__(self, layer: nn.Conv2d, share: float = 0) -> None:
        self._layer, self._share = layer, share
        # For each side its sum and its number of pixels; inside, the sum of squares too.
        self._sums: dict[str, Tensor] = {}
        self._counts: dict[str, int] = {}
        self._squares: Tensor | float = 0.0

    def add(self, image: Tensor, response: Tensor) -> None:
        """Add a batch.

        Args:
            image: what the layer was given, (N, C, H, W).
            response: what it gave, (N, O, H', W').
        """
        heights = [part.shape[-2] for part in (image, response)]
        widths = [part.shape[-1] for part in (image, response)]
        margins = [round(self._share * size) for size in (*heights, *widths)]
        response = crop(response, margins[1]).double()
        axes = [
            _leaving(self._layer, axis, sizes[0] - 2 * margin, response.shape[axis - 2])
            for axis, sizes, margin in ((0, heights, margins[0]), (1, widths, margins[2]))
        ]
        (top, bottom), (left, right) = axes
        rows, columns = ~(top | bottom), ~(left | right)
        places = {
            "top": (top, columns),
            "bottom": (bottom, columns),
            "left": (rows, left),
            "right": (rows, right),
            "inside": (rows, columns),
        }
        for name, (of_rows, of_columns) in places.items():
            part = response[:, :, of_rows][..., of_columns].cpu()
            self._sums[name] = self._sums.get(name, 0) + part.sum((0, 2, 3))
            self._counts[name] = self._counts.get(name, 0) + part.shape[0] * part.shape[2] * part.shape[3]
            if name == "inside":
                self._squares = self._squares + part.square().sum((0, 2, 3))

    def distances(self) -> Tensor | None:
        """The number d of each unit, (O,); None where the map has no output inside or none in the frame."""
        sides = [name for name, count in self._counts.items() if count and name != "inside"]
        if not self._counts.get("inside") or not sides:
            return None
        mean = self._sums["inside"] / self._counts["inside"]
        deviation = (self._squares / self._counts["inside"] - mean.square()).clamp_min(0).sqrt()
        apart = torch.stack([(self._sums[name] / self._counts[name] - mean).abs() for name in sides]).amax(0)
        # A unit that is the same everywhere inside sees the edge if it is another one there.
        return torch.where(apart > 0, apart / deviation, 0)


def _leaving(layer: nn.Conv2d, axis: int, size: int, outputs: int) -> tuple[Tensor, Tensor]:
    """Which outputs along an axis have a window that leaves an image of some size at its low and its high end.

    The window of output i begins at i * stride - padding, and ends dilation * (kernel - 1) samples further.
    """
    kernel, stride, dilation = layer.kernel_size[axis], layer.stride[axis], layer.dilation[axis]
    padding = _padding(layer)[axis]
    first = torch.arange(outputs) * stride - padding
    return first < 0, first + dilation * (kernel - 1) > size - 1


def _padding(layer: nn.Conv2d) -> tuple[int, int]:
    """Samples that the layer adds at the low end of each axis."""
    if layer.padding == "valid":
        return 0, 0
    if layer.padding == "same":
        reach = [d * (k - 1) // 2 for d, k in zip(layer.dilation, layer.kernel_size, strict=True)]
        return reach[0], reach[1]
    return layer.padding[0], layer.padding[1]  # type: ignore[return-value]


@contextmanager
def watched_layers(network: nn.Module, share: float = 0) -> Iterator[dict[str, EdgeResponse]]:
    """Collect the responses of every convolution with padding while the network runs.

    Args:
        network: any.
        share: see `EdgeResponse`.

    Yields:
        By the names of the layers, in their order, what is collected.

    Example:
        >>> layer = nn.Conv2d(1, 2, 3, padding=1, bias=False)
        >>> _ = nn.init.ones_(layer.weight)
        >>> with watched_layers(layer) as found:
        ...     _ = layer(10 + torch.rand(8, 1, 16, 16))
        >>> (found[""].distances() > 1).tolist()
        [True, True]
    """
    found = {
        name: EdgeResponse(layer, share)
        for name, layer in network.named_modules()
        if isinstance(layer, nn.Conv2d) and any(_padding(layer))
    }

    def adding(name: str) -> Any:
        return lambda layer, images, response: found[name].add(images[0].detach(), response.detach())

    handles = [network.get_submodule(name).register_forward_hook(adding(name)) for name in found]
    try:
        yield found
    finally:
        for handle in handles:
            handle.remove()
