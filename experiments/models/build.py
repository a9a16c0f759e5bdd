"""A network from its configuration: built, then converted to a boundary mode."""

from collections.abc import Mapping
from typing import Any, Protocol

from hydra.utils import get_class
from torch import nn

from diff_conv2d import convert
from experiments.data.splits import Splits
from experiments.models.halo import crop_features, normalise_by_centre

__all__ = ["Network", "build_model"]


class Network(Protocol):
    """What `model._target_` names: a class that builds networks for data sets.

    Attributes:
        tasks: that its networks are for, see `Splits`.
    """

    tasks: tuple[str, ...]

    @classmethod
    def for_data(cls, name: str, data: Splits, options: Mapping[str, Any]) -> nn.Module:
        """Build a network for a data set of one of its tasks.

        Args:
            name: of the network, in tables and folders.
            data: what the network is for.
            options: arguments of the network, such as `width`.
        """
        ...


def build_model(model: Mapping[str, Any], padding: Mapping[str, Any], data: Splits) -> nn.Module:
    """Build a network for a data set and give its convolutions a boundary mode.

    Equal seeds of torch give equal weights for every mode: no mode draws random numbers at its construction.

    Args:
        model: `_target_`, a `Network`; its `name`; and its `options`.
        padding: `mode`, and the mode's options; those that are None are left at their defaults.
        data: what the network is for.

    Raises:
        ValueError: there is no such network, it is not for this task, or an option does not fit.
        TypeError: the network or the mode has no such option.
    """
    target: Network = get_class(model["_target_"])
    if data.task not in target.tasks:
        raise ValueError(
            f"model={model['name']} is for {' and '.join(target.tasks)}, but the data is for {data.task}; "
            f"take {'model=resnet18 or model=unet_classifier' if data.task == 'classification' else 'model=unet'}"
        )
    network = target.for_data(model["name"], data, model["options"])
    if data.halo:
        normalise_by_centre(network, data.halo, data.image_size)
        if data.task == "classification":
            crop_features(network, data.halo, data.image_size)
    mode = {key: tuple(v) if isinstance(v, list) else v for key, v in padding.items() if key != "mode"}
    return convert(network, padding["mode"], verbose=False, what="convolution", **mode)
