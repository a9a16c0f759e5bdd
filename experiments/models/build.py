"""A network from its configuration: built, then converted to a boundary mode."""

from typing import Any

import torchvision
from torch import nn

from diff_conv2d import convert
from experiments.data.splits import Splits
from experiments.models.halo import crop_features, normalise_by_centre
from experiments.models.unet import UNet, UNetClassifier

__all__ = ["TASKS", "build_model"]

DENSE = ("segmentation", "super_resolution")
TASKS = {"unet": DENSE, "unet_classifier": ("classification",)}


def build_model(name: str, options: dict[str, Any], padding: dict[str, Any], data: Splits) -> nn.Module:
    """Build a network for a data set and give its convolutions a boundary mode.

    Equal seeds of torch give equal weights for every mode: no mode draws random numbers at its construction.

    Args:
        name: 'unet', 'unet_classifier', or any classification model of torchvision.
        options: arguments of the network, such as `width`.
        padding: `mode`, and the mode's options; those that are None are left at their defaults.
        data: what the network is for.

    Raises:
        ValueError: there is no such network, it is not for this task, or an option does not fit.
        TypeError: the network or the mode has no such option.
    """
    classifiers = torchvision.models.list_models(module=torchvision.models)
    if name not in TASKS and name not in classifiers:
        known = ", ".join([*TASKS, *classifiers])
        raise ValueError(
            f"model must be a classification network of torchvision or the paper's; got {name!r}, not one of: {known}"
        )
    tasks = TASKS.get(name, ("classification",))
    if data.task not in tasks:
        raise ValueError(
            f"model={name} is for {' and '.join(tasks)}, but the data is for {data.task}; "
            f"take {'model=unet' if data.task in DENSE else 'model=resnet18 or model=unet_classifier'}"
        )
    if name in TASKS and min(data.image_size) < 2 ** (depth := options.get("depth", 4)):
        raise ValueError(
            f"model.options.depth must be at most {min(data.image_size).bit_length() - 1} for images of "
            f"{' x '.join(map(str, data.image_size))} pixels, got {depth}"
        )
    if name == "unet":
        outputs = len(data.classes) if data.task == "segmentation" else 1
        network: nn.Module = UNet(data.in_channels, outputs, **options)
    elif name == "unet_classifier":
        network = UNetClassifier(data.in_channels, len(data.classes), data.image_size, **options)
    else:
        network = torchvision.models.get_model(name, weights=None, num_classes=len(data.classes), **options)
        if data.in_channels != 3:
            _replace_first(network, data.in_channels)
    if data.halo:
        normalise_by_centre(network, data.halo, data.image_size)
        if data.task == "classification":
            crop_features(network, data.halo, data.image_size)
    mode = {key: tuple(v) if isinstance(v, list) else v for key, v in padding.items() if key != "mode"}
    return convert(network, padding["mode"], verbose=False, **mode)


def _replace_first(network: nn.Module, in_channels: int) -> None:
    """Give the first convolution another number of input channels: torchvision's networks take three."""
    for path, layer in network.named_modules():
        if isinstance(layer, nn.Conv2d):
            parent, _, name = path.rpartition(".")
            first = nn.Conv2d(
                in_channels,
                layer.out_channels,
                layer.kernel_size,  # type: ignore[arg-type]
                layer.stride,  # type: ignore[arg-type]
                layer.padding,  # type: ignore[arg-type]
                layer.dilation,  # type: ignore[arg-type]
                bias=layer.bias is not None,
            )
            setattr(network.get_submodule(parent), name, first)
            return
    raise ValueError("the network has no convolution")
