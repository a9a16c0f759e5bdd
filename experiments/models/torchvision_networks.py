"""The classification networks of torchvision, from scratch."""

from collections.abc import Mapping
from typing import Any

import torchvision
from torch import nn

from experiments.data.splits import Splits

__all__ = ["Classifier"]


class Classifier:
    """A network by torchvision's name for it."""

    tasks = ("classification",)

    @classmethod
    def for_data(cls, name: str, data: Splits, options: Mapping[str, Any]) -> nn.Module:
        """Build the network for the classes and the channels of a data set (see `experiments.models.build.Network`).

        Raises:
            ValueError: torchvision has no such network, or an option follows from the data.
            TypeError: the network has no such option.
        """
        known = torchvision.models.list_models(module=torchvision.models)
        if name not in known:
            raise ValueError(f"model.name must be one of torchvision's {', '.join(known)}; got {name!r}")
        if reserved := [option for option in ("num_classes", "weights") if option in options]:
            raise ValueError(f"model.options.{reserved[0]} is no setting: it follows from the data")
        network = torchvision.models.get_model(name, weights=None, num_classes=len(data.classes), **options)
        if data.in_channels != 3:
            _replace_first(network, data.in_channels)
        return network


def _replace_first(network: nn.Module, in_channels: int) -> None:
    """Give the first convolution another number of input channels: torchvision's networks take three."""
    for path, layer in network.named_modules():
        if isinstance(layer, nn.Conv2d):
            parent, _, name = path.rpartition(".")
            first = nn.Conv2d(
                in_channels,
                layer.out_channels,
                layer.kernel_size,
                layer.stride,
                layer.padding,
                layer.dilation,
                bias=layer.bias is not None,
            )
            setattr(network.get_submodule(parent), name, first)
            return
    raise ValueError("the network has no convolution")
