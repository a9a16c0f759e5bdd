"""Tiles of an image kept in memory as bytes, and the flips that training may add."""

import torch
from torch import Tensor
from torch.utils.data import Dataset

__all__ = ["Tiles", "channel_moments", "flip_together"]


class Tiles(Dataset[tuple[Tensor, Tensor]]):
    r"""Images kept as bytes, normalised when asked for, with a target each.

    .. math:: x = \frac{b - \mu_c}{\sigma_c}

    Bytes take a quarter of the memory of floats, and converting a tile takes microseconds.

    Args:
        images: Bytes, uint8, :math:`(N, C, H, W)`.
        targets: Class of each image, :math:`(N)`, or of each pixel, :math:`(N, H, W)`; any integer type.
        mean: :math:`\mu`, the mean byte of each channel, :math:`(C)`.
        std: :math:`\sigma`, the standard deviation of each channel, :math:`(C)`, positive.
        flip_axes: Axes that each image is flipped along at random, with torch's random numbers: -2 turns it
            upside down, -1 swaps left and right. A target of pixels is flipped alike.

    Example:
        >>> tiles = Tiles(torch.full((1, 1, 2, 2), 7, dtype=torch.uint8), torch.tensor([3]), [5.0], [2.0])
        >>> tiles[0]
        (tensor([[[1., 1.],
                  [1., 1.]]]), tensor(3))
    """

    def __init__(
        self,
        images: Tensor,
        targets: Tensor,
        mean: Tensor | list[float],
        std: Tensor | list[float],
        flip_axes: tuple[int, ...] = (),
    ):
        if images.dtype != torch.uint8 or images.ndim != 4:
            raise ValueError(f"images must be uint8 of four axes, got {images.dtype}, {tuple(images.shape)}")
        if len(images) != len(targets):
            raise ValueError(f"each image needs a target, got {len(images)} images and {len(targets)} targets")
        self.images, self.targets, self.flip_axes = images, targets, flip_axes
        self.mean = torch.as_tensor(mean, dtype=torch.float32)[:, None, None]
        self.std = torch.as_tensor(std, dtype=torch.float32)[:, None, None]

    def __len__(self) -> int:
        return len(self.images)

    def __getitem__(self, index: int) -> tuple[Tensor, Tensor]:
        image = (self.images[index] - self.mean) / self.std
        target = self.targets[index].long()
        if target.ndim:
            image, target = flip_together(image, target, axes=self.flip_axes)
        else:
            (image,) = flip_together(image, axes=self.flip_axes)
        return image, target


def channel_moments(images: Tensor) -> tuple[Tensor, Tensor]:
    """Measure the bytes of each channel.

    Args:
        images: Bytes, uint8, :math:`(N, C, H, W)`.

    Returns:
        Mean and standard deviation of each channel, float64, :math:`(C)` each.

    Raises:
        ValueError: A channel has one value only, which cannot be normalised.

    Example:
        >>> channel_moments(torch.tensor([[[[2, 4]]]], dtype=torch.uint8))
        (tensor([3.], dtype=torch.float64), tensor([1.], dtype=torch.float64))
    """
    # Counting the 256 values is exact, and needs no copy of all pixels in float64.
    counts = torch.stack([torch.bincount(channel.flatten(), minlength=256) for channel in images.unbind(1)])
    values = torch.arange(256, dtype=torch.float64)
    shares = counts / counts.sum(dim=1, keepdim=True, dtype=torch.float64)
    mean = shares @ values
    std = (shares * (values - mean[:, None]) ** 2).sum(dim=1).sqrt()
    if not bool((std > 0).all()):
        raise ValueError("a channel has one value only and cannot be normalised")
    return mean, std


def flip_together(*images: Tensor, axes: tuple[int, ...] = (-2, -1)) -> tuple[Tensor, ...]:
    """Flip images of one item alike along each of some axes, each with a probability of a half.

    Args:
        *images: Tensors that have these axes.
        axes: The axes. Without any, no random number is drawn.

    Returns:
        The images, flipped or not, according to one of torch's random numbers for each axis.

    Example:
        >>> _ = torch.manual_seed(1)
        >>> flip_together(torch.tensor([[1, 2], [3, 4]]))
        (tensor([[2, 1],
                [4, 3]]),)
    """
    if not axes:
        return images
    chosen = torch.rand(len(axes)) < 0.5
    flipped = [axis for axis, flip in zip(axes, chosen.tolist(), strict=True) if flip]
    return tuple(image.flip(flipped) for image in images) if flipped else images
