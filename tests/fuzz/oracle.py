"""Convolutions and their gradients in numpy, written naively from the definitions and nothing of the library.

An image is (N, C, ...) with one to three spatial axes. Each axis is extended on its own; then the kernel is
correlated with what results, by a loop over its taps. Every step is linear, and its adjoint is the same loop read
backwards. Magnitudes are the same sums of absolute values: what rounding errors are measured by.
"""

from __future__ import annotations

from dataclasses import dataclass
from fractions import Fraction
from functools import cache
from math import prod

import numpy as np

# Modes that put zeros outside, or for which nothing is there.
ZEROS = ("zeros", "partial", "explicit")
POLYNOMIALS = ("extrapolate", "diff", "diff_explicit")


@cache
def lagrange(position, nodes):
    """The weights by which a polynomial's values at the nodes add up to that at a position."""
    return tuple(float(prod(Fraction(position - i, j - i) for i in nodes if i != j)) for j in nodes)


def source(mode, position, length, degree, dilation):
    """The samples (index, weight) that the one at a position outside a line is the sum of."""
    if mode in ZEROS:
        return []
    if mode == "replicate":
        return [(min(max(position, 0), length - 1), 1.0)]
    if mode == "circular":
        return [(position % length, 1.0)]
    if mode == "reflect":
        if length == 1:
            return [(0, 1.0)]
        place = position % (2 * length - 2)
        return [(min(place, 2 * length - 2 - place), 1.0)]
    if mode == "symmetric":
        place = position % (2 * length)
        return [(min(place, 2 * length - 1 - place), 1.0)]
    # A kernel of this dilation sees one lattice of the line, which goes on by itself.
    lattice = range(position % dilation, length, dilation)
    nodes = tuple((lattice if position < 0 else lattice[::-1])[: degree + 1])
    if not nodes:
        # None of its samples is in the image: the farthest one stands for it.
        return [(length - 1 if position < 0 else 0, 1.0)]
    return list(zip(nodes, lagrange(position, nodes), strict=True))


@dataclass
class Extension:
    """Samples before and after each axis, and what each of them is made of."""

    before: tuple
    after: tuple
    #: For each axis a list with the sources of each sample outside, in order.
    sources: list

    @classmethod
    def of(cls, mode, shape, before, after, degrees, dilations):
        """The extension of images of this spatial shape."""
        sources = [
            [source(mode, p, n, degree, dilation) for p in [*range(-b, 0), *range(n, n + a)]]
            for n, b, a, degree, dilation in zip(shape, before, after, degrees, dilations, strict=True)
        ]
        return cls(tuple(before), tuple(after), sources)

    def absolute(self):
        """The extension with absolute weights."""
        sources = [[[(i, abs(w)) for i, w in terms] for terms in axis] for axis in self.sources]
        return Extension(self.before, self.after, sources)

    def __call__(self, image):
        """The extended image."""
        for axis, outside in enumerate(self.sources):
            lines = np.moveaxis(image, axis + 2, 0)
            values = [sum((w * lines[i] for i, w in terms), np.zeros_like(lines[0])) for terms in outside]
            low, high = values[: self.before[axis]], values[self.before[axis] :]
            image = np.moveaxis(np.stack([*low, *lines, *high]), 0, axis + 2)
        return image

    def adjoint(self, grad):
        """The gradient of an image from that of its extension."""
        for axis, outside in reversed(list(enumerate(self.sources))):
            lines = np.moveaxis(grad, axis + 2, 0)
            first, last = self.before[axis], len(lines) - self.after[axis]
            inside = lines[first:last].copy()
            for line, terms in zip([*lines[:first], *lines[last:]], outside, strict=True):
                for i, w in terms:
                    inside[i] += w * line
            grad = np.moveaxis(inside, 0, axis + 2)
        return grad


