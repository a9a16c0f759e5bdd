import sys

import hydra
import numpy as np
import pandas as pd
import pytest
import torch

from experiments.data.blurred_noise import blurred_noise
from experiments.edge_error import edge_errors
from experiments.methods import METHODS
from experiments.paths import CONFIGS
from experiments.random_numbers import random_source
from experiments.regimes import program as regimes
from experiments.regimes.best import best_of, families
from experiments.regimes.fields import FIELDS, regime_fields
from experiments.regimes.settings import Settings
from experiments.settings import read_settings

SMALL = [
    "blurs=[0,4]",
    "terrain_blurs=[1]",
    "noise_levels=[0,0.5]",
    "size=24",
    "world=64",
    "crops=2",
    "kernel_sizes=[3,5]",
    "num_kernels=2",
    "degrees=[0,1]",
]


def settings(*overrides):
    with hydra.initialize_config_dir(str(CONFIGS), version_base="1.3"):
        return read_settings(Settings, hydra.compose("regimes", list(overrides)))


# The fields


def test_the_blur_is_a_gaussian():
    impulse = torch.zeros(65, 65, dtype=torch.float64)
    impulse[32, 32] = 1
    blurred = blurred_noise(impulse, 3.0)
    offsets = torch.arange(65, dtype=torch.float64) - 32
    line = torch.exp(-(offsets**2) / 18) / (2 * torch.pi * 9) ** 0.5
    torch.testing.assert_close(blurred, line[:, None] * line, rtol=0, atol=1e-12)
    torch.testing.assert_close(blurred_noise(impulse, 0), impulse, rtol=0, atol=1e-15)


def test_fields_are_standardised_with_a_frame():
    found = list(regime_fields(settings(*SMALL)))
    assert [(name, level) for name, level, _ in found] == [
        ("blurred_noise", 0), ("blurred_noise", 4), ("blurred_terrain", 1), ("noise_added", 0), ("noise_added", 0.5),
    ]  # fmt: skip
    assert {name for name, _, _ in found} == set(FIELDS)
    for name, _, images in found[:4]:
        assert images.shape == (2, 28, 28), name
        torch.testing.assert_close(images.std((1, 2)), torch.ones(2, dtype=torch.float64))
    added = found[4][2] - found[3][2]
    assert added.std().item() == pytest.approx(0.5, rel=0.1)


def test_a_blur_is_of_terrain_that_is_really_there():
    # The blur of a part of the terrain is that of the whole: nothing is invented at the patch's edge.
    narrow, wide = (list(regime_fields(settings(*SMALL, f"terrain_blurs=[{blurs}]")))[2][2] for blurs in ("1", "1,3"))
    torch.testing.assert_close(narrow, wide)


# Measuring


def test_errors_are_those_of_the_filtering_experiment():
    chosen = settings(*SMALL)
    _, _, images = list(regime_fields(chosen))[2]
    with torch.inference_mode():
        errors, rounding = regimes.measure(chosen, images, 3, "key")
    kernels = torch.randn(2, 3, 3, generator=random_source("kernels", chosen.seed, 3), dtype=torch.float64)
    # Kernels of 5 need a frame of 2, which is the frame of the crop; those of 3 leave one pixel of it.
    expected = edge_errors(images[1, 1:-1, 1:-1], kernels, {"adaptive": METHODS["adaptive"]})["adaptive"]
    assert errors.loc[1, "adaptive"] == pytest.approx(expected, rel=1e-10)
    assert list(errors) == [*chosen.methods, "degree_0", "degree_1"]
    assert rounding.keys() == set(errors) - {"random"}
    assert 0 < rounding["zeros"] < 1e-5


def test_float32_rounding_grows_with_the_degree():
    chosen = settings("size=24", "world=64", "crops=2", "num_kernels=4", "methods=[diff]", "degrees=[0,2,4,6]")
    images = blurred_noise(torch.randn(2, 30, 30, generator=torch.Generator().manual_seed(0)).double(), 4)
    _, rounding = regimes.measure(chosen, images, 7)
    values = [rounding[f"degree_{degree}"] for degree in chosen.degrees]
    assert values == sorted(values)
    assert values[-1] > 100 * values[0]
    assert rounding["diff"] == pytest.approx(rounding["degree_6"], rel=0.1)


def test_the_best_and_how_sure_it_is():
    errors = pd.DataFrame({"a": [2.0, 2.0, 2.0], "b": [1.0, 3.0, 1.0], "c": [1.0, 3.0, 1.0], "d": [9.0, 9.0, 9.0]})
    found = best_of(errors)
    # c is b under another name.
    assert (found["best"], found["runner_up"], found["wins"], found["crops"]) == ("b", "a", 2, 3)
    assert found["ratio"] == pytest.approx(2 / (5 / 3))
    alone = best_of(errors[["b", "c"]])
    assert (alone["runner_up"], alone["ratio"], alone["wins"]) == ("b", 1.0, 0)
    assert families(["zeros", "degree_0", "adaptive"]) == {
        "mode": ["zeros", "adaptive"], "fixed mode": ["zeros"], "degree": ["degree_0"],
    }  # fmt: skip
    assert families(["adaptive"]) == {"mode": ["adaptive"]}


# The program


def test_small_run_writes_its_tables(monkeypatch, tmp_path, capsys):
    monkeypatch.setattr(sys, "argv", ["regimes", *SMALL, f"output_dir={tmp_path}"])
    regimes.main()
    errors, rounding, best = (
        pd.read_csv(tmp_path / "tables" / f"{name}.csv") for name in ("regimes", "regimes_rounding", "regimes_best")
    )
    assert len(errors) == 5 * 2 * (len(METHODS) + 2)
    assert len(rounding) == len(errors) - 5 * 2
    assert len(best) == 5 * 2 * 3
    cells = errors.pivot_table("l1_error", ["field", "level", "kernel_size"], "method")
    modes = best[best["family"] == "mode"].set_index(["field", "level", "kernel_size"])["l1_error"]
    np.testing.assert_allclose(modes, cells[list(METHODS)].min(axis=1).loc[modes.index])
    assert "Least error at the edge" in capsys.readouterr().out


@pytest.mark.parametrize(
    ("override", "message"),
    [
        ("kernel_sizes=[9]", "kernel_sizes must be of 3, 5, 7"),
        ("blurs=[-1]", "each of blurs must be a number of at least 0, got -1"),
        ("noise_levels=[1,1]", "noise_levels must not hold an item twice"),
        ("crops=12", "crops must be an integer of at most 11"),
        ("world=90", "world must be an integer of at least 102"),
    ],
)
def test_settings_are_checked(override, message):
    with pytest.raises(ValueError, match=message):
        settings(override)
