"""The paper's functional API: `DiffConv2d(kernel_size).conv2d(input, weight)`."""

from __future__ import annotations

from typing import Literal

from torch import Tensor

from diff_conv2d.algorithms.frame import better_by_frame, convolve_by_frame
from diff_conv2d.arguments import Geometry, check_tensor, check_tensors, per_axis
from diff_conv2d.modes import check_image
from diff_conv2d.modes.polynomial import Diff
from diff_conv2d.tracing import only_as_traced

__all__ = ["DiffConv2d"]


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
        before = tuple((size - 1) // 2 for size in self.kernel_size)
        after = tuple(size // 2 for size in self.kernel_size)
        self._geometry = Geometry(self.kernel_size, (1, 1), (1, 1), before, after)

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
        return diff_conv2d(
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


def diff_conv2d(
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
    check_image(Diff(), input, geometry)
    if input.ndim == 3:
        batch = input.unsqueeze(0)
        return diff_conv2d(
            batch,
            weight,
            bias,
            geometry,
            groups,
            keep_img_grad_at_invalid,
            edge_weight,
            edge_bias,
            optimized_for,
        ).squeeze(0)
    input = only_as_traced(input, None, geometry)
    if edge_weight is None and (keep_img_grad_at_invalid or not input.requires_grad):
        if optimized_for == "speed":
            return Diff().convolve(input, weight, bias, geometry, groups)
        if better_by_frame(input, weight, geometry):
            # As many samples as the kernel has make those beyond an end.
            return convolve_by_frame(Diff(), input, weight, bias, geometry, groups, geometry.kernel)
    return Diff().convolve_by_region(
        input,
        weight,
        bias,
        geometry,
        groups,
        edge_weight,
        edge_bias,
        keep_img_grad_at_invalid,
        hold_padded_copy=optimized_for == "speed",
    )


def check_optimized_for(value: str) -> None:
    """Reject what is neither 'memory' nor 'speed'."""
    if value not in ("memory", "speed"):
        raise ValueError(f"optimized_for must be 'memory' or 'speed', got {value!r}")