@dataclass
class Windows:
    """How a kernel moves over an extended image."""

    kernel: tuple
    stride: tuple
    dilation: tuple
    groups: int

    def sizes(self, shape):
        """Outputs along each axis; below 1 where a window does not fit."""
        spans = [(k - 1) * d + 1 for k, d in zip(self.kernel, self.dilation, strict=True)]
        return tuple((n - span) // s + 1 for n, span, s in zip(shape, spans, self.stride, strict=True))

    def taps(self, sizes):
        """Each tap of the kernel with the samples that it sees, one for each output."""
        for tap in np.ndindex(*self.kernel):
            yield (
                tap,
                tuple(
                    slice(t * d, t * d + (n - 1) * s + 1, s)
                    for t, d, s, n in zip(tap, self.dilation, self.stride, sizes, strict=True)
                ),
            )

    def grouped(self, out_channels, in_channels):
        """The output channels and the input channels of each group."""
        o, c = out_channels // self.groups, in_channels // self.groups
        return [(slice(g * o, g * o + o), slice(g * c, g * c + c)) for g in range(self.groups)]

    def correlate(self, image, weight):
        """sum_j w_j x(s o + d j), channel by channel."""
        sizes = self.sizes(image.shape[2:])
        output = np.zeros((len(image), len(weight), *sizes), np.result_type(image, weight))
        for tap, seen in self.taps(sizes):
            for outer, inner in self.grouped(len(weight), image.shape[1]):
                samples = image[(slice(None), inner, *seen)]
                for channel in range(outer.start, outer.stop):
                    for j in range(samples.shape[1]):
                        output[:, channel] += weight[(channel, j, *tap)] * samples[:, j]
        return output

    def to_image(self, grad, weight, shape):
        """The adjoint with respect to the image."""
        image = np.zeros(shape, np.result_type(grad, weight))
        for tap, seen in self.taps(grad.shape[2:]):
            for outer, inner in self.grouped(len(weight), shape[1]):
                for channel in range(outer.start, outer.stop):
                    for j in range(inner.start, inner.stop):
                        w = weight[(channel, j - inner.start, *tap)]
                        image[(slice(None), j, *seen)] += np.conj(w) * grad[:, channel]
        return image

    def to_weight(self, grad, image, shape, where):
        """The adjoint with respect to a kernel that some of the outputs are made by; the others are not looked at."""
        weight = np.zeros(shape, np.result_type(grad, image))
        for tap, seen in self.taps(grad.shape[2:]):
            for outer, inner in self.grouped(shape[0], image.shape[1]):
                for channel in range(outer.start, outer.stop):
                    for j in range(inner.start, inner.stop):
                        samples = np.conj(image[(slice(None), j, *seen)])
                        weight[(channel, j - inner.start, *tap)] += (samples * grad[:, channel])[:, where].sum()
        return weight


@dataclass
class Geometry:
    """A convolution's sizes, with padding as samples before and after each axis."""

    shape: tuple
    kernel: tuple
    stride: tuple
    dilation: tuple
    before: tuple
    after: tuple
    groups: int

    @property
    def windows(self):
        return Windows(self.kernel, self.stride, self.dilation, self.groups)

    @property
    def extended(self):
        return tuple(n + b + a for n, b, a in zip(self.shape, self.before, self.after, strict=True))

    def missing(self):
        """For each axis, how many taps of each output's window lie before the image, and how many after it."""
        result = []
        for axis, size in enumerate(self.windows.sizes(self.extended)):
            first = np.arange(size) * self.stride[axis] - self.before[axis]
            taps = first[:, None] + np.arange(self.kernel[axis]) * self.dilation[axis]
            result.append(((taps < 0).sum(1), (taps >= self.shape[axis]).sum(1)))
        return result


def fits(mode, geometry):
    """Whether the convolution has an answer."""
    return min(geometry.windows.sizes(geometry.extended)) >= 1


def displacements(geometry):
    """How many kernels 'explicit' has along each axis, low side and high side: ceil(padding / dilation)."""
    ends = zip(geometry.before, geometry.after, geometry.dilation, strict=True)
    return [(-(-b // d), -(-a // d)) for b, a, d in ends]


def edge_kernels(mode, geometry):
    """The number of edge kernels; None for a mode without."""
    if mode == "diff_explicit":
        return 1
    return prod(sum(ends) + 1 for ends in displacements(geometry)) - 1 if mode == "explicit" else None


class Convolution:
    """A convolution with a mode whose extension is linear, and its gradients.

    `extension` may be another than the mode's own: one that was fitted.
    """

    def __init__(self, mode, geometry, degrees, extension=None):
        self.geometry, self.windows = geometry, geometry.windows
        self.extension = extension or Extension.of(
            mode, geometry.shape, geometry.before, geometry.after, degrees, geometry.dilation
        )
        sizes = self.windows.sizes(geometry.extended)
        self.ratio = np.ones(sizes)
        if mode == "partial":
            for axis, ((low, high), k) in enumerate(zip(geometry.missing(), geometry.kernel, strict=True)):
                inside = np.maximum(k - low - high, 1)
                self.ratio = self.ratio * (k / inside).reshape([-1 if a == axis else 1 for a in range(len(sizes))])
        #: For each output, the number of its kernel: 0 for `weight`, else 1 more than its place in `edge_weight`.
        self.choice = np.zeros(sizes, int)
        missing = [
            tuple(ends.reshape([-1 if a == axis else 1 for a in range(len(sizes))]) for ends in pair)
            for axis, pair in enumerate(geometry.missing())
        ]
        #: The outputs whose window lies in the image.
        self.inside = np.ones(sizes, bool)
        for low, high in missing:
            self.inside = self.inside & (low + high == 0)
        if mode == "diff_explicit":
            self.choice = np.where(self.inside, 0, 1)
        if mode == "explicit":
            ends = displacements(geometry)
            counts, lows = [low + high + 1 for low, high in ends], [low for low, _ in ends]
            interior = np.ravel_multi_index(lows, counts)
            place = [
                np.broadcast_to(high - low + first, sizes) for (low, high), first in zip(missing, lows, strict=True)
            ]
            index = np.ravel_multi_index(place, counts)
            self.choice = np.where(index == interior, 0, index + (index < interior))

    def _kernels(self, weight, bias, edge_weight, edge_bias):
        """Each kernel that is used, its bias, and where."""
        edges = None if edge_weight is None else edge_weight.reshape(-1, *weight.shape)
        biases = None if edge_bias is None else edge_bias.reshape(-1, len(weight))
        for number in np.unique(self.choice):
            where = self.choice == number
            if number == 0:
                yield number, weight, bias, where
            else:
                yield number, edges[number - 1], None if biases is None else biases[number - 1], where

    def forward(self, image, weight, bias=None, edge_weight=None, edge_bias=None):
        """The outputs."""
        extended = self.extension(image)
        output = 0
        for _, kernel, b, where in self._kernels(weight, bias, edge_weight, edge_bias):
            part = self.windows.correlate(extended, kernel) * self.ratio
            if b is not None:
                part = part + b.reshape(-1, *[1] * self.choice.ndim)
            output = np.where(where, part, output)
        return output

    def backward(self, grad, image, weight, bias=None, edge_weight=None, edge_bias=None, image_everywhere=True):
        """Gradients of image, weight, bias, edge kernels and their biases; 0 where there is none.

        With `image_everywhere` False the image has none from outputs whose window leaves it.
        """
        extended = self.extension(image)
        axes = tuple(range(2, grad.ndim))
        of_extended = np.zeros(extended.shape, np.result_type(grad, weight))
        of_weight, of_bias = 0 * weight, np.zeros(len(weight), grad.dtype)
        of_edges = (
            None if edge_weight is None else np.zeros((edge_weight.size // weight.size, *weight.shape), grad.dtype)
        )
        of_biases = None if of_edges is None else np.zeros((len(of_edges), len(weight)), grad.dtype)
        for number, kernel, _, where in self._kernels(weight, bias, edge_weight, edge_bias):
            part = np.where(where, grad, 0)
            scaled = part * self.ratio
            to_image = scaled if image_everywhere else np.where(self.inside, scaled, 0)
            of_extended += self.windows.to_image(to_image, kernel, extended.shape)
            here = self.windows.to_weight(scaled, extended, kernel.shape, where)
            if number == 0:
                of_weight, of_bias = here, part.sum((0, *axes))
            else:
                of_edges[number - 1], of_biases[number - 1] = here, part.sum((0, *axes))
        return {
            "input": self.extension.adjoint(of_extended),
            "weight": of_weight,
            "bias": of_bias,
            "edge_weight": None if of_edges is None else of_edges.reshape(edge_weight.shape),
            "edge_bias": None if of_biases is None or edge_bias is None else of_biases.reshape(edge_bias.shape),
        }

    def magnitudes(self):
        """The same convolution of absolute values."""
        other = Convolution.__new__(Convolution)
        other.__dict__ = {**self.__dict__, "extension": self.extension.absolute()}
        return other


def degrees_of(mode, degree, kernel):
    """The degree along each axis: the one given, or the mode's own."""
    if mode not in POLYNOMIALS:
        return [0] * len(kernel)
    if degree is None:
        return [k // 2 if mode == "extrapolate" else k - 1 for k in kernel]
    degrees = [degree] if isinstance(degree, int) else list(degree)
    return degrees * len(kernel) if len(degrees) == 1 else degrees


def widths(padding, kernel, dilation):
    """Samples before and after each axis: 'same' puts what is odd after."""
    if padding == "valid":
        return [0] * len(kernel), [0] * len(kernel)
    if padding == "same":
        totals = [d * (k - 1) for k, d in zip(kernel, dilation, strict=True)]
        return [t // 2 for t in totals], [t - t // 2 for t in totals]
    each = [padding] if isinstance(padding, int) else list(padding)
    each = each * len(kernel) if len(each) == 1 else each
    return each, each
