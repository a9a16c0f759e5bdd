"""The argument `out`: a tensor that the caller owns, to which a result is written."""

from __future__ import annotations

import torch
from torch import Tensor

from diff_conv2d.arguments import check_tensor
from diff_conv2d.tracing import is_autocast, is_traced, is_transformed

__all__ = ["check_out", "may_overlap"]

_CAST = {torch.float16, torch.bfloat16, torch.float32}


def check_out(out: Tensor, shape: tuple[int, ...], input: Tensor, others: tuple[Tensor | None, ...]) -> None:
    """Reject a tensor that a result cannot be written to.

    Args:
        out: the tensor.
        shape: of the result.
        input: the image, whose dtype and device the result has.
        others: whatever else the result depends on.

    Raises:
        TypeError: if `out` is no tensor, or of another dtype.
        ValueError: if its shape or device differs, if it may share memory with what is read, or with itself, or if a
            gradient is wanted, which such a result cannot have.
    """
    check_tensor("out", out)
    dtype = input.dtype
    if is_autocast(input) and dtype in _CAST:
        dtype = torch.get_autocast_dtype(input.device.type)
    if out.dtype != dtype:
        raise TypeError(f"out must be of the dtype of the result, {dtype}, got {out.dtype}")
    if tuple(out.shape) != shape:
        raise ValueError(f"out must have the shape of the result, {shape}, got {tuple(out.shape)}")
    if out.device != input.device:
        raise ValueError(f"out must be on the device of input, {input.device}, got {out.device}")
    read = [input, *(tensor for tensor in others if tensor is not None)]
    if torch.is_grad_enabled() and any(tensor.requires_grad for tensor in (out, *read)):
        raise ValueError(
            "out must be None where a tensor requires a gradient, which a result that is written to out has not; "
            "use torch.no_grad() or detach()"
        )
    if is_traced() or is_transformed():
        # Such tensors have no memory of their own.
        return
    if _may_hold_one_element_twice(out):
        raise ValueError(f"out must hold each element once, got strides {out.stride()} for shape {shape}")
    for tensor in read:
        if may_overlap(out, tensor):
            raise ValueError(
                "out must not share memory with input or a kernel; its elements lie among those of a tensor of "
                f"shape {tuple(tensor.shape)}"
            )


def may_overlap(a: Tensor, b: Tensor) -> bool:
    """Whether the memory from the first to the last element of a tensor meets that of another.

    Example:
        >>> whole = torch.ones(4, 3)
        >>> may_overlap(whole[:2], whole[2:]), may_overlap(whole[:3], whole[2:])
        (False, True)
    """
    if a.device != b.device or a.is_meta or not a.numel() or not b.numel():
        return False
    return a.data_ptr() < b.data_ptr() + _extent(b) and b.data_ptr() < a.data_ptr() + _extent(a)


def _extent(tensor: Tensor) -> int:
    """Return the bytes from the first element to the end of the last."""
    steps = zip(tensor.shape, tensor.stride(), strict=True)
    return (1 + sum((size - 1) * stride for size, stride in steps)) * tensor.itemsize


def _may_hold_one_element_twice(tensor: Tensor) -> bool:
    """Whether dimensions interlock, as in a tensor that is expanded."""
    extent = 1
    for stride, size in sorted(zip(tensor.stride(), tensor.shape, strict=True)):
        if size > 1 and stride < extent:
            return True
        extent += (size - 1) * stride
    return False
