"""Masks and NaN as edges of an image: pixels that are masked out are outside, and filled from valid pixels near them.

>>> import diff_conv2d
>>> from diff_conv2d.masks import MaskedBoundary
>>> sea = torch.rand(1, 1, 64, 64)
>>> mask = torch.rand(64, 64) > 0.2
>>> coast = MaskedBoundary(mask, kernel_size=3, method="polynomial", degree=1)
>>> kernel = torch.ones(1, 1, 3, 3) / 9
>>> mean = diff_conv2d.conv2d(sea, kernel, padding="same", padding_mode="replicate", mask=coast)
>>> bool((mean[0, 0][~mask] == 0).all())
True
"""

from diff_conv2d.masks.boundary import MaskedBoundary, MaskMethod, filled, valid

__all__ = ["MaskMethod", "MaskedBoundary", "filled", "valid"]
