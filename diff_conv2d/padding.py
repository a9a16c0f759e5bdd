"""An image continued beyond its edges, with the arguments of torch's pad."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from torch import Tensor

from diff_conv2d.arguments import Geometry, check_tensor, is_sequence, per_axis
from diff_conv2d.modes import PaddingMode, boundary, check_image
from diff_conv2d.modes.base import Extension
from diff_conv2d.tracing import only_as_traced

__all__ = ["pad"]


def pad(
    input: Tensor,
    pad: Sequence[int],
    mode: PaddingMode = "extrapolate",
    degree: int | Sequence[int] | None = None,
    **options: Any,
) -> Tensor:
    r"""Continue an image beyond its edges.

    For `mode` 'extrapolate' and 'diff', with weights w of `lagrange.extrapolation_weights`, the sample s beyond the
    edge of a line x is ``sum_j w_j x_j``, j = 0, ..., degree; one axis after the other, so that a corner is
    the tensor product. This is the polynomial through the degree + 1 samples nearest the edge.

    Args:
        input: image of shape (N, C, *) or (C, *), with one spatial axis for each pair in `pad`. Images of integers or
            bool keep their dtype in 'zeros', 'reflect', 'replicate', 'circular' and 'symmetric', which copy samples;
            every other mode computes samples that integers cannot hold, and refuses them.
        pad: samples to add, counted from the last axis as in `torch.nn.functional.pad`: (left, right, top, bottom,
            front, back).
        mode: how the image goes on; see `modes` for the drawings.
        degree: degree of the polynomial, for all axes or one for each (outermost first). By default 2 for
            'extrapolate', and for 'diff' the pad of both ends together: k - 1 for the kernel of size k that this
            pad leaves its output the size of the input.
        options: further options of the mode.

    Returns:
        The continued image; a mode that takes no samples from outside gives `input` in its middle, to the bit.

    Raises:
        ValueError: if `mode` does not continue images ('partial'), or `pad` does not fit the image.
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
    rule = boundary(mode, degree=degree, **options)
    if degree is None and rule.degree_in_pad is not None:
        rule = boundary(mode, degree=rule.degree_in_pad, **options)
    if not isinstance(rule, Extension):
        raise ValueError(f"mode={mode!r} needs the kernel and has no padded image: use diff_conv2d.conv{axes}d")
    kernel = tuple(b + a + 1 for b, a in zip(before, after, strict=True))
    geometry = Geometry(kernel, (1,) * axes, (1,) * axes, before, after)
    check_image(rule, input, geometry)
    input = only_as_traced(input, rule, geometry)
    if not any(pad):
        # A copy, as with any other pad.
        return input.clone()
    if input.ndim == axes + 1:
        return rule.extend(input.unsqueeze(0), geometry).squeeze(0)
    return rule.extend(input, geometry)
