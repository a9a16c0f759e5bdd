"""One rollout: a method applied to its own output, step by step."""

from typing import NamedTuple

import torch
from torch import Tensor

from experiments.methods import Method
from experiments.models.halo import crop

__all__ = ["CROP", "Rollout", "roll_out", "spectral_radius"]

# Pixels cut off each side for the error inside.
CROP = 8


class Rollout(NamedTuple):
    """What came of a rollout.

    The errors at the recorded steps before it blew up, one for each window: root mean squares over the window, and
    over what is left of it when 8 px are cut off. And the step at which it blew up, or None.
    """

    image: list[Tensor]
    inside: list[Tensor]
    blow_up: int | None


def roll_out(method: Method, kernel: Tensor, truth: Tensor, steps: list[int], limit: float) -> Rollout:
    """Step windows on with one method.

    Args:
        method: As in ``experiments.methods``.
        kernel: That of one step, (k, k).
        truth: The windows at step 0 and at each of ``steps``, (1 + len(steps), N, H, W).
        steps: Steps to record, growing.
        limit: A value beyond it, or not finite, ends the rollout: it has blown up.

    Returns:
        The errors, and the step at which it blew up.

    """
    fields, weight = truth[0][:, None], kernel[None, None]
    found, wanted = Rollout([], [], None), dict(zip(steps, truth[1:], strict=True))
    with torch.inference_mode():
        for step in range(1, steps[-1] + 1):
            fields = method(fields, weight)
            # False also where a value is not a number.
            if not bool(fields.abs().max() <= limit):
                return found._replace(blow_up=step)
            if step in wanted:
                squares = (fields[:, 0] - wanted[step]) ** 2
                found.image.append(squares.mean((1, 2)).sqrt())
                found.inside.append(crop(squares, CROP).mean((1, 2)).sqrt())
    return found


def spectral_radius(method: Method, kernel: Tensor, size: int) -> float:
    """Return the largest absolute eigenvalue of one step, for a method that is linear.

    Above 1 some field grows without limit, whatever its start.

    Args:
        method: A linear map of the image.
        kernel: That of one step, (k, k).
        size: Pixels along each axis of the window: its matrix is (size**2, size**2).

    Example:
        >>> from experiments.methods import METHODS
        >>> mean = torch.full((3, 3), 1 / 9, dtype=torch.float64)
        >>> round(spectral_radius(METHODS["replicate"], mean, 8), 6)
        1.0

    """
    images = torch.eye(size**2, dtype=torch.float64).view(-1, 1, size, size)
    with torch.inference_mode():
        matrix = method(images, kernel[None, None]).flatten(1)
        return torch.linalg.eigvals(matrix).abs().max().item()
