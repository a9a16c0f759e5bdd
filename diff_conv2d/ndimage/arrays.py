"""Arrays of all kinds, in and out: numpy, torch, dask, xarray; and the output that scipy's rules ask for."""

from __future__ import annotations

import functools
import operator
import sys
import warnings
from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING, Any

import torch
from torch import Tensor

from diff_conv2d.ndimage.correlation import Step, cast, correlated
from diff_conv2d.ndimage.errors import FilterError
from diff_conv2d.ndimage.scipy_modes import entries_per_axis
from diff_conv2d.ndimage.targets import is_written, writable

if TYPE_CHECKING:
    from diff_conv2d.ndimage.outside import Edges

try:
    import numpy as np
except ImportError as error:
    raise ImportError("diff_conv2d.ndimage needs numpy: pip install numpy") from error

__all__ = ["as_array", "edges_of", "filtered", "sum_over_axes"]

_NAMES = ["bool", *(f"{sign}int{bits}" for sign in ("", "u") for bits in (8, 16, 32, 64))]
_NAMES += ["float16", "float32", "float64", "complex64", "complex128"]
#: Dtypes of numpy, and torch's of the same.
_TORCH: dict[Any, torch.dtype] = {np.dtype(name): getattr(torch, name) for name in _NAMES}

#: Integers for which sums may wrap around at the end instead of at each step.
_WRAPPING = {torch.uint8, torch.int8, torch.int16, torch.uint16}


def as_array(input: Any) -> Any:
    """Return a tensor, a dask array or a DataArray as it is, and anything else as a numpy array.

    Raises:
        TypeError: it is a masked array, whose mask a filter would not see.
        FilterError: torch has no such numbers.
    """
    if isinstance(input, np.ma.MaskedArray):
        raise TypeError("input must not be masked: a filter does not see the mask; take input.filled(value)")
    if isinstance(input, Tensor) or is_dask(input) or is_xarray(input):
        return input
    array = np.asarray(input)
    _of_numpy(array.dtype)
    return array


def is_dask(array: Any) -> bool:
    """Whether it is a dask array; dask is not imported for the question."""
    return "dask.array" in sys.modules and isinstance(array, sys.modules["dask.array"].Array)


def is_xarray(array: Any) -> bool:
    """Whether it is a DataArray; xarray is not imported for the question."""
    return "xarray" in sys.modules and isinstance(array, sys.modules["xarray"].DataArray)


def filtered(
    input: Any, steps: Sequence[Step], output: Any, product: Step | None = None, edges: Edges | None = None
) -> Any:
    """Return the result of steps, one after the other, each rounded to the dtype of the output as scipy does.

    Args:
        input: what `as_array` returns.
        steps: see `Step`; none copies the input.
        output: None, a dtype, or an array of the input's kind to write to.
        product: one step that is as good as all of them, if its weights are integers and nothing is rounded between.
        edges: what else is outside.
    """
    if is_xarray(input):
        if is_xarray(output) and output.dims != input.dims:
            raise FilterError(f"output must have the axes of input, {input.dims}, got {output.dims}")
        into = output.data if is_xarray(output) else output
        axes = {axis for step in steps for axis in step.images}
        result = input.copy(data=filtered(input.data, steps, into, product, edges_of(input, edges, sorted(axes))))
        # It may ask for scaled integers, as the image's file has them; it is not that of the result.
        result.encoding = {}
        return output if is_xarray(output) else result
    _check_output(output, input)
    if edges:
        # Few calls have one.
        from diff_conv2d.ndimage.outside import filtered_inside

        return filtered_inside(
            input, steps, output, edges, lambda values, into: filtered(values, steps, into, product)
        )
    is_complex = any(step.is_complex for step in steps)
    if is_dask(input):
        from diff_conv2d.ndimage.chunks import filtered_by_chunks

        dtype = _output_dtype(output, _of_numpy(input.dtype), is_complex)
        return filtered_by_chunks(input, _fewest(steps, product, _of_numpy(input.dtype), dtype), dtype)
    if isinstance(input, Tensor):
        return _filtered_tensor(input, steps, output, is_complex, product)
    dtype = _output_dtype(output, _of_numpy(input.dtype), is_complex)
    steps = _fewest(steps, product, _of_numpy(input.dtype), dtype)
    tensor = _shared(input)
    target = writable(output, tensor, steps, dtype)
    # numpy asks for large pages, which are new to a process in a fraction of the time.
    result = _in_sequence(
        tensor, steps, dtype, target, lambda: torch.from_numpy(np.empty(input.shape, _numpy_of(dtype)))
    )
    if not isinstance(output, np.ndarray):
        array: Any = result.contiguous().numpy()
        return array
    if not is_written(result, target):
        output[...] = result.numpy()
    return output


