"""Two-dimensional turbulence: a pseudo-spectral solver, and the snapshots that the experiments filter."""

import io
import math
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import torch
from torch import Tensor

from experiments.data.embedded import DATA, read_embedded

__all__ = ["SNAPSHOTS", "advance", "load_snapshots", "random_vorticity", "refine", "velocity"]

SNAPSHOTS = DATA / "navier_stokes" / "kolmogorov_re500.npy"

# The batches that the paper's authors took from the PINO file, at time 0: eleven flows.
PINO_BATCHES = (0, *range(9, 100, 10))


def load_snapshots(path: str | Path | None = None) -> Tensor:
    """Load the eleven vorticity fields of the filtering experiment, numbers 1 to 11 in this order.

    Without a path these are the project's own snapshots of one flow, made by
    ``scripts/prepare_navier_stokes.py``. The paper used the public file ``NS_Re500_s256_T100_test.npy``
    of PINO: given its path, batches 0, 9, 19, ..., 99 at time 0 are taken, as the paper's authors did.

    References:
        | Z. Li et al., Physics-Informed Neural Operator, arXiv 2111.03794

    Args:
        path: A NumPy file of shape (11, 256, 256), or of shape (batches, times, 256, 256) as PINO's.
            Only what is needed of it is read into memory.

    Returns:
        The vorticity, float64, :math:`(11, 256, 256)`.

    Raises:
        FileNotFoundError: There is no such file.
        ValueError: It is the project's own file, and has changed; or it is not a NumPy file, or its shape or its
            values cannot be used.

    Example:
        >>> load_snapshots().shape
        torch.Size([11, 256, 256])
    """
    path = SNAPSHOTS if path is None else Path(path)
    if not path.is_file():
        raise FileNotFoundError(
            f"no Navier-Stokes snapshots at {path}; the project's own file, {SNAPSHOTS.name}, is made by "
            "`python -m scripts.prepare_navier_stokes`"
        )
    own = path.resolve() == SNAPSHOTS.resolve()
    content = io.BytesIO(read_embedded(path)) if own else path
    try:
        stored = np.load(content, mmap_mode=None if own else "r", allow_pickle=False)
    except (ValueError, EOFError) as error:
        raise ValueError(f"{path} is not a NumPy file of numbers: {error}") from error

    if stored.ndim == 4 and stored.shape[0] > max(PINO_BATCHES) and stored.shape[1] >= 1:
        stored = np.stack([stored[batch, 0] for batch in PINO_BATCHES])
    if stored.shape != (11, 256, 256):
        raise ValueError(
            f"{path} must have shape (11, 256, 256), or (batches, times, 256, 256) with at least "
            f"{max(PINO_BATCHES) + 1} batches, got {stored.shape}"
        )
    snapshots = torch.from_numpy(np.array(stored, dtype=np.float64))
    if not bool(snapshots.isfinite().all()):
        raise ValueError(f"{path} holds values that are not finite")
    return snapshots


