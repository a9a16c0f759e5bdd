"""Functions with torch's arguments and any boundary mode: `conv1d` to `conv3d`, `pad`; and the paper's own API."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any, Literal

from torch import Tensor

from diff_conv2d.algorithms.blocks import valid_convolution
from diff_conv2d.algorithms.choice import convolve, extend
from diff_conv2d.algorithms.frame import convolve_without_copy
from diff_conv2d.algorithms.regions import convolve_by_region
from diff_conv2d.arguments import (
    check_algorithm,
    check_tensor,
    check_tensors,
    is_sequence,
    per_axis,
    widths_of_padding,
)
from diff_conv2d.geometry import Algorithm, Geometry
from diff_conv2d.modes import AnyMode, boundary
from diff_conv2d.modes.base import Boundary
from diff_conv2d.modes.polynomial import Diff
from diff_conv2d.outputs import check_out
from diff_conv2d.tracing import only_as_traced

if TYPE_CHECKING:
    from diff_conv2d.masks import MaskedBoundary

__all__ = ["DiffConv2d", "conv1d", "conv2d", "conv3d", "pad"]


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
    mask: Tensor | MaskedBoundary | None,
    out: Tensor | None,
) -> Tensor:
    check_algorithm(algorithm)
    check_tensors(axes, input, weight, bias, groups)
    strides = per_axis("stride", stride, axes, minimum=1)
    dilations = per_axis("dilation", dilation, axes, minimum=1)
    kernel = tuple(weight.shape[2:])
    before, after = widths_of_padding(padding, kernel, strides, dilations)
    geometry = Geometry(kernel, strides, dilations, before, after, mode.algorithm_for(algorithm))
    if out is not None:
        check_tensors(axes, input, weight, bias, groups, geometry)
        sizes = (geometry.output_size(axis, size) for axis, size in enumerate(input.shape[-axes:]))
        shape = (*input.shape[: -axes - 1], weight.shape[0], *sizes)
        check_out(out, shape, input, (weight, bias, edge_weight, edge_bias))
    if mask is not None:
        # Few calls have one.
        from diff_conv2d.masks.convolution import convolve_with_mask

        def convolution(image: Tensor) -> Tensor:
            return convolve(image, weight, bias, geometry, groups, mode, edge_weight, edge_bias)

        result = convolve_with_mask(mask, input, weight, bias, geometry, groups, mode, convolution)
        return result if out is None else out.copy_(result)
    result = convolve(input, weight, bias, geometry, groups, mode, edge_weight, edge_bias, out)
    return result if out is None else out


def conv1d(
    input: Tensor,
    weight: Tensor,
    bias: Tensor | None = None,
    stride: int | Sequence[int] = 1,
    padding: int | Sequence[int] | str = 0,
    dilation: int | Sequence[int] = 1,
    groups: int = 1,
    padding_mode: AnyMode = "diff",
    degree: int | Sequence[int] | None = None,
    edge_weight: Tensor | None = None,
    edge_bias: Tensor | None = None,
    algorithm: Algorithm = "auto",
    mask: Tensor | MaskedBoundary | None = None,
    out: Tensor | None = None,
    **options: Any,
) -> Tensor:
    """Convolve lines, (N, C, L) or (C, L); otherwise as `conv2d`.

    Example:
        >>> squares = torch.tensor([[0.0, 1.0, 4.0, 9.0]])
        >>> conv1d(squares, torch.tensor([[[1.0, -2.0, 1.0]]]), padding=1)  # the second derivative
        tensor([[2., 2., 2., 2.]])
    """
    mode = boundary(padding_mode, degree=degree, **options)
    kernels = edge_weight, edge_bias
    return _conv(1, input, weight, bias, stride, padding, dilation, groups, mode, *kernels, algorithm, mask, out)


def conv2d(
    input: Tensor,
    weight: Tensor,
    bias: Tensor | None = None,
    stride: int | Sequence[int] = 1,
    padding: int | Sequence[int] | str = 0,
    dilation: int | Sequence[int] = 1,
    groups: int = 1,
    padding_mode: AnyMode = "diff",
    degree: int | Sequence[int] | None = None,
    edge_weight: Tensor | None = None,
    edge_bias: Tensor | None = None,
    algorithm: Algorithm = "auto",
    mask: Tensor | MaskedBoundary | None = None,
    out: Tensor | None = None,
    **options: Any,
) -> Tensor:
    r"""Convolve images, with a boundary mode of choice.

    .. math:: y_{n,o}(x) = b_o + \sum_{c,j} w_{o,c,j} \, P_{n,c}(s x - p + d j)

    with stride s, padding p, dilation d, and P the image as `padding_mode` extends it. For 'diff' P is the
    polynomial through the k samples nearest each edge, so that at the edge the kernel acts as the same
    differential operator as inside. ('partial' scales y instead of extending the image.)

    Source: Leng and Thiyagalingam, arXiv 2309.06370, in the equivalent form derived in the class `Diff`.

    Args:
        input: images (N, C, H, W), or one image (C, H, W), of floating point or complex dtype. Integers work in the
            modes that copy samples or put zeros, if torch has such a convolution (dilated: of int64 alone); other
            modes refuse them.
        weight: kernels (out channels, C / groups, kernel height, kernel width).
        bias: one value for each output channel, or None.
        stride: steps of the window, in samples.
        padding: samples added at each end of each axis, 'same' (output of the size of the input; stride 1) or
            'valid' (none). The default is torch's, which adds none: then no mode has anything to do. Ends may
            differ: (left, right, top, bottom), counted from the last axis as in `pad`.
        dilation: distance between neighbouring taps of the kernel, in samples. Polynomials and predictors extend
            each lattice of that spacing by itself.
        groups: groups of channels that do not see each other, as in torch.
        padding_mode: a name of the vocabulary, see `modes`. Or one entry for each axis, as in ('zeros', 'circular')
            for rows and columns, where an entry may be a pair for the low and the high end: ('diff', ('zeros',
            'replicate')). An option goes to each mode that has it; {"mode": "diff", "degree": 1} in place of a name
            gives its own.
        degree: for 'diff' (default k - 1) and 'extrapolate' (default k // 2): degree of the polynomial, for both
            axes or one for each. Noise grows with the degree; lower it for rough or noisy images.
        edge_weight: for 'explicit' (k * k - 1 kernels for padding='same', see `Explicit`) and 'diff_explicit' (one,
            of the shape of weight): the kernels of outputs whose window leaves the image.
        edge_bias: their biases; none if None.
        algorithm: 'direct' leaves the sums to torch's convolution. With 'auto' a large image that is filtered with
            one or a few kernels on a CPU is read in blocks, which is several times faster (see `algorithms.blocks`)
            and the same to rounding. In 'zeros', 'reflect', 'replicate' and 'circular', which equal torch's to the
            bit, 'auto' is 'direct', and 'fast' allows the blocks. 'memory' holds no padded copy of the image: the
            outputs at the edge are made again from strips (see `algorithms.frame`). 'circular', 'random' and
            'linear_prediction' need that copy, and refuse 'memory'. 'fused' extends the image by one kernel on a GPU,
            where a layer costs what it launches, and its gradient takes one more (see `extension.fused`). It is for
            the modes whose samples outside are weighted sums of those on their line; others refuse it. Without
            Triton, and on a CPU, the same is computed in the plain way.
        mask: bool, True where a pixel is valid, (H, W) or (N, 1, H, W). Other pixels are outside, whatever they hold.
            They are filled from valid ones as far as the kernel reaches; then `padding_mode` extends the rim. It
            also says how they are filled, in 'zeros', 'replicate', 'diff', 'extrapolate', 'adaptive' and 'partial';
            with another mode, or for many images, give a `masks.MaskedBoundary`. Outputs at outside pixels, those
            whose window has one in its middle, are 0.
        out: a tensor of the result's shape, dtype and device, of any strides, to which the result is written. New
            memory costs as much as filtering a large image, see docs/speed.md. As in torch there is no gradient. It
            may not share memory with the other tensors.
        options: further options of the mode, such as `generator` of 'random'.

    Returns:
        (N, out channels, H', W') with torch's sizes, or without N; `out` if it is given.

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
    kernels = edge_weight, edge_bias
    return _conv(2, input, weight, bias, stride, padding, dilation, groups, mode, *kernels, algorithm, mask, out)


def conv3d(
    input: Tensor,
    weight: Tensor,
    bias: Tensor | None = None,
    stride: int | Sequence[int] = 1,
    padding: int | Sequence[int] | str = 0,
    dilation: int | Sequence[int] = 1,
    groups: int = 1,
    padding_mode: AnyMode = "diff",
    degree: int | Sequence[int] | None = None,
    edge_weight: Tensor | None = None,
    edge_bias: Tensor | None = None,
    algorithm: Algorithm = "auto",
    mask: Tensor | MaskedBoundary | None = None,
    out: Tensor | None = None,
    **options: Any,
) -> Tensor:
    """Convolve volumes, (N, C, D, H, W) or (C, D, H, W); otherwise as `conv2d`.

    Example:
        >>> conv3d(torch.ones(1, 2, 2, 2), torch.ones(1, 1, 3, 3, 3), padding=1).unique()
        tensor([27.])
    """
    mode = boundary(padding_mode, degree=degree, **options)
    kernels = edge_weight, edge_bias
    return _conv(3, input, weight, bias, stride, padding, dilation, groups, mode, *kernels, algorithm, mask, out)


def pad(
    input: Tensor,
    pad: Sequence[int],
    mode: AnyMode = "extrapolate",
    degree: int | Sequence[int] | None = None,
    **options: Any,
) -> Tensor:
    r"""Extend an image beyond its edges.

    For `mode` 'extrapolate' and 'diff', with weights w of `modes.polynomial_weights`, the sample s beyond the edge of
    a line x is ``sum_j w_j x_j``, j = 0, ..., degree; one axis after the other, so that a corner is the tensor
    product. This is the polynomial through the degree + 1 samples nearest the edge.

    Args:
        input: image of shape (N, C, *) or (C, *), with one spatial axis for each pair in `pad`. Images of integers or
            bool keep their dtype in 'zeros', 'reflect', 'replicate', 'circular' and 'symmetric', which copy samples;
            every other mode computes samples that integers cannot hold, and refuses them.
        pad: samples to add, counted from the last axis as in `torch.nn.functional.pad`: (left, right, top, bottom,
            front, back).
        mode: how the image is extended; see `modes` for the drawings, and `conv2d` for a mode for each axis or end.
        degree: degree of the polynomial, for all axes or one for each (outermost first). By default 2 for
            'extrapolate', and for 'diff' the sum of the two pads of an axis: k - 1 for the kernel size k that this
            padding suits.
        options: further options of the mode.

    Returns:
        The extended image; its middle equals `input` to the bit.

    Raises:
        ValueError: if `mode` does not extend images ('partial', 'explicit'), or `pad` does not fit the image.
        TypeError: if an argument is of the wrong kind, `input` holds integers and the mode computes samples, or the
            mode has no such option.

    Example:
        >>> line = torch.tensor([[[0.0, 1.0, 4.0, 9.0]]])
        >>> pad(line, (2, 1))
        tensor([[[ 4.,  1.,  0.,  1.,  4.,  9., 16.]]])
        >>> pad(line, (2, 1), mode="replicate")
        tensor([[[0., 0., 0., 1., 4., 9., 9.]]])
    """
    check_tensor("input", input)
    if not is_sequence(pad) or len(pad) not in (2, 4, 6):
        raise ValueError(f"pad must hold two integers for each of 1 to 3 axes, got {pad!r}")
    pad = per_axis("pad", pad, len(pad), minimum=0)
    axes = len(pad) // 2
    if input.ndim not in (axes + 1, axes + 2):
        raise ValueError(
            f"input must have {axes + 2} dimensions for a pad of {len(pad)} integers (batch, channels and "
            f"{axes} spatial), or {axes + 1} without the batch, got shape {tuple(input.shape)}"
        )
    if input.shape[-axes - 1] < 1:
        raise ValueError(f"input must have at least one channel, got shape {tuple(input.shape)}")
    if 0 in input.shape[-axes:]:
        raise ValueError(f"input must have at least one sample along every axis, got shape {tuple(input.shape)}")
    before, after = tuple(pad[-2::-2]), tuple(pad[-1::-2])
    extension = boundary(mode, degree=degree, **options).without_kernel()
    if not extension.extends:
        raise ValueError(f"mode={mode!r} needs the kernel and has no padded image: use diff_conv2d.conv{axes}d")
    kernel = tuple(b + a + 1 for b, a in zip(before, after, strict=True))
    geometry = Geometry(kernel, (1,) * axes, (1,) * axes, before, after)
    extension.check_image(input, geometry)
    input = only_as_traced(input, extension, geometry)
    if not any(pad):
        # A copy, as with any other pad.
        return input.clone()
    if input.ndim == axes + 1:
        return extend(input.unsqueeze(0), geometry, extension).squeeze(0)
    return extend(input, geometry, extension)


class DiffConv2d:
    """Convolution whose output has the size of its input, with the kernel kept as a differential operator.

    Source: Leng and Thiyagalingam, arXiv 2309.06370. Stride and dilation are 1, as in the paper;
    `diff_conv2d.conv2d` has the rest.

    Args:
        kernel_size: height and width of the kernels, or one number for both.

    Raises:
        ValueError: if `kernel_size` is not positive.
        TypeError: if it is no integer.

    Example:
        >>> image, weight = torch.ones(1, 1, 4, 5), torch.ones(1, 1, 3, 3)
        >>> DiffConv2d(kernel_size=3).conv2d(image, weight).unique()
        tensor([9.])
    """

    def __init__(self, kernel_size: int | tuple[int, int]) -> None:
        self.kernel_size = per_axis("kernel_size", kernel_size, 2, minimum=1)
        ones = (1, 1)
        widths = widths_of_padding("same", self.kernel_size, ones, ones)
        self._geometry = Geometry(self.kernel_size, ones, ones, *widths)

    def __repr__(self) -> str:
        return f"{type(self).__name__}(kernel_size={self.kernel_size})"

    def conv2d(
        self,
        input: Tensor,
        weight: Tensor,
        groups: int = 1,
        keep_img_grad_at_invalid: bool = True,
        edge_kernel: Tensor | None = None,
        optimized_for: Literal["memory", "speed"] = "memory",
    ) -> Tensor:
        """Convolve images with kernels of the size given at construction.

        Args:
            input: images (N, C, H, W), or one image (C, H, W).
            weight: kernels (out channels, C / groups, kernel height, kernel width).
            groups: groups of channels, as in torch.
            keep_img_grad_at_invalid: if False, no gradient flows from invalid outputs, those whose window leaves the
                image, to the image; the kernel still gets its whole gradient.
            edge_kernel: kernel of invalid outputs in place of `weight`, of the same shape.
            optimized_for: 'memory' holds no padded copy of the image, 'speed' does; the results agree to rounding.

        Returns:
            (N, out channels, H, W), or without N.

        Raises:
            ValueError: if a shape, `groups` or `optimized_for` does not fit.
            TypeError: if dtypes differ.
        """
        return paper_conv2d(
            input,
            weight,
            None,
            self._geometry,
            groups,
            keep_img_grad_at_invalid,
            edge_kernel,
            None,
            optimized_for,
        )


def paper_conv2d(
    input: Tensor,
    weight: Tensor,
    bias: Tensor | None,
    geometry: Geometry,
    groups: int,
    keep_img_grad_at_invalid: bool,
    edge_weight: Tensor | None,
    edge_bias: Tensor | None,
    optimized_for: str,
) -> Tensor:
    """What `DiffConv2d.conv2d` computes, with biases; the layer calls it too."""
    check_optimized_for(optimized_for)
    if not isinstance(keep_img_grad_at_invalid, bool):
        raise TypeError(f"keep_img_grad_at_invalid must be True or False, got {keep_img_grad_at_invalid!r}")
    check_tensors(2, input, weight, bias, groups, geometry)
    if edge_weight is not None:
        check_tensor("edge_kernel", edge_weight)
        if edge_weight.shape != weight.shape:
            raise ValueError(
                f"edge_kernel must have the shape of weight, {tuple(weight.shape)}, got {tuple(edge_weight.shape)}"
            )
        if edge_weight.dtype != weight.dtype:
            raise TypeError(f"edge_kernel must have the dtype of weight, {weight.dtype}, got {edge_weight.dtype}")
    mode = Diff()
    mode.check_image(input, geometry)
    input = only_as_traced(input, None, geometry)
    images = input if input.ndim == 4 else input.unsqueeze(0)
    arguments = images, weight, bias, geometry, groups
    padded = optimized_for == "speed"
    if edge_weight is not None or (input.requires_grad and not keep_img_grad_at_invalid):
        edges = edge_weight, edge_bias, keep_img_grad_at_invalid, padded
        output = convolve_by_region(mode, *arguments, *edges)
    elif padded:
        output = valid_convolution(mode.extend(images, geometry), *arguments[1:])
    else:
        output = convolve_without_copy(mode, *arguments)
    return output if input.ndim == 4 else output.squeeze(0)


def check_optimized_for(value: str) -> None:
    """Reject what is neither 'memory' nor 'speed'."""
    if value not in ("memory", "speed"):
        raise ValueError(f"optimized_for must be 'memory' or 'speed', got {value!r}")
