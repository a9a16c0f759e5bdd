"""Whether torch compiles, traces, transforms or casts at the moment, and what is to be done then."""

from __future__ import annotations

import warnings
from collections.abc import Callable
from functools import _lru_cache_wrapper, lru_cache, partial
from typing import TYPE_CHECKING, Any, TypeVar

import torch
from torch import Tensor
from torch.autograd import forward_ad

if TYPE_CHECKING:
    from diff_conv2d.geometry import Geometry
    from diff_conv2d.modes.base import Boundary

__all__ = [
    "is_autocast",
    "is_differentiated",
    "is_exporting",
    "is_plain",
    "is_traced",
    "is_transformed",
    "kept",
    "only_as_traced",
    "remembered",
    "size_is_at_least",
    "size_is_below",
]

_R = TypeVar("_R")


def is_traced() -> bool:
    """Whether a compiler or torch.jit.trace records the operations, for which sizes may be symbols."""
    return torch.compiler.is_compiling() or torch.jit.is_tracing()  # type: ignore[attr-defined, no-untyped-call]


def is_exporting() -> bool:
    """Whether torch.export records the operations, so that comparisons of sizes must hold for all that are open.

    The compiler of torch 2.9 puts True in the place of torch.compiler.is_exporting() under torch.compile, too
    (pytorch issue 176347), and would compile what is meant for an export. The flag behind it is private, but right.
    """
    flag = getattr(torch.compiler, "_is_exporting_flag", None)
    return torch.compiler.is_exporting() if flag is None else bool(flag)


def is_autocast(tensor: Tensor) -> bool:
    """Whether autocast is active on the device of a tensor; some devices, such as 'meta', have none.

    Example:
        >>> with torch.autocast("cpu"):
        ...     is_autocast(torch.ones(1)), is_autocast(torch.ones(1, device="meta"))
        (True, False)
    """
    device = tensor.device.type
    return torch.amp.is_autocast_available(device) and torch.is_autocast_enabled(device)


def is_transformed(*tensors: Tensor) -> bool:
    """Whether a transform of torch.func or a dispatch mode is active, or a tensor is a batch of gradients.

    Then a tensor may stand for many tensors, for a derivative, or for none (a fake one). Its values cannot be read,
    and nothing that is computed then may be cached.

    Example:
        >>> seen = []
        >>> _ = torch.vmap(lambda x: seen.append(is_transformed()) or x)(torch.ones(2))
        >>> seen, is_transformed()
        ([True], False)
    """
    modes = getattr(torch._C, "_len_torch_dispatch_stack", lambda: 1)()
    return modes > 0 or is_differentiated(*tensors)


def is_differentiated(*tensors: Tensor) -> bool:
    """Whether a transform of torch.func is active, or a tensor is a batch of gradients or may have a tangent.

    Then operators need rules of their own for batches and tangents.

    Example:
        >>> seen = []
        >>> _ = torch.vmap(lambda x: seen.append(is_differentiated()) or x)(torch.ones(2))
        >>> seen, is_differentiated()
        ([True], False)
    """
    # These names exist since torch 2.0 but are private: if one vanishes, the answer is the safe one.
    active = getattr(torch._C, "_are_functorch_transforms_active", lambda: True)()
    # torch.autograd.grad(..., is_grads_batched=True) uses an older vmap.
    is_batch = getattr(torch._C._functorch, "is_legacy_batchedtensor", lambda tensor: True)
    # Tangents of torch.autograd.forward_ad are no values of their tensors.
    level = getattr(forward_ad, "_current_level", 0)
    return active or level >= 0 or any(is_batch(tensor) for tensor in tensors)


def remembered(function: _lru_cache_wrapper[_R], input: Tensor) -> Callable[..., _R]:
    """Return a cached function, without its cache where the sizes of the image may be symbols.

    A compiler would trace through the cache and warn about it; the images of tracers have classes of their own; under
    torch.jit.trace each size is a tensor, and so another key.
    """
    return function.__wrapped__ if type(input) is not Tensor or is_traced() else function


def is_plain(tensor: Tensor) -> bool:
    """Whether a tensor holds values, and what is computed from it does: neither traced, nor fake, nor transformed."""
    return type(tensor) is Tensor and not is_traced() and not is_transformed()


def kept(function: Callable[..., _R], input: Tensor) -> Callable[..., _R]:
    """Return a function that makes constant tensors from arguments that can be hashed, and whose results are kept.

    Nothing is kept where the image is not plain: it may be a fake one, and so would the constants be.
    """
    return partial(_kept, function) if is_plain(input) else function


@lru_cache(maxsize=256)
def _kept(function: Callable[..., _R], *arguments: Any) -> _R:
    # For later calls too, which may want a gradient.
    with torch.inference_mode(False):
        return function(*arguments)


def size_is_at_least(size: int, least: int) -> bool:
    """Whether a size is at least so large; for a symbolic size of torch.export, whether it always is."""
    if is_exporting():
        from torch.fx.experimental.symbolic_shapes import statically_known_true

        return statically_known_true(size >= least)
    return size >= least


def size_is_below(size: int, least: int) -> bool:
    """Whether a size is smaller; for a symbolic size of torch.export, whether it always is."""
    if is_exporting():
        from torch.fx.experimental.symbolic_shapes import statically_known_true

        return statically_known_true(size < least)
    return size < least


def only_as_traced(input: Tensor, mode: Boundary | None, geometry: Geometry) -> Tensor:
    """Return the image; while torch.jit.trace records, put a check of its size into the graph.

    Some modes do the same operations for all sizes, polynomials for all that are not tiny. The other modes, and
    `mode` None, are recorded for one size, and the check refuses others.
    """
    if not torch.jit.is_tracing() or torch.onnx.is_in_onnx_export():  # type: ignore[attr-defined, no-untyped-call]
        return input
    with warnings.catch_warnings():
        # The tracer warns that sizes become constants, for which the check is there, and that script is deprecated.
        warnings.simplefilter("ignore")
        sizes = [int(size) for size in input.shape[-len(geometry.kernel) :]]
        enough = None if mode is None else mode.traced_sizes(geometry)
        if enough is not None and all(size >= few for size, few in zip(sizes, enough, strict=True)):
            if not any(enough):
                return input
            bounds = list(enough), [2**62] * len(sizes)
        else:
            bounds = sizes, sizes
        check: Any = torch.jit.script(_check_sizes)
    checked: Tensor = check(input, *bounds)
    return checked


def _check_sizes(input: Tensor, least: list[int], most: list[int]) -> Tensor:
    for axis in range(len(least)):
        size = input.size(axis - len(least))
        if size < least[axis] or size > most[axis]:
            raise ValueError("torch.jit.trace recorded this convolution for images of another size")
    return input
