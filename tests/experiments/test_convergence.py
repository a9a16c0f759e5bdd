import sys

import hydra
import numpy as np
import pandas as pd
import pytest
import torch
from torch.autograd.functional import hessian, jacobian

from experiments.convergence import program as convergence
from experiments.convergence.settings import Settings
from experiments.convergence.slopes import fit_slopes, slopes_table
from experiments.data.runge import runge
from experiments.methods import METHODS
from experiments.operators import OPERATORS, gradient_kernel, operator_kernels, smoothing_kernel
from experiments.paths import CONFIGS
from experiments.settings import read_settings


def settings(*overrides):
    with hydra.initialize_config_dir(str(CONFIGS), version_base="1.3"):
        return read_settings(Settings, hydra.compose("convergence", list(overrides)))


# The field and the operators


def test_derivatives_of_the_field_are_those_of_automatic_differentiation():
    def field(point):
        return runge(point[:1], point[1:])["smoothing"][0, 0]

    point = torch.tensor([0.9, 0.05], dtype=torch.float64)
    found = runge(point[:1], point[1:])
    torch.testing.assert_close(found["gradient"][0, 0], jacobian(field, point).sum())
    torch.testing.assert_close(found["laplacian"][0, 0], hessian(field, point).trace())


@pytest.mark.parametrize("size", [3, 5, 7])
def test_operators_are_exact_on_polynomials(size):
    offsets = torch.arange(size, dtype=torch.float64) - size // 2
    h, w = torch.meshgrid(offsets, offsets, indexing="ij")
    kernels = operator_kernels(size)[:, 0]
    assert len(kernels) == len(OPERATORS)
    polynomial = 2 + 3 * h - 4 * w + 0.5 * h**2 + w**2
    got = (kernels * polynomial).sum((1, 2))
    assert got[1].item() == pytest.approx(3 - 4)
    assert got[2].item() == pytest.approx(1 + 2)
    assert smoothing_kernel(size).sum().item() == pytest.approx(1)
    assert gradient_kernel(size)[size // 2].tolist() == pytest.approx(
        (-gradient_kernel(size)[size // 2]).tolist()[::-1]
    )


# Measuring


def test_slopes_are_degree_plus_one_less_the_derivatives():
    chosen = settings("samples=[32,64,128]", "degrees=[0,1,2,3]", "methods=[diff,zeros]", "kernel_sizes=[5]")
    with torch.inference_mode():
        rows = [row for samples in chosen.samples for row in convergence.measure(chosen, 5, samples)]
    slopes = fit_slopes(pd.DataFrame(rows))
    cells = slopes[slopes["reference"] == "kernel"].pivot_table("slope", ["operator", "part"], "method")
    for operator, order in OPERATORS.items():
        for degree in range(4):
            np.testing.assert_allclose(cells.loc[operator, f"degree_{degree}"], degree + 1 - order, atol=0.15)
        np.testing.assert_allclose(cells.loc[operator, "diff"], 5 - order, atol=0.5)
        np.testing.assert_allclose(cells.loc[operator, "zeros"], -order, atol=0.15)


def test_the_kernels_own_order_limits_that_against_the_derivative():
    chosen = settings("samples=[64,128,256]", "degrees=[5]", "methods=[diff]", "kernel_sizes=[3]")
    with torch.inference_mode():
        rows = [row for samples in chosen.samples for row in convergence.measure(chosen, 3, samples)]
    slopes = fit_slopes(pd.DataFrame(rows))
    cells = slopes[slopes["part"] == "edges"].pivot_table("slope", ["operator", "reference"], "method")
    assert cells.loc[("laplacian", "kernel"), "degree_5"] > 3.8
    assert cells.loc[("laplacian", "operator"), "degree_5"] == pytest.approx(2, abs=0.2)
    assert cells.loc[("laplacian", "operator"), "diff"] == pytest.approx(1, abs=0.2)


def test_a_part_gives_the_numbers_of_the_whole():
    whole = settings("methods=[random,diff]", "degrees=[1]")
    part = settings("methods=[random]", "degrees=[1]")
    with torch.inference_mode():
        of_whole, of_part = (pd.DataFrame(convergence.measure(chosen, 3, 16)) for chosen in (whole, part))
    chosen = of_whole[of_whole["method"] == "random"].reset_index(drop=True)
    pd.testing.assert_frame_equal(chosen, of_part[of_part["method"] == "random"].reset_index(drop=True))
    # The noise is the same in both evaluations: what differs is rounding.
    assert (chosen["rounding"] < 1e-11).all()


def test_slopes_are_fitted_to_what_is_not_rounding():
    samples = np.array([16, 32, 64, 128, 256])
    table = pd.DataFrame({"samples": samples, "l1_error": 3.0 / samples**2.5, "rounding": 1e-12})
    table["l1_error_analytical"] = table["rounding"]
    table.loc[table["samples"] == 256, "l1_error"] = 1e-11
    table = table.assign(operator="smoothing", kernel_size=3, method="diff", part="edges")
    slopes = fit_slopes(table)
    # Against the operator all is rounding: no slope.
    assert slopes["reference"].tolist() == ["kernel"]
    assert slopes["slope"].tolist() == pytest.approx([2.5])
    assert slopes[["coarsest", "finest"]].to_numpy().tolist() == [[32, 128]]
    assert slopes_table(slopes).row_count == 1


# The program


def test_small_run_writes_its_tables(monkeypatch, tmp_path, capsys):
    overrides = ["samples=[16,32,64]", "kernel_sizes=[3]", "degrees=[0,1]", f"output_dir={tmp_path}"]
    monkeypatch.setattr(sys, "argv", ["convergence", *overrides])
    convergence.main()
    errors = pd.read_csv(tmp_path / "tables" / "convergence.csv")
    assert len(errors) == 3 * 3 * 2 * (len(METHODS) + 2)
    slopes = pd.read_csv(tmp_path / "tables" / "convergence_slopes.csv")
    assert set(slopes["reference"]) == {"kernel", "operator"}
    printed = capsys.readouterr().out
    assert "Order of convergence" in printed
    assert str(tmp_path / "tables" / "convergence_slopes.csv") in printed.splitlines()


@pytest.mark.parametrize(
    ("override", "message"),
    [
        ("kernel_sizes=[4]", "kernel_sizes must be of 3, 5, 7; got"),
        ("samples=[6]", "each of samples must be an integer of at least 8, got 6"),
        ("samples=[64,32]", "samples must grow"),
        ("degrees=[-1]", "each of degrees must be an integer of at least 0, got -1"),
        ("methods=[mirror]", "methods must be of .*; got 'mirror'"),
    ],
)
def test_settings_are_checked(override, message):
    with pytest.raises(ValueError, match=message):
        settings(override)
