"""Torch's convolution layers, with any boundary mode."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from functools import lru_cache
from typing import Any

import torch
from torch import Tensor, nn

from diff_conv2d.arguments import Algorithm, Geometry, check_algorithm, per_axis, widths_of_padding
from diff_conv2d.boundary import Boundary
from diff_conv2d.convolution import convolve
from diff_conv2d.modes import PaddingMode, algorithm_for, boundary

__all__ = ["Conv1d", "Conv2d", "Conv3d"]

_Size = int | Sequence[int]


@lru_cache(maxsize=1024)
def _geometry(
    kernel: tuple[int, ...],
    stride: tuple[int, ...],
    dilation: tuple[int, ...],
    padding: tuple[int, ...] | str,
    algorithm: Algorithm,
) -> Geometry:
    return Geometry(kernel, stride, dilation, *widths_of_padding(padding, kernel, stride, dilation), algorithm)


class _BoundaryConv(nn.modules.conv._ConvNd):
    """What the layers share: a torch layer whose `_conv_forward` is `convolve`.

    Weights, bias, their initialisation and the order in which random numbers are drawn are torch's. A mode with
    kernels of its own for invalid outputs adds `edge_weight` and `edge_bias`; they start as copies of `weight`
    and `bias`, so that equal seeds give equal layers whatever the mode.
    """

    _mode: Boundary
    algorithm: Algorithm = "auto"
    edge_weight: nn.Parameter | None
    edge_bias: nn.Parameter | None

    def _set_mode(self, name: str, algorithm: Algorithm, options: Mapping[str, Any]) -> None:
        """Take up a boundary mode; new edge kernels start as copies of the kernel."""
        check_algorithm(algorithm)
        self.algorithm = algorithm
        self._mode = boundary(name, **options)
        self._mode.check(len(self.kernel_size))
        self.padding_mode = name  # type: ignore[assignment]  # torch knows four names
        self.register_parameter("edge_weight", None)
        self.register_parameter("edge_bias", None)
        shape = self._mode.edge_weight_shape(tuple(self.weight.shape), self.geometry)
        if shape is not None:
            self._add_edge_kernels(shape)

    def _add_edge_kernels(self, shape: Sequence[int]) -> None:
        """Kernels for invalid outputs, (number of them, *weight.shape) or the shape of one."""
        self.edge_weight = nn.Parameter(self.weight.detach().expand(*shape).clone())
        if self.bias is not None:
            copies = shape[: -self.weight.ndim]
            self.edge_bias = nn.Parameter(self.bias.detach().expand(*copies, -1).clone())

    @property
    def geometry(self) -> Geometry:
        """From the attributes as they are now: libraries change stride, padding and dilation of a layer."""
        # Some set a list where torch has a tuple.
        kernel, stride, dilation = tuple(self.kernel_size), tuple(self.stride), tuple(self.dilation)
        padding = self.padding if isinstance(self.padding, str) else tuple(self.padding)
        # A compiler traces through the cache anyway, and warns that it does.
        parse = _geometry.__wrapped__ if torch.compiler.is_compiling() else _geometry
        return parse(kernel, stride, dilation, padding, algorithm_for(self._mode, self.algorithm))

    def _conv_forward(self, input: Tensor, weight: Tensor, bias: Tensor | None) -> Tensor:
        mode = self._mode
        # To ask a module for a parameter that it has not takes microseconds.
        edge_weight, edge_bias = (self.edge_weight, self.edge_bias) if mode.has_edge_kernels else (None, None)
        return convolve(input, weight, bias, self.geometry, self.groups, mode, edge_weight, edge_bias)

    def _load_from_state_dict(self, state_dict: dict[str, Any], prefix: str, *args: Any) -> None:
        # A checkpoint without edge kernels (torch's) starts them as copies of its kernel, as a new layer does.
        for name, source in (("edge_weight", "weight"), ("edge_bias", "bias")):
            parameter = getattr(self, name)
            if parameter is not None and prefix + name not in state_dict and prefix + source in state_dict:
                state_dict[prefix + name] = state_dict[prefix + source].expand(parameter.shape)
        super()._load_from_state_dict(state_dict, prefix, *args)

    def extra_repr(self) -> str:
        """torch's, and the options of the mode that were given."""
        options = [f"{name}={value}" for name, value in vars(self._mode).items() if value is not None]
        if self.algorithm != "auto":
            options.append(f"algorithm={self.algorithm}")
        torchs: str = super().extra_repr()  # type: ignore[no-untyped-call]
        return ", ".join([torchs, *options])


