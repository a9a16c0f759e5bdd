"""Heat and advection-diffusion as one convolution a step, and the solution in a world without an edge."""

from collections.abc import Iterator, Sequence

import torch
from torch import Tensor

from experiments.data.blurred_noise import blurred_noise
from experiments.operators import derivative_kernels, laplacian_kernel

__all__ = ["solution", "step_kernel", "world"]


def step_kernel(size: int, diffusion: float, velocity: Sequence[float]) -> Tensor:
    r"""Return the kernel of one explicit Euler step, with central differences.

    .. math:: u \leftarrow u + D \Delta u - c_h \partial_h u - c_w \partial_w u

    Args:
        size: Samples along each axis of the finite differences: 3 and 5 are of order 2 and 4.
        diffusion: D, in squared spacings a step.
        velocity: c, in spacings a step, along both axes.

    Returns:
        The kernel, float64, (size, size); it adds up to 1.

    """
    along_h, along_w = derivative_kernels(size)
    kernel = diffusion * laplacian_kernel(size) - velocity[0] * along_h - velocity[1] * along_w
    kernel[size // 2, size // 2] += 1
    return kernel


def world(size: int, blur: float, generator: torch.Generator) -> Tensor:
    """Return a smooth periodic field, float64, (size, size), with mean 0 and standard deviation 1."""
    noise = torch.randn(size, size, generator=generator, dtype=torch.float64)
    field = blurred_noise(noise, blur)
    return (field - field.mean()) / field.std()


def solution(initial: Tensor, kernel: Tensor, steps: Sequence[int]) -> Iterator[Tensor]:
    r"""Solve on the whole world, which is periodic and so has no edge.

    A step multiplies each wave by a number, :math:`\hat w = \sum_j w_j e^{i k j}`, and n steps by its power: the
    result is that of stepping, to rounding.

    Args:
        initial: The field at step 0, (N, N).
        kernel: That of one step, as :func:`step_kernel` gives it.
        steps: The steps wanted.

    Yields:
        The field at each of them.

    """
    padded, p = torch.zeros_like(initial), len(kernel) // 2
    padded[: len(kernel), : len(kernel)] = kernel
    # torch's convolution is a correlation: the wave e^(ikx) meets the conjugate of the kernel's transform.
    factor = torch.fft.fft2(padded.roll((-p, -p), (0, 1))).conj()
    transform = torch.fft.fft2(initial)
    for step in steps:
        yield torch.fft.ifft2(transform * factor**step).real