def advance(
    vorticity: Tensor, duration: float, reynolds: float = 500.0, forced: bool = True, courant: float = 0.7
) -> Tensor:
    r"""Integrate the vorticity of a two-dimensional flow over some time.

    .. math:: \partial_t \omega + u \cdot \nabla \omega = \tfrac{1}{Re} \nabla^2 \omega - 4 \cos(4 y)

    on :math:`[0, 2 \pi]^2`, periodic. Derivatives are taken in Fourier space and products on the grid, where
    the upper third of the wave numbers is cut, so that no product folds back (the 2/3 rule). Viscosity is
    integrated exactly by an integrating factor, the rest by Runge and Kutta's scheme of fourth order.

    References:
        | C. Canuto et al., Spectral Methods: Evolution to Complex Geometries, 2007, chapter 3
        | Z. Li et al., Physics-Informed Neural Operator, arXiv 2111.03794 (this flow and its forcing)

    Args:
        vorticity: :math:`\omega` on the grid, :math:`(N, N)`, N even; :math:`y` varies along the first axis.
        duration: Time to integrate over, at least 0; it is divided into steps of equal length.
        reynolds: :math:`Re`, above 0; ``math.inf`` switches viscosity off.
        forced: Whether the forcing :math:`-4 \cos(4 y)` acts; it needs N of at least 14.
        courant: Longest step in units of the time in which the fastest fluid, as it is at the start,
            crosses one grid spacing. The scheme is unstable above 1.35, so leave room for faster fluid.

    Returns:
        The vorticity after ``duration``, in the dtype of ``vorticity``, :math:`(N, N)`.

    Raises:
        TypeError: ``vorticity`` is not a tensor of float32 or float64.
        ValueError: An argument is out of its range, or the flow has blown up.

    Example:
        Without forcing a single wave decays, at the rate of its squared wave number.

        >>> x = 2 * math.pi * torch.arange(8, dtype=torch.float64) / 8
        >>> wave = torch.cos(x).expand(8, 8)
        >>> decayed = advance(wave, duration=1.0, reynolds=10.0, forced=False)
        >>> torch.allclose(decayed, math.exp(-1 / 10) * wave)
        True
    """
    size = _check_vorticity(vorticity)
    if not 0 <= duration < math.inf:
        raise ValueError(f"duration must be finite and at least 0, got {duration}")
    if not reynolds > 0:
        raise ValueError(f"reynolds must be above 0, got {reynolds}")
    if not 0 < courant < math.inf:
        raise ValueError(f"courant must be finite and above 0, got {courant}")
    waves = _Waves.of(vorticity)
    if forced and not bool(waves.kept[4, 0]):
        raise ValueError(f"the forcing needs a vorticity of at least 14 x 14 samples, got {size} x {size}")

    u, v = velocity(vorticity)
    # The forcing accelerates fluid at rest by 1 per unit of time: a speed of 1 keeps the first step short.
    speed = max(float((u.abs() + v.abs()).max()), 1.0)
    count = math.ceil(duration * speed / (courant * 2 * math.pi / size)) if math.isfinite(speed) else 0
    step = duration / max(count, 1)

    # Runge-Kutta on exp(k^2 t / Re) w, where viscosity is gone: every term decays over the time between
    # the moment at which it is evaluated and the end of the step (or the stage) that uses it.
    half = torch.exp(-waves.squared * (step / 2) / reynolds)
    half[0, 0] = 1
    spectrum = torch.fft.rfft2(vorticity)
    for _ in range(count):
        first = _tendency(spectrum, waves, forced)
        second = _tendency(half * (spectrum + step / 2 * first), waves, forced)
        third = _tendency(half * spectrum + step / 2 * second, waves, forced)
        fourth = _tendency(half * (half * spectrum + step * third), waves, forced)
        slope = half * (half * first + 2 * (second + third)) + fourth
        spectrum = half * half * spectrum + step / 6 * slope

    result = torch.fft.irfft2(spectrum, s=(size, size))
    if not bool(result.isfinite().all()):
        raise ValueError(f"the flow is not finite; if it was at the start, lower courant (now {courant})")
    return result


def velocity(vorticity: Tensor) -> tuple[Tensor, Tensor]:
    r"""Return the velocity of zero mean and zero divergence that has this vorticity.

    .. math:: \hat u = \frac{i k_y}{k^2} \hat\omega, \qquad \hat v = -\frac{i k_x}{k^2} \hat\omega

    Args:
        vorticity: :math:`\omega` on the grid, :math:`(N, N)`, N even; :math:`y` varies along the first axis.

    Returns:
        :math:`u` along the second axis and :math:`v` along the first, :math:`(N, N)` each.

    Raises:
        TypeError: ``vorticity`` is not a tensor of float32 or float64.
        ValueError: ``vorticity`` is not a square of even size.

    Example:
        >>> x = 2 * math.pi * torch.arange(8, dtype=torch.float64) / 8
        >>> u, v = velocity(torch.cos(x).expand(8, 8))
        >>> torch.allclose(v, torch.sin(x).expand(8, 8)), u.abs().max().item()
        (True, 0.0)
    """
    size = _check_vorticity(vorticity)
    spectra = _velocity_spectra(torch.fft.rfft2(vorticity), _Waves.of(vorticity))
    u, v = torch.fft.irfft2(torch.stack(spectra), s=(size, size))
    return u, v


def random_vorticity(size: int, seed: int, energy: float = 1.0) -> Tensor:
    r"""Draw a smooth Gaussian random field of zero mean to start a flow from.

    .. math:: \hat\omega(k) \propto e^{-k^2 / 8} \times \text{white noise}

    Args:
        size: Samples along each axis, even, at least 4.
        seed: Seed of the noise.
        energy: Kinetic energy :math:`\langle u^2 + v^2 \rangle / 2` of the flow, above 0.

    Returns:
        The vorticity, float64, :math:`(size, size)`.

    Raises:
        ValueError: ``size`` is odd or too small, or ``energy`` is not above 0.

    Example:
        >>> random_vorticity(size=8, seed=0).shape
        torch.Size([8, 8])
    """
    if size < 4 or size % 2:
        raise ValueError(f"size must be even and at least 4, got {size}")
    if not 0 < energy < math.inf:
        raise ValueError(f"energy must be finite and above 0, got {energy}")
    noise = torch.randn(size, size, generator=torch.Generator().manual_seed(seed), dtype=torch.float64)
    spectrum = torch.fft.rfft2(noise) * torch.exp(-_Waves.of(noise).squared / 8)
    spectrum[0, 0] = 0
    field = torch.fft.irfft2(spectrum, s=(size, size))
    u, v = velocity(field)
    return field * (2 * energy / (u**2 + v**2).mean()).sqrt()


