"""What is counted: layers, and the boundary modes that they are given."""

from collections.abc import Callable
from dataclasses import dataclass
from math import ceil
from typing import Any

import torch
from torch import Tensor, nn

import diff_conv2d
from diff_conv2d.modes import MODES, boundary

__all__ = ["DEVICES", "LAYERS", "METHODS", "Layer", "made"]

#: Counted as on one of these. On a GPU the frame is one operator where the mode allows it, and fits are done at once.
DEVICES = ("cpu", "gpu")
# Samples of an image at least: more than by_table.py has tables for, which are for small images on a CPU.
LARGE = 2**16
# Images and channels: more than the blocks are for, which are for few kernels on a CPU.
IMAGES, CHANNELS = 2, 8

_KINDS = {1: diff_conv2d.Conv1d, 2: diff_conv2d.Conv2d, 3: diff_conv2d.Conv3d}


@dataclass(frozen=True)
class Layer:
    """A layer with as many channels outside as inside."""

    axes: int = 2
    kernel: int = 3
    stride: int = 1
    dilation: int = 1
    depthwise: bool = False
    #: The first axis is longer than the others.
    oblong: bool = False

    @property
    def padding(self) -> int:
        """Samples added at each end."""
        return self.dilation * (self.kernel - 1) // 2

    @property
    def shape(self) -> tuple[int, ...]:
        """The shape of the image that it is tried on, (N, C, ...)."""
        size = ceil(LARGE ** (1 / self.axes)) + 2
        return (IMAGES, CHANNELS, *(size + 8 * (self.oblong and not axis) for axis in range(self.axes)))

    def with_mode(self, padding_mode: Any, device: str, **options: Any) -> nn.Module:
        """Return the layer with a mode, as it is made for a device."""
        fused = device == "gpu" and not boundary(padding_mode, **options).why_not_fused
        return _KINDS[self.axes](
            CHANNELS,
            CHANNELS,
            self.kernel,
            stride=self.stride,
            padding=self.padding,
            dilation=self.dilation,
            groups=CHANNELS if self.depthwise else 1,
            padding_mode=padding_mode,
            algorithm="fused" if fused else "auto",
            **options,
        )


LAYERS = {
    "1-D": Layer(axes=1),
    "3x3": Layer(),
    "3x3, oblong": Layer(oblong=True),
    "5x5": Layer(kernel=5),
    "7x7": Layer(kernel=7),
    "depthwise": Layer(depthwise=True),
    "strided": Layer(stride=2),
    "dilated": Layer(dilation=2),
    "3-D": Layer(axes=3),
}


def _of_mode(name: str) -> Callable[[Layer, str, Tensor], nn.Module]:
    """Make layers with a mode by its name, with its default options."""

    def make(layer: Layer, device: str, image: Tensor) -> nn.Module:
        # Beyond a pole, the last axis is a whole circle.
        return layer.with_mode((name, "circular") if name == "pole" else name, device)

    return make


def _running(batches: int, training: bool) -> Callable[[Layer, str, Tensor], nn.Module]:
    """Make layers with predictors that are kept, after so many batches; they are fitted to each second batch."""

    def make(layer: Layer, device: str, image: Tensor) -> nn.Module:
        found = layer.with_mode("adaptive", device, track_running_stats=True, fit_every=2)
        for _ in range(batches):
            found(image)
        return found.train(training)

    return make


def _fitted(layer: Layer, device: str, image: Tensor) -> nn.Module:
    """Make a layer with predictors that were fitted to other images."""
    return layer.with_mode(diff_conv2d.fit(image, layer.padding, layer.dilation), device)


#: What is counted, by name: a function that makes a layer of `LAYERS` for a device and an image.
METHODS: dict[str, Callable[[Layer, str, Tensor], nn.Module]] = {
    **{name: _of_mode(name) for name in MODES},
    # `made` calls it once more. Then batch 3, counted from 0, is between two fits, and batch 4 at a fit.
    "adaptive_running": _running(2, training=True),
    "adaptive_running_at_fit": _running(3, training=True),
    "adaptive_running_in_evaluation": _running(1, training=False),
    "adaptive_fitted": _fitted,
}


def made(layer: Layer, method: str, device: str) -> tuple[nn.Module, Tensor] | None:
    """Return a layer, called once forwards and backwards, and an image; None if it cannot have the mode.

    Args:
        layer: of `LAYERS`.
        method: of `METHODS`.
        device: of `DEVICES`.
    """
    torch.manual_seed(0)
    image = torch.randn(layer.shape)
    try:
        found = METHODS[method](layer, device, image)
        # What a first call prepares is not what a call launches.
        output = found(image.requires_grad_())
    except (ValueError, NotImplementedError):
        return None
    torch.autograd.grad(output, [image, *found.parameters()], torch.ones_like(output), allow_unused=True)
    return found, image
