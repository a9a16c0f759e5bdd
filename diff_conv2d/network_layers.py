"""Torch's other layers that have a boundary, with any mode that extends an image.

Parameters, state and arguments are torch's; `padding_mode` and the options of the mode are added. 'zeros' stands for
what torch's layer does by itself, to the bit (see `operations`).
"""

from __future__ import annotations

import inspect
from collections.abc import Sequence
from dataclasses import fields
from typing import Any, ClassVar

import torch
import torch.fx
from torch import Tensor, nn

from diff_conv2d.arguments import check_tensor, per_axis
from diff_conv2d.modes import AnyMode, boundary
from diff_conv2d.modes.base import Boundary
from diff_conv2d.operations.extended import check_mode, extended, is_torchs
from diff_conv2d.operations.pooling import avg_pool, max_pool, unfold
from diff_conv2d.operations.resampling import AXES, interpolate, reads_outside
from diff_conv2d.operations.transposed import conv_transpose

__all__ = [
    "AvgPool1d",
    "AvgPool2d",
    "AvgPool3d",
    "BoundaryLayer",
    "ConvTranspose1d",
    "ConvTranspose2d",
    "ConvTranspose3d",
    "MaxPool1d",
    "MaxPool2d",
    "MaxPool3d",
    "Pad1d",
    "Pad2d",
    "Pad3d",
    "Unfold",
    "Upsample",
]


class BoundaryLayer(nn.Module):
    """What the layers share: torch's arguments, and a mode.

    Args:
        arguments: torch's, as torch has them.
        padding_mode: a name of the vocabulary, or one for each axis or each end, see `conv2d`.
        options: torch's further arguments, and options of the mode.

    Raises:
        ValueError: there is no such mode, or it does not extend images.
        TypeError: neither torch's layer nor the mode has such an argument.
    """

    #: What it is, as the end of a sentence.
    operation: ClassVar[str]
    #: Spatial axes; None if the input decides.
    axes: ClassVar[int | None]
    _mode: Boundary

    def __init__(self, *arguments: Any, padding_mode: AnyMode = "diff", **options: Any) -> None:
        torchs = inspect.signature(self._torchs_layer().__init__).parameters
        super().__init__(*arguments, **{name: value for name, value in options.items() if name in torchs})
        self._set_mode(padding_mode, {name: value for name, value in options.items() if name not in torchs})

    @classmethod
    def _torchs_layer(cls) -> type[nn.Module]:
        """The torch layer that it is derived from."""
        return next(kind for kind in cls.__mro__ if kind.__module__.startswith("torch.nn"))

    def _set_mode(self, name: AnyMode, options: dict[str, Any]) -> None:
        """Adopt a boundary mode."""
        mode = boundary(name, **options)
        if self.axes is not None:
            mode.check(self.axes)
        if is_torchs(mode):
            # torch's transposed convolutions know this word alone.
            name = "zeros"
        else:
            check_mode(mode, self.operation)
        self._mode = mode
        vars(self)["padding_mode"] = name

    @property
    def padding_mode(self) -> Any:
        """The mode as it was given; set to another, its options are the default ones."""
        return vars(self)["padding_mode"]

    @padding_mode.setter
    def padding_mode(self, value: Any) -> None:
        # torch's constructor sets it before there is a mode.
        if "_mode" in vars(self) and value != self.padding_mode:
            self._set_mode(value, {})
        else:
            vars(self)["padding_mode"] = value

    @classmethod
    def axes_of(cls, layer: Any) -> int | None:
        """Return the spatial axes of a layer; None if it has no boundary."""
        return cls.axes

    @classmethod
    def why_not(cls, layer: Any) -> str | None:
        """Return why a mode would change nothing in a layer, or cannot be used, in a few words; None if it can."""
        return None

    def extra_repr(self) -> str:
        """Return torch's text, the mode and its options."""
        shown = [option.name for option in fields(self._mode) if option.repr]
        options = [f"{name}={value}" for name in shown if (value := getattr(self._mode, name)) is not None]
        # torch's transposed convolutions say their mode themselves.
        text = super().extra_repr()
        mode = [] if "padding_mode=" in text or is_torchs(self._mode) else [f"padding_mode={self.padding_mode}"]
        return ", ".join([*([text] if text else []), *mode, *options])

    def __call__(self, *arguments: Any, **options: Any) -> Any:
        """Within a network torch.fx sees one node, as for torch's layers."""
        first = next(iter((*arguments, *options.values())), None)
        tracer: Any = first.tracer if isinstance(first, torch.fx.Proxy) else None
        if tracer is not None and tracer.root is not self:
            return tracer.create_proxy("call_module", tracer.path_of_module(self), arguments, options)
        return super().__call__(*arguments, **options)

    def __prepare_scriptable__(self) -> nn.Module:
        """Say that torch.jit.script cannot compile it."""
        raise ValueError(
            f"torch.jit.script compiles no {type(self).__name__} of this library; use torch.compile, torch.export or "
            "torch.jit.trace"
        )

    def _batch(self, input: Tensor, axes: int) -> Tensor:
        """Return the images as a batch (N, C, ...)."""
        check_tensor("input", input)
        if input.ndim not in (axes + 1, axes + 2):
            raise ValueError(
                f"input must have {axes + 2} dimensions (batch, channels and {axes} spatial), or {axes + 1} without "
                f"the batch, got shape {tuple(input.shape)}"
            )
        return input if input.ndim == axes + 2 else input.unsqueeze(0)


