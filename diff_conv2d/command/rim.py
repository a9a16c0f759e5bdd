"""How well a mode predicts the rim of an image: the rim is cut off, and the rest is extended and filtered.

What lies beyond the edge of an image is not known, but what lies beyond an edge farther in is. So the image is cut,
by several depths, each mode extends what is left, and its filtered frame is compared with that of the whole image.
The prediction goes outwards, at the same four sides, from the same content: what differs is a few pixels of depth.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from itertools import product

import torch
import torch.nn.functional as F
from torch import Tensor

from diff_conv2d.algorithms.choice import extend
from diff_conv2d.geometry import Geometry, Kernels
from diff_conv2d.modes.base import Boundary

__all__ = ["SIDES", "Errors", "Filters", "cuts_of", "least_size", "rim_errors"]

#: The sides of an image, in the order of the errors. Corners belong to top and bottom.
SIDES = ("top", "bottom", "left", "right")

# Depths by which an image is cut, at most; and pixels of all four sides after which no more are needed.
_MOST_CUTS, _ENOUGH_PIXELS = 8, 12_000
# No deeper than this share of the shorter side, for the content changes with the depth.
_DEEPEST = 8
# Of a small image some depths more all the same.
_LEAST_RANGE = 3
# Pixels of a large image whose spread is taken, about, and rows of a band of them.
_SAMPLED, _BAND = 1 << 20, 64
# Rounding of an exact mode, in units of that of the largest sum.
_ROUNDING = 64


@dataclass(frozen=True)
class Errors:
    r"""Errors of modes in a frame as wide as the kernel reaches, in standard deviations of the filtered image.

    .. math:: E_{m,w,s} = \frac{\operatorname{mean} |M_m(C, w)(x) - V(x)|}{\operatorname{std} V}

    over the pixels x of side s of all cuts C, with M the filter of the cut image by mode m with kernel w, and V that
    of the whole image. A filter of several kernels has the mean of their errors, and the root of the mean of their
    variances for the unit.

    Attributes:
        by_side: (modes, filters, 4); NaN where a side has no pixel to compare.
        by_filter: (modes, filters), over all sides.
        rounding: (filters,), below which errors are rounding and count as equal.
    """

    by_side: Tensor
    by_filter: Tensor
    rounding: Tensor

    def overall(self) -> Tensor:
        """Return the geometric mean over the filters, (modes,), so that none outweighs the others."""
        return self.by_filter.clamp(min=self.rounding).log().mean(1).exp()

    def of_sides(self) -> Tensor:
        """Return the same for each side, (modes, 4)."""
        return self.by_side.clamp(min=self.rounding[:, None]).log().mean(1).exp()


#: Kernels by the name of their filter, each (height, width).
Filters = Mapping[str, Sequence[Tensor]]


def least_size(filters: Filters) -> int:
    """Return how many samples an image must have along each axis to be cut for these kernels."""
    # A cut of half a kernel at either end; then a kernel and one sample are left.
    return 2 * _largest(filters) + 1


def _largest(filters: Filters) -> int:
    return max(max(kernel.shape) for kernels in filters.values() for kernel in kernels)


def cuts_of(shape: Sequence[int], filters: Filters) -> list[int]:
    """Return by how many pixels an image is cut, from half a kernel on; few depths where the sides are long.

    Example:
        >>> cuts_of((64, 64), {"mean": [torch.ones(3, 3)]})
        [1, 2, 3, 4, 5, 6, 7, 8]
        >>> cuts_of((3000, 4000), {"mean": [torch.ones(9, 9)]})
        [4, 375]
    """
    shorter = min(shape[-2:])
    least = _largest(filters) // 2
    room = (shorter - least_size(filters)) // 2
    deeper = max(0, min(room, max(shorter // _DEEPEST - least, _LEAST_RANGE)))
    count = min(_MOST_CUTS, max(2, _ENOUGH_PIXELS // (2 * sum(shape[-2:]))), deeper + 1)
    return [least + deeper * n // max(count - 1, 1) for n in range(count)]


def rim_errors(
    image: Tensor,
    filters: Filters,
    modes: Sequence[Boundary],
    cuts: Sequence[int] | None = None,
    valid: Tensor | None = None,
) -> Errors:
    """Measure how well modes predict the rim of an image.

    Args:
        image: (channels, height, width), of floating point; each channel is extended by itself, in float64.
        filters: kernels, float64.
        modes: any that do not need a layer or kernels of their own.
        cuts: depths in pixels, each at least half a kernel; those of `cuts_of` if None.
        valid: (height, width), bool: outputs whose windows hold other pixels are not compared; all if None.

    Raises:
        ValueError: the image is smaller than `least_size`, or no output can be compared.

    Example:
        A straight line goes on beyond the cut; repeating the last value does not.

        >>> from diff_conv2d.modes import boundary
        >>> row = torch.arange(16.0, dtype=torch.float64)
        >>> sobel = torch.tensor([[-1.0, 0, 1], [-2, 0, 2], [-1, 0, 1]], dtype=torch.float64)
        >>> modes = [boundary("replicate"), boundary("antireflect")]
        >>> errors = rim_errors((row * row[:, None])[None], {"sobel": [sobel]}, modes)
        >>> bool(errors.by_filter[0] > 0.3), errors.by_filter[1].item()
        (True, 0.0)
    """
    if min(image.shape[-2:]) < least_size(filters):
        raise ValueError(
            f"image must have at least {least_size(filters)} pixels along each axis for these kernels, got "
            f"{image.shape[-2]} x {image.shape[-1]}"
        )
    kernels = [kernel for parts in filters.values() for kernel in parts]
    seen = torch.ones(image.shape[-2:], dtype=torch.bool) if valid is None else valid
    sums = torch.zeros(len(modes), len(kernels), 4, dtype=torch.float64)
    counts = torch.zeros(len(kernels), 4, dtype=torch.float64)
    for cut in cuts_of(image.shape, filters) if cuts is None else cuts:
        compared = [_compared_sides(seen, cut, kernel) for kernel in kernels]
        counts += len(image) * torch.tensor([[side.sum() for side in sides] for sides in compared])
        for channel, (m, mode) in product(map(Tensor.double, image), enumerate(modes)):
            for k, sides in enumerate(_error_sides(channel, cut, kernels, mode)):
                pairs = zip(sides, compared[k], strict=True)
                sums[m, k] += torch.stack([(side.abs() * where).sum() for side, where in pairs])
    if not (counts.sum(1) > 0).all():
        raise ValueError("image must have valid pixels near its rim, with windows of valid pixels around them")
    # The kernels of a filter have one unit: one of them may see nothing, as a slope along a grating.
    parts = torch.split(torch.arange(len(kernels)), [len(part) for part in filters.values()])
    spreads = torch.stack([_spread(image, seen, kernel) for kernel in kernels]).mean(1).square()
    unit = torch.stack([spreads[part].mean().sqrt() for part in parts])
    largest = torch.stack([torch.stack([kernels[k].abs().sum() for k in part.tolist()]).amax() for part in parts])
    rounding = _ROUNDING * torch.finfo(torch.float64).eps * largest * image.abs().amax().double().clamp(min=1e-300)
    unit = unit.where(unit > rounding, 1)
    by_side, by_kernel = sums / counts, sums.sum(2) / counts.sum(1)
    return Errors(
        torch.stack([by_side[:, part].mean(1) for part in parts], 1) / unit[:, None],
        torch.stack([by_kernel[:, part].mean(1) for part in parts], 1) / unit,
        rounding / unit,
    )


def _spread(image: Tensor, seen: Tensor, kernel: Tensor) -> Tensor:
    """Return the standard deviation of each filtered channel, of the outputs that can be compared.

    Of a large image bands of rows are filtered, evenly spaced.
    """
    height, width = image.shape[-2:]
    rows, step = height, height * width // _SAMPLED + 1
    if step > 1:
        rows = min(height, max(_BAND, 2 * kernel.shape[0]))
    where = _all_seen(_bands(seen, rows, step), kernel)
    if not where.any():
        return image.new_zeros(len(image), dtype=torch.float64)
    bands = [_bands(channel, rows, step).double() for channel in image]
    return torch.stack([_filtered(band, kernel)[where].std(correction=0) for band in bands])


def _bands(image: Tensor, rows: int, step: int) -> Tensor:
    """Return one band of rows in every `step` of an image (H, W), as images (N, 1, rows, W)."""
    return image.unfold(0, rows, rows * step).mT[:, None]


def _all_seen(seen: Tensor, kernel: Tensor) -> Tensor:
    """Return for masks (1, 1, H, W) where a whole window is seen."""
    return _filtered(seen.double(), torch.ones_like(kernel)) > kernel.numel() - 0.5


def _compared_sides(seen: Tensor, cut: int, kernel: Tensor) -> list[Tensor]:
    geometry = _geometry(kernel)
    return [_all_seen(strip, kernel) for strip in _seen_by_sides(_known(seen, cut, geometry), geometry)]


def _filtered(images: Tensor, kernel: Tensor) -> Tensor:
    """Correlate images (N, 1, H, W) where the whole kernel lies inside.

    In float32, of which torch has a convolution that needs no copy of the image for each tap. Rounding stays far
    below the values, as the mean is taken off before and put back in float64.
    """
    sizes = [length - size + 1 for length, size in zip(images.shape[2:], kernel.shape, strict=True)]
    if min(sizes) < 1:
        # No side there, as that of a kernel of one row at the top.
        return images.new_zeros((len(images), 1, *(max(size, 0) for size in sizes)), dtype=torch.float64)
    mean = images.mean()
    scale = (images - mean).abs().amax().clamp(min=torch.finfo(torch.float64).tiny)
    sums = F.conv2d(((images - mean) / scale).float(), kernel[None, None].float())
    return sums.double() * scale + mean * kernel.sum()


def _geometry(kernel: Tensor) -> Geometry:
    """Return what a kernel of these sizes adds, as scipy does: of an even size the larger half before."""
    size = tuple(kernel.shape)
    before = tuple(k // 2 for k in size)
    after = tuple((k - 1) // 2 for k in size)
    return Geometry(size, (1, 1), (1, 1), before, after, "direct")


def _error_sides(channel: Tensor, cut: int, kernels: Sequence[Tensor], mode: Boundary) -> Iterator[list[Tensor]]:
    """Yield for each kernel the errors at the four sides of an image that is cut."""
    height, width = channel.shape
    inner = channel[cut : height - cut, cut : width - cut][None, None]
    errors: dict[Geometry, list[Tensor]] = {}
    for kernel in kernels:
        geometry = _geometry(kernel)
        known = _known(channel, cut, geometry)
        if not mode.extends:
            filtered = _sides_filtered_by(mode, inner, kernel, geometry)
            truths = [_filtered(strip, kernel) for strip in _seen_by_sides(known, geometry)]
            yield [ours - true for ours, true in zip(filtered, truths, strict=True)]
            continue
        # A filter is linear: its error is that of the samples outside, filtered.
        if geometry not in errors:
            pairs = zip(_extended_sides(inner, geometry, mode), _seen_by_sides(known, geometry), strict=True)
            errors[geometry] = [ours - true for ours, true in pairs]
        yield [_filtered(strip, kernel) for strip in errors[geometry]]


def _known(image: Tensor, cut: int, geometry: Geometry) -> Tensor:
    """Return what a mode has to make of an image (H, W) that is cut."""
    (top, left), (bottom, right) = geometry.before, geometry.after
    height, width = image.shape
    return image[cut - top : height - cut + bottom, cut - left : width - cut + right][None, None]


def _seen_by_sides(image: Tensor, geometry: Geometry) -> list[Tensor]:
    """Return what the outputs at each side of an extended image see; top and bottom have the corners."""
    (top, left), (bottom, right), (rows, columns) = geometry.before, geometry.after, geometry.kernel
    height, width = image.shape[-2:]
    middle = image[..., top : height - bottom, :]
    return [
        image[..., : top + rows - 1, :],
        image[..., height - bottom - rows + 1 :, :],
        middle[..., : left + columns - 1],
        middle[..., width - right - columns + 1 :],
    ]


def _extended_sides(image: Tensor, geometry: Geometry, mode: Boundary) -> list[Tensor]:
    """Return what the outputs at each side of an image see when it is extended, without a copy of the whole image."""
    if mode.why_padded:
        return _seen_by_sides(extend(image, geometry, mode), geometry)
    fitted, (top, left), (bottom, right) = mode.for_image(image, geometry), geometry.before, geometry.after
    # The low and the high end of each axis: what is added to a band of samples near it, before and after each axis.
    added = [((top, left), (0, right)), ((0, left), (bottom, right)), ((0, left), (0, 0)), ((0, 0), (0, right))]
    seen = []
    for side, (before, after) in enumerate(added):
        axis, high_end = divmod(side, 2)
        dim, kernel, width = geometry.dims[axis], geometry.kernel[axis], (before, after)[high_end][axis]
        length = image.shape[dim]
        count = min(length, max(fitted.reach(geometry, axis, length), kernel))
        band = image.narrow(dim, length - count if high_end else 0, count)
        bigger = extend(band, geometry._replace(before=before, after=after), fitted)
        width += kernel - 1
        seen.append(bigger.narrow(dim, bigger.shape[dim] - width if high_end else 0, width))
    return seen


def _sides_filtered_by(mode: Boundary, image: Tensor, kernel: Tensor, geometry: Geometry) -> list[Tensor]:
    """Return the outputs at each side by a mode that does the sums itself, each from the samples near it."""
    (top, left), (bottom, right), (rows, columns) = geometry.before, geometry.after, geometry.kernel
    height, width = image.shape[-2:]

    def filtered(part: Tensor) -> Tensor:
        return mode.convolve(part, Kernels(kernel[None, None], None, 1), geometry)

    low, high = filtered(image[..., :rows, :]), filtered(image[..., height - rows :, :])
    near, far = (filtered(image[..., :columns]), filtered(image[..., width - columns :]))
    return [
        low[..., :top, :],
        high[..., rows - bottom :, :],
        near[..., top : height - bottom, :left],
        far[..., top : height - bottom, columns - right :],
    ]