def edges_of(array: Any, edges: Edges | None, axes: Sequence[int]) -> Edges | None:
    """Return edges with the mask of a DataArray in the order of the array's axes.

    Raises:
        FilterError: the mask has other axes than the array, or than those that are filtered, or other coordinates.
    """
    mask: Any = None if edges is None else edges.get("mask")
    if edges is None or not is_xarray(mask):
        return edges
    names = [array.dims[axis] for axis in sorted(axes)]
    if set(mask.dims) not in (set(array.dims), set(names)):
        raise FilterError(
            f"mask must have the axes of input, {array.dims}, or the filtered ones, {names}; got {mask.dims}"
        )
    for name in mask.dims:
        if name in mask.coords and name in array.coords and not mask.coords[name].equals(array.coords[name]):
            raise FilterError(f"mask must have the coordinates of input along {name!r}: align or sort it first")
    result = edges.copy()
    result["mask"] = mask.transpose(*(name for name in array.dims if name in mask.dims)).data
    return result


def sum_over_axes(
    input: Any,
    output: Any,
    axes: Sequence[int],
    mode: Any,
    derivative: Callable[[int, Any, Any], Any],
    magnitude: bool,
) -> Any:
    """Return a sum of derivatives along axes, or the root of the sum of their squares.

    Args:
        input: what `as_array` returns.
        output: None, a dtype, or an array of the input's kind to write to.
        axes: their numbers; none copies the input.
        mode: what lies outside, see `entries_per_axis`.
        derivative: called with an axis, its mode and an array to write to, or a dtype; returns its result.
        magnitude: whether it is the root of the sum of squares.
    """
    entries = entries_per_axis(mode, len(axes))
    if not axes:
        return filtered(input, [], output)
    derivatives = [functools.partial(derivative, axis, entry) for axis, entry in zip(axes, entries, strict=True)]
    if not is_xarray(input):
        _check_output(output, input)
    into, dtype = _output_like(input, output)
    if isinstance(into, np.ndarray):
        # scipy's way: the first derivative is written to the output, whatever is returned.
        derivatives[0](into)
        total = np.multiply(into, into, out=into) if magnitude else into
        for derivative in derivatives[1:]:
            part = derivative(dtype)
            total += part * part if magnitude else part
        return np.sqrt(total, out=total, casting="unsafe") if magnitude else total
    parts = [derivative(dtype) for derivative in derivatives]
    total = functools.reduce(operator.add, [part * part if magnitude else part for part in parts])
    return _finished(input, total, into, dtype, root=magnitude)


def _output_like(input: Any, output: Any) -> tuple[Any, Any]:
    """Return an array to write to, and the dtype of the output; no array where each result is an array of its own."""
    if isinstance(input, np.ndarray):
        dtype = _numpy_of(_output_dtype(output, _of_numpy(input.dtype), False))
        if not isinstance(output, np.ndarray):
            return np.empty(input.shape, dtype), dtype
        return output, dtype
    if isinstance(input, Tensor):
        return output if isinstance(output, Tensor) else None, _output_dtype(output, input.dtype, False)
    dtype = _output_dtype(output, _of_numpy(input.dtype), False)
    return output if is_xarray(output) else None, _numpy_of(dtype)


def _finished(input: Any, total: Any, into: Any, dtype: Any, root: bool) -> Any:
    """Return a sum of results, or its root, as what the input is; written to the output if there is one."""
    if isinstance(input, Tensor):
        total = cast(total.sqrt() if root else total, dtype)
        return total if into is None else into.copy_(total)
    values = total.data if is_xarray(total) else total
    values = (np.sqrt(values) if root else values).astype(dtype)
    if not is_xarray(input):
        return values
    if into is None:
        into = input.copy(data=values)
        into.encoding = {}
    else:
        into.data[...] = values
    return into