class _ConvTranspose(BoundaryLayer):
    operation = "a transposed convolution"
    axes: ClassVar[int]
    weight: Tensor
    bias: Tensor | None
    kernel_size: Any
    stride: Any
    padding: Any
    output_padding: Any
    dilation: Any
    groups: int
    _output_padding: Any

    def forward(self, input: Tensor, output_size: Sequence[int] | None = None) -> Tensor:
        """As torch's, of the extended image."""
        if is_torchs(self._mode):
            torchs: Tensor = super().forward(input, output_size)
            return torchs
        images = self._batch(input, self.axes)
        padding = per_axis("padding", self.padding, self.axes, 0)
        sizes = self.stride, padding, self.kernel_size
        more = self._output_padding(input, output_size, *sizes, self.axes, self.dilation)
        output = conv_transpose(
            images,
            self.weight,
            self.bias,
            self.stride,
            padding,
            more,
            self.groups,
            self.dilation,
            self._mode,
        )
        return output if input.ndim == images.ndim else output.squeeze(0)

    @classmethod
    def why_not(cls, layer: Any) -> str | None:
        """Whether its outputs read nothing outside the image."""
        sizes = (layer.kernel_size, layer.dilation, layer.padding, layer.stride, layer.output_padding)
        reads = (
            (k - 1) * d - p + o >= s
            for k, d, p, s, o in zip(*(per_axis("size", size, cls.axes, 0) for size in sizes), strict=True)
        )
        return None if any(reads) else "reads no sample outside"


class ConvTranspose1d(_ConvTranspose, nn.ConvTranspose1d):
    """As `ConvTranspose2d`, for input (N, C, L) or (C, L)."""

    axes = 1


class ConvTranspose2d(_ConvTranspose, nn.ConvTranspose2d):
    """`torch.nn.ConvTranspose2d` of an image that goes on outside, see `operations.transposed`.

    Example:
        >>> layer = ConvTranspose2d(1, 1, 4, stride=2, padding=1, bias=False, padding_mode="circular")
        >>> image = torch.rand(1, 1, 5, 6)
        >>> shifted = layer(image.roll(1, -1))
        >>> torch.allclose(shifted, layer(image).roll(2, -1), atol=1e-6)
        True
    """

    axes = 2


class ConvTranspose3d(_ConvTranspose, nn.ConvTranspose3d):
    """As `ConvTranspose2d`, for input (N, C, D, H, W) or (C, D, H, W)."""

    axes = 3


