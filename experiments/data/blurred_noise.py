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
        >>> wave = torch.sin(torch.pi / 4 * torch.arange(8.0)).expand(8, 8)
        >>> torch.allclose(blurred_noise(wave, 2.0), wave * torch.exp(torch.tensor(-0.5 * (torch.pi / 2) ** 2)))
        True

    """
    h, w = (2 * torch.pi * torch.fft.fftfreq(size, dtype=noise.dtype) for size in noise.shape[-2:])
    factor = torch.exp(-0.5 * sigma**2 * (h[:, None] ** 2 + w**2))
    return torch.fft.ifft2(torch.fft.fft2(noise) * factor).real
