"""The mode that extends an image by an autoregressive model of itself."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import NamedTuple

import torch
from torch import Tensor

from diff_conv2d.extension.by_axis import channels_last_format
from diff_conv2d.geometry import Geometry
from diff_conv2d.modes.base import Extension
from diff_conv2d.modes.prediction_weights import solve_normal_equations
from diff_conv2d.precision import fitting_dtype

__all__ = ["LinearPrediction"]

# Relative to the mean square of the samples: the resolution of least squares in float64.
_RIDGE = 1e-13
# How far a model with more than one column may predict from the mean, in units of the largest deviation in the image.
_LARGEST = 2.0
# A pole of modulus 1 (a line, a sinusoid) is stable; rounding may move it outside by this much.
_ON_CIRCLE = 1e-6


class _Model(NamedTuple):
    """The model of each image and channel: weights (N, C, R, 2 m + 1), means of neighbours (N, C, P) and target."""

    weights: Tensor
    means: Tensor
    mean: Tensor

    def value(self, x: Tensor, down: int, along: int, middle: int, count: int) -> Tensor:
        """Predict `count` pixels before the rows of x; the neighbourhood of the first has its middle at `middle`."""
        rows, columns = self.weights.shape[2:]
        total = self.mean[..., None, None]
        for r in range(rows):
            for l in range(columns):
                start = middle + (l - columns // 2) * along
                neighbour = x[:, :, (r + 1) * down - 1 :][:, :, :1].narrow(3, start, count)
                difference = neighbour - self.means[..., r * columns + l, None, None]
                total = total + self.weights[:, :, r, l, None, None] * difference
        return total


@dataclass(frozen=True)
class LinearPrediction(Extension):
    r"""Per channel, a small autoregressive neighbourhood fitted by least squares to the image, applied outward.

    .. math:: x(-s, j) = c + \sum_{r=1}^{R} \sum_{l=-m}^{m} a_{r,l} \, x(-s + r, j + l)

    with a and c minimising the squared error of this prediction over all pixels of the channel whose neighbourhood
    lies in the image. Each end of each axis has a model. The samples at distance s are predicted from those
    at s - 1. Near the ends of an edge the neighbourhood is shifted to stay on the image; each shift has a model of
    its own. Unstable models are bounded: with one column (m = 0) each pole outside the unit circle is reflected into
    it; with more columns a prediction may differ from the channel's mean by at most twice as much as any pixel of the
    image.

    Source: Niemitalo et al., arXiv 2502.12300 (1x1 and 2x1: its covariance method with reflected poles). Two things
    differ. They subtract the channel's mean; we fit the constant c, without which an exact autoregressive field is
    not extended exactly. Their 2x3 neighbourhood is fitted to a windowed autocorrelation, which is stable but biased;
    ours is the least-squares fit, bounded where it is unstable.

    Args:
        neighbourhood: (R, 2 m + 1): rows outward-in, 1 or 2, and columns along the edge, an odd number. More than
            one column needs an image of two axes. It shrinks when the image has too few samples.
    """

    name = "linear_prediction"
    why_not_chunked = "is fitted to all pixels of the image at once"
    why_padded = "predicts the corners from what it has predicted along the edges"

    neighbourhood: tuple[int, int] = (2, 1)

    def __post_init__(self) -> None:
        """Check the neighbourhood."""
        value = self.neighbourhood
        if not isinstance(value, Sequence) or not all(isinstance(v, int) and v is not True for v in value):
            raise TypeError(f"neighbourhood must be two integers, (rows, columns), got {value!r}")
        if len(value) != 2 or value[0] not in (1, 2) or value[1] < 1 or value[1] % 2 == 0:
            raise ValueError(f"neighbourhood must be (1 or 2 rows, an odd number of columns), got {value!r}")
        object.__setattr__(self, "neighbourhood", tuple(value))

    def check(self, axes: int) -> None:
        """See `Boundary`."""
        if self.neighbourhood[1] > 1 and axes != 2:
            raise ValueError(f"neighbourhood must have one column for {axes} axes, got {self.neighbourhood!r}")

    def extend(self, input: Tensor, geometry: Geometry) -> Tensor:
        """See `Boundary`."""
        self.check(len(geometry.kernel))
        if input.is_complex():
            return torch.complex(self.extend(input.real, geometry), self.extend(input.imag, geometry))
        image = input.to(fitting_dtype(input))
        result = image
        for axis, dim in enumerate(geometry.dims):
            # Columns of the neighbourhood lie along the other axis.
            steps = geometry.dilation[axis], geometry.dilation[-1 - axis]
            low = self._outside(image, result, dim, steps, geometry.before[axis])
            # The high end is the low end of the mirrored image.
            high = self._outside(image.flip(dim), result.flip(dim), dim, steps, geometry.after[axis]).flip(dim)
            result = torch.cat([low, result, high], dim)
        layout = channels_last_format(input) or torch.contiguous_format
        return result.to(input.dtype).contiguous(memory_format=layout)

    def _outside(self, image: Tensor, grown: Tensor, dim: int, steps: tuple[int, int], width: int) -> Tensor:
        """Predict samples -width to -1 of `grown` along `dim` by the models of `image`; both are (N, C, ...)."""
        lines = grown.movedim(dim, 2)
        known = image.movedim(dim, 2).flatten(3) if image.ndim > 3 else image.unsqueeze(3)
        rows = min(self.neighbourhood[0], (known.shape[2] - 1) // steps[0])
        columns = max(0, min(self.neighbourhood[1] // 2, (known.shape[3] // steps[1] - 1) // 2))
        if width == 0 or rows == 0:
            return lines.narrow(2, 0, 1).expand(*lines.shape[:2], width, *lines.shape[3:]).movedim(2, dim)
        models = {o: _fit(known, rows, columns, o, steps) for o in range(-columns, columns + 1)}
        if columns == 0:
            models[0] = models[0]._replace(weights=_reflect_poles(models[0].weights))
        nearest = lines.narrow(2, 0, rows * steps[0])
        flat = nearest.flatten(3) if image.ndim > 3 else nearest.unsqueeze(3)
        outside = _predict(flat, models, steps, width)
        if columns > 0:
            middle = known.mean((2, 3), keepdim=True)
            reach = _LARGEST * (known - middle).abs().amax((2, 3), keepdim=True)
            outside = torch.minimum(torch.maximum(outside, middle - reach), middle + reach)
        return outside.reshape(*lines.shape[:2], width, *lines.shape[3:]).movedim(2, dim)


def _fit(x: Tensor, rows: int, columns: int, offset: int, steps: tuple[int, int]) -> _Model:
    """Fit a model of the pixel `offset` columns from the middle of its neighbourhood; x is (N, C, rows, columns)."""
    down, along = steps
    height, width = x.shape[2] - rows * down, x.shape[3] - 2 * columns * along

    def block(row: int, column: int) -> Tensor:
        return x.narrow(2, row * down, height).narrow(3, (columns + column) * along, width).flatten(2)

    neighbours = [block(r, l) for r in range(1, rows + 1) for l in range(-columns, columns + 1)]
    samples = torch.stack([*neighbours, block(0, offset)], 2)
    means = samples.mean(3, keepdim=True)
    # Scaling does not change the weights, and keeps the products of huge and tiny images in range.
    centred = samples - means
    largest = centred.detach().abs().amax((2, 3), keepdim=True)
    centred = centred / torch.where(largest > 0, largest, 1.0)
    products = centred @ centred.mT
    weights = solve_normal_equations(products[..., :-1, :-1], products[..., :-1, -1:], _RIDGE)
    return _Model(weights.view(*x.shape[:2], rows, 2 * columns + 1), means[..., :-1, 0], means[..., -1, 0])


def _reflect_poles(weights: Tensor) -> Tensor:
    """Replace each pole z with |z| > 1 by 1 / z, for one column of weights: x_{-s} = a_1 x_{-s+1} + a_2 x_{-s+2}."""
    first = weights[:, :, :1]
    if weights.shape[2] == 1:
        return _into_circle(first)
    second = weights[:, :, 1:]
    # The poles solve z^2 = a_1 z + a_2. If they are real:
    square = first * first + 4 * second
    real = square > 0
    root = torch.where(real, square, 1.0).sqrt()
    larger, smaller = _into_circle((first + root) / 2), _into_circle((first - root) / 2)
    # A conjugate pair has the product -a_2 = |z|^2 and the sum a_1; its reflection divides both by |z|^2,
    outside = -second > 1 + _ON_CIRCLE
    modulus = torch.where(outside, -second, 1.0)
    first = torch.where(real, larger + smaller, first / modulus)
    # so that a_2 = -|z|^2 becomes -1 / |z|^2.
    second = torch.where(real, -larger * smaller, torch.where(outside, -1 / modulus, second))
    return torch.cat([first, second], 2)


def _into_circle(pole: Tensor) -> Tensor:
    outside = pole.abs() > 1 + _ON_CIRCLE
    return torch.where(outside, 1 / torch.where(outside, pole, 1.0), pole)


def _predict(x: Tensor, models: dict[int, _Model], steps: tuple[int, int], width: int) -> Tensor:
    """Predict rows -width to -1 before the rows of x, (N, C, rows, columns)."""
    down, along = steps
    reach = max(models) * along
    outside = x[:, :, :0]
    for _ in range(width):
        grown = torch.cat([outside, x], 2)
        row = []
        for offset in sorted(models):
            # Columns nearer to an end than `reach` use the nearest neighbourhood that lies on the image.
            if offset == 0:
                middle, count = reach, x.shape[3] - 2 * reach
            else:
                middle, count = (reach if offset < 0 else x.shape[3] - reach - along), along
            row.append(models[offset].value(grown, down, along, middle, count))
        outside = torch.cat([torch.cat(row, 3), outside], 2)
    return outside
