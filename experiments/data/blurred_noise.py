"""White noise under a Gaussian blur: a field of any smoothness."""

import torch
from torch import Tensor

__all__ = ["blurred_noise"]


def blurred_noise(noise: Tensor, sigma: float) -> Tensor:
    r"""Blur periodic images by a Gaussian, through its transform.

    .. math:: \hat u(k) \leftarrow \hat u(k) \, e^{-\sigma^2 |k|^2 / 2}

    Args:
        noise: Images, (..., H, W).
        sigma: Standard deviation of the Gaussian in pixels; 0 leaves the images as they are.

    Returns:
        The blurred images, of the same shape and dtype.

    Example:
        >>> wave = torch.tensor([1.0, 0, -1, 0]).expand(4, 4)
        >>> (blurred_noise(wave, 1.0)[0, 0] / torch.tensor(-torch.pi**2 / 8).exp()).round(decimals=4)
        tensor(1.)

    """
    h, w = (2 * torch.pi * torch.fft.fftfreq(size, dtype=noise.dtype) for size in noise.shape[-2:])
    factor = torch.exp(-0.5 * sigma**2 * (h[:, None] ** 2 + w**2))
    return torch.fft.ifft2(torch.fft.fft2(noise) * factor).real
