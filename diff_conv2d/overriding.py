"""A context in which torch's own functions take a boundary mode, for networks that call them by hand."""

from __future__ import annotations

import sys
from collections import Counter
from collections.abc import Callable, Sequence
from pathlib import Path
from types import TracebackType
from typing import Any

import torch
import torch.nn.functional as F
from torch import Tensor
from torch.overrides import TorchFunctionMode

from diff_conv2d.arguments import per_axis
from diff_conv2d.functional import conv1d, conv2d, conv3d, pad
from diff_conv2d.modes import AnyMode, boundary
from diff_conv2d.operations.extended import LEARNT, check_mode
from diff_conv2d.operations.pooling import avg_pool, max_pool, unfold
from diff_conv2d.operations.resampling import interpolate, reads_outside
from diff_conv2d.operations.transposed import conv_transpose

__all__ = ["override"]


_OURS, _TORCH = (str(Path(file).parent) for file in (__file__, torch.__file__))


class _Left(Exception):
    """A call that torch answers as ever, and why."""


class override(TorchFunctionMode):
    """Within this context torch's functions that pad take a boundary mode.

    These are `F.pad`, `F.conv1d` to `conv3d` and `F.conv_transpose1d` to `3d`, `F.max_pool1d` to `3d`,
    `F.avg_pool1d` to `3d`, `F.unfold` and `F.interpolate`, and so torch's layers, which call them. Layers of this
    library keep their mode. No module is changed: it is for networks that call these functions by hand, where
    `convert` finds no layer.

    Calls that do not pad, or that no mode can serve, are answered by torch. At the end it says what it met. A network
    that was trained with another boundary has learnt that one: fine-tune it, see `convert`. Of nested contexts the
    innermost decides. Activation checkpointing runs parts of the network again in the backward pass, which must then
    be within the context too.

    Args:
        padding_mode: a name of the vocabulary, or one for each axis or each end, see `conv2d`. 'zeros' leaves all as
            it is.
        verbose: print at the end what was met.
        options: of the mode.

    Attributes:
        served: how often each function took the mode.
        left: how often a function did not, and why: {(function, reason): calls}.

    Raises:
        ValueError: there is no such mode, or it does not extend images.
        TypeError: the mode has no such option.

    Example:
        >>> image = torch.arange(4.0).view(1, 1, 4)
        >>> with override("circular") as met:
        ...     torch.nn.functional.pad(image, (1, 1))
        tensor([[[3., 0., 1., 2., 3., 0.]]])
        override: 1 call took padding_mode='circular': pad
        override: a network that is trained already has learnt its old boundary: fine-tune it, or see calibrate
        >>> met.served
        Counter({'pad': 1})
    """

    def __init__(self, padding_mode: AnyMode = "diff", verbose: bool = True, **options: Any) -> None:
        super().__init__()
        mode = boundary(padding_mode, **options)
        check_mode(mode, "torch's functions")
        self._mode, self._name, self._verbose = mode, padding_mode, verbose
        self.served: Counter[str] = Counter()
        self.left: Counter[tuple[str, str]] = Counter()

    def __torch_function__(
        self, func: Callable[..., Any], types: Any, args: Sequence[Any] = (), kwargs: dict[str, Any] | None = None
    ) -> Any:
        """Answer a call of torch's."""
        kwargs = kwargs or {}
        serve = _SERVED.get(func)
        if serve is None or self._mode.name == "zeros" or _is_ours():
            return func(*args, **kwargs)
        name = getattr(func, "__name__", str(func)).lstrip("_").removesuffix("_with_indices")
        try:
            result = serve(self._mode, *args, **kwargs)
        except _Left as why:
            if str(why):
                self.left[name, str(why)] += 1
            return func(*args, **kwargs)
        except (ValueError, TypeError) as error:
            self.left[name, str(error)] += 1
            return func(*args, **kwargs)
        self.served[name] += 1
        return result

    def __exit__(
        self,
        exc_type: type[BaseException] | None,
        exc_value: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        """Say what was met."""
        super().__exit__(exc_type, exc_value, traceback)  # type: ignore[no-untyped-call]
        if not self._verbose or exc_type is not None:
            return
        total = self.served.total()
        calls = "1 call" if total == 1 else f"{total} calls"
        names = [name if count == 1 else f"{name} ({count})" for name, count in self.served.items()]
        print(f"override: {calls} took padding_mode={self._name!r}" + (": " if names else "") + ", ".join(names))
        for (name, why), count in self.left.items():
            print(f"override: {name} left to torch, {count} times: {why}")
        if total:
            print(f"override: {LEARNT}")


def _is_ours() -> bool:
    """Whether a layer or a function of this library calls torch, which pads as it should already."""
    frame = sys._getframe(2)
    while frame is not None:
        path = frame.f_code.co_filename
        if not path.startswith(_TORCH):
            return path.startswith(_OURS)
        frame = frame.f_back  # type: ignore[assignment]
    return False


def _of_batches(axes: int, serve: Callable[..., Tensor]) -> Callable[..., Tensor]:
    """Let a function of batches (N, C, ...) serve single images too."""

    def served(mode: Any, input: Tensor, *args: Any, **kwargs: Any) -> Tensor:
        if input.ndim == axes + 1:
            return serve(mode, input.unsqueeze(0), *args, **kwargs).squeeze(0)
        if input.ndim != axes + 2:
            raise _Left
        return serve(mode, input, *args, **kwargs)

    return served


def _padded(
    mode: Any, input: Tensor, pad_: Sequence[int], mode_: str = "constant", value: float | None = None
) -> Any:
    """Serve `F.pad`."""
    widths = list(pad_)
    if not any(widths):
        raise _Left
    if min(widths) < 0:
        raise _Left("it cuts samples off")
    axes = input.ndim - 2 if len(widths) <= 2 * (input.ndim - 2) else input.ndim - 1
    if not 1 <= axes <= 3 or (axes == input.ndim - 1 and (input.ndim != 3 or len(widths) != 4)):
        raise _Left("it pads more than the last one to three axes of images (N, C, ...)")
    return pad(input, widths + [0] * (2 * axes - len(widths)), mode)


def _convolved(axes: int) -> Callable[..., Any]:
    convolve = (conv1d, conv2d, conv3d)[axes - 1]

    def serve(
        mode: Any,
        input: Tensor,
        weight: Tensor,
        bias: Tensor | None = None,
        stride: Any = 1,
        padding: Any = 0,
        dilation: Any = 1,
        groups: int = 1,
    ) -> Any:
        if padding == "valid" or (not isinstance(padding, str) and not any(per_axis("padding", padding, axes, 0))):
            raise _Left
        return convolve(input, weight, bias, stride, padding, dilation, groups, mode)

    return serve


def _transposed(axes: int) -> Callable[..., Any]:
    def serve(
        mode: Any,
        input: Tensor,
        weight: Tensor,
        bias: Tensor | None = None,
        stride: Any = 1,
        padding: Any = 0,
        output_padding: Any = 0,
        groups: int = 1,
        dilation: Any = 1,
    ) -> Any:
        given = stride, padding, output_padding, dilation
        steps, cut, more, apart = (per_axis("size", size, axes, 0) for size in given)
        return conv_transpose(input, weight, bias, steps, cut, more, groups, apart, mode)

    return _of_batches(axes, serve)


def _largest(axes: int) -> Callable[..., Any]:
    def serve(
        mode: Any,
        input: Tensor,
        kernel_size: Any,
        stride: Any = None,
        padding: Any = 0,
        dilation: Any = 1,
        ceil_mode: bool = False,
        return_indices: bool = False,
    ) -> Any:
        if not any(per_axis("padding", padding, axes, 0)) and not ceil_mode:
            raise _Left
        if return_indices:
            raise _Left("it returns indices, which samples outside do not have")
        given = kernel_size, stride or kernel_size, padding, dilation
        kernel, steps, widths, apart = (per_axis("size", size, axes, 0) for size in given)
        return max_pool(input, kernel, steps, widths, apart, ceil_mode, mode)

    return _of_batches(axes, serve)


def _mean(axes: int) -> Callable[..., Any]:
    def serve(
        mode: Any,
        input: Tensor,
        kernel_size: Any,
        stride: Any = None,
        padding: Any = 0,
        ceil_mode: bool = False,
        count_include_pad: bool = True,
        divisor_override: int | None = None,
    ) -> Any:
        if not any(per_axis("padding", padding, axes, 0)) and not ceil_mode:
            raise _Left
        given = kernel_size, stride or kernel_size, padding
        kernel, steps, widths = (per_axis("size", size, axes, 0) for size in given)
        return avg_pool(input, kernel, steps, widths, ceil_mode, count_include_pad, divisor_override, mode)

    return _of_batches(axes, serve)


def _unfolded(
    mode: Any, input: Tensor, kernel_size: Any, dilation: Any = 1, padding: Any = 0, stride: Any = 1
) -> Tensor:
    if not any(per_axis("padding", padding, 2, 0)):
        raise _Left
    kernel, apart, widths, steps = (per_axis("size", size, 2, 0) for size in (kernel_size, dilation, padding, stride))
    return unfold(input, kernel, apart, widths, steps, mode)


def _resampled(
    mode: Any,
    input: Tensor,
    size: Any = None,
    scale_factor: Any = None,
    mode_: str = "nearest",
    align_corners: bool | None = None,
    recompute_scale_factor: bool | None = None,
    antialias: bool = False,
) -> Tensor:
    if not reads_outside(mode_, align_corners):
        raise _Left
    if antialias:
        raise _Left("it reads more samples than two or four")
    return interpolate(input, size, scale_factor, mode_, align_corners, recompute_scale_factor, mode)


def _renamed(serve: Callable[..., Any]) -> Callable[..., Any]:
    """Let torch's argument `mode`, and `pad`, stand beside ours."""

    def renamed(boundary_mode: Any, *args: Any, **kwargs: Any) -> Any:
        for name in ("mode", "pad"):
            if name in kwargs:
                kwargs[f"{name}_"] = kwargs.pop(name)
        return serve(boundary_mode, *args, **kwargs)

    return renamed


_SERVED: dict[Any, Callable[..., Any]] = {
    F.pad: _renamed(_padded),
    F.interpolate: _renamed(_resampled),
    F.unfold: _of_batches(2, _unfolded),
}
for _axes in (1, 2, 3):
    _SERVED[getattr(F, f"conv{_axes}d")] = _convolved(_axes)
    _SERVED[getattr(F, f"conv_transpose{_axes}d")] = _transposed(_axes)
    _SERVED[getattr(F, f"avg_pool{_axes}d")] = _mean(_axes)
    for _name in (f"max_pool{_axes}d", f"_max_pool{_axes}d", f"max_pool{_axes}d_with_indices"):
        _SERVED[getattr(F, _name)] = _largest(_axes)
    _SERVED[getattr(torch, f"max_pool{_axes}d")] = _largest(_axes)