class _Pool(BoundaryLayer):
    operation = "pooling"
    axes: ClassVar[int]
    kernel_size: Any
    stride: Any
    padding: Any
    ceil_mode: bool

    @classmethod
    def why_not(cls, layer: Any) -> str | None:
        """Whether all windows lie in the image."""
        return None if any(per_axis("padding", layer.padding, cls.axes, 0)) or layer.ceil_mode else "no padding"

    def _sizes(self) -> list[tuple[int, ...]]:
        sizes = {"kernel_size": self.kernel_size, "stride": self.stride}
        return [
            *(per_axis(name, size, self.axes, 1) for name, size in sizes.items()),
            per_axis("padding", self.padding, self.axes, 0),
        ]


class _MaxPool(_Pool):
    dilation: Any
    return_indices: bool

    def forward(self, input: Tensor) -> Any:
        """As torch's, of the extended image."""
        if is_torchs(self._mode):
            return super().forward(input)
        if self.return_indices:
            raise ValueError(
                f"return_indices must be False for padding_mode={self.padding_mode!r}: the largest sample may lie "
                "outside the image"
            )
        images = self._batch(input, self.axes)
        dilation = per_axis("dilation", self.dilation, self.axes, 1)
        kernel, stride, padding = self._sizes()
        output = max_pool(images, kernel, stride, padding, dilation, self.ceil_mode, self._mode)
        return output if input.ndim == images.ndim else output.squeeze(0)

    @classmethod
    def why_not(cls, layer: Any) -> str | None:
        """Also if it returns indices, which samples outside do not have."""
        return "returns indices" if layer.return_indices else super().why_not(layer)


class MaxPool1d(_MaxPool, nn.MaxPool1d):
    """As `MaxPool2d`, for input (N, C, L) or (C, L)."""

    axes = 1


class MaxPool2d(_MaxPool, nn.MaxPool2d):
    """`torch.nn.MaxPool2d` over an image that goes on outside; torch has nothing there.

    Example:
        >>> MaxPool2d(3, stride=1, padding=1, padding_mode="circular")(torch.arange(16.0).view(1, 4, 4))[0, 0]
        tensor([15., 14., 15., 15.])
    """

    axes = 2


class MaxPool3d(_MaxPool, nn.MaxPool3d):
    """As `MaxPool2d`, for input (N, C, D, H, W) or (C, D, H, W)."""

    axes = 3


class _AvgPool(_Pool):
    count_include_pad: bool

    def forward(self, input: Tensor) -> Any:
        """As torch's, of the extended image, whose samples outside count as any other."""
        if is_torchs(self._mode):
            return super().forward(input)
        images = self._batch(input, self.axes)
        divisor = getattr(self, "divisor_override", None)
        kernel, stride, padding = self._sizes()
        counted = self.ceil_mode, self.count_include_pad, divisor
        output = avg_pool(images, kernel, stride, padding, *counted, self._mode)
        return output if input.ndim == images.ndim else output.squeeze(0)


class AvgPool1d(_AvgPool, nn.AvgPool1d):
    """As `AvgPool2d`, for input (N, C, L) or (C, L)."""

    axes = 1


class AvgPool2d(_AvgPool, nn.AvgPool2d):
    """`torch.nn.AvgPool2d` of an image that goes on outside.

    Example:
        >>> AvgPool2d(3, stride=1, padding=1, padding_mode="replicate")(torch.ones(1, 4, 4)).unique()
        tensor([1.])
    """

    axes = 2


class AvgPool3d(_AvgPool, nn.AvgPool3d):
    """As `AvgPool2d`, for input (N, C, D, H, W) or (C, D, H, W)."""

    axes = 3


class Unfold(BoundaryLayer, nn.Unfold):
    """`torch.nn.Unfold`, the windows of images (N, C, H, W) that go on outside.

    Example:
        >>> Unfold(3, padding=1, padding_mode="replicate")(torch.ones(1, 1, 4, 4)).unique()
        tensor([1.])
    """

    operation = "unfolding"
    axes = 2

    def forward(self, input: Tensor) -> Tensor:
        """As torch's, of the extended image."""
        if is_torchs(self._mode):
            return super().forward(input)
        images = self._batch(input, 2)
        kernel, dilation = per_axis("kernel_size", self.kernel_size, 2, 1), per_axis("dilation", self.dilation, 2, 1)
        padding, stride = per_axis("padding", self.padding, 2, 0), per_axis("stride", self.stride, 2, 1)
        output = unfold(images, kernel, dilation, padding, stride, self._mode)
        return output if input.ndim == images.ndim else output.squeeze(0)

    @classmethod
    def why_not(cls, layer: Any) -> str | None:
        """Whether all windows lie in the image."""
        return None if any(per_axis("padding", layer.padding, 2, 0)) else "no padding"


