import sys

import hydra
import numpy as np
import pandas as pd
import pytest
import torch
import torch.nn.functional as F

from experiments.methods import METHODS
from experiments.paths import CONFIGS
from experiments.rollouts import program as rollouts
from experiments.rollouts.settings import Settings
from experiments.rollouts.summary import final_errors
from experiments.rollouts.time_stepping import roll_out, spectral_radius
from experiments.rollouts.transport import solution, step_kernel, world
from experiments.settings import read_settings

SMALL = ["steps=30", "records=4", "size=24", "windows=2", "world=64", "degrees=[1]", "spectrum=8"]


def settings(*overrides):
    with hydra.initialize_config_dir(str(CONFIGS), version_base="1.3"):
        return read_settings(Settings, hydra.compose("rollouts", list(overrides)))


def source():
    return torch.Generator().manual_seed(0)


# The world


@pytest.mark.parametrize("size", [3, 5, 7])
def test_the_solution_is_that_of_stepping_the_periodic_world(size):
    kernel, field = step_kernel(size, 0.1, (0.03, -0.05)), world(32, 2, source())
    expected, p = field.clone(), size // 2
    for _ in range(20):
        expected = F.conv2d(F.pad(expected[None, None], (p,) * 4, mode="circular"), kernel[None, None])[0, 0]
    (start, got) = solution(field, kernel, [0, 20])
    torch.testing.assert_close(start, field)
    torch.testing.assert_close(got, expected)


def test_a_step_moves_and_spreads():
    h, w = torch.meshgrid(*[torch.arange(128, dtype=torch.float64) - 64] * 2, indexing="ij")
    bump = torch.exp(-(h**2 + w**2) / 50)
    (after,) = solution(bump, step_kernel(3, 0.1, (0.02, 0.04)), [100])
    assert after.sum().item() == pytest.approx(bump.sum().item())
    mass = after / after.sum()
    assert (mass * h).sum().item() == pytest.approx(2.0, abs=1e-6)
    assert (mass * w).sum().item() == pytest.approx(4.0, abs=1e-6)
    # Variance grows by 2 D a step, less what Euler's steps lose: c^2.
    spread = (mass * (h - 2) ** 2).sum().item()
    assert spread == pytest.approx(25 + 100 * (0.2 - 0.02**2), abs=1e-3)


def test_the_world_is_standardised():
    field = world(64, 3, source())
    assert field.mean().item() == pytest.approx(0, abs=1e-12)
    assert field.std().item() == pytest.approx(1)


# Rollouts


def test_circular_padding_of_the_whole_world_is_the_truth():
    chosen = settings("steps=50", "records=5", "size=64", "world=64", "windows=1", "kernel_sizes=[5]")
    found = roll_out(
        METHODS["circular"],
        rollouts.kernel_of(chosen, "advection_diffusion", 5),
        rollouts.truth(chosen, "advection_diffusion", 5),
        rollouts.recorded_steps(chosen),
        chosen.limit,
    )
    assert found.blow_up is None
    assert max(error.item() for error in found.image) < 1e-12


def test_the_truth_is_of_windows_apart():
    chosen = settings(*SMALL)
    windows = rollouts.truth(chosen, "heat", 3)
    assert windows.shape == (1 + len(rollouts.recorded_steps(chosen)), 2, 24, 24)
    assert not torch.equal(windows[0, 0], windows[0, 1])


def test_a_blow_up_is_told_with_its_step():
    truth = torch.ones(3, 1, 24, 24, dtype=torch.float64)
    found = roll_out(METHODS["circular"], torch.full((3, 3), 2 / 9, dtype=torch.float64), truth, [1, 20], limit=100)
    # 2^6 = 64, 2^7 = 128.
    assert found.blow_up == 7
    assert [error.item() for error in found.image] == pytest.approx([1.0])


def test_growth_beyond_one_blows_up():
    kernel = step_kernel(3, 0.1, (0, 0))
    assert spectral_radius(METHODS["partial"], kernel, 8) > 1.1
    assert spectral_radius(METHODS["zeros"], kernel, 8) < 1
    assert spectral_radius(METHODS["symmetric"], kernel, 8) == pytest.approx(1)


def test_steps_grow_to_the_last():
    steps = rollouts.recorded_steps(settings())
    assert steps[0] == 1
    assert steps[-1] == 10_000
    assert steps == sorted(set(steps))


# The program


@pytest.mark.parametrize("processes", [1, pytest.param(2, marks=pytest.mark.slow)])
def test_small_run_writes_its_tables(processes, monkeypatch, tmp_path, capsys):
    methods = "methods=[zeros,replicate,partial,diff,random,adaptive]"
    monkeypatch.setattr(
        sys, "argv", ["rollouts", *SMALL, methods, f"processes={processes}", f"output_dir={tmp_path}"]
    )
    rollouts.main()
    errors = pd.read_csv(tmp_path / "tables" / "rollouts.csv")
    stability = pd.read_csv(tmp_path / "tables" / "rollouts_stability.csv")
    assert set(errors["region"]) == {"image", "crop_8"}
    blown = stability[stability["quantity"] == "blow_up_step"]
    assert set(blown["method"]) == {"partial"}
    finals = final_errors(stability)
    assert len(finals) == 2 * 6
    # The last row of the other table is their root mean square.
    key = ("heat", 3, "diff")
    last = errors[(errors["method"] == "diff") & (errors["problem"] == "heat") & (errors["region"] == "image")]
    assert last["error"].iloc[-1] == pytest.approx(float(np.sqrt((finals.loc[key] ** 2).mean())), rel=1e-5)
    assert set(stability.loc[stability["quantity"] == "spectral_radius", "method"]) == {
        "zeros", "replicate", "partial", "diff", "degree_1",
    }  # fmt: skip
    assert "blew up at" in capsys.readouterr().out


@pytest.mark.parametrize(
    ("override", "message"),
    [
        ("problems.heat.diffusion=0.3", "problems.heat must have a diffusion of at most 0.165"),
        ("problems.heat.velocity=[1,0]", "problems.heat must have"),
        ("size=10", "size must be an integer of at least 24"),
        ("world=32", "world must be an integer of at least 64"),
        ("limit=1", "limit must be a number of at least 10"),
        ("blur=-1", "blur must be a number of at least 0"),
    ],
)
def test_settings_are_checked(override, message):
    with pytest.raises(ValueError, match=message):
        settings(override)
