"""The mode whose predictors are fitted to the image itself, along one axis after the other."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from math import prod
from typing import Literal, NamedTuple

import torch
from torch import Tensor, nn

from diff_conv2d.extension import by_axis
from diff_conv2d.extension.axis import IntegerMatrix
from diff_conv2d.geometry import Geometry
from diff_conv2d.modes.base import AxisExtension, Extension, Parts
from diff_conv2d.modes.polynomial_weights import Polynomial
from diff_conv2d.modes.prediction_weights import blend, edge_differences, fitted, gram_matrix, polynomials, scores
from diff_conv2d.precision import fitting_dtype, is_on_cpu, working_dtype
from diff_conv2d.tracing import is_autocast, is_exporting, is_plain, kept, size_is_at_least

__all__ = ["Adaptive", "Predicted", "Sizes"]


class _Fit(NamedTuple):
    """Predictors of `taps` samples are fitted to the `reach` + p outermost samples of at least `lines` lines."""

    taps: int
    reach: int
    lines: int


class Sizes(NamedTuple):
    """The sizes of one axis: p samples are predicted from m, by a fit to `rows` samples at either end."""

    p: int
    m: int
    rows: int
    fit: _Fit


# The fit for axes of at least so many samples plus p. Chosen on the images of docs/adaptive.md: the first ones for
# filtering, the others to cost little in networks, whose images are small and many.
_SIZES = {
    300: _Fit(12, 18, 512),
    120: _Fit(12, 24, 128),
    16: _Fit(8, 14, 24),
    12: _Fit(6, 10, 24),
    8: _Fit(4, 8, 24),
    7: _Fit(3, 7, 24),
    5: _Fit(2, 5, 24),
    3: _Fit(1, 3, 24),
}
# In one dimension a single line supplies all windows.
_SIZES_OF_LINES = {120: _Fit(12, 60, 1), 60: _Fit(8, 30, 1), **{k: v for k, v in _SIZES.items() if k < 60}}
# Relative to the mean square of the differences: the resolution of normal equations in float64 and in float32.
_RIDGES = {torch.float64: 1e-13, torch.float32: 1e-6}
# On a CPU, the most residuals that are computed at once: arrays of 32 MB and more are new memory at each call, which
# costs more than the sums.
_AT_ONCE = 1 << 22
_POOLED: dict[str, tuple[int, ...]] = {"none": (), "channels": (1,), "batch": (0,), "all": (0, 1)}


@dataclass(frozen=True, eq=False)
class Predicted(AxisExtension):
    """An extension by predictors with given weights.

    Attributes:
        predictors: weights of each axis, see `by_axis.predicted`; None repeats the edge samples.
        constant: see `AxisExtension`.
    """

    name = "adaptive"
    by_value = False

    predictors: Sequence[Tensor | None]
    constant: bool  # type: ignore[misc]

    def rule(self, axis: int, high_end: bool, geometry: Geometry, dtype: torch.dtype) -> IntegerMatrix | Tensor:
        """See `AxisExtension`."""
        v = self.predictors[axis]
        return Polynomial(0, geometry.dilation[axis]) if v is None else v

    def extend(self, input: Tensor, geometry: Geometry) -> Tensor:
        """See `Boundary`."""
        return super().extend_by_rules(input, geometry) if self.constant else self.extend_by_axis(input, geometry)

    def reach(self, geometry: Geometry, axis: int, length: int) -> int:
        """See `Boundary`: the samples of the predictors."""
        v = self.predictors[axis]
        return 1 if v is None else (v.shape[3] + 1) * geometry.dilation[axis]


@dataclass(frozen=True)
class Adaptive(Extension):
    r"""Each axis is extended by predictors that are fitted to the lines of the image.

    .. math:: x(-s) = x(0) + \sum_{j=1}^{n-1} v_{s,j} \, (x(j) - x(j - 1))

    with x(0) the edge sample and x(1), x(2), ... those further inside. For each image, channel, axis and distance s
    there are several candidates for the weights v: least-squares fits with n samples (and n / 2, if n > 6) to those
    near both ends, in both directions, and the polynomials of degree 0 (replicate) to k - 1 and n - 1. Each candidate
    is scored by the mean absolute error with which it predicts known samples. v is the mean of the candidates,
    weighted by the inverse 16th power of that error. All weights come from the original image, so that corners are
    the tensor product of the axes.

    Exact on constants, and, up to rounding, on polynomials of degree below n and on sums of (n - 1) / 2 sinusoids
    along each axis. By default n is 12 for axes of at least 120 + p samples, 8 from 16 + p, 6 from 12 + p, and so on
    down to 1 (polynomials of degree 0 and 1) from 3 + p; shorter axes repeat the edge sample. p is the number of
    samples to predict. An image or a channel with NaN or infinite samples where the fit reads is extended by its edge
    samples; NaN stays on its lines.

    Source: ours; docs/adaptive.md derives it. Akin to Niemitalo et al., arXiv 2502.12300 (`LinearPrediction`).

    Args:
        taps: n, at least 2, instead of the default by size. An axis with fewer than 2 n + p samples is treated as by
            default, with at most n samples.
        ridge: added to the diagonal of the normal equations, relative to its mean; 1e-13, or 1e-6 for a fit in
            float32.
        band: samples at each end that the fit reads, instead of 2 n + p (n given) or a number by size.
        pool: 'none': each image and channel has weights of its own; 'channels': the channels of an image share
            theirs; 'batch': the images of a batch share theirs, channel by channel; 'all': both.
        select: blend the candidates; otherwise the fit with n samples is taken as it is.
        fit_gradient: let gradients also flow through the weights, which are constants to them otherwise.
        fit_dtype: precision of the fit; float64 where the device has it.
        track_running_stats: for layers alone: keep a running average of the weights of batches, as a BatchNorm keeps
            its statistics, extend by it, and freeze it in evaluation; see `RunningPredictors`. Each channel has
            weights of its own, or all share theirs with `pool='channels'`.
        momentum: by how much a batch moves the average.
        fit_every: batches from one fit to the next.

    Example:
        >>> import diff_conv2d
        >>> wave = torch.cos(0.5 * torch.arange(40.0))
        >>> padded = diff_conv2d.pad(wave[None, 2:-2], (2, 2), mode="adaptive")
        >>> torch.allclose(padded, wave, atol=1e-4)
        True
    """

    name = "adaptive"
    why_not_fused = ""

    taps: int | None = None
    ridge: float | None = None
    band: int | None = None
    pool: Literal["none", "channels", "batch", "all"] = "none"
    select: bool = True
    fit_gradient: bool = False
    fit_dtype: torch.dtype | None = None
    track_running_stats: bool = False
    momentum: float = 0.1
    fit_every: int = 16

    def __post_init__(self) -> None:
        """Check the options."""
        for name, value in (("taps", self.taps), ("band", self.band)):
            if value is not None and (not isinstance(value, int) or isinstance(value, bool)):
                raise TypeError(f"{name} must be an integer, got {value!r}")
        if self.taps is not None and self.taps < 2:
            raise ValueError(f"taps must be at least 2, got {self.taps}; padding_mode='replicate' has one")
        if self.band is not None and self.band <= (self.taps or 2):
            raise ValueError(f"band must be larger than taps (at least 3), got {self.band} for taps={self.taps}")
        flags = {name: getattr(self, name) for name in ("select", "fit_gradient", "track_running_stats")}
        for name, value in flags.items():
            if not isinstance(value, bool):
                raise TypeError(f"{name} must be True or False, got {value!r}")
        if self.ridge is not None:
            if not isinstance(self.ridge, (int, float)) or isinstance(self.ridge, bool):
                raise TypeError(f"ridge must be a number, got {self.ridge!r}")
            if not 0 < self.ridge < float("inf"):
                raise ValueError(f"ridge must be finite and above 0, got {self.ridge!r}")
        if not isinstance(self.momentum, (int, float)) or isinstance(self.momentum, bool):
            raise TypeError(f"momentum must be a number, got {self.momentum!r}")
        if not 0 < self.momentum <= 1:
            raise ValueError(f"momentum must be above 0, and at most 1, got {self.momentum!r}")
        if not isinstance(self.fit_every, int) or isinstance(self.fit_every, bool):
            raise TypeError(f"fit_every must be an integer, got {self.fit_every!r}")
        if self.fit_every < 1:
            raise ValueError(f"fit_every must be at least 1, got {self.fit_every}")
        if self.track_running_stats and (self.fit_gradient or self.pool in ("batch", "all")):
            raise ValueError(
                "track_running_stats needs fit_gradient=False and pool='none' or 'channels': the predictors of all "
                "batches are averaged, without a gradient; got "
                f"fit_gradient={self.fit_gradient} and pool={self.pool!r}"
            )
        if not isinstance(self.pool, str) or self.pool not in _POOLED:
            raise ValueError(f"pool must be one of {', '.join(_POOLED)}; got {self.pool!r}")
        if not any(self.fit_dtype is allowed for allowed in (None, *_RIDGES)):
            raise ValueError(f"fit_dtype must be torch.float32 or torch.float64, got {self.fit_dtype!r}")

    @property
    def needs_layer(self) -> bool:
        """See `Boundary`."""
        return self.track_running_stats

    def module_for_layer(self, channels: int, geometry: Geometry, seed: int) -> nn.Module | None:
        """See `Boundary`: the running average."""
        # It extends by what this module fits.
        from diff_conv2d.modes.kept_predictors import RunningPredictors

        return RunningPredictors(self, channels, geometry) if self.track_running_stats else None

    def check_chunked(self, is_complex: bool) -> None:
        """See `Boundary`."""
        if self.pool != "none":
            raise ValueError(f"pool must be 'none' where images are filtered chunk by chunk, got {self.pool!r}")
        if is_complex:
            raise TypeError(
                "image must be real for padding_mode='adaptive': filter image.real and image.imag by themselves"
            )

    def extend(self, input: Tensor, geometry: Geometry) -> Tensor:
        """See `Boundary`."""
        result = self.for_image(input, geometry).extend(input, geometry)
        layout = by_axis.channels_last_format(input)
        return result if layout is None else result.contiguous(memory_format=layout)

    def for_image(self, input: Tensor, geometry: Geometry) -> AxisExtension:
        """See `Boundary`: with the weights of this image, of its two parts if it is complex."""
        if input.is_complex():
            return Parts(self.for_image(input.real, geometry), self.for_image(input.imag, geometry))
        image = input if self.fit_gradient else input.detach()
        every = [self.sizes(image.shape[dim], geometry, axis) for axis, dim in enumerate(geometry.dims)]
        return Predicted(self.weights_of_axes(image, every, geometry), constant=not self.fit_gradient)

    def with_weights(self, weights: Sequence[Tensor | None]) -> AxisExtension:
        """See `Boundary`."""
        return Predicted(weights, constant=True)

    def reach(self, geometry: Geometry, axis: int, length: int) -> int:
        """See `Boundary`: the samples of the predictors."""
        sizes = self.sizes(length, geometry, axis)
        return super().reach(geometry, axis, length) if sizes is None else sizes.m * geometry.dilation[axis]

    def sizes(self, length: int, geometry: Geometry, axis: int) -> Sizes | None:
        """Return what is fitted along an axis of this length; None to repeat the edge sample."""
        step = geometry.dilation[axis]
        p = -(-max(geometry.before[axis], geometry.after[axis]) // step)
        fit = self._fit(length // step, p, len(geometry.kernel) == 1) if p else None
        if fit is None or (fit.taps == 1 and not self.select):
            return None
        # A window holds the samples of the fits, and those of a polynomial of degree k - 1 if there are enough.
        m = max(fit.taps, min(2 * p + 1, fit.reach - 1)) if self.select else fit.taps
        return Sizes(p, m, (fit.reach + p) * step, fit)

    def weights(self, image: Tensor, sizes: Sizes, geometry: Geometry, axis: int) -> Tensor:
        """Return the weights v of an axis, (N, C, p, m - 1), with size 1 where pooled.

        Along the axis only `sizes.rows` samples at either end are read; the samples between may be left out.
        """
        on_cpu = is_plain(image) and is_on_cpu(image)
        images = max(1, _AT_ONCE // self._residuals(image, sizes)) if on_cpu else len(image)
        if self.pool in ("batch", "all") or images >= len(image):
            return self._weights_along(image, sizes, geometry, (axis,))[0]
        parts = torch.split(image, images)
        return torch.cat([self._weights_along(part, sizes, geometry, (axis,))[0] for part in parts])

    def weights_of_axes(
        self, image: Tensor, sizes: list[Sizes | None], geometry: Geometry
    ) -> Sequence[Tensor | None]:
        """Return the weights of every axis."""
        first, axes = sizes[0], tuple(range(len(sizes)))
        # Symbolic sizes of torch.export must not be compared.
        alike = not is_exporting() and len({*geometry.dilation}) == 1
        if first is not None and alike and all(s == first for s in sizes) and self._fits_at_once(image, first):
            # Fewer calls.
            return self._weights_along(image, first, geometry, axes)
        return [s and self.weights(image, s, geometry, axis) for axis, s in enumerate(sizes)]

    def _fits_at_once(self, image: Tensor, sizes: Sizes) -> bool:
        """Whether all axes of a batch are fitted at once: always on a GPU, where launches are what costs."""
        axes = image.ndim - 2
        return not is_on_cpu(image) or axes * len(image) * self._residuals(image, sizes) <= _AT_ONCE

    def _residuals(self, image: Tensor, sizes: Sizes) -> int:
        """Return about how many residuals the score of one image has along one axis, at least 1."""
        p, m, rows, fit = sizes
        across = image.ndim - 3
        lines = 2 * min(prod(image.shape[2:]) // min(image.shape[2:]), int(2**across) * fit.lines)
        return max(1, image.shape[1] * lines * rows * p * (min(2 * p, m - 1) + 4))

    def _weights_along(
        self, image: Tensor, sizes: Sizes, geometry: Geometry, axes: tuple[int, ...]
    ) -> Sequence[Tensor]:
        """Return the weights v, (N, C, p, m - 1), of each of several axes of equal sizes."""
        p, m, rows, fit = sizes
        n, step = fit.taps, geometry.dilation[axes[0]]
        pooled = _POOLED[self.pool]
        dims = tuple(geometry.dims[axis] for axis in axes)
        differences, lines = edge_differences(image, dims, rows, fit.lines, step, working_dtype(image))
        dtype = self.fit_dtype or fitting_dtype(differences)
        ridge = self.ridge or _RIDGES[dtype]
        if is_autocast(differences):
            # It would round the factors of products in float32.
            dtype = fitting_dtype(differences)
        products = gram_matrix(differences.flatten(-2).to(dtype), p + m - 1)
        if pooled:
            products = products.sum(pooled, keepdim=True)
        counts = [count for count in ((n // 2, n) if n > 6 else (n,)) if count > 1]
        if not self.select:
            known = products.isfinite().all(-1).all(-1)[..., None, None]
            v = torch.where(known, fitted(products, p, counts[-1:], ridge).squeeze(-3), 0.0)
        else:
            degrees = sorted({*range(min(2 * p, m - 1) + 1), n - 1})
            fixed = kept(polynomials, products)(tuple(degrees), p, m, dtype, products.device)
            candidates = fixed.expand(*products.shape[:-2], *fixed.shape)
            if counts:
                candidates = torch.cat([candidates, fitted(products, p, counts, ridge)], -3)
            freedom = [0] * len(degrees) + [count - 1 for count in counts]
            # Consecutive lines of volumes are no neighbours.
            in_a_row = image.ndim < 5
            errors = scores(differences, lines, candidates.to(differences.dtype), freedom, pooled, in_a_row)
            # Where samples are not finite no error is a number, and the edge samples are repeated.
            v = torch.nan_to_num(blend(candidates, errors.to(dtype)), 0.0, 0.0, 0.0)
        return v.unbind(2)

    def _fit(self, length: int, p: int, one_line: bool) -> _Fit | None:
        """Choose the fit for an axis of so many samples; None if they are too few."""
        most = 12
        if self.band is not None:
            reach = max(self.band - p, self.taps or 2)
            most = self.taps or min(most, max(reach // 2, 2))
        elif self.taps is not None:
            most, reach = self.taps, 2 * self.taps
        else:
            reach = None
        if reach is not None and size_is_at_least(length, reach + p):
            return _Fit(most, reach, 64)
        for least, fit in (_SIZES_OF_LINES if one_line else _SIZES).items():
            if fit.taps <= most and size_is_at_least(length, least + p):
                return fit
        return None
