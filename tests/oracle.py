"""Naive answers in numpy, written from the definitions and nothing of the library."""

import numpy as np


def extended_line(line, before, after, degree, dilation=1):
    """A line continued by polynomials, each lattice of the dilation from its own samples."""
    return np.concatenate(
        [
            _outside(line, before, degree, dilation)[::-1],
            line,
            _outside(line[::-1], after, degree, dilation),
        ]
    )


def _outside(line, width, degree, dilation):
    """The values at -1, -2, ..., -width."""
    values = []
    for position in range(-1, -width - 1, -1):
        nodes = np.array([i for i in range(len(line)) if (i - position) % dilation == 0][: degree + 1])
        if len(nodes) == 0:
            nodes = np.array([len(line) - 1])
        # Centred at the first node and in steps of the lattice, for the sake of the condition number.
        scaled = (nodes - nodes[0]) / dilation
        coefficients = np.linalg.solve(np.vander(scaled, increasing=True), line[nodes])
        values.append(np.polynomial.polynomial.polyval((position - nodes[0]) / dilation, coefficients))
    return np.array(values)


def extended_image(image, before, after, degrees, dilations):
    """Every spatial axis of (N, C, ...) continued by polynomials."""
    for axis, (b, a, degree, dilation) in enumerate(zip(before, after, degrees, dilations, strict=True)):
        image = np.apply_along_axis(extended_line, axis + 2, image, b, a, degree, dilation)
    return image


def valid_convolution(image, weight, stride, dilation, groups):
    """Window by window."""
    axes = image.ndim - 2
    kernel = weight.shape[2:]
    sizes = [(image.shape[2 + a] - (kernel[a] - 1) * dilation[a] - 1) // stride[a] + 1 for a in range(axes)]
    out_channels, per_group = weight.shape[:2]
    output = np.empty((image.shape[0], out_channels, *sizes))
    for channel in range(out_channels):
        group = channel // (out_channels // groups)
        seen = image[:, group * per_group : (group + 1) * per_group]
        for position in np.ndindex(*sizes):
            window = tuple(
                slice(p * s, p * s + (k - 1) * d + 1, d)
                for p, s, d, k in zip(position, stride, dilation, kernel, strict=True)
            )
            output[(slice(None), channel, *position)] = np.sum(
                seen[(slice(None), slice(None), *window)] * weight[channel], axis=tuple(range(1, axes + 2))
            )
    return output


def separable_polynomial(coefficients, shape):
    """sum_m coefficients[m] * x^m on a grid of this shape, x from -1 to 1."""
    axes = [np.linspace(-1, 1, size) for size in shape]
    total = np.zeros(shape)
    for powers in np.ndindex(*coefficients.shape):
        term = np.array(coefficients[powers])
        for axis, power in enumerate(powers):
            term = np.multiply.outer(term, axes[axis] ** power)
        total += term
    return total
