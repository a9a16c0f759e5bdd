"""Smooth fields known in closed form: derivatives of any order exist, so nothing hides an edge error."""

import numpy as np
import torch
from scipy.special import sph_harm_y
from torch import Tensor

__all__ = ["chebyshev", "chebyshev_laplacian", "chebyshev_on", "spherical_harmonics"]

# Ranges of the paper (arXiv 2309.06370): well inside [-1, 1], and around the equator.
CHEBYSHEV_RANGE = (0.3, 0.8)
AZIMUTH_RANGE = (0.4 * np.pi, 0.6 * np.pi)
POLAR_RANGE = (np.pi * (0.5 - 1 / 12), np.pi * (0.5 + 1 / 12))


def chebyshev(order: int, size: int = 500) -> Tensor:
    r"""Sample the Chebyshev field on the paper's square :math:`[0.3, 0.8]^2`.

    .. math:: f(h, w) = U_n(h) \, U_n(w) \, \sin(n (h + w))

    with :math:`U_n` the Chebyshev polynomial of the second kind.

    References:
        | K. Leng and J. Thiyagalingam, arXiv 2309.06370, section on filtering.

    Args:
        order: :math:`n`, at least 0. The larger, the more waves cross the square.
        size: Samples along each axis, both ends included, at least 2.

    Returns:
        The field, float64, :math:`(size, size)`; the first axis is :math:`h`.

    Raises:
        TypeError: ``order`` or ``size`` is not an integer.
        ValueError: ``order`` or ``size`` is too small.

    Example:
        >>> chebyshev(order=10, size=4).shape
        torch.Size([4, 4])
    """
    _check_integer("size", size, least=2)
    axis = torch.linspace(*CHEBYSHEV_RANGE, size, dtype=torch.float64)
    return chebyshev_on(order, axis, axis)


def chebyshev_on(order: int, h: Tensor, w: Tensor) -> Tensor:
    r"""Sample the Chebyshev field on the grid of given axes.

    See :func:`chebyshev` for the formula. Own axes serve where a spacing matters more than a range,
    as for finite differences, or where samples beyond the edge are wanted as the truth.

    Args:
        order: :math:`n`, at least 0.
        h: Coordinates of the rows, :math:`(H,)`, strictly between -1 and 1.
        w: Coordinates of the columns, :math:`(W,)`, strictly between -1 and 1.

    Returns:
        The field, float64, :math:`(H, W)`.

    Raises:
        TypeError: ``order`` is not an integer, or an axis is not a tensor.
        ValueError: ``order`` is negative, or an axis is not a vector inside (-1, 1).

    Example:
        >>> chebyshev_on(1, torch.tensor([0.25]), torch.tensor([0.25]))
        tensor([[0.1199]], dtype=torch.float64)
    """
    _check_integer("order", order, least=0)
    h, w = _check_axis("h", h), _check_axis("w", w)
    return torch.outer(_second_kind(order, h)[0], _second_kind(order, w)[0]) * torch.sin(order * _sums(h, w))


def chebyshev_laplacian(order: int, h: Tensor, w: Tensor) -> Tensor:
    r"""Evaluate the exact Laplacian of the Chebyshev field on the grid of given axes.

    .. math::
        \nabla^2 f = \bigl(U_n''(h) U_n(w) + U_n(h) U_n''(w) - 2 n^2 U_n(h) U_n(w)\bigr) \sin(n (h + w))
                   + 2 n \bigl(U_n'(h) U_n(w) + U_n(h) U_n'(w)\bigr) \cos(n (h + w))

    The truth that finite-difference kernels are measured against. It is a derivative with respect to
    the coordinates: a kernel of integers has to be divided by the squared spacing first.

    Args:
        order: :math:`n`, at least 0.
        h: Coordinates of the rows, :math:`(H,)`, strictly between -1 and 1.
        w: Coordinates of the columns, :math:`(W,)`, strictly between -1 and 1.

    Returns:
        The Laplacian, float64, :math:`(H, W)`.

    Raises:
        TypeError: ``order`` is not an integer, or an axis is not a tensor.
        ValueError: ``order`` is negative, or an axis is not a vector inside (-1, 1).

    Example:
        For n = 1 the field is 4 h w sin(h + w).

        >>> import math
        >>> half = torch.tensor([0.5])
        >>> expected = 8 * math.cos(1) - 2 * math.sin(1)
        >>> math.isclose(chebyshev_laplacian(1, half, half).item(), expected)
        True
    """
    _check_integer("order", order, least=0)
    h, w = _check_axis("h", h), _check_axis("w", w)
    value_h, first_h, second_h = _second_kind(order, h)
    value_w, first_w, second_w = _second_kind(order, w)
    sums = _sums(h, w)

    product = torch.outer(value_h, value_w)
    gradient = torch.outer(first_h, value_w) + torch.outer(value_h, first_w)
    curvature = torch.outer(second_h, value_w) + torch.outer(value_h, second_w)
    return (curvature - 2 * order**2 * product) * torch.sin(order * sums) + (
        2 * order * gradient * torch.cos(order * sums)
    )


