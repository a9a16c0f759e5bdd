"""How good predicted frames are: errors by distance to the edge, stable time, spectra of lines along the edge."""

import torch
from torch import Tensor

from experiments.metrics.regions import FRAME, REGIONS, atoms, sum_by_atom

__all__ = ["MEASURED", "bounded_time", "held", "line_spectrum", "region_errors", "relative_errors", "stable_time"]

# Regions of a window whose errors are told.
MEASURED = ("whole", "frame", "interior", *(f"shell_{shell}" for shell in range(FRAME)))


def region_errors(predicted: Tensor, truth: Tensor) -> dict[str, Tensor]:
    """Mean squared error of each window, frame and region of `MEASURED`, those that have pixels.

    Args:
        predicted: frames, (N, T, H, W).
        truth: of the same shape.

    Returns:
        For each region float64, (N, T).

    Example:
        >>> errors = region_errors(torch.ones(1, 2, 20, 20), torch.zeros(1, 2, 20, 20))
        >>> errors["frame"].tolist()
        [[1.0, 1.0]]
    """
    index = atoms(*truth.shape[-2:], device=truth.device)
    sums = sum_by_atom((predicted - truth).square(), index)
    counts = sum_by_atom(torch.ones_like(truth[0, 0]), index)
    found = {}
    for region in MEASURED:
        members = list(REGIONS[region])
        if counts[members].sum() > 0:
            found[region] = sums[..., members].sum(-1) / counts[members].sum()
    return found


def relative_errors(predicted: Tensor, truth: Tensor) -> Tensor:
    r"""The norm of each frame's error over that of its truth.

    .. math:: \|\hat u_t - u_t\|_2 / \|u_t\|_2

    Args:
        predicted: frames, (N, T, H, W).
        truth: of the same shape.

    Returns:
        float64, (N, T).
    """
    norms = [frames.double().square().sum((-2, -1)).sqrt() for frames in (predicted - truth, truth)]
    return norms[0] / norms[1]


def stable_time(errors: Tensor, threshold: float) -> Tensor:
    """How many steps pass before an error first exceeds a threshold, or is no number; all of them if none does.

    Args:
        errors: of each rollout and step, (N, T).
        threshold: the largest error that counts as stable.

    Returns:
        int64, (N,), from 0 to T.

    Example:
        >>> stable_time(torch.tensor([[0.1, 0.4, 0.2], [0.1, 0.2, 0.3]]), 0.3)
        tensor([1, 3])
    """
    # False also where an error is not a number.
    return (errors <= threshold).long().cumprod(-1).sum(-1)


def bounded_time(frames: Tensor, limit: float) -> Tensor:
    """How many steps pass before a value first exceeds a limit, or is no number; all of them if none does.

    Args:
        frames: of each rollout, (N, T, H, W).
        limit: the largest absolute value that counts as bounded.

    Returns:
        int64, (N,), from 0 to T.
    """
    return stable_time(frames.abs().amax((-2, -1)), limit)


def held(frames: Tensor, limit: float) -> Tensor:
    """Frames whose values are held at a limit, so that rollouts that have blown up have errors that can be averaged.

    Args:
        frames: of any shape.
        limit: the largest absolute value that is left; what is no number becomes this.

    Example:
        >>> held(torch.tensor([1.0, -30.0, float("nan")]), 20.0)
        tensor([  1., -20.,  20.])
    """
    return frames.nan_to_num(nan=limit).clamp(-limit, limit)


def line_spectrum(frames: Tensor, distance: int) -> Tensor:
    r"""Power spectrum of the lines that run parallel to an edge at a distance, over all four sides and windows.

    .. math:: P_k = \Big\langle \Big| \sum_{x=0}^{n-1} h_x u_x e^{-2 \pi i k x / n} \Big|^2 \Big\rangle,
              \qquad h_x = \sin^2(\pi x / n),

    with Hann's window h, as a line is not periodic. For a vorticity it is a spectrum of enstrophy.

    Args:
        frames: (N, T, n, n).
        distance: pixels between the line and its edge, below n / 2.

    Returns:
        For each frame the power at the wave numbers 1 to n / 2, in waves per line, float64, (T, n // 2).

    Raises:
        ValueError: the windows are no squares, or have no line at that distance.

    Example:
        >>> wave = torch.cos(2 * torch.pi * 4 * torch.arange(16) / 16)
        >>> line_spectrum(wave.expand(1, 1, 16, 16), 0)[0].argmax().item() + 1
        4
    """
    size = frames.shape[-1]
    if frames.shape[-2] != size or not 0 <= distance < size / 2:
        raise ValueError(
            f"distance must be from 0 to below half the size of square windows, got {distance} for "
            f"{frames.shape[-2]} x {size}"
        )
    places = [distance, size - 1 - distance]
    lines = torch.cat([frames[..., places, :], frames[..., places].transpose(-1, -2)], -2).double()
    taper = torch.hann_window(size, dtype=torch.float64, device=frames.device)
    return torch.fft.rfft(lines * taper).abs().square().mean((0, 2))[:, 1:]
