"""Masks as edges: outside pixels are filled from the valid pixels near them, as far as a kernel reaches."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any, Literal, TypeVar, get_args

import torch
from torch import Tensor

from diff_conv2d.arguments import check_tensor, is_sequence, per_axis
from diff_conv2d.geometry import Geometry
from diff_conv2d.masks.clearing import outside_pixels
from diff_conv2d.masks.fills import MEAN, NEAREST, Fill, prepared_in_rings
from diff_conv2d.masks.selection import blended
from diff_conv2d.tracing import is_traced, is_transformed

__all__ = ["MaskMethod", "MaskedBoundary", "filled", "valid"]

_Made = TypeVar("_Made")

#: How outside pixels are filled.
MaskMethod = Literal["zeros", "nearest", "polynomial", "adaptive", "partial"]
#: The predictors among which 'adaptive' chooses, by the number of axes: in volumes degree 3 costs too much.
_CANDIDATES = {1: (NEAREST, MEAN, 0, 1, 2, 3), 2: (NEAREST, MEAN, 0, 1, 2, 3), 3: (NEAREST, MEAN, 0, 1, 2)}
_MOST_DEGREE = 5


class MaskedBoundary:
    r"""A mask, prepared for a kernel: which outside pixels are filled, from which valid pixels, by which weights.

    .. math:: x(p) = \sum_{q \, valid} w_{p,q} \, x(q)

    for each outside pixel p that a kernel centred on a valid pixel reaches. For kernels of more than 5 pixels those
    beside valid ones come first, then those beside these, and so on. Other outside pixels take the nearest value
    along their line, since some boundary modes look far at the rim. Weights depend on the mask alone, so that a mask
    is prepared once for many images. Whatever outside pixels hold, NaN included, is never read.

    - 'zeros': nothing is filled.
    - 'nearest': the mean of the nearest valid pixels (Euclidean distance). Beside a straight edge along an axis, and
      outside a rectangle, it is the mode 'replicate'.
    - 'polynomial': exact on polynomials of `degree`, on any mask that determines such a polynomial near p; otherwise
      the degree drops, pixel by pixel. `masks.predictors` derives the weights. They read the valid pixels up to
      3 (degree 0 and 1), 4 (2 and 3) or degree + 1 pixels farther away than the nearest one, in volumes one less.
    - 'adaptive': the nearest pixels, the mean of the ball and polynomials of degree 0 to 3 (in volumes 2), each
      tried at valid pixels around which as many are known, and weighed by its error there; for each image, channel
      and distance from the valid pixels.
    - 'partial': zeros, and the convolution scales each output by the kernel's size over its valid pixels (Liu et al.
      2018). It needs ``padding_mode='partial'``.

    Args:
        mask: bool, True where a pixel is valid, of the shape of the image's one to three spatial axes; or (N, C, ...)
            with a mask for each image or channel, where either may be 1.
        kernel_size: of the kernel, for all axes or one for each.
        method: see above.
        degree: of 'polynomial', 0 to 5; 1 if None.
        dilation: of the kernel.
        reach: how far from valid pixels outside ones are filled along each axis, in place of half a kernel.
        rim: how many samples at the rim the padding mode may read along each axis. Those that a kernel needs are
            filled, even if farther than `reach` from valid pixels. By default ``dilation * kernel_size``, and 0
            without a kernel.
        axes: number of spatial axes; by default that of the mask, or what it has beyond (N, C) if it has more than 3.
        beyond: fill what the kernel does not reach, too. Without it these pixels become zero, which is faster, and
            the boundary modes 'adaptive', 'circular', 'linear_prediction' and 'random' are refused.

    Raises:
        TypeError: if an argument is of the wrong kind.
        ValueError: if a value or a shape does not fit.

    Example:
        >>> mask = torch.tensor([True, True, True, False, False])
        >>> boundary = MaskedBoundary(mask, kernel_size=3, method="polynomial", degree=1)
        >>> boundary.fill(torch.tensor([1.0, 2.0, 3.0, torch.nan, torch.nan]))
        tensor([1., 2., 3., 4., 4.])
    """

    def __init__(
        self,
        mask: Tensor,
        kernel_size: int | Sequence[int] | None = None,
        method: MaskMethod = "nearest",
        degree: int | None = None,
        dilation: int | Sequence[int] = 1,
        reach: int | Sequence[int] | None = None,
        rim: int | Sequence[int] | None = None,
        axes: int | None = None,
        beyond: bool = True,
    ) -> None:
        _check_mask(mask)
        self.axes = axes = _axes_of(mask, axes)
        self.method, self.degree = method, _checked_degree(method, degree)
        self.reach, self.rim = _widths_of(kernel_size, dilation, reach, rim, axes)
        self.beyond = beyond and method not in ("zeros", "partial")
        self.mask = mask.detach().clone(memory_format=torch.contiguous_format)
        self.complete = bool(mask.all())
        planes = self.mask.cpu().reshape(-1, *mask.shape[mask.ndim - axes :])
        self._fills, self._fill_of_plane = self._prepared(planes)
        self._kept: dict[tuple[object, ...], Any] = {}

    def _prepared(self, planes: Tensor) -> tuple[list[list[Fill]], list[int]]:
        """Prepare the different masks among several, ring by ring, and say which of them each is."""
        degrees = _degrees(self.method, self.degree, self.axes)
        seen: list[Tensor] = []
        which = []
        for plane in planes:
            number = next((i for i, other in enumerate(seen) if torch.equal(other, plane)), len(seen))
            seen += [plane] if number == len(seen) else []
            which.append(number)
        sizes = self.reach, self.rim
        return [prepared_in_rings(plane, *sizes, degrees, self.beyond) for plane in seen if degrees], which

    def __repr__(self) -> str:
        degree = f", degree={self.degree}" if self.method == "polynomial" else ""
        return (
            f"{type(self).__name__}(mask of shape {tuple(self.mask.shape)}, method={self.method!r}{degree}, "
            f"reach={self.reach})"
        )

    def __getstate__(self) -> dict[str, Any]:
        """Leave out what is made again."""
        return {**vars(self), "_kept": {}}

    def fill(self, images: Tensor, in_place: bool = False, beyond: bool = True) -> Tensor:
        """Return the images with their outside pixels filled; the gradient of an outside pixel is zero.

        Args:
            images: (..., *spatial) of floating point or complex dtype; a mask (N, C, ...) must broadcast to it.
            in_place: the images may be changed, which saves a copy of them.
            beyond: fill what the kernel does not reach, if the mask is prepared for it.

        Raises:
            TypeError: if `images` is no tensor, or holds integers and the method computes pixels.
            ValueError: if its shape is not that of the mask.
        """
        self.check(images)
        if self.complete:
            return images
        cleared = self._written(images, self._mask_on(images), 0, in_place)
        if not self._fills or self.method in ("zeros", "partial"):
            return cleared
        if images.is_complex():
            return torch.complex(self._filled(cleared.real, beyond), self._filled(cleared.imag, beyond))
        return self._filled(cleared, beyond)

    def check(self, images: Tensor) -> None:
        """Reject images that the mask does not fit; see `fill`."""
        check_tensor("images", images)
        shape, size = self.mask.shape, images.shape
        leading = len(shape) - self.axes
        spatial_fits = images.ndim >= self.axes and size[images.ndim - self.axes :] == shape[leading:]
        if not spatial_fits or not _broadcasts(shape[:leading], size[: images.ndim - self.axes]):
            raise ValueError(f"mask must broadcast to the image of shape {tuple(size)}, got shape {tuple(shape)}")
        if self.method not in ("zeros", "partial") and not (images.is_floating_point() or images.is_complex()):
            raise TypeError(
                f"images must be of a floating point or complex dtype for method={self.method!r}, which computes "
                f"pixels that integers cannot hold; got {images.dtype}. Take images.float()"
            )

    def clear(self, output: Tensor, geometry: Geometry) -> Tensor:
        """Set the outputs at outside pixels of a convolution to zero, in place where no gradient is wanted.

        An output belongs to the pixel in the middle of its window; beyond the rim, to the pixel at the rim.
        """
        if self.complete:
            return output
        return self._written(output, self._mask_of_outputs(output, geometry), 0, in_place=True)

    def replace_outside(self, images: Tensor, value: float) -> Tensor:
        """Write a value at the outside pixels, in place where no gradient is wanted; images as for `fill`."""
        return images if self.complete else self._written(images, self._mask_on(images), value, in_place=True)

    def _mask_on(self, images: Tensor) -> Tensor:
        return self._remembered(("mask", images.device), lambda: self.mask.to(images.device))

    def _mask_of_outputs(self, output: Tensor, geometry: Geometry) -> Tensor:
        """Return the mask at the middles of all windows, with a dimension of channels if it has one of images."""

        def made() -> Tensor:
            mask = self.mask
            for axis, dim in enumerate(geometry.dims):
                outputs, length = torch.arange(output.shape[dim]), mask.shape[dim]
                middles = outputs * geometry.stride[axis] - geometry.before[axis] + (geometry.span(axis) - 1) // 2
                mask = mask.index_select(dim, middles.clamp(0, length - 1).to(mask.device))
            return mask.to(output.device)

        return self._remembered(("outputs", geometry, output.shape[-self.axes :], output.device), made)

    def _remembered(self, key: tuple[object, ...], make: Callable[[], _Made]) -> _Made:
        # What a compiler makes belongs to its graph.
        if is_traced():
            return make()
        if key not in self._kept:
            self._kept[key] = make()
        found: _Made = self._kept[key]
        return found

    def _written(self, images: Tensor, mask: Tensor, value: float, in_place: bool = False) -> Tensor:
        """Return images with a value where the mask is False."""
        tracked = torch.is_grad_enabled() and images.requires_grad
        if tracked or mask.ndim > self.axes or is_traced() or is_transformed(images):
            return images.masked_fill(~mask, value)
        result = images if in_place else images.clone(memory_format=torch.contiguous_format)
        if not result.is_contiguous():
            return result.masked_fill_(~mask, value)
        outside = self._remembered(("outside", id(mask)), lambda: outside_pixels(mask))
        outside.write(result.view(result.shape[: result.ndim - self.axes].numel(), mask.numel()), value)
        return result

    def _filled(self, cleared: Tensor, beyond: bool) -> Tensor:
        """Return images with zeros at outside pixels with these filled."""
        leading, device = cleared.shape[: cleared.ndim - self.axes], cleared.device
        planes = cleared.reshape(leading.numel(), self.mask.shape[-self.axes :].numel())
        fills = self._remembered(
            ("fills", device), lambda: [[ring.to(device) for ring in fill] for fill in self._fills]
        )
        if len(fills) == 1:
            return _put(planes, fills[0], beyond).view(cleared.shape)
        own_shape = self.mask.shape[: self.mask.ndim - self.axes]
        which = torch.tensor(self._fill_of_plane, device=device).view(own_shape).expand(leading).flatten()
        groups = [(which == number).nonzero().squeeze(1) for number in range(len(fills))]
        pieces = [_put(planes[group], fill, beyond) for group, fill in zip(groups, fills, strict=True)]
        return torch.cat(pieces).index_select(0, torch.cat(groups).argsort()).view(cleared.shape)


def _put(planes: Tensor, rings: list[Fill], beyond: bool) -> Tensor:
    """Write the values of outside pixels into images (B, pixels) that nothing else holds."""
    for fill in rings:
        # What lies beyond the kernel has no depth.
        if len(fill.outside) and (beyond or fill.depths):
            values = fill.values(planes) if fill.values.maps == 1 else blended(planes, fill)
            copied = is_traced() or is_transformed(planes)
            planes = (planes.index_copy if copied else planes.index_copy_)(1, fill.outside, values)
    return planes


def _degrees(method: MaskMethod, degree: int | None, axes: int) -> tuple[int, ...]:
    """Return the predictors of a method; see `prepared`."""
    if method == "polynomial":
        return (1 if degree is None else degree,)
    return {"nearest": (NEAREST,), "adaptive": _CANDIDATES[axes]}.get(method, ())


def _check_mask(mask: Tensor) -> None:
    check_tensor("mask", mask)
    if mask.dtype != torch.bool:
        raise TypeError(f"mask must be of dtype torch.bool, True where a pixel is valid; got {mask.dtype}")


def _axes_of(mask: Tensor, axes: int | None) -> int:
    if axes is None:
        axes = mask.ndim if mask.ndim <= 3 else mask.ndim - 2
    if not isinstance(axes, int) or isinstance(axes, bool):
        raise TypeError(f"axes must be an integer, got {axes!r}")
    if not 1 <= axes <= 3:
        raise ValueError(f"axes must be 1, 2 or 3, got {axes} for a mask of shape {tuple(mask.shape)}")
    if mask.ndim not in (axes, axes + 2):
        raise ValueError(
            f"mask must have {axes} dimensions, or {axes + 2} with those of images and channels, got shape "
            f"{tuple(mask.shape)}"
        )
    return axes


def _checked_degree(method: MaskMethod, degree: int | None) -> int | None:
    if not isinstance(method, str) or method not in get_args(MaskMethod):
        raise ValueError(f"method must be one of {', '.join(get_args(MaskMethod))}; got {method!r}")
    if degree is None:
        return 1 if method == "polynomial" else None
    if method != "polynomial":
        raise ValueError(f"degree must be None for method={method!r}, got {degree!r}; 'polynomial' has a degree")
    if not isinstance(degree, int) or isinstance(degree, bool):
        raise TypeError(f"degree must be an integer, got {degree!r}")
    if not 0 <= degree <= _MOST_DEGREE:
        raise ValueError(f"degree must lie between 0 and {_MOST_DEGREE}, got {degree}")
    return degree


def _widths_of(
    kernel_size: int | Sequence[int] | None,
    dilation: int | Sequence[int],
    reach: int | Sequence[int] | None,
    rim: int | Sequence[int] | None,
    axes: int,
) -> tuple[tuple[int, ...], tuple[int, ...]]:
    """Return reach and rim along each axis."""
    if (kernel_size is None) == (reach is None):
        raise ValueError(f"one of kernel_size and reach must be given, got {kernel_size!r} and {reach!r}")
    dilations = per_axis("dilation", dilation, axes, minimum=1)
    read, half = (0,) * axes, (0,) * axes
    if kernel_size is not None:
        kernel = per_axis("kernel_size", kernel_size, axes, minimum=1)
        read = tuple(d * k for d, k in zip(dilations, kernel, strict=True))
        half = tuple(((k - 1) * d + 1) // 2 for d, k in zip(dilations, kernel, strict=True))
    return (
        half if reach is None else per_axis("reach", reach, axes, minimum=0),
        read if rim is None else per_axis("rim", rim, axes, minimum=0),
    )


def _broadcasts(shape: Sequence[int], to: Sequence[int]) -> bool:
    """Whether leading dimensions, none or those of images and channels, broadcast to others without adding any."""
    if not shape:
        return True
    return len(to) == len(shape) and all(a in (1, b) for a, b in zip(shape, to, strict=True))


def valid(images: Tensor) -> Tensor:
    """Return the mask of what is not NaN.

    Example:
        >>> valid(torch.tensor([1.0, torch.nan]))
        tensor([ True, False])
    """
    check_tensor("images", images)
    return ~images.isnan()


def filled(
    images: Tensor,
    mask: Tensor | None = None,
    reach: int | Sequence[int] = 1,
    method: MaskMethod = "nearest",
    degree: int | None = None,
    axes: int | None = None,
) -> Tensor:
    """Fill the outside pixels of images once; `MaskedBoundary` prepares a mask for many images.

    Args:
        images: (N, C, *spatial), or with `axes` any leading dimensions.
        mask: see `MaskedBoundary`; None takes what is not NaN, in each channel of each image.
        reach: see `MaskedBoundary`.
        method: see `MaskedBoundary`.
        degree: see `MaskedBoundary`.
        axes: number of spatial axes, if the images are not (N, C, *spatial).

    Returns:
        The images. If nothing is outside, `images` itself.

    Example:
        >>> filled(torch.tensor([[[1.0, 2.0, torch.nan, 6.0]]]), axes=1)
        tensor([[[1., 2., 4., 6.]]])
    """
    check_tensor("images", images)
    if axes is None:
        if mask is not None:
            return MaskedBoundary(mask, method=method, degree=degree, reach=reach).fill(images)
        if not is_sequence(reach) and images.ndim not in (4, 5):
            raise ValueError(
                f"axes must be given: images of shape {tuple(images.shape)} may be (N, C, L) as well as (C, H, W)"
            )
        axes = len(reach) if is_sequence(reach) else images.ndim - 2
    if mask is None:
        mask = valid(images)
        if not 1 <= axes <= min(3, images.ndim):
            raise ValueError(
                f"axes must be 1, 2 or 3 and fit the images, got {axes} for images of shape {tuple(images.shape)}"
            )
        if bool(mask.all()):
            return images
        if images.ndim not in (axes, axes + 2):
            flat = images.reshape(1, -1, *images.shape[images.ndim - axes :])
            return filled(flat, None, reach, method, degree, axes).reshape(images.shape)
    return MaskedBoundary(mask, method=method, degree=degree, reach=reach, axes=axes).fill(images)
