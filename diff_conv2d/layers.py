"""The paper's layers: output of the size of the input, stride and dilation 1."""

from __future__ import annotations

import warnings
from collections.abc import Mapping, Sequence
from typing import Any, ClassVar, Literal

import torch
import torch.fx
from torch import Tensor

from diff_conv2d.functional import check_optimized_for, paper_conv2d
from diff_conv2d.geometry import Algorithm
from diff_conv2d.modes import AnyMode, PaddingMode
from diff_conv2d.torch_layers import Conv2d

__all__ = [
    "DiffConv2dLayer",
    "ExplicitConv2dLayer",
    "ExtraConv2dLayer",
    "PartConv2dLayer",
    "RandConv2dLayer",
]


# See `torch_layers`.
torch.fx.wrap("paper_conv2d")


class DiffConv2dLayer(Conv2d):
    """The paper's layer: output of the size of the input, kernel kept as a differential operator at the edge.

    Source: Leng and Thiyagalingam, arXiv 2309.06370. Checkpoints of the authors' layer load as they are.

    Args:
        in_channels: channels of the input.
        out_channels: channels of the output.
        kernel_size: height and width of the kernel, or one number for both.
        groups: as in torch.
        bias: as in torch.
        keep_img_grad_at_invalid: if False, no gradient flows from invalid outputs to the image.
        train_edge_kernel: train a second kernel, `edge_weight` (with `edge_bias`), for invalid outputs. Both start
            as copies of `weight` and `bias`.
        optimized_for: 'memory' holds no padded copy of the image, 'speed' does.
        device: as in torch.
        dtype: as in torch.

    Shapes:
        input (N, C, H, W), or without N; output (N, out channels, H, W).

    Example:
        >>> layer = DiffConv2dLayer(2, 4, kernel_size=3, train_edge_kernel=True)
        >>> sorted(layer.state_dict())
        ['bias', 'edge_bias', 'edge_weight', 'weight']
        >>> layer(torch.ones(1, 2, 5, 6)).shape
        torch.Size([1, 4, 5, 6])
    """

    def __init__(
        self,
        in_channels: int,
        out_channels: int,
        kernel_size: int | Sequence[int],
        groups: int = 1,
        bias: bool = True,
        keep_img_grad_at_invalid: bool = True,
        train_edge_kernel: bool = False,
        optimized_for: Literal["memory", "speed"] = "memory",
        device: torch.device | str | int | None = None,
        dtype: torch.dtype | None = None,
    ) -> None:
        check_optimized_for(optimized_for)
        for name, value in (
            ("keep_img_grad_at_invalid", keep_img_grad_at_invalid),
            ("train_edge_kernel", train_edge_kernel),
        ):
            if not isinstance(value, bool):
                raise TypeError(f"{name} must be True or False, got {value!r}")
        super().__init__(
            in_channels,
            out_channels,
            kernel_size,
            padding="same",
            groups=groups,
            bias=bias,
            padding_mode="diff",
            device=device,
            dtype=dtype,
        )
        self.keep_img_grad_at_invalid = keep_img_grad_at_invalid
        self.optimized_for = optimized_for
        if train_edge_kernel:
            self._add_edge_kernels(self.weight.shape)

    def _set_mode(self, name: AnyMode, algorithm: Algorithm, options: Mapping[str, Any]) -> None:
        if name != "diff":
            raise ValueError(
                f"padding_mode must be 'diff', got {name!r}; the other modes are those of diff_conv2d.Conv2d"
            )
        super()._set_mode(name, algorithm, options)

    def _conv_forward(self, input: Tensor, weight: Tensor, bias: Tensor | None) -> Tensor:
        if self.edge_weight is not None:
            self._check_edge_kernels(weight, bias)
        return paper_conv2d(
            input,
            weight,
            bias,
            self.geometry,
            self.groups,
            self.keep_img_grad_at_invalid,
            self.edge_weight,
            self.edge_bias,
            self.optimized_for,
        )

    def _load_from_state_dict(self, state_dict: dict[str, Any], prefix: str, *args: Any) -> None:
        for theirs, ours in (("inter_layer.", ""), ("edge_layer.", "edge_")):
            for name in ("weight", "bias"):
                if prefix + theirs + name in state_dict:
                    state_dict[prefix + ours + name] = state_dict.pop(prefix + theirs + name)
                    if ours + name == "edge_bias":
                        warnings.warn(
                            f"the checkpoint holds {prefix}edge_layer.bias, which the authors' code trains but never "
                            "adds to an output; this layer does. For the outputs of their network, set edge_bias "
                            "to bias after loading.",
                            stacklevel=2,
                        )
        super()._load_from_state_dict(state_dict, prefix, *args)

    def extra_repr(self) -> str:
        """Return torch's text and the options of this layer."""
        return (
            f"{super().extra_repr()}, keep_img_grad_at_invalid={self.keep_img_grad_at_invalid}, "
            f"train_edge_kernel={self.edge_weight is not None}, optimized_for={self.optimized_for!r}"
        )


class _PaperLayer(Conv2d):
    """A mode under the name that the paper's code has for it; `diff_conv2d.Conv2d` has the other arguments.

    Args:
        in_channels: channels of the input.
        out_channels: channels of the output.
        kernel_size: height and width of the kernel, or one number for both.
        groups: as in torch.
        bias: as in torch.
    """

    mode: ClassVar[PaddingMode]

    def __init__(
        self,
        in_channels: int,
        out_channels: int,
        kernel_size: int | Sequence[int],
        groups: int = 1,
        bias: bool = True,
    ) -> None:
        super().__init__(
            in_channels, out_channels, kernel_size, padding="same", groups=groups, bias=bias, padding_mode=self.mode
        )


class ExtraConv2dLayer(_PaperLayer):
    """'extrapolate': the polynomial of degree k // 2 (Gupta and Ramani 1978). The gradient flows, unlike theirs.

    Example:
        >>> ExtraConv2dLayer(2, 4, kernel_size=5)(torch.ones(1, 2, 6, 6)).shape
        torch.Size([1, 4, 6, 6])
    """

    mode = "extrapolate"


class RandConv2dLayer(_PaperLayer):
    """'random': noise with the moments of the edge band (Nguyen et al. 2019)."""

    mode = "random"


class PartConv2dLayer(_PaperLayer):
    """'partial': zero padding, each output divided by the share of its window inside (Liu et al. 2018, 2022)."""

    mode = "partial"


class ExplicitConv2dLayer(_PaperLayer):
    """'explicit': a trained kernel for each displacement (Innamorati et al. 2018)."""

    mode = "explicit"
