"""Predictors that do not come from the image that they extend: a layer keeps them, or they were fitted to others."""

from __future__ import annotations

import dataclasses
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from typing import Any

import torch
import torch.nn.functional as F
from torch import Tensor, nn
from torch.nn.parallel import DistributedDataParallel

from diff_conv2d.arguments import check_tensor, per_axis
from diff_conv2d.extension.by_product import Sides, can_be_prepared, extended_by_product, prepared
from diff_conv2d.extension.by_terms import extended_by_terms, terms_of, weights_of_terms
from diff_conv2d.geometry import Geometry
from diff_conv2d.modes.adaptive import Adaptive, Predicted
from diff_conv2d.modes.base import AxisExtension, Boundary, Extension, Parts
from diff_conv2d.tracing import is_exporting, is_transformed

__all__ = ["Frozen", "LearnedPredictors", "RunningPredictors", "fit"]

# Samples that predictors read at most, as of the largest images.
_MOST_TAPS = 12
# Sizes of batches whose sides are kept.
_MOST_SIDES = 4
# Samples of a batch up to which it may be extended by a table.
_SMALL = 1 << 17
# Images of a batch to which predictors are fitted.
_ENOUGH = 4


@dataclass(frozen=True, eq=False, repr=False)
class Frozen(Extension):
    """An extension by predictors that do not come from the image.

    A line that is shorter than what a predictor reads is extended by the nearest samples alone, which keeps constants
    exact; a line of one sample repeats it.

    Attributes:
        predictors: weights v of each axis, (C, p, m - 1), see `by_axis.predicted`, which must not be changed; C is 1
            if channels share them.
        dilation: of the kernels that they are for, along each axis.
        constant: they get no gradient.
    """

    name = "adaptive"
    by_value = False
    why_not_fused = ""

    predictors: Sequence[Tensor] = field(repr=False)
    dilation: tuple[int, ...] = field(repr=False)
    constant: bool = field(default=True, repr=False)
    #: Sides that were prepared, by what they depend on.
    _sides: dict[Any, Sides | None] = field(default_factory=dict, repr=False)

    def __repr__(self) -> str:
        channels, distances = self.predictors[0].shape[0], [v.shape[1] for v in self.predictors]
        return f"{type(self).__name__}(channels={channels}, distances={distances}, dilation={list(self.dilation)})"

    def __reduce__(self) -> tuple[Any, ...]:
        return type(self), (self.predictors, self.dilation, self.constant)

    def check(self, axes: int) -> None:
        """See `Boundary`: they are for one number of axes."""
        if axes != len(self.predictors):
            raise ValueError(
                f"padding_mode is fitted to images of {len(self.predictors)} spatial axes, not of {axes}"
            )

    def extend(self, input: Tensor, geometry: Geometry) -> Tensor:
        """See `Boundary`."""
        if can_be_prepared(input, geometry.dilation):
            if not self.constant:
                trained = self._extended_by_terms(input, geometry)
                if trained is not None:
                    return trained
            elif (sides := self._sides_for(input, geometry)) is not None:
                return extended_by_product(input, sides)
        return self.for_image(input, geometry).extend(input, geometry)

    def _extended_by_terms(self, input: Tensor, geometry: Geometry) -> Tensor | None:
        """Extend a small image on a CPU, with the gradients of the weights; None for others."""
        self.check(len(geometry.kernel))
        if not input.is_cpu or any(v.dtype is not input.dtype for v in self.predictors):
            return None
        taps = tuple(v.shape[-1] + 1 for v in self.predictors)
        terms = terms_of(input.shape, geometry.before, geometry.after, taps, input.dtype)
        if terms is None or any(
            _distances(geometry, axis, self.dilation, v.shape[1]) != v.shape[1]
            for axis, v in enumerate(self.predictors)
        ):
            return None
        return extended_by_terms(input, terms, weights_of_terms(terms, self.predictors))

    def _sides_for(self, input: Tensor, geometry: Geometry) -> Sides | None:
        """Return the sides for images of this size; None if an axis is too short for predictors."""
        self.check(len(geometry.kernel))
        ends = geometry.before, geometry.after
        # All sizes that are large enough for the predictors have one result, but for the tables of small images.
        small = tuple(input.shape[2:]) if input.is_cpu and input.numel() <= _SMALL else ()
        sizes = small or tuple(min(n, v.shape[-1] + 1) for n, v in zip(input.shape[2:], self.predictors, strict=True))
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
            sides = None if short else prepared(kept, *ends, tuple(input.shape[:2]), small)
        self._sides[key] = sides
        return sides

    def for_image(self, input: Tensor, geometry: Geometry) -> AxisExtension:
        """See `Boundary`: with as many weights as the image has samples for.

        Raises:
            ValueError: more samples are to be added, the image has other channels or axes, or the kernel another
                dilation, than the predictors are for.
        """
        self.check(len(geometry.kernel))
        if input.is_complex():
            return Parts(*(self.for_image(part, geometry) for part in (input.real, input.imag)))
        weights = [self._cut(input, geometry, axis) for axis in range(len(geometry.kernel))]
        # In a transform weights may be many where the image is one, which cannot be written in place.
        in_place = torch.compiler.is_compiling() or not is_transformed()
        return Predicted(weights, self.constant and in_place)

    def reach(self, geometry: Geometry, axis: int, length: int) -> int:
        """See `Boundary`: the samples of the predictors."""
        return (self.predictors[axis].shape[-1] + 1) * geometry.dilation[axis]

    def _cut(self, input: Tensor, geometry: Geometry, axis: int) -> Tensor | None:
        """Return the weights of an axis that an image of this size can use; None to repeat the edge samples."""
        v, step, size = self.predictors[axis], geometry.dilation[axis], input.shape[geometry.dims[axis]]
        distances = _distances(geometry, axis, self.dilation, v.shape[-2])
        if not distances:
            return None
        if v.shape[0] not in (1, input.shape[1]):
            raise ValueError(f"input must have {v.shape[0]} channels, as the predictors have, got {input.shape[1]}")
        # A size that is open while a network is exported must be large enough, which torch then checks.
        taps = v.shape[-1] + 1 if is_exporting() else min(v.shape[-1] + 1, size // step)
        return v[None, :, :distances, : taps - 1].to(input.device) if taps > 1 else None


def _distances(geometry: Geometry, axis: int, dilation: tuple[int, ...], most: int) -> int:
    """Return how many distances are to be predicted along an axis.

    Raises:
        ValueError: they are more than there are predictors for, or on another lattice.
    """
    step = geometry.dilation[axis]
    distances = -(-max(geometry.before[axis], geometry.after[axis]) // step)
    if distances and step != dilation[axis]:
        raise ValueError(
            f"dilation must be {dilation[axis]} along spatial axis {axis}, for which the predictors are, got {step}"
        )
    if distances > most:
        raise ValueError(
            f"padding must be at most {most * step} samples along spatial axis {axis}, for which the predictors are, "
            f"got {geometry.before[axis]} before and {geometry.after[axis]} after the image"
        )
    return distances


class RunningPredictors(nn.Module):
    """Predictors that a layer keeps, as a BatchNorm keeps its statistics: a running average over batches.

    In training the predictors of `Adaptive` are fitted to 4 images of a batch, channel by channel, and the average
    moves towards them by `momentum`, or by 1 / n at the n-th fit as long as that is more. They are fitted to each
    of the first `fit_every` batches, then to every `fit_every`-th; a compiler records a fit to every batch. The
    extension uses the average, in training too. In evaluation it is frozen. Before the first batch there is none,
    and each image is extended by its own fit. A channel that tells nothing in a batch (it is constant, or not finite)
    is left out.

    Within `DistributedDataParallel` the fits of all processes are averaged. Gradient checkpointing runs a batch twice
    and counts it twice, as it does for a BatchNorm. Buffers that are written to by their `.data` are seen from the
    next call of `train` or `eval` on.

    Args:
        mode: options of the fit; `pool='channels'` gives all channels the same predictors.
        channels: of the images.
        geometry: see `Geometry`.
        device: of the buffers.
        dtype: of the buffers.
    """

    num_batches_tracked: Tensor
    #: Fit to all images of every batch, and give all batches the same weight, as `calibrate` and `fit` do.
    fits_always = False
    #: The mode that the layer had before `convert`.
    mode_before: Boundary | str = "zeros"

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
        self.fit_every, self._dilation = mode.fit_every, geometry.dilation
        self._axes = range(len(geometry.kernel))
        channels = 1 if mode.pool == "channels" else channels
        for axis in self._axes:
            distances = _distances(geometry, axis, geometry.dilation, max(*geometry.before, *geometry.after))
            taps = max(mode.taps or _MOST_TAPS, 2 * distances + 1)
            shape = channels, distances, taps - 1
            self.register_buffer(f"weights_{axis}", torch.zeros(shape, device=device, dtype=dtype))
            self.register_buffer(f"fits_{axis}", torch.zeros(channels, dtype=torch.int64, device=device))
        self.register_buffer("num_batches_tracked", torch.zeros((), dtype=torch.int64, device=device))
        # What the buffers hold, so that no forward waits for a device: batches seen, samples that predictors read.
        self._seen, self._taps = 0, [1] * len(self._axes)
        # The buffers and their versions when that was read, and what extends by them.
        self._known: tuple[list[Any], list[int]] = [], []
        self._frozen: Frozen | None = None

    def forward(self, image: Tensor, geometry: Geometry) -> Extension:
        """Return the extension of a batch of images (N, C, ...), after a fit to it if that is due."""
        if self.training and image.numel():
            self._read()
            compiled = torch.compiler.is_compiling()
            every = 1 if self.fits_always or compiled else self.fit_every
            if every == 1 or self._seen < every or self._seen % every == 0:
                few = image if self.fits_always else image[:: -(-len(image) // _ENOUGH)]
                self._move(few.detach(), geometry)
            self.num_batches_tracked += 1
            if not compiled:
                self._seen += 1
                self._remember()
        return self.extension()

    def extension(self) -> Extension:
        """Return the extension by the average as it is now; by an image's own fit if there is none."""
        compiled = torch.compiler.is_compiling()
        if self._frozen is not None and not compiled and self._is_known():
            return self._frozen
        self._read()
        if not self._seen and not (compiled and self.training):
            return self._own
        weights: list[Tensor] = [getattr(self, f"weights_{axis}") for axis in self._axes]
        # A compiled training has its number of samples in no Python variable.
        if not (compiled and self.training):
            weights = [w[..., : taps - 1] for w, taps in zip(weights, self._taps, strict=True)]
        if compiled or is_transformed() or self._cannot_tell():
            return Frozen(weights, self._dilation)
        if self._frozen is None:
            # A copy: the next batch moves the average, and may come before this one's gradient.
            with torch.inference_mode(False):
                self._frozen = Frozen([w.clone() for w in weights], self._dilation)
        return self._frozen

    def _cannot_tell(self) -> bool:
        """Whether changes of the buffers leave no trace."""
        return any(buffer.is_inference() for buffer in self._buffers.values() if buffer is not None)

    def _read(self) -> None:
        """Read the buffers, if they are others or have changed since, as by loading or averaging."""
        if torch.compiler.is_compiling() or is_transformed() or self.num_batches_tracked.is_meta:
            return
        if self._is_known():
            return
        self._seen = int(self.num_batches_tracked)
        used = (getattr(self, f"weights_{axis}").flatten(0, 1).any(0).nonzero() for axis in self._axes)
        self._taps = [int(places.max()) + 2 if len(places) else 1 for places in used]
        self._frozen = None
        self._remember()

    def _is_known(self) -> bool:
        """Whether the buffers are those that were read, and have not changed since."""
        buffers, (known, versions) = self._buffers, self._known
        if len(buffers) != len(known):
            return False
        for buffer, kept, version in zip(buffers.values(), known, versions, strict=True):
            if kept._version != version or buffer is not kept:
                return False
        return True

    def _remember(self) -> None:
        """Take the buffers as known."""
        if not self._cannot_tell():
            buffers = list(self._buffers.values())
            self._known = buffers, [b._version for b in buffers if b is not None]

    def _forget(self) -> None:
        """Read the buffers at the next call."""
        self._known = [], []
        self._frozen = None

    @torch.no_grad()
    def _move(self, image: Tensor, geometry: Geometry) -> None:
        """Move the average towards the predictors of a batch."""
        if image.is_complex():
            image = torch.cat([image.real, image.imag])
        averages: list[Tensor] = [getattr(self, f"weights_{axis}") for axis in self._axes]
        distances = [_distances(geometry, axis, self._dilation, averages[axis].shape[1]) for axis in self._axes]
        sizes = [self._fit.sizes(image.shape[dim], geometry, axis) for axis, dim in enumerate(geometry.dims)]
        momentum = 0.0 if self.fits_always else self._fit.momentum
        for axis, v in enumerate(self._fit.weights_of_axes(image, sizes, geometry)):
            if v is None:
                continue
            average, fits = averages[axis], getattr(self, f"fits_{axis}")
            fitted = F.pad(v[0].to(average.dtype), (0, average.shape[-1] - v.shape[-1]))
            fitted, told = _over_processes(fitted, fitted.flatten(1).any(1))
            rate = torch.where(told, (1 / (fits + 1)).clamp_min(momentum), 0.0)
            average[:, : distances[axis]].lerp_(fitted, rate.to(average.dtype)[:, None, None])
            fits += told
            if not torch.compiler.is_compiling():
                self._taps[axis] = max(self._taps[axis], v.shape[-1] + 1)
                self._frozen = None

    def reset_parameters(self) -> None:
        """Begin anew, without fits."""
        for buffer in self.buffers():
            buffer.zero_()

    def train(self, mode: bool = True) -> RunningPredictors:
        """As in torch."""
        self._forget()
        # A compiler cannot.
        self._read()
        return super().train(mode)

    def _load_from_state_dict(self, *args: Any) -> None:
        super()._load_from_state_dict(*args)
        self._forget()
        self._read()

    def __getstate__(self) -> dict[str, Any]:
        """Leave out what belongs to these buffers and not to copies of them."""
        return {**vars(self), "_known": ([], []), "_frozen": None}


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
        self._dilation = geometry.dilation
        for axis in range(len(geometry.kernel)):
            distances = _distances(geometry, axis, geometry.dilation, max(*geometry.before, *geometry.after))
            self.register_parameter(f"weights_{axis}", nn.Parameter(torch.zeros(channels, distances, taps - 1)))

    def forward(self, image: Tensor, geometry: Geometry) -> Frozen:
        """Return the extension of a batch of images (N, C, ...)."""
        # By name: a parametrized or pruned one is no parameter.
        weights = [getattr(self, f"weights_{axis}") for axis in range(len(self._dilation))]
        return _Trained(weights, self._dilation, constant=False)

    def reset_parameters(self) -> None:
        """Begin anew, with the edge samples repeated."""
        for weights in self.parameters():
            nn.init.zeros_(weights)


def _over_processes(fitted: Tensor, told: Tensor) -> tuple[Tensor, Tensor]:
    """Average over the processes of the DistributedDataParallel that is at work, if one is.

    Args:
        fitted: weights (C, p, m - 1).
        told: channels that the images tell something of.
    """
    active = getattr(DistributedDataParallel, "_active_ddp_module", None)
    if active is None:
        return fitted, told
    count = told.to(fitted.dtype)
    total = fitted * count[:, None, None]
    for part in (total, count):
        torch.distributed.all_reduce(part, group=active.process_group)
    return total / count.clamp_min(1)[:, None, None], count > 0


def fit(
    images: Tensor | Iterable[Tensor], padding: int | Sequence[int], dilation: int | Sequence[int] = 1, **options: Any
) -> Frozen:
    r"""Fit predictors to images, to extend others of their kind: those of a sensor, a simulation, a map.

    The weights of `Adaptive` are fitted to each tensor of images, channel by channel, and averaged over the tensors.
    A channel that tells nothing, since it is constant or not finite, repeats its edge samples.

    Args:
        images: (N, C, ...) with 1 to 3 spatial axes, or several of them, whose sizes may differ.
        padding: most samples to be added at an end, for all axes or one for each (outermost first).
        dilation: distance between the samples that belong together, as that of a kernel.
        options: of `Adaptive`; with `pool='channels'` all channels share their predictors.

    Returns:
        A boundary mode: what `pad`, `conv2d` and the others take as `mode` or `padding_mode`. It is no part of a
        layer's `state_dict`.

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
    if not isinstance(images, Iterable) or isinstance(images, (nn.Module, str, bytes)):
        raise TypeError(f"images must be a tensor or several of them, got {type(images).__name__}")
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
        if not tensor.numel() or tensor.shape[1] != several[0].shape[1]:
            raise ValueError(
                f"images must have samples, and {several[0].shape[1]} channels as the first ones, got shape "
                f"{tuple(tensor.shape)}"
            )
    axes = several[0].ndim - 2
    width = per_axis("padding", padding, axes, minimum=0)
    steps, ones = per_axis("dilation", dilation, axes, minimum=1), (1,) * axes
    geometry = Geometry(tuple(2 * w + 1 for w in width), ones, steps, width, width)
    known = [option.name for option in dataclasses.fields(Adaptive)]
    if unknown := [name for name in options if name not in known]:
        raise TypeError(f"fit has no option {unknown[0]!r}; it has {', '.join(known)}")
    mode = Adaptive(**{**options, "track_running_stats": True})
    # What it returns may be used where gradients are wanted.
    with torch.inference_mode(False):
        running = RunningPredictors(mode, several[0].shape[1], geometry, several[0].device, torch.float64)
        running.fits_always = True
        for tensor in several:
            running(tensor.detach().clone(), geometry)
        for axis, (w, taps) in enumerate(zip(width, running._taps, strict=True)):
            if w and taps == 1:
                raise ValueError(
                    f"images must have more samples along spatial axis {axis} for a fit, got shape "
                    f"{tuple(several[0].shape)}"
                )
        boundary = running.extension()
    if not isinstance(boundary, Frozen):
        raise ValueError("images must not be empty")
    return boundary
