"""Predictors that do not come from the image that they extend: a layer keeps them, or they were fitted to others."""

from __future__ import annotations

import dataclasses
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from operator import is_not
from typing import Any

import torch
import torch.nn.functional as F
from torch import Tensor, nn
from torch.nn.parallel import DistributedDataParallel

from diff_conv2d.arguments import check_tensor, per_axis
from diff_conv2d.extension.by_product import Sides, can_be_prepared, extended_by_product, prepared
from diff_conv2d.geometry import Geometry
from diff_conv2d.modes.adaptive import Adaptive, Parts, Predicted
from diff_conv2d.modes.base import AxisExtension, Extension

__all__ = ["Frozen", "LearnedPredictors", "RunningPredictors", "fit"]

# Samples that predictors read at most, as of the largest images.
_MOST_TAPS = 12
# Sizes of batches whose sides are kept.
_MOST_SIDES = 16
# Images of a batch to which predictors are fitted.
_ENOUGH = 4


@dataclass(frozen=True, eq=False)
class Frozen(Extension):
    """An extension by predictors that do not come from the image.

    A line that is shorter than what a predictor reads is extended by the nearest samples alone, which keeps constants
    exact; a line of one sample repeats it.

    Attributes:
        predictors: weights v of each axis, (C, p, m - 1), see `by_axis.predicted`; C is 1 if channels share them.
        constant: they get no gradient.
    """

    name = "adaptive"

    predictors: Sequence[Tensor]
    constant: bool = True
    #: Sides that were prepared, by what they depend on.
    _sides: dict[Any, Sides | None] = field(default_factory=dict, repr=False)

    def extend(self, input: Tensor, geometry: Geometry) -> Tensor:
        """See `Boundary`."""
        if self.constant and can_be_prepared(input, geometry.dilation):
            sides = self._sides_for(input, geometry)
            if sides is not None:
                return extended_by_product(input, sides)
        return self.for_image(input, geometry).extend(input, geometry)

    def _sides_for(self, input: Tensor, geometry: Geometry) -> Sides | None:
        """Return the sides for images of this size; None if an axis is too short for predictors."""
        ends = geometry.before, geometry.after
        # All sizes that are large enough for the predictors have one result.
        sizes = tuple(min(n, v.shape[-1] + 1) for n, v in zip(input.shape[2:], self.predictors, strict=True))
        key = ends, input.shape[:2], sizes, input.dtype, input.device
        if key in self._sides:
            return self._sides[key]
        if len(self._sides) >= _MOST_SIDES:
            self._sides.clear()
        # Kept for other calls, which may want a gradient.
        with torch.inference_mode(False):
            weights = [self._cut(input, geometry, axis) for axis in range(len(geometry.kernel))]
            short = any(
                v is None and max(of_axis) for v, of_axis in zip(weights, zip(*ends, strict=True), strict=True)
            )
            kept = [None if v is None else v[0].to(input.dtype) for v in weights]
            self._sides[key] = None if short else prepared(kept, *ends, input.shape[:2])
        return self._sides[key]

    def for_image(self, input: Tensor, geometry: Geometry) -> AxisExtension:
        """See `Boundary`: with as many weights as the image has samples for.

        Raises:
            ValueError: more samples are to be added, or the image has other channels, than the predictors are for.
        """
        if input.is_complex():
            return Parts(*(self.for_image(part, geometry) for part in (input.real, input.imag)))
        return Predicted([self._cut(input, geometry, axis) for axis in range(len(geometry.kernel))], self.constant)

    def reach(self, geometry: Geometry, axis: int, length: int) -> int:
        """See `Boundary`: the samples of the predictors."""
        return (self.predictors[axis].shape[-1] + 1) * geometry.dilation[axis]

    def _cut(self, input: Tensor, geometry: Geometry, axis: int) -> Tensor | None:
        """Return the weights of an axis that an image of this size can use; None to repeat the edge samples."""
        v, step, size = self.predictors[axis], geometry.dilation[axis], input.shape[geometry.dims[axis]]
        distances = -(-max(geometry.before[axis], geometry.after[axis]) // step)
        if not distances:
            return None
        if distances > v.shape[-2]:
            raise ValueError(
                f"padding must be at most {v.shape[-2]} samples along spatial axis {axis}, for which the predictors "
                f"were fitted, got {distances}"
            )
        if v.shape[0] not in (1, input.shape[1]):
            raise ValueError(f"input must have {v.shape[0]} channels, as the predictors have, got {input.shape[1]}")
        # A size that is open while a network is exported must be large enough, which torch then checks.
        taps = v.shape[-1] + 1 if torch.compiler.is_exporting() else min(v.shape[-1] + 1, size // step)
        return v[None, :, :distances, : taps - 1].to(input.device) if taps > 1 else None


class RunningPredictors(nn.Module):
    """Predictors that a layer keeps, as a BatchNorm keeps its statistics: a running average over batches.

    In training the predictors of `Adaptive` are fitted to 4 images of a batch, channel by channel, and the average
    moves towards them by `momentum`, or by 1 / n at the n-th batch as long as that is more. They are fitted to each
    of the first `fit_every` batches, then to every `fit_every`-th; a compiler records a fit to every batch. The
    extension uses the average, in training too. In evaluation it is frozen. Before the first batch there is none, and
    each image is extended by its own fit.

    Within `DistributedDataParallel` the fits of all processes are averaged.

    Args:
        mode: options of the fit; `pool='channels'` gives all channels the same predictors.
        channels: of the images.
        geometry: see `Geometry`.
        device: of the buffers.
        dtype: of the buffers.
    """

    num_batches_tracked: Tensor
    #: Fit to every batch, as `calibrate` does.
    fits_always = False
    #: The mode that the layer had before `convert`.
    mode_before = "zeros"

    def __init__(
        self,
        mode: Adaptive,
        channels: int,
        geometry: Geometry,
        device: torch.device | str | int | None = None,
        dtype: torch.dtype | None = None,
    ) -> None:
        super().__init__()
        pool: Any = "all" if mode.pool == "channels" else "batch"
        self._fit = dataclasses.replace(mode, pool=pool, track_running_stats=False, fit_gradient=False)
        self._own = dataclasses.replace(mode, track_running_stats=False)
        self.fit_every = mode.fit_every
        self._names = [f"weights_{axis}" for axis in range(len(geometry.kernel))]
        for axis, name in enumerate(self._names):
            step = geometry.dilation[axis]
            distances = -(-max(geometry.before[axis], geometry.after[axis]) // step)
            taps = max(mode.taps or _MOST_TAPS, 2 * distances + 1)
            shape = (1 if mode.pool == "channels" else channels, distances, taps - 1)
            self.register_buffer(name, torch.zeros(shape, device=device, dtype=dtype))
        self.register_buffer("num_batches_tracked", torch.zeros((), dtype=torch.int64, device=device))
        # On the CPU, so that no forward waits for a device: batches seen, and samples that the predictors read.
        self._seen, self._taps = 0, [1] * len(self._names)
        self._frozen: tuple[list[Any], list[int], Frozen] | None = None

    def forward(self, image: Tensor, geometry: Geometry) -> Extension:
        """Return the extension of a batch of images (N, C, ...), after a fit to it if that is due."""
        if self.training:
            every = 1 if self.fits_always or torch.compiler.is_compiling() else self.fit_every
            if self._seen < every or self._seen % every == 0:
                few = image if self.fits_always else image[:: -(-len(image) // _ENOUGH)]
                self._move(few.detach(), geometry)
            self._count()
        return self.extension()

    def extension(self) -> Extension:
        """Return the extension by the average as it is now; by an image's own fit if there is none."""
        if not self._seen:
            return self._own
        weights: list[Any] = [self._buffers[name] for name in self._names]
        if torch.compiler.is_compiling() or any(w.is_inference() for w in weights):
            return Frozen(self._cut(weights))
        # Until a buffer is another one or changes, which its version tells.
        versions = [w._version for w in weights]
        if self._frozen is None or self._frozen[1] != versions or any(map(is_not, self._frozen[0], weights)):
            # A copy: the next batch moves the average, and may come before this one's gradient.
            with torch.inference_mode(False):
                self._frozen = weights, versions, Frozen([w.clone() for w in self._cut(weights)])
        return self._frozen[2]

    def _cut(self, weights: list[Any]) -> list[Tensor]:
        """Return the weights that the fits so far have had."""
        return [w[..., : taps - 1] for w, taps in zip(weights, self._taps, strict=True)]

    def _count(self) -> None:
        self._seen += 1
        self.num_batches_tracked += 1

    @torch.no_grad()
    def _move(self, image: Tensor, geometry: Geometry) -> None:
        """Move the average towards the predictors of a batch."""
        if image.is_complex():
            image = torch.cat([image.real, image.imag])
        sizes = [self._fit.sizes(image.shape[dim], geometry, axis) for axis, dim in enumerate(geometry.dims)]
        rate = max(self._fit.momentum, 1 / (self._seen + 1))
        for axis, v in enumerate(self._fit.weights_of_axes(image, sizes, geometry)):
            if v is None:
                continue
            average = self.get_buffer(self._names[axis])
            fitted = F.pad(v[0].to(average.dtype), (0, average.shape[-1] - v.shape[-1]))
            average.lerp_(_over_processes(fitted), rate)
            self._taps[axis] = max(self._taps[axis], v.shape[-1] + 1)

    def _load_from_state_dict(self, state_dict: dict[str, Any], prefix: str, *args: Any) -> None:
        super()._load_from_state_dict(state_dict, prefix, *args)
        self._seen = int(self.num_batches_tracked)
        for axis in range(len(self._names)):
            used = self.get_buffer(self._names[axis]).flatten(0, 1).any(0).nonzero()
            self._taps[axis] = int(used.max()) + 2 if len(used) else 1


class _Trained(Frozen):
    name = "learned"


class LearnedPredictors(nn.Module):
    """Predictors that a layer trains, from those that repeat the edge sample (see `Learned`).

    Args:
        taps: n, samples that a predictor reads.
        channels: that have weights of their own, or 1.
        geometry: see `Geometry`.
    """

    def __init__(self, taps: int, channels: int, geometry: Geometry) -> None:
        super().__init__()
        for axis, step in enumerate(geometry.dilation):
            distances = -(-max(geometry.before[axis], geometry.after[axis]) // step)
            self.register_parameter(f"weights_{axis}", nn.Parameter(torch.zeros(channels, distances, taps - 1)))

    def forward(self, image: Tensor, geometry: Geometry) -> Frozen:
        """Return the extension of a batch of images (N, C, ...)."""
        return _Trained(list(self.parameters()), constant=False)


def _over_processes(fitted: Tensor) -> Tensor:
    """Average over the processes of the DistributedDataParallel that is at work, if one is."""
    active = getattr(DistributedDataParallel, "_active_ddp_module", None)
    if active is None:
        return fitted
    torch.distributed.all_reduce(fitted, group=active.process_group)
    return fitted / torch.distributed.get_world_size(active.process_group)


def fit(
    images: Tensor | Iterable[Tensor], padding: int | Sequence[int], dilation: int | Sequence[int] = 1, **options: Any
) -> Frozen:
    r"""Fit predictors to images, to extend others of their kind: those of a sensor, a simulation, a map.

    The weights of `Adaptive` are fitted to each tensor of images, channel by channel, and averaged over the tensors.

    Args:
        images: (N, C, ...) with 1 to 3 spatial axes, or several of them, whose sizes may differ.
        padding: most samples to be added at an end, for all axes or one for each (outermost first).
        dilation: distance between the samples that belong together, as that of a kernel.
        options: of `Adaptive`; with `pool='channels'` all channels share their predictors.

    Returns:
        A boundary mode: what `pad`, `conv2d` and the others take as `mode` or `padding_mode`.

    Raises:
        ValueError: images are too few or too small, or an option does not fit.
        TypeError: images are no real tensors, or there is no such option.

    Example:
        >>> import diff_conv2d
        >>> wave = torch.cos(0.5 * torch.arange(80.0))
        >>> boundary = fit(wave[None, None], padding=2)
        >>> other = torch.sin(0.5 * torch.arange(20.0))[None, None]
        >>> padded = diff_conv2d.pad(other[..., 2:-2], (2, 2), mode=boundary)
        >>> torch.allclose(padded, other, atol=1e-3)
        True
    """
    several = [images] if isinstance(images, Tensor) else list(images)
    if not several:
        raise ValueError("images must hold at least one tensor, got none")
    for tensor in several:
        check_tensor("images", tensor)
        if not tensor.is_floating_point() or tensor.ndim not in (3, 4, 5) or tensor.ndim != several[0].ndim:
            raise TypeError(
                f"images must be real, (N, C, ...) with 1 to 3 spatial axes, got {tensor.dtype} of shape "
                f"{tuple(tensor.shape)}"
            )
    axes = several[0].ndim - 2
    width = per_axis("padding", padding, axes, minimum=0)
    steps, ones = per_axis("dilation", dilation, axes, minimum=1), (1,) * axes
    geometry = Geometry(tuple(2 * w + 1 for w in width), ones, steps, width, width)
    running = RunningPredictors(Adaptive(**options), several[0].shape[1], geometry, several[0].device, torch.float64)
    for tensor in several:
        running._move(tensor.detach(), geometry)
        running._count()
    for axis, (w, taps) in enumerate(zip(width, running._taps, strict=True)):
        if w and taps == 1:
            raise ValueError(
                f"images must have more samples along spatial axis {axis} for a fit, got {several[0].shape}"
            )
    return Frozen(running._cut([running.get_buffer(name) for name in running._names]))