def _parse_sizes(
    axes: int,
    in_channels: int,
    out_channels: int,
    kernel_size: _Size,
    stride: _Size,
    padding: _Size | str,
    dilation: _Size,
    groups: int,
) -> dict[str, Any]:
    """The sizes per axis, with the checks that torch's constructor leaves out."""
    for name, value in (("groups", groups), ("in_channels", in_channels), ("out_channels", out_channels)):
        if not isinstance(value, int) or isinstance(value, bool):
            raise TypeError(f"{name} must be an integer, got {value!r}")
        if value < 1:
            raise ValueError(f"{name} must be at least 1, got {value}")
        if value % groups:
            raise ValueError(f"groups must divide {name}, got groups={groups} and {name}={value}")
    kernel = per_axis("kernel_size", kernel_size, axes, minimum=1)
    strides = per_axis("stride", stride, axes, minimum=1)
    dilations = per_axis("dilation", dilation, axes, minimum=1)
    before, _ = widths_of_padding(padding, kernel, strides, dilations)
    return {
        "kernel_size": kernel,
        "stride": strides,
        "padding": padding if isinstance(padding, str) else before,
        "dilation": dilations,
    }


class Conv1d(_BoundaryConv, nn.Conv1d):
    """As `Conv2d`, for input (N, C, L) or (C, L)."""

    def __init__(
        self,
        in_channels: int,
        out_channels: int,
        kernel_size: _Size,
        stride: _Size = 1,
        padding: _Size | str = 0,
        dilation: _Size = 1,
        groups: int = 1,
        bias: bool = True,
        padding_mode: PaddingMode = "diff",
        device: torch.device | str | int | None = None,
        dtype: torch.dtype | None = None,
        degree: _Size | None = None,
        algorithm: Algorithm = "auto",
        **options: Any,
    ) -> None:
        sizes = _parse_sizes(1, in_channels, out_channels, kernel_size, stride, padding, dilation, groups)
        super().__init__(in_channels, out_channels, **sizes, groups=groups, bias=bias, device=device, dtype=dtype)
        self._set_mode(padding_mode, algorithm, {"degree": degree, **options})


class Conv2d(_BoundaryConv, nn.Conv2d):
    """The signature, weights and checkpoints of `torch.nn.Conv2d`, with a boundary mode of choice.

    Args:
        in_channels: channels of the input.
        out_channels: channels of the output.
        kernel_size: size of the kernel, for all axes or one for each.
        stride: as in torch.
        padding: as in torch; what it adds is filled in by `padding_mode`.
        dilation: as in torch.
        groups: as in torch.
        bias: as in torch.
        padding_mode: a name of the vocabulary, see `modes`.
        device: as in torch.
        dtype: as in torch.
        degree: degree of the polynomial for 'diff' (default k - 1) and 'extrapolate' (default k // 2).
        algorithm: how the sums are computed, see `conv2d`.
        options: further options of the mode.

    Shapes:
        input (N, C, H, W), or without N; output as torch's layer.

    Raises:
        ValueError: if a size is not positive or does not fit the others, or there is no such mode.
        TypeError: if an argument is of the wrong kind, or the mode has no such option.

    Example:
        >>> layer = Conv2d(2, 4, 3, padding=1, padding_mode="diff", degree=1)
        >>> layer
        Conv2d(2, 4, kernel_size=(3, 3), stride=(1, 1), padding=(1, 1), padding_mode=diff, degree=1)
        >>> layer(torch.ones(1, 2, 5, 5)).shape
        torch.Size([1, 4, 5, 5])
    """

    def __init__(
        self,
        in_channels: int,
        out_channels: int,
        kernel_size: _Size,
        stride: _Size = 1,
        padding: _Size | str = 0,
        dilation: _Size = 1,
        groups: int = 1,
        bias: bool = True,
        padding_mode: PaddingMode = "diff",
        device: torch.device | str | int | None = None,
        dtype: torch.dtype | None = None,
        degree: _Size | None = None,
        algorithm: Algorithm = "auto",
        **options: Any,
    ) -> None:
        sizes = _parse_sizes(2, in_channels, out_channels, kernel_size, stride, padding, dilation, groups)
        super().__init__(in_channels, out_channels, **sizes, groups=groups, bias=bias, device=device, dtype=dtype)
        self._set_mode(padding_mode, algorithm, {"degree": degree, **options})


class Conv3d(_BoundaryConv, nn.Conv3d):
    """As `Conv2d`, for input (N, C, D, H, W) or (C, D, H, W)."""

    def __init__(
        self,
        in_channels: int,
        out_channels: int,
        kernel_size: _Size,
        stride: _Size = 1,
        padding: _Size | str = 0,
        dilation: _Size = 1,
        groups: int = 1,
        bias: bool = True,
        padding_mode: PaddingMode = "diff",
        device: torch.device | str | int | None = None,
        dtype: torch.dtype | None = None,
        degree: _Size | None = None,
        algorithm: Algorithm = "auto",
        **options: Any,
    ) -> None:
        sizes = _parse_sizes(3, in_channels, out_channels, kernel_size, stride, padding, dilation, groups)
        super().__init__(in_channels, out_channels, **sizes, groups=groups, bias=bias, device=device, dtype=dtype)
        self._set_mode(padding_mode, algorithm, {"degree": degree, **options})
