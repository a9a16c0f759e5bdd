r"""Filtering of images that do not fit in memory: dask arrays and xarray DataArrays, chunk by chunk.

Needs dask: ``pip install diff-conv2d[dask]``. Nothing else of this library imports this module.

Each chunk is filtered together with a halo of real samples from its neighbours. The boundary mode acts only where a
chunk lies at the edge of the image:

=============================================================  ==============================================
mode                                                           what a chunk at the edge needs
=============================================================  ==============================================
``zeros``, ``replicate``, ``reflect``, ``symmetric``,          its own samples; chunks that hold fewer than the
``extrapolate``, ``diff``, ``partial``, ``antireflect``        mode looks at are merged with their neighbours
``circular``                                                   the samples at the opposite edge
``adaptive``                                                   weights, fitted to the bands along the edges
=============================================================  ==============================================
"""

from __future__ import annotations

import sys
from collections.abc import Hashable, Sequence
from typing import Any

from diff_conv2d.arguments import is_sequence
from diff_conv2d.modes import MODES, AnyMode, boundary
from diff_conv2d.modes.base import Boundary

try:
    import dask.array as da
    import numpy as np

    from diff_conv2d.halos import filtered
except ImportError as error:
    raise ImportError("diff_conv2d.chunked needs dask and numpy: pip install diff-conv2d[dask]") from error

__all__ = ["correlate"]

_DTYPES = ("float16", "float32", "float64", "complex64", "complex128")


def correlate(
    image: Any,
    kernel: Any,
    padding_mode: AnyMode = "diff",
    degree: int | Sequence[int] | None = None,
    dims: Sequence[Hashable] | None = None,
    **options: Any,
) -> Any:
    r"""Filter an image of any size with one kernel, with a boundary mode of choice.

    .. math:: y(x) = \sum_{j} w_j \, P(x - \lfloor (k - 1) / 2 \rfloor + j), \qquad j = 0, ..., k - 1

    with P the image as `padding_mode` continues it beyond the edge. As in ``scipy.ndimage.correlate`` the kernel is
    not flipped and the output has the size of the image. It equals ``conv2d(image, kernel, padding='same')`` in
    memory up to rounding, also in where an even kernel has its middle (scipy's is one sample further on).

    Nothing is computed before the result is asked for, by any of dask's schedulers. Torch's threads multiply with
    dask's: in a process with many dask threads call ``torch.set_num_threads(1)`` first. Workers of
    ``dask.distributed`` are started with OMP_NUM_THREADS=1 by default and need nothing.

    Args:
        image: a dask array, or an xarray DataArray of one (open files with ``chunks={}``), of dtype float16, float32,
            float64 or complex, with at least as many axes as the kernel; further axes are a batch. An image held by
            numpy is filtered at once.
        kernel: array of 1, 2 or 3 axes; taken in the image's dtype.
        padding_mode: a name of the vocabulary other than 'random', 'linear_prediction', 'pole' and those that train
            weights; or one for each axis or each end, see `conv2d`, in the order of `dims`.
        degree: as in `conv2d`; a sequence has the order of `dims`.
        dims: the axes to filter, in the order of the kernel's: names for a DataArray, numbers otherwise. The last
            axes if None.
        options: further options of the mode.

    Returns:
        What `image` is, of its shape and dtype; a DataArray keeps coordinates, attributes and name, but not the
        encoding of its file. Chunks are those of the image, but for those smaller than the kernel's reach, which are
        merged.

    Raises:
        ValueError: if a value or a shape does not fit, or the mode cannot work chunk by chunk.
        TypeError: if an argument is of the wrong kind. Integer images are: they cannot hold most results.

    Example:
        >>> import dask.array as da
        >>> squares = da.arange(6.0, chunks=2) ** 2
        >>> second_derivative = correlate(squares, [1, -2, 1])
        >>> second_derivative.compute()
        array([2., 2., 2., 2., 2., 2.])
    """
    if isinstance(kernel, np.ma.MaskedArray):
        raise TypeError("kernel must not be masked: take kernel.filled(0)")
    try:
        kernel = np.asarray(kernel)
    except (ValueError, RuntimeError) as error:
        # A tensor that requires a gradient is no array.
        raise ValueError(f"kernel must be an array, with rows of one length; got {kernel!r}") from error
    if kernel.ndim not in (1, 2, 3) or 0 in kernel.shape:
        raise ValueError(f"kernel must have 1, 2 or 3 axes with at least one sample each, got shape {kernel.shape}")
    xarray = sys.modules.get("xarray")
    if xarray is not None and isinstance(image, xarray.DataArray):
        numbers = None if dims is None else [_number(image.dims, name) for name in _sequence(dims)]
        result = image.copy(data=correlate(image.data, kernel, padding_mode, degree, numbers, **options))
        # It may ask for scaled integers, as the image's file has them; it is not that of the result.
        result.encoding = {}
        return result
    if type(image) in (np.ndarray, np.memmap):
        whole = da.from_array(image, chunks=-1, name=False)
        return correlate(whole, kernel, padding_mode, degree, dims, **options).compute(scheduler="synchronous")
    dtype = _checked_dtype(image, kernel)
    with np.errstate(over="ignore"):
        weights = kernel.astype(dtype)
    if np.isfinite(kernel).all() and not np.isfinite(weights).all():
        raise ValueError(f"kernel must hold numbers that {dtype} can, the dtype of image; got {kernel!r}")
    mode = _checked_mode(padding_mode, degree, options, dtype)
    axes = _checked_axes(image, kernel.ndim, dims)
    last = tuple(range(image.ndim - kernel.ndim, image.ndim))
    result = filtered(da.moveaxis(image, axes, last), weights, mode)
    return da.moveaxis(result, last, axes)


