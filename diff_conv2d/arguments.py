"""The arguments of a convolution, parsed and checked in one place, so that the arithmetic need not check them.

Every rejection is a ValueError or a TypeError that names the argument, what was received and what is allowed.
"""

from __future__ import annotations

from collections.abc import Sequence
from functools import lru_cache
from numbers import Integral
from typing import Any, TypeGuard, get_args

import torch
from torch import Tensor

from diff_conv2d.geometry import Algorithm, Geometry
from diff_conv2d.tracing import is_autocast, remembered

__all__ = [
    "check_algorithm",
    "check_dtype",
    "check_edge_kernels",
    "check_tensor",
    "check_tensors",
    "is_sequence",
    "padding_of_widths",
    "per_axis",
    "widths_of_padding",
]

# What autocast casts.
_CAST = {torch.float16, torch.bfloat16, torch.float32}
_DTYPES = _CAST | {torch.float64, torch.complex32, torch.complex64, torch.complex128, torch.bool, torch.uint8}
_DTYPES |= {torch.int8, torch.int16, torch.int32, torch.int64}

# Sizes are numbers of samples; torch counts them with 64 bits, and multiplies them with each other.
_MOST = 2**31 - 1


def check_algorithm(value: Algorithm) -> None:
    """Reject what is no algorithm."""
    if not isinstance(value, str) or value not in get_args(Algorithm):
        raise ValueError(f"algorithm must be 'auto', 'direct', 'fast', 'memory' or 'fused', got {value!r}")


def is_sequence(value: object) -> TypeGuard[Sequence[Any]]:
    """Whether it is a sequence of values. A text is none; the bytes of one are integers, but never meant as sizes."""
    return isinstance(value, Sequence) and not isinstance(value, (str, bytes, bytearray, memoryview))


def _plain(value: Any) -> Any:
    """An integer of another library, such as numpy's, as Python's own; anything else as it is."""
    if isinstance(value, (int, torch.SymInt, Sequence)) or not isinstance(value, Integral):
        return value
    return int(value)


def per_axis(name: str, value: int | Sequence[int], axes: int, minimum: int) -> tuple[int, ...]:
    """One integer for each axis from an integer or a sequence of them.

    Example:
        >>> per_axis("stride", 2, 3, minimum=1)
        (2, 2, 2)
        >>> per_axis("stride", (1, 0), 2, minimum=1)
        Traceback (most recent call last):
        ...
        ValueError: stride must be at least 1 along every axis, got (1, 0)
    """
    value = _plain(value)
    # bool is an int to Python, but never meant as a size.
    if isinstance(value, (int, torch.SymInt)) and not isinstance(value, bool):
        values: tuple[int, ...] = (value,) * axes
    elif is_sequence(value):
        # torch accepts a sequence of one for every axis, and so do we.
        values = tuple(map(_plain, value)) * (axes if len(value) == 1 else 1)
    else:
        raise TypeError(f"{name} must be an integer or a sequence of {axes}, got {value!r}")
    if not all(isinstance(v, (int, torch.SymInt)) and not isinstance(v, bool) for v in values):
        raise TypeError(f"{name} must hold integers, got {value!r}")
    if len(values) != axes:
        raise ValueError(f"{name} must have one value or {axes}, one for each axis, got {value!r}")
    if any(v < minimum for v in values):
        raise ValueError(f"{name} must be at least {minimum} along every axis, got {value!r}")
    if any(isinstance(v, int) and v > _MOST for v in values):
        raise ValueError(f"{name} must be at most {_MOST} along every axis, got {value!r}")
    return values


def padding_of_widths(before: tuple[int, ...], after: tuple[int, ...]) -> tuple[int, ...]:
    """Return what `widths_of_padding` takes: one integer for each axis, or two where its ends differ.

    Example:
        >>> padding_of_widths((1, 1), (1, 1)), padding_of_widths((3, 1), (4, 2))
        ((1, 1), (1, 2, 3, 4))
    """
    if before == after:
        return before
    return tuple(width for ends in zip(reversed(before), reversed(after), strict=True) for width in ends)