def _filtered_tensor(
    input: Tensor, steps: Sequence[Step], output: Any, is_complex: bool, product: Step | None
) -> Tensor:
    dtype = _output_dtype(output, input.dtype, is_complex)
    steps = _fewest(steps, product, input.dtype, dtype)
    target = writable(output, input, steps, dtype)
    result = _in_sequence(
        input, steps, dtype, target, lambda: torch.empty(input.shape, dtype=dtype, device=input.device)
    )
    if not isinstance(output, Tensor):
        return result.contiguous()
    return output if is_written(result, target) else output.copy_(result)


def _fewest(steps: Sequence[Step], product: Step | None, input: torch.dtype, output: torch.dtype) -> Sequence[Step]:
    """Return one step for all, if the dtypes allow it: integers of few bits only wrap around."""
    exact = output.is_floating_point or output.is_complex or {input, output} <= _WRAPPING
    return steps if product is None or not exact else [product]


def _in_sequence(
    tensor: Tensor, steps: Sequence[Step], dtype: torch.dtype, target: Tensor | None, new: Callable[[], Tensor]
) -> Tensor:
    """Return the result of steps, in a new tensor or in the target."""
    if not steps:
        return cast(tensor, dtype).clone()
    if dtype is torch.bool:
        # scipy's booleans between the steps are bytes, which it counts as they are.
        return _in_sequence(tensor, steps, torch.uint8, None, lambda: new().view(torch.uint8)).bool()
    into = new() if target is None else target
    for step in steps:
        tensor = correlated(tensor, step, dtype, into)
    return tensor


def _shared(array: Any) -> Tensor:
    """Return a numpy array as a tensor, in the same memory where torch can share it."""
    native = array.astype(array.dtype.newbyteorder("="), copy=False)
    odd = any(stride < 0 or stride % native.itemsize for stride in native.strides)
    return torch.from_numpy(native.copy() if odd or not native.flags.writeable else native)


def _of_numpy(dtype: Any) -> torch.dtype:
    """Return torch's dtype of the same numbers as numpy's."""
    try:
        return _TORCH[dtype.newbyteorder("=")]
    except KeyError:
        raise FilterError(
            f"array type {dtype} not supported: it must be bool, integers, or floating point or complex numbers of "
            "at most 64 bits"
        ) from None


def _numpy_of(dtype: torch.dtype) -> Any:
    return next(ours for ours, other in _TORCH.items() if other is dtype)


def _output_dtype(output: Any, input: torch.dtype, is_complex: bool) -> torch.dtype:
    """Return the dtype of the output, as scipy's rules have it."""
    is_complex = is_complex or input.is_complex
    if output is None:
        return torch.promote_types(input, torch.complex64) if is_complex else input
    if isinstance(output, torch.dtype):
        dtype = output
    elif isinstance(output, (type, str, np.dtype)):
        try:
            dtype = _of_numpy(np.dtype(output))
        except TypeError as error:
            raise TypeError(f"output must be a dtype or an array, got {output!r}: {error}") from error
    else:
        array = output if isinstance(output, Tensor) else np.asarray(output)
        dtype = array.dtype if isinstance(array, Tensor) else _of_numpy(array.dtype)
    if not is_complex or dtype.is_complex:
        return dtype
    if isinstance(output, (type, np.dtype, torch.dtype)):
        warnings.warn("promoting specified output dtype to complex", stacklevel=5)
        return torch.promote_types(dtype, torch.complex64)
    raise FilterError(f"output must have complex dtype, as the result is complex; got {dtype}")


def _is_dtype(output: Any) -> bool:
    return output is None or isinstance(output, (type, str, np.dtype, torch.dtype))


def _check_output(output: Any, input: Any) -> None:
    """Reject an array to write to that is of another kind or shape than the input."""
    if _is_dtype(output):
        return
    if is_dask(input):
        raise TypeError(f"output must be a dtype where input is a dask array, got {type(output).__name__}")
    kind = Tensor if isinstance(input, Tensor) else np.ndarray
    if not isinstance(output, kind):
        raise TypeError(
            f"output must be a dtype, or of the kind of input, {kind.__name__}; got {type(output).__name__}"
        )
    if tuple(output.shape) != tuple(input.shape):
        raise FilterError(
            f"output shape not correct: it must be that of input, {tuple(input.shape)}, got {tuple(output.shape)}"
        )
