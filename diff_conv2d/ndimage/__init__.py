"""scipy.ndimage's linear filters, with any boundary mode and for arrays of all kinds.

The names, arguments, defaults and results are those of scipy.ndimage, so that ``from scipy import ndimage`` may
become ``from diff_conv2d import ndimage``:

    >>> import numpy as np
    >>> from diff_conv2d import ndimage
    >>> terrain = np.add.outer(np.arange(5.0), np.arange(6.0))
    >>> smooth = ndimage.gaussian_filter(terrain, 2)                             # as scipy
    >>> smooth = ndimage.gaussian_filter(terrain, 2, mode="adaptive")            # extended by its own predictors
    >>> smooth = ndimage.gaussian_filter(terrain, 2, mode=("wrap", ("zeros", "diff")))        # by axis, by side

Modes. scipy's words mean what they mean there, also 'reflect' (our `symmetric`) and 'constant' (with `cval`). All
other words are this library's, see `diff_conv2d.modes`, with options in a mapping, ``{"mode": "diff", "degree": 1}``;
in a mapping 'reflect' is ours: ``{"mode": "reflect"}``. What `diff_conv2d.fit` returns is a mode, too. The modes that
keep weights in a layer or need kernels of their own are none. Filters of several steps are extended at each: fitted
modes are fitted to what that step filters.

Arrays. numpy arrays and what becomes one; tensors, which are filtered on their device, with gradients; dask arrays,
chunk by chunk; DataArrays of numpy or dask, whose axes may be given by name, and which keep coordinates, attributes
and name. The result is of the same kind.

Numbers. float32 (and 16-bit floating point, which scipy does not take) is computed in float32, to some 1e-6 of the
largest term; float64 and complex128 in float64. Integers are those of scipy: sums as in float64 and in scipy's order,
truncated, and wrapped around.

Source: the conventions of scipy.ndimage 1.17; its own tests of these functions are run on them.
"""

from diff_conv2d.ndimage.correlations import convolve, convolve1d, correlate, correlate1d
from diff_conv2d.ndimage.derivatives import generic_gradient_magnitude, generic_laplace, laplace, prewitt, sobel
from diff_conv2d.ndimage.gaussian import (
    gaussian_filter,
    gaussian_filter1d,
    gaussian_gradient_magnitude,
    gaussian_laplace,
)
from diff_conv2d.ndimage.uniform import uniform_filter, uniform_filter1d

__all__ = [
    "convolve",
    "convolve1d",
    "correlate",
    "correlate1d",
    "gaussian_filter",
    "gaussian_filter1d",
    "gaussian_gradient_magnitude",
    "gaussian_laplace",
    "generic_gradient_magnitude",
    "generic_laplace",
    "laplace",
    "prewitt",
    "sobel",
    "uniform_filter",
    "uniform_filter1d",
]