def spherical_harmonics(order: int, size: int = 500) -> Tensor:
    r"""Sample the spherical-harmonics field on the paper's patch around the equator.

    .. math:: f(\theta, \phi) = \operatorname{Re} Y_n^m(\theta, \phi) \, \sin(n (\theta + \phi)),
              \qquad m = order, \quad n = 2 m

    with :math:`\theta` the azimuth on :math:`[0.4, 0.6] \pi` and :math:`\phi` the polar angle within
    :math:`\pi / 12` of the equator.

    References:
        | K. Leng and J. Thiyagalingam, arXiv 2309.06370, section on filtering.

    Args:
        order: :math:`m`, at least 0; the degree is twice as large.
        size: Samples along each axis, both ends included, at least 2.

    Returns:
        The field, float64, :math:`(size, size)`; the azimuth varies along the first axis.

    Raises:
        TypeError: ``order`` or ``size`` is not an integer.
        ValueError: ``order`` or ``size`` is too small.

    Example:
        >>> spherical_harmonics(order=5, size=4).shape
        torch.Size([4, 4])
    """
    _check_integer("order", order, least=0)
    _check_integer("size", size, least=2)
    degree = 2 * order
    azimuth = np.linspace(*AZIMUTH_RANGE, size)[:, None]
    polar = np.linspace(*POLAR_RANGE, size)[None, :]
    # scipy names the angles the other way round: its theta is the polar angle and comes first.
    field = sph_harm_y(degree, order, polar, azimuth).real * np.sin(degree * (azimuth + polar))
    return torch.from_numpy(field)


def _second_kind(order: int, x: Tensor) -> tuple[Tensor, Tensor, Tensor]:
    """Evaluate U_n with its first two derivatives at x, for -1 < x < 1."""
    # With x = cos(t): U_n = sin((n+1) t) / sin(t) and T_{n+1} = cos((n+1) t). Unlike the three-term
    # recurrence this costs the same for every n, and its rounding error stays at n times machine precision.
    angle = torch.arccos(x)
    value = torch.sin((order + 1) * angle) / torch.sin(angle)
    # dU/dx = -(dU/dt) / sin(t)  =>  (1 - x^2) U' = x U - (n+1) T_{n+1}.
    first = (x * value - (order + 1) * torch.cos((order + 1) * angle)) / (1 - x**2)
    # Chebyshev's equation: (1 - x^2) U'' - 3 x U' + n (n+2) U = 0.
    second = (3 * x * first - order * (order + 2) * value) / (1 - x**2)
    return value, first, second


def _sums(h: Tensor, w: Tensor) -> Tensor:
    """Return h + w at every grid point."""
    return h[:, None] + w[None, :]


def _check_integer(name: str, value: int, least: int) -> None:
    """Refuse what is not an integer of at least ``least``; ``True`` is not an integer here."""
    if isinstance(value, bool) or not isinstance(value, int):
        raise TypeError(f"{name} must be an integer, got {value!r}")
    if value < least:
        raise ValueError(f"{name} must be at least {least}, got {value}")


def _check_axis(name: str, axis: Tensor) -> Tensor:
    """Return the axis in float64, or refuse it."""
    if not isinstance(axis, Tensor):
        raise TypeError(f"{name} must be a tensor, got {type(axis).__name__}")
    if axis.ndim != 1:
        raise ValueError(f"{name} must have one dimension, got shape {tuple(axis.shape)}")
    axis = axis.to(torch.float64)
    # The endpoints are excluded: the closed form of U_n divides by sin(t) = 0 there.
    if not bool(((axis > -1) & (axis < 1)).all()):
        raise ValueError(f"{name} must lie strictly between -1 and 1, got {axis.min():g} to {axis.max():g}")
    return axis
