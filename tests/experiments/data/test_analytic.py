import math

import numpy as np
import pytest
import torch
from numpy.polynomial import Chebyshev
from scipy.special import assoc_legendre_p, gammaln
from torch.nn import functional

from experiments.data.analytic import chebyshev, chebyshev_laplacian, chebyshev_on, spherical_harmonics

FIELDS = {"chebyshev": chebyshev, "spherical_harmonics": spherical_harmonics}


def second_kind(order, x, derivative=0):
    """U_n from numpy's Clenshaw sum, since the derivative of T_{n+1} is (n+1) U_n."""
    return Chebyshev.basis(order + 1).deriv(1 + derivative)(x) / (order + 1)


@pytest.mark.parametrize("order", [0, 1, 10, 100])
def test_chebyshev_is_its_formula(order):
    axis = np.linspace(0.3, 0.8, 50)
    h, w = np.meshgrid(axis, axis, indexing="ij")
    expected = second_kind(order, h) * second_kind(order, w) * np.sin(order * (h + w))
    torch.testing.assert_close(chebyshev(order, 50), torch.from_numpy(expected), rtol=1e-10, atol=1e-11)


def test_chebyshev_axes_keep_their_order():
    h, w = torch.tensor([0.1, 0.2, 0.3]), torch.tensor([-0.5, 0.6])
    field = chebyshev_on(2, h, w)
    assert field.shape == (3, 2)
    # U_2(x) = 4 x^2 - 1
    expected = (4 * 0.3**2 - 1) * (4 * 0.5**2 - 1) * math.sin(2 * (0.3 - 0.5))
    assert field[2, 0].item() == pytest.approx(expected, rel=1e-6, abs=1e-7)


@pytest.mark.parametrize("order", [1, 7, 30])
def test_laplacian_is_the_second_derivative_of_the_field(order):
    h = torch.linspace(-0.7, 0.9, 9, dtype=torch.float64).requires_grad_()
    w = torch.linspace(-0.4, 0.8, 7, dtype=torch.float64).requires_grad_()
    field = chebyshev_on(order, h, w)

    def second(axis, rows):
        # Row i depends on h[i] alone: summing the other axis out gives d^2/dh^2 at one column per call.
        parts = []
        for index in range(field.shape[1] if rows else field.shape[0]):
            line = field[:, index] if rows else field[index]
            (first,) = torch.autograd.grad(line.sum(), axis, create_graph=True)
            (twice,) = torch.autograd.grad(first.sum(), axis, retain_graph=True)
            parts.append(twice)
        return torch.stack(parts, dim=1 if rows else 0)

    expected = second(h, rows=True) + second(w, rows=False)
    torch.testing.assert_close(
        chebyshev_laplacian(order, h, w).detach(), expected, rtol=1e-9, atol=1e-9 * expected.abs().max().item()
    )


def test_laplacian_of_order_100_agrees_with_polynomial_derivatives():
    n, axis = 100, np.linspace(0.3, 0.8, 40)
    (u, du, ddu), phase = (second_kind(n, axis, d) for d in range(3)), n * (axis[:, None] + axis)
    outer = np.multiply.outer
    expected = (outer(ddu, u) + outer(u, ddu) - 2 * n**2 * outer(u, u)) * np.sin(phase)
    expected += 2 * n * (outer(du, u) + outer(u, du)) * np.cos(phase)
    actual = chebyshev_laplacian(n, torch.from_numpy(axis), torch.from_numpy(axis))
    torch.testing.assert_close(actual, torch.from_numpy(expected), rtol=1e-8, atol=1e-5)


def test_five_point_stencil_converges_to_the_laplacian_at_second_order():
    def error(spacing):
        inside = 0.5 + spacing * torch.arange(20, dtype=torch.float64)
        around = 0.5 + spacing * torch.arange(-1, 21, dtype=torch.float64)
        f = chebyshev_on(10, around, around)
        stencil = f[:-2, 1:-1] + f[2:, 1:-1] + f[1:-1, :-2] + f[1:-1, 2:] - 4 * f[1:-1, 1:-1]
        return (stencil / spacing**2 - chebyshev_laplacian(10, inside, inside))[0, 0].abs().item()

    assert math.log2(error(1e-3) / error(5e-4)) == pytest.approx(2, abs=0.02)


