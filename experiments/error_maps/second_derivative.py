"""A second derivative of a noisy picture, by the separable filters of Farid and Simoncelli."""

import numpy as np
from scipy.ndimage import correlate1d

__all__ = ["RADIUS", "second_derivative"]

SMOOTH = np.array([0.030320, 0.249724, 0.439911, 0.249724, 0.030320])
SECOND = np.array([0.232905, 0.002668, -0.471147, 0.002668, 0.232905])
# Pixels that the filter looks to each side.
RADIUS = 2


def second_derivative(picture: np.ndarray) -> np.ndarray:
    r"""Filter a picture by the sum of the second derivatives along both axes, where the filter fits in.

    .. math:: (d_2 \otimes p + p \otimes d_2) * u

    with a pair of 5 taps, the smoothing :math:`p` and the derivative :math:`d_2`, which are matched to each other so
    that the answer hardly depends on the direction of what is in the picture.

    References:
        | H. Farid and E. P. Simoncelli, Differentiation of Discrete Multidimensional Signals, IEEE Transactions on
        | Image Processing 13(4), 2004

    Args:
        picture: At least 5 pixels along each axis, :math:`(H, W)`.

    Returns:
        :math:`(H - 4, W - 4)`, in the picture's unit per squared pixel.

    Raises:
        ValueError: The picture is smaller than the filter.

    Example:
        >>> ramp = np.add.outer(np.arange(6.0), 2 * np.arange(7.0))
        >>> second_derivative(ramp).shape, bool(np.abs(second_derivative(ramp)).max() < 1e-4)
        ((2, 3), True)
    """
    if picture.ndim != 2 or min(picture.shape) < 2 * RADIUS + 1:
        raise ValueError(f"picture must be two-dimensional, 5 pixels or more along each axis; got {picture.shape}")
    smooth_rows, smooth_columns = (correlate1d(picture, SMOOTH, axis=axis) for axis in (0, 1))
    filtered = correlate1d(smooth_columns, SECOND, axis=0) + correlate1d(smooth_rows, SECOND, axis=1)
    return filtered[RADIUS:-RADIUS, RADIUS:-RADIUS]