def refine(vorticity: Tensor, size: int) -> Tensor:
    r"""Sample the trigonometric polynomial through a field on a finer grid.

    A flow is spun up on a coarse grid, at a fraction of the cost, and goes on on a fine one.

    Args:
        vorticity: The field, :math:`(N, N)`, N even. Its Nyquist wave, N/2, is dropped.
        size: Samples of the finer grid along each axis, even, at least N.

    Returns:
        The field on the finer grid, :math:`(size, size)`.

    Raises:
        TypeError: ``vorticity`` is not a tensor of float32 or float64.
        ValueError: ``vorticity`` is not a square of even size, or ``size`` is odd or below N.

    Example:
        >>> x = 2 * math.pi * torch.arange(16, dtype=torch.float64) / 16
        >>> fine = torch.cos(3 * x).expand(16, 16)
        >>> torch.allclose(refine(fine[::2, ::2], 16), fine)
        True
    """
    coarse = _check_vorticity(vorticity)
    if size < coarse or size % 2:
        raise ValueError(f"size must be even and at least {coarse}, got {size}")
    half = coarse // 2
    narrow = torch.fft.rfft2(vorticity, norm="forward")
    wide = narrow.new_zeros(size, size // 2 + 1)
    # Rows hold the wave numbers 0 .. half-1 first and -half+1 .. -1 last; columns hold 0 .. half-1.
    wide[:half, :half] = narrow[:half, :half]
    wide[1 - half :, :half] = narrow[1 - half :, :half]
    return torch.fft.irfft2(wide, s=(size, size), norm="forward")


@dataclass(frozen=True)
class _Waves:
    """Wave numbers of a grid: x, y for first derivatives, their square, and which the 2/3 rule keeps."""

    size: int
    x: Tensor
    y: Tensor
    squared: Tensor
    kept: Tensor

    @classmethod
    def of(cls, field: Tensor) -> "_Waves":
        """Derive them from a field, for its size, dtype and device."""
        size, kind = field.shape[-1], {"dtype": field.dtype, "device": field.device}
        y = torch.fft.fftfreq(size, 1 / size, **kind)[:, None]
        x = torch.fft.rfftfreq(size, 1 / size, **kind)[None, :]
        squared = x**2 + y**2
        # The mean has no stream function; any divisor but 0 will do, since 0 times it is 0.
        squared[0, 0] = 1
        kept = (x.abs() < size / 3) & (y.abs() < size / 3)
        # The derivative of the Nyquist wave vanishes at every sample.
        x[:, -1] = 0
        y[size // 2] = 0
        return cls(size, x, y, squared, kept)


def _velocity_spectra(spectrum: Tensor, waves: _Waves) -> tuple[Tensor, Tensor]:
    """Return the spectra of u = d(psi)/dy and v = -d(psi)/dx, with -Lap(psi) = vorticity."""
    stream = spectrum / waves.squared
    return 1j * waves.y * stream, -1j * waves.x * stream


def _tendency(spectrum: Tensor, waves: _Waves, forced: bool) -> Tensor:
    """Return the spectrum of -div(velocity * vorticity) + forcing."""
    size = waves.size
    spectrum = spectrum * waves.kept
    u, v, vorticity = torch.fft.irfft2(torch.stack((*_velocity_spectra(spectrum, waves), spectrum)), s=(size, size))
    flux_x, flux_y = torch.fft.rfft2(torch.stack((u * vorticity, v * vorticity)))
    # The velocity has no divergence, so u . grad(w) = div(u w): two transforms fewer than with grad(w).
    tendency = -1j * (waves.x * flux_x + waves.y * flux_y) * waves.kept
    if forced:
        # -4 cos(4 y) = -2 (exp(4iy) + exp(-4iy)), and an unscaled transform multiplies by size^2.
        tendency[[4, -4], 0] -= 2 * size**2
    return tendency


def _check_vorticity(vorticity: Tensor) -> int:
    """Return the size of a square real field, or refuse it."""
    if not isinstance(vorticity, Tensor) or vorticity.dtype not in (torch.float32, torch.float64):
        received = vorticity.dtype if isinstance(vorticity, Tensor) else type(vorticity).__name__
        raise TypeError(f"vorticity must be a tensor of float32 or float64, got {received}")
    size = vorticity.shape[-1] if vorticity.ndim else 0
    if vorticity.shape != (size, size) or size < 4 or size % 2:
        raise ValueError(
            f"vorticity must be a square of even size, at least 4 x 4, got shape {tuple(vorticity.shape)}"
        )
    return size
