"""The images that features are made of: those of the data, noise, and images of one colour."""

import torch
from torch import Tensor

from experiments.data.splits import Splits
from experiments.position.settings import Settings
from experiments.random_numbers import random_source

__all__ = ["KINDS", "pictures"]

# What a read-out is tested on.
KINDS = ("natural", "noise", "constant")


def pictures(data: Splits, settings: Settings) -> dict[str, Tensor]:
    """The images by what they are for: `fit`, `validation`, and to test on `natural`, `noise` and `constant`.

    Noise is white and a colour one for each image, both with mean 0 and variance 1, as the images of the data have.
    """
    counts = {"train": settings.fit_images, "validation": settings.validation_images, "test": settings.test_images}
    names = dict(zip(counts, ("fit", "validation", "natural"), strict=True))
    found = {}
    for part, count in counts.items():
        items = getattr(data, part)
        if count > len(items):
            raise ValueError(f"the {part} part of the data has {len(items)} images; the study asks for {count}")
        found[names[part]] = torch.stack([items[number][0] for number in range(count)])
    shape = settings.artificial_images, *found["fit"].shape[1:]
    source = random_source("position", settings.seed)
    found["noise"] = torch.randn(shape, generator=source)
    found["constant"] = torch.randn(*shape[:2], 1, 1, generator=source).expand(shape)
    return {name: images.to(settings.device) for name, images in found.items()}
