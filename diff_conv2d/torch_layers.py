"""Torch's convolution layers, with any boundary mode."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import fields
from functools import lru_cache
from math import isfinite
from types import FunctionType
from typing import TYPE_CHECKING, Any, ClassVar

import torch
import torch.fx
from torch import Tensor, nn

from diff_conv2d.algorithms.choice import convolve
from diff_conv2d.arguments import check_algorithm, check_tensors, padding_of_widths, per_axis, widths_of_padding
from diff_conv2d.geometry import Algorithm, Geometry
from diff_conv2d.modes import MODES, AnyMode, boundary
from diff_conv2d.modes.base import Boundary

__all__ = ["Conv1d", "Conv2d", "Conv3d", "check_change"]

_Size = int | Sequence[int]


# The tracer of torch.fx sees one function, not what it is made of.
torch.fx.wrap("convolve")


@lru_cache(maxsize=1024)
def _geometry(
    kernel: tuple[int, ...],
    stride: tuple[int, ...],
    dilation: tuple[int, ...],
    padding: tuple[int, ...] | str,
    algorithm: Algorithm,
) -> Geometry:
    return Geometry(kernel, stride, dilation, *widths_of_padding(padding, kernel, stride, dilation), algorithm)


class _Checked:
    """An attribute that is checked when it is set, and stored where torch stores it.

    Reading costs nothing extra: Python finds the value in the instance.
    """

    def __init__(self, check: Callable[[_BoundaryConv, str, Any], Any]) -> None:
        self._check = check

    def __set_name__(self, owner: type, name: str) -> None:
        self._name = name

    def __set__(self, layer: _BoundaryConv, value: Any) -> None:
        vars(layer)[self._name] = self._check(layer, self._name, value)


def _check_sizes(layer: _BoundaryConv, name: str, value: Any) -> Any:
    """Return one integer for each axis, or the word of a padding, in the form that torch's constructor stores."""
    if name == "padding":
        ones = (1,) * layer.axes
        widths = widths_of_padding(value, ones, ones, ones)
        return value if isinstance(value, str) else padding_of_widths(*widths)
    return per_axis(name, value, layer.axes, minimum=1)


def _take_up(layer: _BoundaryConv, _: str, value: Any) -> Any:
    """Adopt the mode of this name with its default options, unless the layer has it already."""
    # torch's constructor sets the attribute before the layer has a mode.
    if "_mode" in vars(layer) and value != layer.padding_mode:
        layer._set_mode(value, layer.algorithm, {})
    return value


def _check_algorithm(_: _BoundaryConv, __: str, value: Any) -> Any:
    check_algorithm(value)
    return value


def _has_mode(layer: nn.Module, mode: Boundary) -> bool:
    return type(vars(layer).get("_mode")) is type(mode)


def check_change(layer: nn.Module, mode: Boundary, name: str = "the layer") -> None:
    """Reject a change of mode if it would make or drop edge kernels that depend on a parametrized kernel."""
    kernels = ["weight", "bias"] if mode.has_edge_kernels else []
    kernels += ["edge_weight", "edge_bias"] if "_mode" in vars(layer) else []
    computed = [kernel for kernel in kernels if kernel not in layer._parameters]
    if computed and not _has_mode(layer, mode):
        raise ValueError(
            f"padding_mode cannot change to or from one with edge kernels while {computed[0]} of {name} "
            "is parametrized or pruned: undo that first, or leave the layer as it is"
        )


def _seed_of(weight: Tensor) -> int:
    """Return a seed that depends on the values of a kernel and on torch's seed, without a random number drawn."""
    total = 0.0 if weight.is_meta else torch.view_as_real(weight.detach().to(torch.complex128)).sum().item()
    return (torch.initial_seed() + (int(total * 2**20) if isfinite(total) else 0)) % 2**63


def _for_script(layer: Any) -> Any:
    """Copy the computation of torch's layer, under a name by which torch.jit.script finds it."""
    function = layer._conv_forward
    return FunctionType(function.__code__, function.__globals__, "_torchs_forward")


def _without_mask(input: Tensor, mask: Any) -> Tensor:
    """Return the input of a layer that was traced by itself, whose graph cannot tell whether there is a mask."""
    if mask is not None:
        raise ValueError(
            f"mask must be None for a layer that torch.fx has traced by itself, got {type(mask).__name__}; trace a "
            "module that holds the layer"
        )
    return input


