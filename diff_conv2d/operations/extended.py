"""The image that an operation reads, extended by a mode."""

from __future__ import annotations

from collections.abc import Sequence

from torch import Tensor

from diff_conv2d.geometry import Geometry
from diff_conv2d.modes.base import Boundary
from diff_conv2d.tracing import only_as_traced

__all__ = ["LEARNT", "can_serve", "check_mode", "extended", "is_torchs"]

#: What both ways of changing a network say at the end.
LEARNT = "a network that is trained already has learnt its old boundary: fine-tune it, or see calibrate"


def is_torchs(mode: Boundary) -> bool:
    """Whether torch's own operation is asked for."""
    return mode.name == "zeros"


def can_serve(mode: Boundary) -> bool:
    """Whether a mode extends an image by itself, with nothing that a convolution layer keeps."""
    return mode.extends and not mode.needs_layer and not mode.has_edge_kernels


def check_mode(mode: Boundary, operation: str) -> None:
    """Reject a mode that has no extended image, or only in a convolution layer.

    Raises:
        ValueError: it is `partial` or `explicit`, or keeps weights in a layer.
    """
    if not can_serve(mode):
        why = "keeps weights of its own in a convolution layer" if mode.needs_layer else "has no extended image"
        raise ValueError(f"padding_mode={mode.name!r} cannot serve {operation}: it {why}")


def extended(
    input: Tensor,
    mode: Boundary,
    before: Sequence[int],
    after: Sequence[int],
    taps: Sequence[int],
    dilation: Sequence[int] | None = None,
    any_size: bool = True,
) -> Tensor:
    """Return a batch (N, C, ...) extended by a mode.

    Args:
        input: the batch.
        mode: how it is extended.
        before: samples added at the low end of each axis.
        after: samples added at the high end.
        taps: samples that the operation reads at once, along each axis; 'diff' derives its degree from them.
        dilation: distance between these samples; 1 if None.
        any_size: the widths are those of images of all sizes. Otherwise a trace is recorded for this size alone.

    Raises:
        ValueError: an axis has no samples, or the mode refuses the image.
        TypeError: the mode refuses its dtype.
    """
    axes = len(taps)
    if 0 in input.shape[2:]:
        raise ValueError(f"input must have at least one sample along every axis, got shape {tuple(input.shape)}")
    steps = tuple(dilation or (1,) * axes)
    geometry = Geometry(tuple(taps), (1,) * axes, steps, tuple(before), tuple(after))
    if not any_size:
        input = only_as_traced(input, None, geometry)
    if not any(before) and not any(after):
        return input
    mode.check_image(input, geometry)
    if any_size:
        input = only_as_traced(input, mode, geometry)
    # torch wraps an image slowly, piece by piece.
    return mode.extend_by_rules(input, geometry) if mode.wraps(0, False) else mode.extend(input, geometry)
