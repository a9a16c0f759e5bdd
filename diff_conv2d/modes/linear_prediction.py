"""The mode that extends an image by an autoregressive model of itself."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import NamedTuple

import torch
from torch import Tensor

from diff_conv2d.extension import by_axis
from diff_conv2d.geometry import Geometry
from diff_conv2d.modes.base import AxisExtension, Extension, Parts
from diff_conv2d.modes.prediction_weights import solve_normal_equations
from diff_conv2d.precision import computing_dtype, fitting_dtype

__all__ = ["LinearPrediction"]

_Rule = Callable[[Tensor, range, bool], list[Tensor]]

# Relative to the mean square of the samples: the resolution of least squares in float64.
_RIDGE = 1e-13
# How far a model with more than one column may predict from the mean, in units of the largest deviation in the image.
_LARGEST = 2.0
# A pole of modulus 1 (a line, a sinusoid) is stable; rounding may move it outside by this much.
_ON_CIRCLE = 1e-6


class _Model(NamedTuple):
    """The models of an end: weights (N, C, R, K, K) of neighbours r, l for each column; means (N, C, R + 1, K)."""

    weights: Tensor
    means: Tensor

    def value(self, x: Tensor, column: int, steps: tuple[int, int], first: int, count: int) -> Tensor:
        """Predict `count` pixels before the rows of x from neighbourhoods whose columns begin at `first`."""
        rows, columns = self.weights.shape[2:4]
        total = self.means[:, :, 0, column, None, None]
        for r in range(rows):
            for l in range(columns):
                neighbour = x[:, :, (r + 1) * steps[0] - 1, None].narrow(3, first + l * steps[1], count)
                difference = neighbour - self.means[:, :, r + 1, l, None, None]
                total = total + self.weights[:, :, r, l, column, None, None] * difference
        return total


@dataclass(frozen=True, eq=False)
class _Fitted(AxisExtension):
    """An extension by the models of one image, a rule for each axis (see `by_axis`)."""

    name = "linear_prediction"

    rules: Sequence[_Rule | None]

    def outside(self, input: Tensor, axis: int, distances: range, high_end: bool, geometry: Geometry) -> list[Tensor]:
        """See `AxisExtension`."""
        rule = self.rules[axis]
        return [] if rule is None else rule(input, distances, high_end)


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
        fit_gradient: let gradients also flow through a and c, which are constants to them otherwise.
    """

    name = "linear_prediction"
    why_not_chunked = "is fitted to all pixels of the image at once"
    why_padded = "predicts the corners from what it has predicted along the edges"

    neighbourhood: tuple[int, int] = (2, 1)
    fit_gradient: bool = False

    def __post_init__(self) -> None:
        """Check the neighbourhood."""
        value = self.neighbourhood
        if not isinstance(value, Sequence) or not all(isinstance(v, int) and v is not True for v in value):
            raise TypeError(f"neighbourhood must be two integers, (rows, columns), got {value!r}")
        if len(value) != 2 or value[0] not in (1, 2) or value[1] < 1 or value[1] % 2 == 0:
            raise ValueError(f"neighbourhood must be (1 or 2 rows, an odd number of columns), got {value!r}")
        object.__setattr__(self, "neighbourhood", tuple(value))
        if not isinstance(self.fit_gradient, bool):
            raise TypeError(f"fit_gradient must be True or False, got {self.fit_gradient!r}")

    def check(self, axes: int) -> None:
        """See `Boundary`."""
        if self.neighbourhood[1] > 1 and axes != 2:
            raise ValueError(f"neighbourhood must have one column for {axes} axes, got {self.neighbourhood!r}")

    def extend(self, input: Tensor, geometry: Geometry) -> Tensor:
        """See `Boundary`."""
        self.check(len(geometry.kernel))
        # Half precision is computed in float32.
        image = input.to(computing_dtype(input.dtype))
        layout = by_axis.channels_last_format(input) or torch.contiguous_format
        result = self.for_image(image, geometry).extend(image, geometry).to(input.dtype)
        return result.contiguous(memory_format=layout)

    def for_image(self, input: Tensor, geometry: Geometry) -> AxisExtension:
        """See `Boundary`: with the models of this image."""
        if input.is_complex():
            return Parts(self.for_image(input.real, geometry), self.for_image(input.imag, geometry))
        image = (input if self.fit_gradient else input.detach()).to(fitting_dtype(input))
        # Columns of the neighbourhood lie along the other axis.
        steps = [(geometry.dilation[axis], geometry.dilation[-1 - axis]) for axis in range(len(geometry.kernel))]
        ends = zip(geometry.dims, steps, geometry.before, geometry.after, strict=True)
        return _Fitted([self._rule(image, dim, step) if any(widths) else None for dim, step, *widths in ends])

    def _rule(self, image: Tensor, dim: int, steps: tuple[int, int]) -> _Rule:
        """Return how the samples beyond an end of `dim` follow from the models of the image (see `by_axis`)."""
        known = image.movedim(dim, 2).flatten(3) if image.ndim > 3 else image.unsqueeze(3)
        # A fit to few pixels may depend on the order of its sums, and so on their order in memory.
        known = known.contiguous()
        rows = min(self.neighbourhood[0], (known.shape[2] - 1) // steps[0])
        columns = 1 + 2 * max(0, min(self.neighbourhood[1] // 2, (known.shape[3] // steps[1] - 1) // 2))
        models = _fit(known, rows, columns, steps) if rows else None

        def outside(grown: Tensor, distances: range, high_end: bool) -> list[Tensor]:
            width = len(distances)
            nearest = grown.movedim(dim, 2)
            # The high end is the low end of the mirrored image.
            nearest = nearest.flip(2) if high_end else nearest
            nearest = nearest.narrow(2, 0, max(1, rows * steps[0]))
            if models is None:
                lines = nearest.expand(*nearest.shape[:2], width, *nearest.shape[3:])
            else:
                flat = nearest.flatten(3) if grown.ndim > 3 else nearest.unsqueeze(3)
                flat = _predict(flat.to(image.dtype), models[high_end], steps, width)
                if columns > 1:
                    middle = known.mean((2, 3), keepdim=True)
                    reach = _LARGEST * (known - middle).abs().amax((2, 3), keepdim=True)
                    flat = torch.minimum(torch.maximum(flat, middle - reach), middle + reach)
                lines = flat.reshape(*nearest.shape[:2], width, *nearest.shape[3:])
            lines = lines.flip(2) if high_end else lines
            return [lines.movedim(2, dim).to(grown.dtype)]

        return outside


def _fit(x: Tensor, rows: int, columns: int, steps: tuple[int, int]) -> tuple[_Model, _Model]:
    """Fit the models of both ends, of the high one as of mirrored lines, to x of shape (N, C, samples, lines)."""
    down, along = steps
    height, width = x.shape[2] - rows * down, x.shape[3] - (columns - 1) * along
    # Shifting and scaling does not change the weights, and keeps the products of huge and tiny images in range.
    middle = x.mean((2, 3), keepdim=True)
    centred = x - middle
    largest = centred.detach().abs().amax((2, 3), keepdim=True)
    largest = torch.where(largest > 0, largest, 1.0)
    centred = centred / largest
    # All neighbourhoods with their pixel before or behind them: entry (r, l) of each is one block of the image.
    places = [(r * down, l * along) for r in range(rows + 1) for l in range(columns)]
    blocks = torch.stack([centred.narrow(2, r, height).narrow(3, l, width).flatten(2) for r, l in places], 2)
    means = blocks.mean(3, keepdim=True)
    # Once more, and not from the products: where all pixels of a block are the same, nothing may be left of them.
    blocks = blocks.sub_(means)
    products = blocks @ blocks.mT
    shape = *x.shape[:2], rows + 1, columns
    means = torch.unflatten((means * largest + middle).squeeze(3), 2, shape[2:])
    products = products.view(*shape, *shape[2:])
    ends = []
    for end in ((means, products), (means.flip(2), products.flip(2, 4))):
        neighbours = end[1][:, :, 1:, :, 1:].flatten(4).flatten(2, 3)
        weights = solve_normal_equations(neighbours, end[1][:, :, 1:, :, 0].flatten(2, 3), _RIDGE)
        weights = weights.view(*x.shape[:2], rows, columns, columns)
        ends.append(_Model(_reflect_poles(weights) if columns == 1 else weights, end[0]))
    return ends[0], ends[1]


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


def _predict(x: Tensor, model: _Model, steps: tuple[int, int], width: int) -> Tensor:
    """Predict rows -width to -1 before the rows of x, (N, C, rows, columns)."""
    columns = model.weights.shape[3]
    middle, along = columns // 2, steps[1]
    last = x.shape[3] - (columns - 1) * along
    outside = x[:, :, :0]
    for _ in range(width):
        grown = torch.cat([outside, x], 2)
        # Columns nearer to an end than half a neighbourhood use the nearest neighbourhood that lies on the image.
        row = [model.value(grown, column, steps, 0, along) for column in range(middle)]
        row += [model.value(grown, middle, steps, 0, last)]
        row += [model.value(grown, column, steps, last - along, along) for column in range(middle + 1, columns)]
        outside = torch.cat([torch.cat(row, 3), outside], 2)
    return outside