# Another function that its tracer must not look into.
torch.fx.wrap("_without_mask")


def _node(input: Any, layer: nn.Module, *mask: Any) -> Any:
    """Add a call of the layer to the graph that torch.fx is tracing."""
    return input.tracer.create_proxy("call_module", input.tracer.path_of_module(layer), (input, *mask), {})


class _BoundaryConv(nn.modules.conv._ConvNd):
    """What the layers share: a torch layer whose `_conv_forward` is `convolve`.

    Weights, bias, their initialisation and the order in which random numbers are drawn are torch's. A mode with
    kernels of its own for invalid outputs adds `edge_weight` and `edge_bias`; they start as copies of `weight`
    and `bias`, so that equal seeds give equal layers whatever the mode.

    Stride, padding, dilation and `padding_mode` can be changed at any time. Setting another mode uses its default
    options, as `convert` does: its edge kernels are new, those of the mode before are dropped. Setting the same mode
    changes nothing. With 'explicit' the padding must keep as many displacements as there are edge kernels.
    """

    # torch.jit.script reads annotations, and knows few of them.
    if TYPE_CHECKING:
        axes: ClassVar[int]
        kernel_size: Any
        stride: Any
        padding: Any
        dilation: Any
        padding_mode: Any
        edge_weight: nn.Parameter | None
        edge_bias: nn.Parameter | None
        predictors: Any
        algorithm: Any
        _mode: Boundary
        _torchs_forward: Callable[[Tensor, Tensor, Tensor | None], Tensor]
        _outdated: tuple[str, ...]

    __jit_unused_properties__ = ["geometry"]  # noqa: RUF012
    kernel_size = _Checked(_check_sizes)
    stride = _Checked(_check_sizes)
    padding = _Checked(_check_sizes)
    dilation = _Checked(_check_sizes)
    padding_mode = _Checked(_take_up)
    algorithm = _Checked(_check_algorithm)
    #: Edge kernels that have not followed a change of `weight` or `bias`.
    _outdated = ()

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
        padding_mode: AnyMode = "diff",
        device: torch.device | str | int | None = None,
        dtype: torch.dtype | None = None,
        degree: _Size | None = None,
        algorithm: Algorithm = "auto",
        **options: Any,
    ) -> None:
        sizes = _parse_sizes(self.axes, in_channels, out_channels, kernel_size, stride, padding, dilation, groups)
        super().__init__(in_channels, out_channels, **sizes, groups=groups, bias=bias, device=device, dtype=dtype)
        self._set_mode(padding_mode, algorithm, {"degree": degree, **options})

    def _set_mode(self, name: AnyMode, algorithm: Algorithm, options: Mapping[str, Any]) -> None:
        """Adopt a boundary mode.

        A layer that has the mode already keeps its edge kernels. New ones start as copies of the kernel.
        """
        mode = boundary(name, **options)
        mode.check(self.axes)
        check_change(self, mode)
        mode.algorithm_for(algorithm)
        stays = _has_mode(self, mode) and not mode.needs_layer and getattr(self, "predictors", None) is None
        stays = stays or (mode.needs_layer and mode == vars(self).get("_mode"))
        self.algorithm, self._mode = algorithm, mode
        vars(self)["padding_mode"] = name
        if stays:
            return
        shape = mode.edge_weight_shape(tuple(self.weight.shape), self.geometry)
        made = mode.module_for_layer(self.in_channels, self.geometry, _seed_of(self.weight))
        if made is not None:
            made.to(self.weight.device, self.weight.dtype.to_real()).train(self.training)
        self.predictors = made
        self.register_parameter("edge_weight", None)
        self.register_parameter("edge_bias", None)
        self._outdated = ()
        if shape is not None:
            self._add_edge_kernels(shape)

    def _add_edge_kernels(self, shape: Sequence[int]) -> None:
        """Add kernels for invalid outputs, of shape (count, *weight.shape) or that of one kernel."""
        trained = self.weight.requires_grad
        self.edge_weight = nn.Parameter(self.weight.detach().expand(*shape).clone(), requires_grad=trained)
        if self.bias is not None:
            copies = shape[: -self.weight.ndim]
            trained = self.bias.requires_grad
            self.edge_bias = nn.Parameter(self.bias.detach().expand(*copies, -1).clone(), requires_grad=trained)

    def reset_parameters(self) -> None:
        """As in torch; edge kernels start anew as copies of the kernel, and what else a mode keeps starts anew."""
        super().reset_parameters()
        for name in ("weight", "bias"):
            # torch's constructor calls this before there are any.
            edge = getattr(self, "edge_" + name, None)
            if edge is not None:
                with torch.no_grad():
                    edge.copy_(getattr(self, name))
        if getattr(self, "predictors", None) is not None:
            self.predictors.reset_parameters()

    def register_parameter(self, name: str, param: nn.Parameter | None) -> None:
        """As in torch; also remembers that a kernel was replaced but its edge kernels were not."""
        super().register_parameter(name, param)
        if name in ("weight", "bias") and getattr(self, "edge_weight", None) is not None:
            self._outdated = (*self._outdated, "edge_" + name)
        elif name in self._outdated:
            self._outdated = tuple(other for other in self._outdated if other != name)

    def _check_edge_kernels(self, weight: Tensor, bias: Tensor | None) -> None:
        """Reject a kernel that other code has changed without the edge kernels.

        Fusing with a BatchNorm assigns a new `weight`; weight_norm and pruning compute one; wrappers pass another
        one. The edge kernels do not follow, so that the outputs at the edge would be wrong.
        """
        own = self._parameters
        for name, used in (("weight", weight), ("bias", bias)):
            edge = "edge_" + name
            if edge in self._outdated:
                raise ValueError(
                    f"{edge} does not belong to {name}, which was replaced, as by fusing with a BatchNorm: outputs "
                    f"at the edge would be wrong. Assign {edge} after {name}; layer.{edge} = layer.{edge} keeps it"
                )
            if name not in own and edge in own:
                raise ValueError(
                    f"{name} is parametrized or pruned and {edge} is not: outputs at the edge would be wrong. Do the "
                    f"same to {edge}, or keep it by torch.nn.Identity as its parametrization, or by prune.identity"
                )
            if own.get(name, used) is not used and not isinstance(used, torch.fx.Proxy):
                raise ValueError(
                    f"{name} must be the layer's own in padding_mode={self.padding_mode!r}, whose edge kernels would "
                    f"not follow another one; use diff_conv2d.conv{self.axes}d, which takes both"
                )

    @property
    def geometry(self) -> Geometry:
        """Derived from the attributes at each call, since libraries change stride, padding and dilation."""
        # A compiler traces through the cache and warns about it.
        parse = _geometry.__wrapped__ if torch.compiler.is_compiling() else _geometry
        algorithm = self._mode.algorithm_for(self.algorithm)
        return parse(self.kernel_size, self.stride, self.dilation, self.padding, algorithm)

    def forward(self, input: Tensor, mask: Any = None) -> Tensor:
        """Convolve images, with a mask as in `conv2d`. Within a network torch.fx sees one node, as torch's layers."""
        # torch.jit.script compiles only the first branch, and understands only an if with an else.
        if torch.jit.is_scripting():  # type: ignore[attr-defined]
            return self._torchs_forward(input, self.weight, self.bias)
        else:  # noqa: RET505
            if isinstance(input, torch.fx.Proxy) and input.tracer.root is not self:
                return _node(input, self) if mask is None else _node(input, self, mask)
            if mask is not None:
                return self._forward_with_mask(input, mask)
            return self._conv_forward(input, self.weight, self.bias)

    def _forward_with_mask(self, input: Tensor, mask: Any) -> Tensor:
        # Few calls have one.
        from diff_conv2d.masks.convolution import convolve_with_mask

        weight, bias = self.weight, self.bias
        if isinstance(mask, torch.fx.Proxy):
            return self._conv_forward(_without_mask(input, mask), weight, bias)

        def convolution(image: Tensor) -> Tensor:
            return self._conv_forward(image, weight, bias)

        return convolve_with_mask(mask, input, weight, bias, self.geometry, self.groups, self._mode, convolution)

    def _conv_forward(self, input: Tensor, weight: Tensor, bias: Tensor | None) -> Tensor:
        mode, edge_weight, edge_bias = self._mode, None, None
        if mode.needs_layer:
            mode = self._kept(input)
        # Looking up a missing parameter costs microseconds, so it is skipped.
        if mode.has_edge_kernels:
            self._check_edge_kernels(weight, bias)
            edge_weight, edge_bias = self.edge_weight, self.edge_bias
        return convolve(input, weight, bias, self.geometry, self.groups, mode, edge_weight, edge_bias)

    def _kept(self, input: Tensor) -> Boundary:
        """Return how the layer's own predictors extend an image."""
        geometry = self.geometry
        if self.predictors.training:
            # It may be fitted to the images, which `convolve` checks only later.
            check_tensors(self.axes, input, self.weight, None, self.groups, geometry)
            input = input if input.ndim > self.axes + 1 else input.unsqueeze(0)
        extension: Boundary = self.predictors(input, geometry)
        return extension

    def _apply(self, fn: Callable[..., Any], recurse: bool = True) -> Any:
        def apply(tensor: Tensor) -> Any:
            try:
                return fn(tensor)
            except RuntimeError:
                # channels_last needs the four dimensions of a kernel; a stack of edge kernels has one more.
                if tensor.ndim != self.axes + 3:
                    raise
                return fn(tensor.flatten(0, 1)).unflatten(0, tensor.shape[:2])

        return super()._apply(apply, recurse)  # type: ignore[no-untyped-call]

    def _load_from_state_dict(self, state_dict: dict[str, Any], prefix: str, *args: Any) -> None:
        # From a checkpoint without edge kernels (torch's) they start as copies of its kernel, as in a new layer.
        for name in ("weight", "bias"):
            edge, source = getattr(self, "edge_" + name), state_dict.get(prefix + name)
            if edge is None or source is None or prefix + "edge_" + name in state_dict:
                continue
            # torch reports a kernel of another size.
            if source.shape == getattr(self, name).shape:
                # A copy: with assign=True the tensor itself becomes the parameter.
                state_dict[prefix + "edge_" + name] = source.detach().expand(edge.shape).clone()
        kept = {} if self.predictors is None else self.predictors.state_dict(prefix=prefix + "predictors.")
        if not kept.keys() & state_dict.keys():
            # A checkpoint of another mode, or torch's, leaves them as they are.
            state_dict.update(kept)
        super()._load_from_state_dict(state_dict, prefix, *args)

    def __prepare_scriptable__(self) -> nn.Module:
        """Prepare the layer for torch.jit.script, which compiles the computation of torch's layer."""
        torchs_modes = [name for name, mode in MODES.items() if mode.auto == "direct"]
        if self.padding_mode not in torchs_modes:
            raise ValueError(
                f"torch.jit.script compiles padding_mode {', '.join(map(repr, torchs_modes))}, got "
                f"{self.padding_mode!r}; use torch.compile, torch.export or torch.jit.trace"
            )
        self._reversed_padding_repeated_twice = self.geometry.widths
        return self

    def extra_repr(self) -> str:
        """Return torch's text and the options of the mode that were given."""
        shown = [option.name for option in fields(self._mode) if option.repr]
        options = [f"{name}={value}" for name in shown if (value := getattr(self._mode, name)) is not None]
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
    """Check the sizes, more strictly than torch's constructor, and return them per axis."""
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
    widths = widths_of_padding(padding, kernel, strides, dilations)
    return {
        "kernel_size": kernel,
        "stride": strides,
        "padding": padding if isinstance(padding, str) else padding_of_widths(*widths),
        "dilation": dilations,
    }


class Conv1d(_BoundaryConv, nn.Conv1d):
    """As `Conv2d`, for input (N, C, L) or (C, L)."""

    axes = 1
    _torchs_forward = _for_script(nn.Conv1d)


class Conv2d(_BoundaryConv, nn.Conv2d):
    """The signature, weights and checkpoints of `torch.nn.Conv2d`, with a boundary mode of choice.

    Args:
        in_channels: channels of the input.
        out_channels: channels of the output.
        kernel_size: size of the kernel, for all axes or one for each.
        stride: as in torch.
        padding: as in torch, or (left, right, top, bottom); what it adds is filled in by `padding_mode`.
        dilation: as in torch.
        groups: as in torch.
        bias: as in torch.
        padding_mode: a name of the vocabulary, see `modes`; or one for each axis or each end, see `conv2d`.
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

    axes = 2
    _torchs_forward = _for_script(nn.Conv2d)


class Conv3d(_BoundaryConv, nn.Conv3d):
    """As `Conv2d`, for input (N, C, D, H, W) or (C, D, H, W)."""

    axes = 3
    _torchs_forward = _for_script(nn.Conv3d)