def _sequence(dims: Any) -> list[Any]:
    if not is_sequence(dims):
        raise TypeError(f"dims must be a sequence, one entry for each axis of the kernel, got {dims!r}")
    return list(dims)


def _number(names: tuple[Hashable, ...], name: Hashable) -> int:
    if name not in names:
        raise ValueError(f"dims must be among the image's {', '.join(map(repr, names))}; got {name!r}")
    return names.index(name)


def _checked_dtype(image: Any, kernel: Any) -> Any:
    """The dtype of the image, in the byte order of this machine, if torch can compute with it."""
    if not isinstance(image, da.Array) or type(image._meta) is not np.ndarray:
        blocks = f" of {type(image._meta).__name__}" if isinstance(image, da.Array) else ""
        raise TypeError(
            "image must be a dask array of numpy blocks, an xarray DataArray or a numpy array, got "
            f"{type(image).__name__}{blocks}; tensors go to diff_conv2d.conv{kernel.ndim}d"
        )
    if image.dtype.name not in _DTYPES:
        raise TypeError(
            f"image must be of dtype {', '.join(_DTYPES)}; got {image.dtype}: take image.astype('float32') first"
        )
    if kernel.dtype.kind not in "biuf" + image.dtype.kind:
        raise TypeError(f"kernel must hold numbers of the image's kind, {image.dtype}; got {kernel.dtype}")
    return image.dtype.newbyteorder("=")


def _checked_mode(
    padding_mode: AnyMode, degree: int | Sequence[int] | None, options: dict[str, Any], dtype: Any
) -> Boundary:
    """The mode of this name, if it can work chunk by chunk."""
    mode = boundary(padding_mode, degree=degree, **options)
    if mode.why_not_chunked:
        others = ", ".join(name for name, other in MODES.items() if not other.why_not_chunked)
        raise ValueError(
            f"padding_mode={padding_mode!r} does not work chunk by chunk: it {mode.why_not_chunked}; "
            f"those that do are {others}"
        )
    mode.check_chunked(is_complex=dtype.kind == "c")
    return mode


def _checked_axes(image: Any, count: int, dims: Sequence[Any] | None) -> list[int]:
    """The axes to filter, counted from the first."""
    if image.ndim < count:
        raise ValueError(f"kernel has {count} axes, more than the {image.ndim} of image")
    axes = list(range(-count, 0)) if dims is None else _sequence(dims)
    # type, not isinstance: True is an integer to Python, and no number of an axis.
    if not all(type(axis) is int and -image.ndim <= axis < image.ndim for axis in axes):
        raise ValueError(f"dims must be numbers of the image's {image.ndim} axes, got {dims!r}")
    axes = [axis % image.ndim for axis in axes]
    if len(axes) != count or len(set(axes)) != count:
        raise ValueError(f"dims must name {count} different axes, one for each of the kernel's, got {dims!r}")
    if any(np.isnan(image.shape)):
        raise ValueError("image must have chunks of known sizes: call image.compute_chunk_sizes() first")
    if any(image.shape[axis] < 1 for axis in axes):
        raise ValueError(f"image must have at least one sample along every filtered axis, got shape {image.shape}")
    return axes
