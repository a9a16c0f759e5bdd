"""Edges within an array: what is masked or NaN is outside, and is filled from valid samples near it."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Literal, TypedDict

import numpy as np
import torch
from torch import Tensor

from diff_conv2d.masks.beyond import looks_far
from diff_conv2d.masks.boundary import MaskedBoundary
from diff_conv2d.ndimage.correlation import Step, geometry_of
from diff_conv2d.ndimage.errors import FilterError

__all__ = ["Edges", "Fill", "check_mask_dtype", "filtered_inside", "floating", "opened"]

_FILLS = ("zeros", "nearest", "polynomial", "adaptive")


class Edges(TypedDict, total=False):
    """What every filter takes besides scipy's arguments.

    mask: bool, True where a sample is valid: of the input's shape, or of that of its filtered axes; or a
        `masks.MaskedBoundary`, which is prepared once for many images. Other samples are outside, whatever they hold.
    nan: 'spread' (NaN reaches every window that holds it, as in scipy), or 'edge': NaN is outside.
    fill: how samples outside are filled, as far as the filter reaches: 'adaptive' (default), 'nearest', 'polynomial'
        or 'zeros', see `masks.MaskedBoundary`; {"method": "polynomial", "degree": 2} gives a degree.
    """

    mask: Any
    nan: Literal["spread", "edge"]
    fill: str | Mapping[str, Any]


def filtered_inside(
    input: Any, steps: Sequence[Step], output: Any, edges: Edges, filtered: Callable[[Any, Any], Any]
) -> Any:
    """Fill what is outside, filter, and leave no result there: NaN, or 0 where the output holds integers.

    Args:
        input: a numpy array, a tensor or a dask array.
        steps: of the filter.
        output: None, a dtype, or an array of the input's kind to write to.
        edges: see `Edges`.
        filtered: filters a whole array, with an output.

    Raises:
        FilterError: a value or a shape does not fit.
        TypeError: an argument is of the wrong kind, or there is none of this name.
    """
    axes, reach = _reach(steps)
    if len(axes) > 3:
        raise FilterError(f"mask and nan='edge' are for at most 3 filtered axes, got {len(axes)}")
    values, without_outside = opened(input, edges, axes, reach, _look_far(steps, tuple(input.shape)))
    return without_outside(filtered(values, input.dtype if output is None else output))


def opened(
    input: Any, edges: Edges, axes: tuple[int, ...], reach: tuple[int, ...], beyond: bool = True
) -> tuple[Any, Callable[[Any], Any]]:
    """Return an array with what is outside filled, and a function that leaves no result there, in place.

    Args:
        input: a numpy array, a tensor or a dask array.
        edges: see `Edges`.
        axes: the axes of an image, 0 to 3, in their order; others are a batch of images.
        reach: how far filters read along each of them.
        beyond: whether they look farther at the rim.
    """
    _check(edges)
    mask, nan = edges.get("mask"), edges.get("nan", "spread") == "edge" and _may_hold_nan(input)
    if (mask is None and not nan) or not all(input.shape):
        return input, lambda result: result
    fill = Fill(axes, reach, edges.get("fill", "adaptive"), nan, beyond)
    if not isinstance(input, (Tensor, np.ndarray)):
        from diff_conv2d.ndimage.chunks import filled_by_chunks, without_outside

        values, valid = filled_by_chunks(input, mask, fill)
        return values, lambda result: without_outside(result, valid)
    if not axes:
        # Nothing is filtered.
        every = Fill(tuple(range(input.ndim)), (0,) * input.ndim, "zeros", nan, False)
        known = every.valid(_tensor(input), mask.mask if isinstance(mask, MaskedBoundary) else mask)
        return input, lambda result: _written(result, known)
    boundary = fill.boundary(input, mask)
    return fill(input, boundary), lambda result: fill.without_outside(result, boundary)


@dataclass(frozen=True)
class Fill:
    """How samples outside are filled.

    Attributes:
        axes: the axes of an image, in their order; others are a batch of images.
        reach: how far the filter reads along each of them.
        method: see `Edges`.
        nan: whether NaN is outside.
        beyond: whether filters look farther than they reach, at the rim.
    """

    axes: tuple[int, ...]
    reach: tuple[int, ...]
    method: Any
    nan: bool
    beyond: bool

    def boundary(self, input: Any, mask: Any) -> MaskedBoundary:
        """Prepare a mask for images (1, B, ...), where B are all other axes; for one image if it serves all."""
        tensor, count = _tensor(input), len(self.axes)
        if isinstance(mask, MaskedBoundary):
            return self._checked(mask, tuple(tensor.shape[axis] for axis in self.axes))
        valid = self.valid(tensor, mask)
        of_images = valid if valid.ndim == count else valid.reshape(1, -1, *valid.shape[-count:])
        method = {"method": self.method} if isinstance(self.method, str) else dict(self.method)
        # As far as a boundary mode may read beside the samples that the filter does.
        rim = tuple(2 * width + 1 for width in self.reach)
        return MaskedBoundary(of_images, reach=self.reach, rim=rim, axes=count, beyond=self.beyond, **method)

    def __call__(self, input: Any, boundary: MaskedBoundary) -> Any:
        """Return an array, as floating point, with what is outside filled."""
        # What is filled lies between integers. A copy by numpy has large pages, which cost less when they are new.
        tensor = input if isinstance(input, Tensor) else torch.from_numpy(np.array(input, floating(input.dtype)))
        if not (tensor.is_floating_point() or tensor.is_complex()):
            tensor = tensor.to(torch.float64)
        images = tensor.movedim(self.axes, self._last)
        flat = images.reshape(1, -1, *images.shape[-len(self.axes) :])
        filled = boundary.fill(flat, in_place=not isinstance(input, Tensor), beyond=self.beyond).reshape(images.shape)
        filled = filled.movedim(self._last, self.axes)
        return filled if isinstance(input, Tensor) else filled.numpy()

    def without_outside(self, result: Any, boundary: MaskedBoundary) -> Any:
        """Return a result with NaN, or 0 among integers, at what is outside; in place where that is possible."""
        tensor = result if isinstance(result, Tensor) else torch.from_numpy(result)
        images = tensor.movedim(self.axes, self._last)
        if boundary.mask.ndim == len(self.axes):
            written = boundary.replace_outside(images, _missing(tensor))
        else:
            written = _written(images, boundary.mask.to(tensor.device).reshape(images.shape))
        changed = written is images or not isinstance(result, Tensor)
        return result if changed else written.movedim(self._last, self.axes)

    @property
    def _last(self) -> tuple[int, ...]:
        return tuple(range(-len(self.axes), 0))

    def _checked(self, boundary: MaskedBoundary, space: tuple[int, ...]) -> MaskedBoundary:
        """Reject a mask that was prepared for other images or a smaller filter."""
        if tuple(boundary.mask.shape) != space:
            raise FilterError(f"mask must be prepared for images of shape {space}, got {tuple(boundary.mask.shape)}")
        if any(ready < needed for ready, needed in zip(boundary.reach, self.reach, strict=True)):
            raise FilterError(f"mask must reach as far as the filter, {self.reach}, got reach={boundary.reach}")
        if self.beyond and not boundary.beyond and boundary.method != "zeros":
            raise FilterError("mask must be prepared with beyond=True for a mode that looks far at the rim")
        return boundary

    def valid(self, tensor: Tensor, mask: Any) -> Tensor:
        """Return which samples are valid: of an image, or of all, the axes of an image last."""
        moved = tensor.movedim(self.axes, self._last)
        known = ~moved.isnan() if self.nan else None
        if mask is None:
            return known if known is not None else torch.ones(moved.shape, dtype=torch.bool, device=tensor.device)
        check_mask_dtype(mask)
        valid = _tensor(mask).to(tensor.device)
        space = moved.shape[-len(self.axes) :]
        if valid.shape == tensor.shape:
            valid = valid.movedim(self.axes, self._last)
        elif valid.shape != space:
            raise FilterError(
                f"mask must have the shape of input, {tuple(tensor.shape)}, or that of its filtered axes, "
                f"{tuple(space)}; got {tuple(valid.shape)}"
            )
        return valid if known is None else valid & known


def check_mask_dtype(mask: Any) -> None:
    """Reject a mask that holds no booleans."""
    dtype = mask.dtype if hasattr(mask, "dtype") else np.asarray(mask).dtype
    if dtype not in (torch.bool, np.dtype(bool)):
        raise TypeError(f"mask must hold booleans, True where a sample is valid; got {dtype}")


def _missing(tensor: Tensor) -> float:
    """Return what stands where there is no result."""
    return torch.nan if tensor.is_floating_point() or tensor.is_complex() else 0


def _written(result: Any, valid: Tensor) -> Any:
    """Return a result without what is not valid, in place where no gradient is wanted."""
    tensor = result if isinstance(result, Tensor) else torch.from_numpy(result)
    tracked = torch.is_grad_enabled() and tensor.requires_grad
    written = (tensor.masked_fill if tracked else tensor.masked_fill_)(~valid, _missing(tensor))
    return written if isinstance(result, Tensor) else result


def floating(dtype: Any) -> Any:
    """Return the dtype of a copy that can be filled, in the byte order of this machine."""
    return dtype.newbyteorder("=") if dtype.kind in "fc" else np.dtype(float)


def _tensor(array: Any) -> Tensor:
    """Return an array as a tensor."""
    if isinstance(array, Tensor):
        return array
    values = np.asarray(array)
    return torch.from_numpy(np.require(values, values.dtype.newbyteorder("="), ["C", "W"]))


def _check(edges: Mapping[str, Any]) -> None:
    """Reject arguments that there are none of, and values."""
    for name in edges:
        if name not in Edges.__annotations__:
            raise TypeError(f"got an unexpected argument {name!r}; besides scipy's there are mask, nan and fill")
    nan, fill = edges.get("nan", "spread"), edges.get("fill", "adaptive")
    if nan not in ("spread", "edge"):
        raise FilterError(f"nan must be 'spread' or 'edge', got {nan!r}")
    method = fill.get("method") if isinstance(fill, Mapping) else fill
    if method not in _FILLS:
        raise FilterError(f"fill must be one of {', '.join(_FILLS)}, or a mapping with such a 'method'; got {fill!r}")
    if isinstance(fill, Mapping) and not {"method", "degree"}.issuperset(fill):
        raise FilterError(f"fill must be a mapping with 'method' and perhaps 'degree', got {fill!r}")
    if isinstance(edges.get("mask"), MaskedBoundary) and ("fill" in edges or nan == "edge"):
        raise FilterError("fill and nan must not be given beside a mask that is prepared already")


def _reach(steps: Sequence[Step]) -> tuple[tuple[int, ...], tuple[int, ...]]:
    """Return the axes of the images that are filled, and how far steps read along each, all together.

    They are the axes that are filtered, the others being a batch; where one is, those that make an image with it.
    """
    far: dict[int, int] = {}
    for step in steps:
        geometry = geometry_of(step)
        for axis, before, after in zip(step.images, geometry.before, geometry.after, strict=True):
            far[axis] = far.get(axis, 0) + max(before, after)
    filtered = tuple(sorted(axis for axis, width in far.items() if width))
    axes = tuple(sorted(far)) if len(filtered) == 1 and len(far) <= 3 else filtered
    return axes, tuple(far[axis] for axis in axes)


def _look_far(steps: Sequence[Step], shape: tuple[int, ...]) -> bool:
    """Whether a mode looks farther at the rim than its kernel reaches."""
    for step in steps:
        sizes, geometry = tuple(shape[axis] for axis in step.images), geometry_of(step)
        if len(step.modes) > 1 or looks_far(step.modes[0], geometry, sizes):
            return True
    return False


def _may_hold_nan(input: Any) -> bool:
    dtype = input.dtype
    if isinstance(dtype, torch.dtype):
        return dtype.is_floating_point or dtype.is_complex
    return dtype.kind in "fc"
