"""What makes the errors of restored patches visible: their size around each pixel, and at each pixel of a patch."""

import numpy as np
from scipy.ndimage import gaussian_filter

from experiments.data.deblurring import BlurredPatches

__all__ = ["local_error", "mean_square_by_pixel", "spread"]

# Standard deviation of the Gaussian window in which errors are averaged, in pixels, and pixels from one to the next.
WINDOW, STEP = 2.0, 2


def local_error(error: np.ndarray) -> np.ndarray:
    r"""Root mean square of an error in a Gaussian window around every second pixel.

    .. math:: \sqrt{g * e^2}

    An error changes its sign within few pixels, so that pictures of it look alike. This is its size.

    Args:
        error: two-dimensional, :math:`(H, W)`.

    Returns:
        In the error's unit, (ceil(H / 2), ceil(W / 2)).

    Example:
        >>> local_error(np.array([[3.0, -3.0, 3.0], [-3.0, 3.0, -3.0]]))
        array([[3., 3.]])
    """
    return np.sqrt(gaussian_filter(error**2, WINDOW)[::STEP, ::STEP])


def mean_square_by_pixel(pictures: np.ndarray, test: BlurredPatches, corners: np.ndarray) -> np.ndarray:
    """Mean square error at each pixel of a patch, over patches that are laid on one another.

    Args:
        pictures: restored, in the unit of the fields, (N, size, size).
        test: whose fields and normalisation count.
        corners: map, row and column of each picture, (N, 3).

    Returns:
        In the unit in which the test measures, that of the normalised patches, (size, size).
    """
    total = np.zeros(pictures.shape[1:])
    for picture, corner in zip(pictures, corners.tolist(), strict=True):
        blurred, clear = test.fields.window(*corner, test.size, test.size)
        _, scale = test.affine(blurred, clear)
        total += ((picture - clear.double().numpy()) / scale.item()) ** 2
    return total / len(pictures)


def spread(corners: np.ndarray, most: int) -> np.ndarray:
    """Choose corners evenly from a list of them, all if there are no more than ``most``.

    Example:
        >>> spread(np.arange(12).reshape(6, 2), 3).tolist()
        [[0, 1], [4, 5], [10, 11]]
    """
    return corners[np.linspace(0, len(corners) - 1, min(most, len(corners))).astype(int)]
