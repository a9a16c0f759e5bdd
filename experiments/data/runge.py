"""A smooth field that no polynomial, exponential or wave extends exactly, with its derivatives."""

from torch import Tensor

__all__ = ["runge"]

# The middle lies off the domain's, so that the four edges differ.
STEEPNESS, CENTRE = 4.0, (0.3, 0.4)


def runge(h: Tensor, w: Tensor) -> dict[str, Tensor]:
    r"""Evaluate Runge's function in two dimensions, and its derivatives.

    .. math:: f = \frac{1}{1 + a r^2}, \quad \partial f = -2 a f^2 (u + v), \quad
              \Delta f = 8 a^2 r^2 f^3 - 4 a f^2, \quad r^2 = u^2 + v^2

    with u and v the distances from (0.3, 0.4) along the axes, and a = 4.

    References:
        | C. Runge, Zeitschrift für Mathematik und Physik 46 (1901), 224-243

    Args:
        h: Coordinates along the first axis, :math:`(H,)`.
        w: Coordinates along the second axis, :math:`(W,)`.

    Returns:
        ``smoothing``, the field itself; ``gradient``, the sum of both first derivatives; ``laplacian``;
        each :math:`(H, W)`.

    Example:
        >>> runge(torch.tensor([0.3]), torch.tensor([0.9]))["smoothing"]
        tensor([[0.5000]])

    """
    u, v = (h - CENTRE[0])[:, None], (w - CENTRE[1])[None]
    square = u**2 + v**2
    field = 1 / (1 + STEEPNESS * square)
    return {
        "smoothing": field,
        "gradient": -2 * STEEPNESS * field**2 * (u + v),
        "laplacian": 8 * STEEPNESS**2 * square * field**3 - 4 * STEEPNESS * field**2,
    }
