"""The fields of the regime map: from rough to smooth, by a blur or by the noise that is added."""

from collections.abc import Iterator

import torch
from scipy.ndimage import gaussian_filter
from torch import Tensor

from experiments.data.blurred_noise import blurred_noise
from experiments.data.terrain import terrain_patches
from experiments.random_numbers import random_source
from experiments.regimes.settings import Settings

__all__ = ["FIELDS", "regime_fields"]

# What the level of each field is.
FIELDS = {
    "blurred_noise": "standard deviation of the blur in pixels",
    "blurred_terrain": "standard deviation of the blur in pixels",
    "noise_added": "noise in standard deviations of the field",
}


def regime_fields(settings: Settings) -> Iterator[tuple[str, float, Tensor]]:
    """Make every field at every level.

    Yields:
        The field's name, its level, and crops with a frame for the largest kernel, float64, (crops, H, W): each with
        mean 0 and standard deviation 1, before noise is added.

    """
    whole = settings.size + max(settings.kernel_sizes) - 1
    noise, added = (_noise(settings, name) for name in ("world", "added"))
    for blur in settings.blurs:
        yield "blurred_noise", blur, _standardised(_middle(blurred_noise(noise, blur), whole))
    # The blur sees true terrain up to four standard deviations away, where it is cut off.
    margin = int(4 * max(settings.terrain_blurs) + 0.5)
    patches = terrain_patches(whole + 2 * margin)[: settings.crops]
    for blur in settings.terrain_blurs:
        blurred = gaussian_filter(patches.numpy(), (0, blur, blur)) if blur else patches.numpy()
        yield "blurred_terrain", blur, _standardised(_middle(torch.from_numpy(blurred), whole))
    smooth = _standardised(_middle(blurred_noise(noise, settings.noise_blur), whole))
    for level in settings.noise_levels:
        yield "noise_added", level, smooth + level * _middle(added, whole)


def _noise(settings: Settings, name: str) -> Tensor:
    shape = settings.crops, settings.world, settings.world
    return torch.randn(shape, generator=random_source(name, settings.seed), dtype=torch.float64)


def _middle(images: Tensor, size: int) -> Tensor:
    """Cut the middle out of each image."""
    top, left = ((length - size) // 2 for length in images.shape[-2:])
    return images[..., top : top + size, left : left + size]


def _standardised(images: Tensor) -> Tensor:
    """Give each image mean 0 and standard deviation 1."""
    return (images - images.mean((-2, -1), keepdim=True)) / images.std((-2, -1), keepdim=True)
