"""What a boundary mode is: its two kinds, and what they share.

A mode is a small frozen dataclass whose fields are its options. An `Extension` extends the image and leaves the
convolution to torch. Any other `Boundary` needs the kernel, too.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Sequence
from dataclasses import dataclass
from typing import ClassVar

from torch import Tensor

from diff_conv2d.algorithms.regions import Run, assemble, cut_by_validity, sizes_to_cut, valid_convolution
from diff_conv2d.arguments import Algorithm, Geometry

__all__ = ["AxisExtension", "Boundary", "Extension"]


@dataclass(frozen=True)
class Boundary(ABC):
    """How a convolution treats what lies beyond the edge."""

    has_edge_kernels: ClassVar[bool] = False
    #: Whether samples outside are copies of those inside, or zeros, and not computed from them.
    copies: ClassVar[bool] = False
    #: Whether the other end of an axis comes next.
    wraps: ClassVar[bool] = False
    #: The algorithm that 'auto' stands for: torch's own modes keep torch's results to the bit by 'direct'.
    auto: ClassVar[Algorithm] = "auto"
    #: Its degree in `pad`, which has no kernel to derive one from.
    degree_in_pad: ClassVar[int | None] = None
    #: Whether the operations are the same for images of all sizes.
    same_for_all_sizes: ClassVar[bool] = False
    #: Why images cannot be filtered chunk by chunk, as the end of a sentence; empty if they can.
    why_not_chunked: ClassVar[str] = ""

    @abstractmethod
    def convolve(
        self,
        input: Tensor,
        weight: Tensor,
        bias: Tensor | None,
        geometry: Geometry,
        groups: int,
        edge_weight: Tensor | None = None,
        edge_bias: Tensor | None = None,
    ) -> Tensor:
        """Convolve a batch of images (N, C, ...) with at least one sample along every axis."""

    def check(self, axes: int) -> None:  # noqa: B027  # most modes have nothing to check
        """Reject options that do not fit this number of spatial axes; a layer calls it at its construction."""

    def check_chunked(self, is_complex: bool) -> None:  # noqa: B027  # most modes have nothing to check
        """Reject options, or complex images, with which images cannot be filtered chunk by chunk."""

    def reach(self, geometry: Geometry, axis: int) -> int:
        """How many samples nearest an end the mode reads to extend an axis, at most."""
        # 'reflect' reads one sample more than it extends by; the others read no more than that.
        return geometry.after[axis] + 1

    def traced_sizes(self, geometry: Geometry) -> Sequence[int] | None:
        """Return for each axis from which size on a trace is right; None if it is for the traced size alone."""
        return (0,) * len(geometry.kernel) if self.same_for_all_sizes else None

    def edge_weight_shape(self, weight_shape: tuple[int, ...], geometry: Geometry) -> tuple[int, ...] | None:
        """Return the shape of the kernels for invalid outputs if the mode `has_edge_kernels`, otherwise None."""
        return None


class Extension(Boundary):
    """A mode that extends the image: every mode except those that change the kernel at the edge."""

    @abstractmethod
    def extend(self, input: Tensor, geometry: Geometry) -> Tensor:
        """Return the image (N, C, ...) with the samples that `geometry` adds before and after each axis."""

    def convolve(
        self,
        input: Tensor,
        weight: Tensor,
        bias: Tensor | None,
        geometry: Geometry,
        groups: int,
        edge_weight: Tensor | None = None,
        edge_bias: Tensor | None = None,
    ) -> Tensor:
        """Extend the image, then convolve without padding."""
        return valid_convolution(self.extend(input, geometry), weight, bias, geometry, groups)


class AxisExtension(Extension):
    """An extension of one axis after the other."""

    @abstractmethod
    def extend_axis(self, input: Tensor, axis: int, start: int, stop: int, geometry: Geometry) -> Tensor:
        """Return samples `start` to `stop - 1` of the image extended along an axis (see `extension`)."""

    def extend(self, input: Tensor, geometry: Geometry) -> Tensor:
        """Extend the image along each axis in turn."""
        for axis, dim in enumerate(geometry.dims):
            before, after = geometry.before[axis], geometry.after[axis]
            if before or after:
                input = self.extend_axis(input, axis, -before, input.shape[dim] + after, geometry)
        return input

    def convolve_by_region(
        self,
        input: Tensor,
        weight: Tensor,
        bias: Tensor | None,
        geometry: Geometry,
        groups: int,
        edge_weight: Tensor | None = None,
        edge_bias: Tensor | None = None,
        keep_img_grad_at_invalid: bool = True,
        hold_padded_copy: bool = False,
    ) -> Tensor:
        """Do the same convolution region by region: the interior from the image, the frame strip by strip.

        Args:
            input: images (N, C, ...).
            weight: kernel of interior outputs.
            bias: bias of interior outputs.
            geometry: see `Geometry`.
            groups: as torch.
            edge_weight: kernel of invalid outputs; `weight` if None.
            edge_bias: bias of invalid outputs where `edge_weight` is given.
            keep_img_grad_at_invalid: let the gradient of invalid outputs reach the image.
            hold_padded_copy: extend the whole image once and cut the strips from it, which is faster. Otherwise each
                strip is extended by itself, and no padded copy of the image is ever held.
        """
        cuts = [cut_by_validity(geometry, axis, length) for axis, length in enumerate(sizes_to_cut(input))]
        image_at_invalid = input if keep_img_grad_at_invalid else input.detach()
        padded = self.extend(image_at_invalid, geometry) if hold_padded_copy else None

        def convolve(region: tuple[Run, ...]) -> Tensor:
            interior = not any(run.displacement for run in region)
            ready = None if interior else padded
            piece = ready if ready is not None else input if interior else image_at_invalid
            for axis, run in enumerate(region):
                start, stop = geometry.window(axis, run.start, run.stop)
                if ready is not None:
                    piece = piece.narrow(geometry.dims[axis], start + geometry.before[axis], stop - start)
                else:
                    piece = self.extend_axis(piece, axis, start, stop, geometry)
            if interior or edge_weight is None:
                return valid_convolution(piece, weight, bias, geometry, groups)
            return valid_convolution(piece, edge_weight, edge_bias, geometry, groups)

        return assemble(cuts, convolve, split_invalid=False)
