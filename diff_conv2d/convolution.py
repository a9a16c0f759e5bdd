"""Convolutions with torch's arguments and any boundary mode."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from torch import Tensor

from diff_conv2d.arguments import (
    Algorithm,
    Geometry,
    check_algorithm,
    check_tensor,
    check_tensors,
    per_axis,
    widths_of_padding,
)
from diff_conv2d.modes import PaddingMode, algorithm_for, boundary, check_image
from diff_conv2d.modes.base import Boundary
from diff_conv2d.tracing import only_as_traced

__all__ = ["conv1d", "conv2d", "conv3d", "convolve"]


def convolve(
    input: Tensor,
    weight: Tensor,
    bias: Tensor | None,
    geometry: Geometry,
    groups: int,
    mode: Boundary,
    edge_weight: Tensor | None = None,
    edge_bias: Tensor | None = None,
) -> Tensor:
    """Convolve with arguments that have been parsed; the functions and the layers both end here."""
    axes = len(geometry.kernel)
    check_tensors(axes, input, weight, bias, groups, geometry)
    check_image(mode, input, geometry)
    if mode.has_edge_kernels or edge_weight is not None or edge_bias is not None:
        _check_edge(mode.edge_weight_shape(tuple(weight.shape), geometry), weight, edge_weight, edge_bias)
    input = only_as_traced(input, mode, geometry)
    if input.ndim == axes + 1:
        batch = input.unsqueeze(0)
        return mode.convolve(batch, weight, bias, geometry, groups, edge_weight, edge_bias).squeeze(0)
    return mode.convolve(input, weight, bias, geometry, groups, edge_weight, edge_bias)


def _check_edge(
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


def _conv(
    axes: int,
    input: Tensor,
    weight: Tensor,
    bias: Tensor | None,
    stride: int | Sequence[int],
    padding: int | Sequence[int] | str,
    dilation: int | Sequence[int],
    groups: int,
    mode: Boundary,
    edge_weight: Tensor | None,
    edge_bias: Tensor | None,
    algorithm: Algorithm,
) -> Tensor:
    check_algorithm(algorithm)
    check_tensors(axes, input, weight, bias, groups)
    strides = per_axis("stride", stride, axes, minimum=1)
    dilations = per_axis("dilation", dilation, axes, minimum=1)
    kernel = tuple(weight.shape[2:])
    before, after = widths_of_padding(padding, kernel, strides, dilations)
    geometry = Geometry(kernel, strides, dilations, before, after, algorithm_for(mode, algorithm))
    return convolve(input, weight, bias, geometry, groups, mode, edge_weight, edge_bias)


def conv1d(
    input: Tensor,
    weight: Tensor,
    bias: Tensor | None = None,
    stride: int | Sequence[int] = 1,
    padding: int | Sequence[int] | str = 0,
    dilation: int | Sequence[int] = 1,
    groups: int = 1,
    padding_mode: PaddingMode = "diff",
    degree: int | Sequence[int] | None = None,
    edge_weight: Tensor | None = None,
    edge_bias: Tensor | None = None,
    algorithm: Algorithm = "auto",
    **options: Any,
) -> Tensor:
    """Convolve lines, (N, C, L) or (C, L); otherwise as `conv2d`.

    Example:
        >>> squares = torch.tensor([[0.0, 1.0, 4.0, 9.0]])
        >>> conv1d(squares, torch.tensor([[[1.0, -2.0, 1.0]]]), padding=1)  # the second derivative
        tensor([[2., 2., 2., 2.]])
    """
    mode = boundary(padding_mode, degree=degree, **options)
    return _conv(1, input, weight, bias, stride, padding, dilation, groups, mode, edge_weight, edge_bias, algorithm)


def conv2d(
    input: Tensor,
    weight: Tensor,
    bias: Tensor | None = None,
    stride: int | Sequence[int] = 1,
    padding: int | Sequence[int] | str = 0,
    dilation: int | Sequence[int] = 1,
    groups: int = 1,
    padding_mode: PaddingMode = "diff",
    degree: int | Sequence[int] | None = None,
    edge_weight: Tensor | None = None,
    edge_bias: Tensor | None = None,
    algorithm: Algorithm = "auto",
    **options: Any,
) -> Tensor:
    r"""Convolve images, with a boundary mode of choice.

    .. math:: y_{n,o}(x) = b_o + \sum_{c,j} w_{o,c,j} \, P_{n,c}(s x - p + d j)

    with stride s, padding p, dilation d, and P the image as `padding_mode` continues it. For 'diff' P is the
    polynomial through the k samples nearest each edge, so that at the edge the kernel acts as the same
    differential operator as inside. ('partial' scales y instead of continuing the image.)

    Source: Leng and Thiyagalingam, arXiv 2309.06370, in the equivalent form derived in the class `Diff`.

    Args:
        input: images (N, C, H, W), or one image (C, H, W), of floating point or complex dtype. Integers are left to
            torch's convolution in the modes that copy samples or put zeros, where it has one (with a dilation: of
            int64 alone); all else is refused.
        weight: kernels (out channels, C / groups, kernel height, kernel width).
        bias: one value for each output channel, or None.
        stride: steps of the window, in samples.
        padding: samples added at both ends of each axis, 'same' (output of the size of the input; stride 1) or
            'valid' (none). The default is torch's, which adds none: then no mode has anything to do.
        dilation: samples between the taps of the kernel. The image is continued on each lattice of that spacing
            by itself.
        groups: groups of channels that do not see each other, as in torch.
        padding_mode: a name of the vocabulary, see `modes`.
        degree: for 'diff' (default k - 1) and 'extrapolate' (default k // 2): degree of the polynomial, for both
            axes or one for each. Noise grows with the degree; lower it for rough or noisy images.
        edge_weight: for 'explicit' (k * k - 1 kernels, see `Explicit`) and 'diff_explicit' (one, of the shape of
            weight): the kernels of outputs whose window leaves the image.
        edge_bias: their biases; none if None.
        algorithm: 'direct' leaves the sums to torch's convolution. With 'auto' a large image that is filtered with
            one or a few kernels on a CPU is read in blocks, which is several times faster (see `blocks`) and the
            same to rounding. In 'zeros', 'reflect', 'replicate' and 'circular', which equal torch's to the bit,
            'auto' is 'direct', and 'fast' allows the blocks.
        options: further options of the mode, such as `generator` of 'random'.

    Returns:
        (N, out channels, H', W') with torch's sizes, or without N.

    Raises:
        ValueError: if a value or a shape does not fit.
        TypeError: if an argument is of the wrong kind, dtypes differ or the mode has no such option.

    Example:
        >>> h, w = torch.meshgrid(torch.arange(4.0), torch.arange(4.0), indexing="ij")
        >>> laplacian = torch.tensor([[[[0.0, 1.0, 0.0], [1.0, -4.0, 1.0], [0.0, 1.0, 0.0]]]])
        >>> conv2d((h**2 + 2 * w**2)[None], laplacian, padding="same")[0]  # 2 + 4 up to the corners
        tensor([[6., 6., 6., 6.],
                [6., 6., 6., 6.],
                [6., 6., 6., 6.],
                [6., 6., 6., 6.]])
    """
    mode = boundary(padding_mode, degree=degree, **options)
    return _conv(2, input, weight, bias, stride, padding, dilation, groups, mode, edge_weight, edge_bias, algorithm)


def conv3d(
    input: Tensor,
    weight: Tensor,
    bias: Tensor | None = None,
    stride: int | Sequence[int] = 1,
    padding: int | Sequence[int] | str = 0,
    dilation: int | Sequence[int] = 1,
    groups: int = 1,
    padding_mode: PaddingMode = "diff",
    degree: int | Sequence[int] | None = None,
    edge_weight: Tensor | None = None,
    edge_bias: Tensor | None = None,
    algorithm: Algorithm = "auto",
    **options: Any,
) -> Tensor:
    """Convolve volumes, (N, C, D, H, W) or (C, D, H, W); otherwise as `conv2d`.

    Example:
        >>> conv3d(torch.ones(1, 2, 2, 2), torch.ones(1, 1, 3, 3, 3), padding=1).unique()
        tensor([27.])
    """
    mode = boundary(padding_mode, degree=degree, **options)
    return _conv(3, input, weight, bias, stride, padding, dilation, groups, mode, edge_weight, edge_bias, algorithm)
