"""The control of true context: a network sees a halo of real data, and what it makes of it is cut to the centre."""

from torch import Tensor, nn

__all__ = ["CropFeatures", "crop", "crop_features"]


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
