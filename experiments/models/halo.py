"""The control of true context: a network sees a halo of real data, and what it makes of it is cut to the centre."""

import torch
from torch import Tensor, nn

__all__ = ["CentreBatchNorm2d", "CropFeatures", "crop", "crop_features", "normalise_by_centre"]


def crop(image: Tensor, margin: int) -> Tensor:
    """Cut some pixels off each side.

    Args:
        image: (..., H, W).
        margin: pixels, at least 0 and below half of H and W.

    Returns:
        A view, (..., H - 2 margin, W - 2 margin).

    Example:
        >>> crop(torch.arange(25).view(5, 5), 2)
        tensor([[12]])
    """
    return image[..., margin : image.shape[-2] - margin, margin : image.shape[-1] - margin]


class CropFeatures(nn.Module):
    """Cut the halo off features that a network has made of an image.

    A halo of h pixels is h / stride features wide, with the stride the network's from image to features. It must be a
    whole number: then the features left are on the grid of those of the image without its halo.

    Args:
        halo: the halo's width in the image, in pixels.
        image_size: height and width of the image with its halo.

    Raises:
        ValueError: the halo is no whole number of features wide.

    Example:
        >>> CropFeatures(halo=8, image_size=(32, 32))(torch.rand(1, 3, 8, 8)).shape
        torch.Size([1, 3, 4, 4])
    """

    def __init__(self, halo: int, image_size: tuple[int, int]) -> None:
        super().__init__()
        self.halo, self.image_size = halo, image_size

    def forward(self, features: Tensor) -> Tensor:
        """The features of the image's centre."""
        margins = [self.halo * size / whole for size, whole in zip(features.shape[-2:], self.image_size, strict=True)]
        if margins[0] != margins[1] or not margins[0].is_integer():
            raise ValueError(
                f"a halo of {self.halo} pixels is {margins[0]:g} and {margins[1]:g} of the network's last features "
                f"wide; data.halo must be a whole number of them: try a multiple of 32"
            )
        return crop(features, int(margins[0]))


def crop_features(network: nn.Module, halo: int, image_size: tuple[int, int]) -> None:
    """Let a classifier pool its last features without those of the halo.

    Args:
        network: with an attribute `avgpool`, as torchvision's convolutional networks have it; it is changed.
        halo: the halo's width in the image, in pixels.
        image_size: height and width of the image with its halo.

    Raises:
        ValueError: the network does not end in such a pooling.
    """
    pooling = getattr(network, "avgpool", None)
    if not isinstance(pooling, nn.Module):
        raise ValueError(
            f"data.halo={halo} needs a network whose features are pooled by its 'avgpool', as those of resnet18; "
            f"{type(network).__name__} has none"
        )
    # Without parameters or buffers: the keys of the weights stay the same.
    network.avgpool = nn.Sequential(CropFeatures(halo, image_size), pooling)


class CentreBatchNorm2d(nn.BatchNorm2d):
    r"""Batch normalisation by the statistics of the centre, which the halo does not enter.

    .. math:: y = \gamma \frac{x - \mu_c}{\sqrt{\sigma_c^2 + \epsilon}} + \beta

    with the mean and the variance over the batch and the part of the map inside the halo. With the statistics of the
    whole map, a network with a halo would be trained and tested under another normalisation than one without: no
    control of what the boundary does.

    Args:
        norm: the layer to take the parameters, buffers and settings of.
        halo: the halo's width in the image, in pixels.
        image_size: height and width of the image with its halo.

    Example:
        >>> x = torch.rand(2, 3, 8, 8)
        >>> y = CentreBatchNorm2d(nn.BatchNorm2d(3), halo=8, image_size=(32, 32))(x)
        >>> torch.allclose(y[..., 2:-2, 2:-2], nn.BatchNorm2d(3)(x[..., 2:-2, 2:-2]), atol=1e-5)
        True
    """

    def __init__(self, norm: nn.BatchNorm2d, halo: int, image_size: tuple[int, int]) -> None:
        super().__init__(norm.num_features, norm.eps, norm.momentum, norm.affine, norm.track_running_stats)
        self.load_state_dict(norm.state_dict())
        self.halo, self.image_size = halo, image_size

    def forward(self, input: Tensor) -> Tensor:
        """The map normalised, with its halo."""
        if not self.training:
            return super().forward(input)
        sizes = zip(input.shape[-2:], self.image_size, strict=True)
        height, width = (round(self.halo * size / whole) for size, whole in sizes)
        centre = input[..., height : input.shape[-2] - height, width : input.shape[-1] - width]
        # Its output is not needed, but it keeps the running statistics as it does without a halo.
        with torch.no_grad():
            super().forward(centre)
        variance, mean = torch.var_mean(centre, (0, 2, 3), correction=0)
        scale = (variance + self.eps).rsqrt() * self.weight
        return input * scale[:, None, None] + (self.bias - mean * scale)[:, None, None]


def normalise_by_centre(network: nn.Module, halo: int, image_size: tuple[int, int]) -> None:
    """Let every batch normalisation of a network take its statistics from the centre; the network is changed.

    Args:
        network: any.
        halo: the halo's width in the image, in pixels.
        image_size: height and width of the image with its halo.
    """
    for path, layer in list(network.named_modules()):
        if type(layer) is nn.BatchNorm2d:
            parent, _, name = path.rpartition(".")
            setattr(network.get_submodule(parent), name, CentreBatchNorm2d(layer, halo, image_size))