def widths_of_padding(
    padding: int | Sequence[int] | str,
    kernel: tuple[int, ...],
    stride: tuple[int, ...],
    dilation: tuple[int, ...],
) -> tuple[tuple[int, ...], tuple[int, ...]]:
    """Samples to add before and after each axis.

    'same' adds ``dilation * (kernel - 1)`` in all; where that is odd the extra sample comes after, as in torch. Two
    integers for each axis are those of its two ends, counted from the last axis as in `torch.nn.functional.pad`.

    Example:
        >>> widths_of_padding("same", (3, 4), (1, 1), (1, 1))
        ((1, 1), (1, 2))
        >>> widths_of_padding((1, 2, 3, 4), (3, 3), (1, 1), (1, 1))  # left, right, top, bottom
        ((3, 1), (4, 2))
    """
    if isinstance(padding, str):
        if padding == "valid":
            return (0,) * len(kernel), (0,) * len(kernel)
        if padding != "same":
            raise ValueError(f"padding must be 'same', 'valid', an integer or a sequence, got {padding!r}")
        if any(s != 1 for s in stride):
            raise ValueError(f"padding='same' is not defined for strided convolutions, got stride {stride}")
        totals = [d * (k - 1) for d, k in zip(dilation, kernel, strict=True)]
        return tuple(t // 2 for t in totals), tuple(t - t // 2 for t in totals)
    if is_sequence(padding) and len(padding) == 2 * len(kernel):
        every = per_axis("padding", padding, len(padding), minimum=0)
        return every[-2::-2], every[-1::-2]
    widths = per_axis("padding", padding, len(kernel), minimum=0)
    return widths, widths


def check_tensor(name: str, value: object) -> None:
    """Reject what is no tensor."""
    if not isinstance(value, Tensor):
        raise TypeError(f"{name} must be a tensor, got {type(value).__name__}")


def _of_dtypes(**tensors: Tensor | None) -> str:
    return ", ".join(f"{name} is {t.dtype}" for name, t in tensors.items() if t is not None)


def _reject_dimensions(axes: int, shape: Sequence[int], kernels: Sequence[int]) -> None:
    """Say which of the two has a wrong number of dimensions."""
    space = ("length", "height and width", "depth, height and width")[axes - 1]
    if len(kernels) != axes + 2:
        raise ValueError(
            f"weight must have {axes + 2} dimensions (out channels, in channels / groups, kernel {space}), "
            f"got shape {tuple(kernels)}"
        )
    raise ValueError(
        f"input must have {axes + 2} dimensions (batch, channels, {space}), or {axes + 1} without the batch, "
        f"got shape {tuple(shape)}"
    )


def check_tensors(
    axes: int,
    input: Tensor,
    weight: Tensor,
    bias: Tensor | None,
    groups: int,
    geometry: Geometry | None = None,
) -> None:
    """Reject an image, a kernel and a bias that do not belong together, or an image too small for a geometry.

    Raises:
        TypeError: if one of them is no tensor, their dtypes differ (outside autocast), or torch has no convolution
            of such integers.
        ValueError: if a shape does not fit.
    """
    check_tensor("input", input)
    check_tensor("weight", weight)
    if bias is not None:
        check_tensor("bias", bias)
    # Checked before the cache, for which True and 1.0 equal 1.
    if not isinstance(groups, int) or isinstance(groups, bool):
        raise TypeError(f"groups must be an integer, got {groups!r}")
    check = remembered(_check_shapes, input)
    check(axes, input.shape, weight.shape, None if bias is None else bias.shape, groups, geometry)
    dtype = weight.dtype
    same = input.dtype == dtype and (bias is None or bias.dtype == dtype)
    if not same and not (is_autocast(input) and _are_cast(input, weight, bias)):
        raise TypeError(
            "input, weight and bias must have one dtype, got: " + _of_dtypes(input=input, weight=weight, bias=bias)
        )
    if not (dtype.is_floating_point or dtype.is_complex):
        _check_integers(input.dtype, geometry)


def _are_cast(*tensors: Tensor | None) -> bool:
    """Whether autocast gives all tensors one dtype: it casts single and half precision, and no other."""
    return all(tensor is None or tensor.dtype in _CAST for tensor in tensors)


def check_dtype(input: Tensor) -> None:
    """Reject an image of a dtype that torch can store, but hardly compute with."""
    if input.dtype not in _DTYPES:
        raise TypeError(
            f"input must be of floating point of 16 to 64 bits, complex, of signed integers, uint8 or bool, got "
            f"{input.dtype}; take input.float()"
        )


def _check_integers(dtype: torch.dtype, geometry: Geometry | None) -> None:
    """Reject integers of which torch has no such convolution (torch 2.14, CPU)."""
    if dtype == torch.bool:
        raise TypeError("input must hold numbers, got torch.bool; take input.float()")
    if geometry is not None and max(geometry.dilation) > 1 and dtype != torch.int64:
        raise TypeError(
            f"input must be of a floating point or complex dtype, or torch.int64, where dilation is more than 1: "
            f"torch has no such convolution of others; got {dtype} and dilation {geometry.dilation}. "
            "Take input.float()"
        )


@lru_cache(maxsize=1024)
def _check_shapes(
    axes: int,
    shape: Sequence[int],
    kernels: Sequence[int],
    biases: Sequence[int] | None,
    groups: int,
    geometry: Geometry | None,
) -> None:
    """The part of `check_tensors` that needs no tensors."""
    if len(kernels) != axes + 2 or len(shape) not in (axes + 1, axes + 2):
        _reject_dimensions(axes, shape, kernels)
    if groups < 1:
        raise ValueError(f"groups must be at least 1, got {groups}")
    channels, (out_channels, group_channels, *kernel) = shape[-axes - 1], kernels
    if out_channels % groups:
        raise ValueError(f"groups must divide the {out_channels} output channels of weight, got {groups}")
    if 0 in (out_channels, group_channels):
        raise ValueError(f"weight must have at least one channel in and out, got shape {tuple(kernels)}")
    if channels != group_channels * groups:
        raise ValueError(
            f"input must have {group_channels * groups} channels (weight has {group_channels} for each of "
            f"{groups} groups), got {channels}"
        )
    if biases is not None and biases != (out_channels,):
        raise ValueError(f"bias must have shape ({out_channels},), got {tuple(biases)}")
    if 0 in kernel:
        raise ValueError(f"weight must have a kernel of at least one sample, got shape {tuple(kernels)}")
    if geometry is None:
        return
    if tuple(kernel) != geometry.kernel:
        raise ValueError(f"weight must have the kernel_size {geometry.kernel}, got shape {tuple(kernels)}")
    for axis, length in enumerate(shape[-axes:]):
        if length < 1:
            raise ValueError(f"input must have at least one sample along every axis, got shape {tuple(shape)}")
        if geometry.output_size(axis, length) < 1:
            raise ValueError(
                f"weight spans {geometry.span(axis)} samples along spatial axis {axis}, more than the {length} "
                f"of input with {geometry.before[axis]} + {geometry.after[axis]} of padding"
            )


def check_edge_kernels(
    shape: tuple[int, ...] | None, weight: Tensor, edge_weight: Tensor | None, edge_bias: Tensor | None
) -> None:
    """Reject edge kernels that the mode does not take, or that do not go with the kernel."""
    for name, tensor in (("edge_weight", edge_weight), ("edge_bias", edge_bias)):
        if tensor is None:
            continue
        check_tensor(name, tensor)
        if tensor.dtype != weight.dtype:
            raise TypeError(f"{name} must have the dtype of weight, {weight.dtype}, got {tensor.dtype}")
        if shape is None:
            raise ValueError(
                f"{name} must be None: this padding_mode has no edge kernels; got shape {tuple(tensor.shape)}"
            )
    if shape is None:
        return
    given = None if edge_weight is None else tuple(edge_weight.shape)
    if given != shape:
        raise ValueError(f"edge_weight must be of shape {shape}; got {'None' if given is None else f'shape {given}'}")
    biases = (*shape[: -weight.ndim], weight.shape[0])
    if edge_bias is not None and edge_bias.shape != biases:
        raise ValueError(f"edge_bias must have shape {biases}, got {tuple(edge_bias.shape)}")
