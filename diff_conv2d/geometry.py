"""What a convolution is: kernels, and how they are moved over an image."""

from __future__ import annotations

from typing import Literal, NamedTuple

from torch import Tensor

__all__ = ["Algorithm", "Geometry", "Kernels"]

#: How the sums of a convolution are done.
Algorithm = Literal["auto", "direct", "fast", "memory", "fused"]


class Geometry(NamedTuple):
    """How a kernel is moved over an image, axis by axis (1 to 3 axes, outermost first).

    Output o of an axis reads the samples ``o * stride - before + j * dilation``, j = 0, ..., kernel - 1, of an
    image that is extended by `before` samples at its low end and `after` at its high end.
    `algorithm` says how the sums are done: 'direct' by torch's convolution, 'memory' without a padded copy of the
    image, 'fused' with one that a single kernel makes, otherwise as `algorithms.blocks` decides.
    """

    kernel: tuple[int, ...]
    stride: tuple[int, ...]
    dilation: tuple[int, ...]
    before: tuple[int, ...]
    after: tuple[int, ...]
    algorithm: Algorithm = "auto"

    @property
    def dims(self) -> tuple[int, ...]:
        """The image's spatial dimensions, counted from the last: (-2, -1) for two axes."""
        return tuple(range(-len(self.kernel), 0))

    @property
    def widths(self) -> list[int]:
        """Samples added, as `torch.nn.functional.pad` counts them: from the last axis, before and after it."""
        ends = zip(reversed(self.before), reversed(self.after), strict=True)
        return [width for pair in ends for width in pair]

    def span(self, axis: int) -> int:
        """Samples from the first to the last that a window covers along an axis."""
        return (self.kernel[axis] - 1) * self.dilation[axis] + 1

    def window(self, axis: int, first: int, stop: int) -> tuple[int, int]:
        """The samples that outputs `first` to `stop - 1` of an axis see, as start and stop."""
        stride, before = self.stride[axis], self.before[axis]
        return first * stride - before, (stop - 1) * stride - before + self.span(axis)

    def output_size(self, axis: int, length: int) -> int:
        """Number of outputs along an axis for an image of this length."""
        extended = length + self.before[axis] + self.after[axis]
        return (extended - self.span(axis)) // self.stride[axis] + 1


class Kernels(NamedTuple):
    """The kernel, bias and groups of a convolution, in torch's shapes, and optional kernels of invalid outputs."""

    weight: Tensor
    bias: Tensor | None
    groups: int
    edge_weight: Tensor | None = None
    edge_bias: Tensor | None = None
