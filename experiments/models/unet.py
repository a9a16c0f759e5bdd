"""The paper's UNet for dense tasks, and its classifier on top of one."""

from collections.abc import Mapping, Sequence
from typing import Any

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from experiments.data.splits import Splits

__all__ = ["UNet", "UNetClassifier"]

ACTIVATIONS = {"relu": nn.ReLU, "tanh": nn.Tanh}


class _Block(nn.Sequential):
    """Twice: 3x3 convolution, activation, normalisation."""

    def __init__(
        self, in_channels: int, out_channels: int, activation: str, batch_norm: bool, group_norm: int = 0
    ) -> None:
        layers: list[nn.Module] = []
        for inputs in (in_channels, out_channels):
            layers += [nn.Conv2d(inputs, out_channels, 3, padding="same"), ACTIVATIONS[activation]()]
            if batch_norm:
                layers.append(nn.BatchNorm2d(out_channels))
            elif group_norm:
                layers.append(nn.GroupNorm(group_norm, out_channels))
        super().__init__(*layers)


class UNet(nn.Module):
    """Encoder, middle block and decoder with skips; the output has the size of the input.

    Each encoder block is followed by 2x2 max pooling and doubles the width. Each decoder level upsamples by 2
    (bilinear), halves the width by a 1x1 convolution, joins the encoder's output of that level, and ends in a block;
    a last 1x1 convolution gives the output. Where a size is odd, upsampling goes to the size of the encoder's output.

    Source: Leng and Thiyagalingam, arXiv 2309.06370, after Ronneberger et al. (2015); depth 4 and width 64 there.

    Args:
        in_channels: channels of the image.
        out_channels: channels of the output.
        depth: number of times the image is halved.
        width: channels of the first block.
        activation: 'relu' or 'tanh'.
        batch_norm: normalise after each activation.
        group_norm: groups of channels that are normalised after each activation in place of batches, each over the
            whole image that the network is given; 0 for none. It divides `width`.

    Shapes:
        input (N, in_channels, H, W), H and W at least 2^depth; output (N, out_channels, H, W).

    Raises:
        ValueError: an argument is out of its range.

    Example:
        >>> UNet(3, 8, depth=2, width=4)(torch.rand(1, 3, 12, 10)).shape
        torch.Size([1, 8, 12, 10])
    """

    tasks = ("segmentation", "super_resolution")

    def __init__(
        self,
        in_channels: int,
        out_channels: int,
        depth: int = 4,
        width: int = 64,
        activation: str = "relu",
        batch_norm: bool = True,
        group_norm: int = 0,
    ) -> None:
        if activation not in ACTIVATIONS:
            raise ValueError(f"activation must be one of {', '.join(ACTIVATIONS)}; got {activation!r}")
        if depth < 1 or width < 1:
            raise ValueError(f"depth and width must be at least 1, got {depth} and {width}")
        if group_norm < 0 or (group_norm and width % group_norm):
            raise ValueError(f"group_norm must be 0 or divide width, which is {width}; got {group_norm}")
        if group_norm and batch_norm:
            raise ValueError(f"group_norm must be 0 with batch_norm=True; got {group_norm}")
        super().__init__()
        widths = [width * 2**level for level in range(depth + 1)]
        inputs = [in_channels, *widths]
        blocks = [_Block(a, b, activation, batch_norm, group_norm) for a, b in zip(inputs, widths, strict=False)]
        self.encoder, self.middle = nn.ModuleList(blocks[:-1]), blocks[-1]
        self.reduce = nn.ModuleList(nn.Conv2d(2 * w, w, 1) for w in reversed(widths[:-1]))
        self.decoder = nn.ModuleList(
            _Block(2 * w, w, activation, batch_norm, group_norm) for w in reversed(widths[:-1])
        )
        self.last = nn.Conv2d(width, out_channels, 1)

    def encode(self, image: Tensor) -> tuple[Tensor, list[Tensor]]:
        """The middle features, and the encoder's outputs from the finest to the coarsest."""
        skips = []
        for block in self.encoder:
            image = block(image)
            skips.append(image)
            image = F.max_pool2d(image, 2)
        return self.middle(image), skips

    def decode(self, features: Tensor, skips: Sequence[Tensor]) -> Tensor:
        """The output from what `encode` gave."""
        for reduce, block, skip in zip(self.reduce, self.decoder, reversed(skips), strict=True):
            size = skip.shape[-2:]
            features = reduce(F.interpolate(features, size=size, mode="bilinear", align_corners=False))
            features = block(torch.cat([skip, features], 1))
        return self.last(features)

    def forward(self, image: Tensor) -> Tensor:
        """The output for a batch of images."""
        return self.decode(*self.encode(image))

    @classmethod
    def for_data(cls, name: str, data: Splits, options: Mapping[str, Any]) -> "UNet":
        """Build the network for a data set (see `experiments.models.build.Network`)."""
        _check_depth(data, options)
        outputs = len(data.classes) if data.task == "segmentation" else 1
        return cls(data.in_channels, outputs, **options)


class UNetClassifier(nn.Module):
    """The paper's classifier: two linear layers on a UNet's middle features, which also reconstruct the image.

    Training adds 0.01 times the mean squared error of the reconstruction to the cross-entropy. The paper takes the
    middle features after the second activation; here they are the middle block's output, normalised.

    Args:
        in_channels: channels of the image.
        num_classes: number of classes.
        image_size: height and width of the images, on which the first linear layer depends.
        depth: as `UNet`.
        width: as `UNet`.
        hidden: width of the first linear layer.
        activation: as `UNet`.
        batch_norm: as `UNet`.

    Shapes:
        input (N, in_channels, H, W); output (N, num_classes) and the reconstruction, of the input's shape.

    Example:
        >>> scores, reconstruction = UNetClassifier(3, 5, (16, 16), depth=2, width=4)(torch.rand(2, 3, 16, 16))
        >>> scores.shape, reconstruction.shape
        (torch.Size([2, 5]), torch.Size([2, 3, 16, 16]))
    """

    tasks = ("classification",)

    def __init__(
        self,
        in_channels: int,
        num_classes: int,
        image_size: tuple[int, int],
        depth: int = 4,
        width: int = 64,
        hidden: int = 256,
        activation: str = "relu",
        batch_norm: bool = True,
    ) -> None:
        super().__init__()
        self.unet = UNet(in_channels, in_channels, depth, width, activation, batch_norm)
        height, length = (size // 2**depth for size in image_size)
        features = width * 2**depth * height * length
        self.head = nn.Sequential(
            nn.Flatten(), nn.Linear(features, hidden), nn.ReLU(), nn.Linear(hidden, num_classes)
        )

    def forward(self, image: Tensor) -> tuple[Tensor, Tensor]:
        """Class scores and the reconstruction of a batch of images."""
        features, skips = self.unet.encode(image)
        return self.head(features), self.unet.decode(features, skips)

    @classmethod
    def for_data(cls, name: str, data: Splits, options: Mapping[str, Any]) -> "UNetClassifier":
        """Build the network for a data set (see `experiments.models.build.Network`)."""
        _check_depth(data, options)
        return cls(data.in_channels, len(data.classes), data.image_size, **options)


def _check_depth(data: Splits, options: Mapping[str, Any]) -> None:
    """Reject a network that halves an image more often than it can be halved."""
    if min(data.image_size) < 2 ** (depth := options.get("depth", 4)):
        raise ValueError(
            f"model.options.depth must be at most {min(data.image_size).bit_length() - 1} for images of "
            f"{' x '.join(map(str, data.image_size))} pixels, got {depth}"
        )