class Upsample(BoundaryLayer, nn.Upsample):
    """`torch.nn.Upsample` of an image that goes on outside: 'linear', 'bilinear', 'trilinear' and 'bicubic'.

    torch repeats the edge samples, which is `replicate`; 'zeros' stands for the same.

    Example:
        >>> layer = Upsample(scale_factor=2, mode="linear", padding_mode="diff")
        >>> layer(torch.tensor([[[0.0, 1.0, 2.0]]]))  # torch has 0 and 2 at the ends
        tensor([[[-0.2500,  0.2500,  0.7500,  1.2500,  1.7500,  2.2500]]])
    """

    operation = "resampling"
    axes = None

    def forward(self, input: Tensor) -> Tensor:
        """As torch's, of the extended image."""
        if is_torchs(self._mode) or self.why_not(self):
            return super().forward(input)
        check_tensor("input", input)
        size: Any = self.size
        scale, corners, recompute = self.scale_factor, self.align_corners, self.recompute_scale_factor
        return interpolate(input, size, scale, self.mode, corners, recompute, self._mode)

    @classmethod
    def axes_of(cls, layer: Any) -> int | None:
        """The axes that its interpolation is for."""
        return AXES.get(layer.mode)

    @classmethod
    def why_not(cls, layer: Any) -> str | None:
        """Whether it reads nothing outside the image."""
        return None if reads_outside(layer.mode, layer.align_corners) else "reads no sample outside"


class _Pad(BoundaryLayer):
    operation = "padding"
    axes: ClassVar[int]
    padding: Any

    def __init__(self, padding: int | Sequence[int], padding_mode: AnyMode = "diff", **options: Any) -> None:
        nn.Module.__init__(self)
        count = 2 * self.axes
        self.padding = per_axis("padding", padding, count, minimum=-(2**31))
        self._set_mode(padding_mode, options)

    def forward(self, input: Tensor) -> Tensor:
        """Extend images; a negative width cuts samples off, first."""
        images = self._batch(input, self.axes)
        widths = per_axis("padding", self.padding, 2 * self.axes, minimum=-(2**31))
        if min(widths) < 0:
            images = nn.functional.pad(images, [min(width, 0) for width in widths])
        before, after = ([max(width, 0) for width in widths[first::-2]] for first in (-2, -1))
        taps = [b + a + 1 for b, a in zip(before, after, strict=True)]
        output = extended(images, self._mode.without_kernel(), before, after, taps)
        return output if input.ndim == images.ndim else output.squeeze(0)

    def extra_repr(self) -> str:
        """Return the widths, the mode and its options."""
        return f"{self.padding}, " + super().extra_repr()


class Pad1d(_Pad, nn.Module):
    """As `Pad2d`, for input (N, C, L) or (C, L) and (left, right)."""

    axes = 1


class Pad2d(_Pad, nn.Module):
    """`pad` as a layer: `torch.nn.ZeroPad2d`, `ReflectionPad2d`, ... in any mode.

    Args:
        padding: (left, right, top, bottom), or one width for all.
        padding_mode: see `pad`.
        options: of the mode.

    Example:
        >>> Pad2d(1, padding_mode=("zeros", "circular"))(torch.ones(1, 1, 1, 2))[0, 0]
        tensor([[0., 0., 0., 0.],
                [1., 1., 1., 1.],
                [0., 0., 0., 0.]])
    """

    axes = 2


class Pad3d(_Pad, nn.Module):
    """As `Pad2d`, for input (N, C, D, H, W) or (C, D, H, W) and six widths."""

    axes = 3
