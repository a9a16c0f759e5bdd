"""A small convolutional network that steps a field on in time."""

from collections.abc import Mapping
from typing import Any

import torch
from torch import Tensor, nn

from experiments.data.splits import Splits

__all__ = ["Stepper"]


class Stepper(nn.Module):
    r"""A stack of 3x3 convolutions that predicts by how much a field changes from one frame to the next.

    .. math:: \hat u_{t+1} = u_t + f(u_{t-h+1}, \dots, u_t)

    A further step takes the network's own predictions for frames: several steps are one network applied again and
    again. A GELU follows every convolution but the last; nothing normalises. One step sees ``depth`` pixels far.

    Args:
        in_channels: Frames h that a step sees.
        steps: Frames to predict.
        depth: Number of convolutions, at least 2.
        width: Channels between them, at least 1.

    Shapes:
        Input (N, in_channels, H, W); output (N, steps, H, W), the predicted frames one after another.

    Raises:
        ValueError: An argument is out of its range.

    Example:
        >>> Stepper(2, steps=4, width=8)(torch.rand(1, 2, 12, 12)).shape
        torch.Size([1, 4, 12, 12])
    """

    tasks = ("super_resolution",)

    def __init__(self, in_channels: int, steps: int = 1, depth: int = 6, width: int = 24) -> None:
        if in_channels < 1 or steps < 1:
            raise ValueError(f"in_channels and steps must be at least 1, got {in_channels} and {steps}")
        if depth < 2 or width < 1:
            raise ValueError(f"depth must be at least 2 and width at least 1, got {depth} and {width}")
        super().__init__()
        self.steps = steps
        widths = [in_channels, *[width] * (depth - 1)]
        layers: list[nn.Module] = []
        for inputs in widths[:-1]:
            layers += [nn.Conv2d(inputs, width, 3, padding="same"), nn.GELU()]
        self.change = nn.Sequential(*layers, nn.Conv2d(width, 1, 3, padding="same"))

    def forward(self, frames: Tensor) -> Tensor:
        """The next frames of a batch."""
        predicted = []
        for _ in range(self.steps):
            predicted.append(frames[:, -1:] + self.change(frames))
            frames = torch.cat([frames[:, 1:], predicted[-1]], 1)
        return torch.cat(predicted, 1)

    @classmethod
    def for_data(cls, name: str, data: Splits, options: Mapping[str, Any]) -> "Stepper":
        """Build the network for a data set (see `experiments.models.build.Network`).

        Raises:
            ValueError: An option follows from the data.
        """
        if "steps" in options:
            raise ValueError("model.options.steps is no setting: it follows from data.steps")
        # Data that is no flow has one target for an image.
        return cls(data.in_channels, getattr(data, "steps", 1), **options)
