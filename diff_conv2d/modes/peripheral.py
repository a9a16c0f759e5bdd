"""The mode whose samples outside are predicted by small networks that are trained with the layer."""

from __future__ import annotations

from dataclasses import dataclass

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from diff_conv2d.geometry import Geometry
from diff_conv2d.modes.base import Extension
from diff_conv2d.tracing import is_exporting, is_transformed

__all__ = ["Peripheral"]

# Published sizes: samples outward-in, samples along the edge, hidden channels.
_ROWS, _COLUMNS, _HIDDEN = 2, 3, 8


@dataclass(frozen=True)
class Peripheral(Extension):
    r"""Small networks predict ring after ring around the image: peripheral prediction padding (PP-Pad).

    Each side has a network f of three convolutions with 8 hidden channels, a ReLU after each. It predicts a sample of
    the next ring from the 2 x 3 samples nearest to it:

    .. math:: x(-s, j) = f(x(-s + 1, j - 1), \ldots, x(-s + 2, j + 1))

    The sides of a ring come in the order top, bottom, left, right, on the image as widened so far; it begins with
    zeros around the image, which the outermost corners keep.

    Source: Mukai and Yamanaka, ICIP 2023, arXiv 2307.07725, and their code. It has no dilation, nor has this. It
    starts at random, as they do; other random numbers do not depend on that.

    Args:
        shared: one network serves each channel by itself, as in their first version. Otherwise it sees all channels
            of the image and predicts one value for all of them, as in their last.

    Example:
        >>> import diff_conv2d
        >>> layer = diff_conv2d.Conv2d(3, 4, 3, padding=1, padding_mode="peripheral")
        >>> layer(torch.ones(1, 3, 8, 8)).shape
        torch.Size([1, 4, 8, 8])
    """

    name = "peripheral"
    trained = True
    same_for_all_sizes = True
    why_not_chunked = "needs trained networks, which correlate does not take"
    why_padded = "predicts each ring from the ones before"

    shared: bool = False

    def __post_init__(self) -> None:
        """Check the options."""
        if not isinstance(self.shared, bool):
            raise TypeError(f"shared must be True or False, got {self.shared!r}")

    @property
    def needs_layer(self) -> bool:
        """See `Boundary`."""
        return True

    def check(self, axes: int) -> None:
        """See `Boundary`."""
        if axes != 2:
            raise ValueError(f"padding_mode='peripheral' is for images of two axes, got {axes}")

    def extend(self, input: Tensor, geometry: Geometry) -> Tensor:
        """See `Boundary`: what a layer keeps does it."""
        raise NotImplementedError

    def module_for_layer(self, channels: int, geometry: Geometry, seed: int) -> nn.Module:
        """See `Boundary`."""
        return _SideNetworks(1 if self.shared else channels, seed)


class _SideNetworks(nn.ModuleList):
    """The networks of the sides top, bottom, left and right."""

    def __init__(self, channels: int, seed: int) -> None:
        self._seed = seed
        with torch.random.fork_rng(devices=[]):
            super().__init__(_network(channels, vertical) for vertical in (True, True, False, False))
        self.reset_parameters()

    def forward(self, image: Tensor, geometry: Geometry) -> Extension:
        """Return the extension of a batch of images (N, C, H, W)."""
        return _Rings(self)

    def reset_parameters(self) -> None:
        """Begin anew."""
        # Equal seeds are to give equal kernels whatever the mode, so that these numbers are drawn apart.
        with torch.random.fork_rng(devices=[]):
            torch.default_generator.manual_seed(self._seed)
            for part in self.modules():
                if isinstance(part, nn.Conv2d):
                    part.reset_parameters()


def _network(channels: int, vertical: bool) -> nn.Module:
    kernel = (_ROWS, _COLUMNS) if vertical else (_COLUMNS, _ROWS)
    layers = [nn.Conv2d(channels, _HIDDEN, kernel), nn.Conv2d(_HIDDEN, _HIDDEN, 1), nn.Conv2d(_HIDDEN, 1, 1)]
    return nn.Sequential(*(part for layer in layers for part in (layer, nn.ReLU())))


@dataclass(frozen=True, eq=False)
class _Rings(Extension):
    """The extension by given networks."""

    name = "peripheral"
    by_value = False
    same_for_all_sizes = True
    why_padded = Peripheral.why_padded

    networks: _SideNetworks

    def extend(self, input: Tensor, geometry: Geometry) -> Tensor:
        """See `Boundary`."""
        if input.is_complex():
            return torch.complex(self.extend(input.real, geometry), self.extend(input.imag, geometry))
        # As many rings all around as the widest side needs.
        rings = max(*geometry.before, *geometry.after)
        result = F.pad(input, (rings,) * 4)
        height, width = input.shape[2:]
        for ring in range(rings):
            for network, dim, size, low in (
                (self.networks[0], 2, height, True),
                (self.networks[1], 2, height, False),
                (self.networks[2], 3, width, True),
                (self.networks[3], 3, width, False),
            ):
                source = rings - ring if low else rings + size + ring - _ROWS
                target = rings - 1 - ring if low else rings + size + ring
                # A copy, since the result is written to before the gradient is computed.
                samples = result.narrow(dim, source, _ROWS).clone()
                line = F.pad(self._predicted(network, samples), (1, 1, 0, 0) if dim == 2 else (0, 0, 1, 1))
                result = _with_line(result, line, dim, target)
        for dim, before, after in zip((2, 3), geometry.before, geometry.after, strict=True):
            result = result.narrow(dim, rings - before, input.shape[dim] + before + after)
        return result

    def _predicted(self, network: nn.Module, samples: Tensor) -> Tensor:
        """Apply a network to all channels at once, or to each by itself if it takes one."""
        channels: int = network[0].in_channels  # type: ignore[index]
        if channels == samples.shape[1]:
            values: Tensor = network(samples)
            return values
        each: Tensor = network(samples.flatten(0, 1).unsqueeze(1))
        return torch.unflatten(each.squeeze(1), 0, samples.shape[:2])


def _with_line(image: Tensor, line: Tensor, dim: int, place: int) -> Tensor:
    """Put a row or a column in its place; its ends are the zeros of the outermost corners."""
    compiled = torch.compiler.is_compiling()
    if is_exporting() or (not compiled and is_transformed()):
        # ONNX has no write to a part of a tensor whose size is open, and vmap none to one image of many values.
        line = line.expand(*image.shape[:2], -1, -1)
        before, _, after = torch.split(image, [place, 1, image.shape[dim] - place - 1], dim)
        return torch.cat([before, line, after], dim)
    image.narrow(dim, place, 1).copy_(line)
    return image