@pytest.mark.parametrize(("mode", "authors"), [("constant", 5.679278e-01), ("replicate", 7.868939e-02)])
def test_edge_error_of_a_stencil_is_the_one_the_authors_measure(mode, authors):
    # Printed by the paper's code: order 100, spacing 0.001 on [0.3, 0.8], one sample more as the truth.
    outer = 0.3 + 0.001 * torch.arange(-1, 502, dtype=torch.float64)
    field = chebyshev_on(100, outer, outer)[None, None]
    stencil = torch.tensor([[0.0, 1, 0], [1, -4, 1], [0, 1, 0]], dtype=torch.float64)[None, None]
    padded = functional.pad(field[..., 1:-1, 1:-1], (1, 1, 1, 1), mode=mode)
    error = (functional.conv2d(padded, stencil) - functional.conv2d(field, stencil)).abs()[0, 0]
    # The error inside is 0, so the sum over everything is the sum over the 2000 pixels of the edge.
    assert error.sum().item() / 2000 == pytest.approx(authors, rel=1e-6)


@pytest.mark.parametrize("order", [0, 1, 5, 20])
def test_spherical_harmonics_is_its_formula(order):
    # Re Y = sqrt((2n+1)/(4 pi) (n-m)!/(n+m)!) P_n^m(cos polar) cos(m azimuth), written out with logarithms.
    degree = 2 * order
    azimuth = np.linspace(0.4 * np.pi, 0.6 * np.pi, 31)[:, None]
    polar = np.linspace(np.pi * 5 / 12, np.pi * 7 / 12, 31)[None, :]
    scale = np.exp((gammaln(degree - order + 1) - gammaln(degree + order + 1)) / 2)
    legendre = assoc_legendre_p(degree, order, np.cos(polar))[0]
    expected = np.sqrt((2 * degree + 1) / (4 * np.pi)) * scale * legendre * np.cos(order * azimuth)
    expected = expected * np.sin(degree * (azimuth + polar))
    torch.testing.assert_close(spherical_harmonics(order, 31), torch.from_numpy(expected), rtol=1e-9, atol=1e-11)


@pytest.mark.parametrize("name", FIELDS)
def test_fields_are_float64_finite_and_500_wide(name):
    field = FIELDS[name](55)
    assert field.shape == (500, 500)
    assert field.dtype == torch.float64
    assert field.isfinite().all()
    assert field.std() > 0.1


@pytest.mark.parametrize("name", FIELDS)
@pytest.mark.parametrize(
    ("order", "size", "error", "message"),
    [
        (-1, 10, ValueError, "order must be at least 0, got -1"),
        (1.5, 10, TypeError, "order must be an integer, got 1.5"),
        (True, 10, TypeError, "order must be an integer, got True"),
        (1, 1, ValueError, "size must be at least 2, got 1"),
        (1, "10", TypeError, "size must be an integer, got '10'"),
    ],
)
def test_bad_orders_and_sizes_are_refused(name, order, size, error, message):
    with pytest.raises(error, match=message):
        FIELDS[name](order, size)


@pytest.mark.parametrize("function", [chebyshev_on, chebyshev_laplacian])
@pytest.mark.parametrize(
    ("axis", "error", "message"),
    [
        (torch.zeros(2, 2), ValueError, r"w must have one dimension, got shape \(2, 2\)"),
        (torch.tensor([0.5, 1.0]), ValueError, "w must lie strictly between -1 and 1, got 0.5 to 1"),
        (torch.tensor([0.5, math.nan]), ValueError, "w must lie strictly between -1 and 1"),
        ([0.5], TypeError, "w must be a tensor, got list"),
    ],
)
def test_bad_axes_are_refused(function, axis, error, message):
    with pytest.raises(error, match=message):
        function(3, torch.tensor([0.5]), axis)
