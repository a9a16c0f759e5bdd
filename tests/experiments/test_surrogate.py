"""The surrogate's measures, its rollouts, and networks that are hardly trained."""

import math

import pandas as pd
import pytest
import torch
from hydra import compose, initialize_config_dir
from rich.console import Console

from experiments.data.flow_windows import HISTORY, flow_windows
from experiments.data.flows import SIZE
from experiments.paths import CONFIGS
from experiments.settings import read_settings
from experiments.surrogate.measures import bounded_time, line_spectrum, region_errors, relative_errors, stable_time
from experiments.surrogate.program import run
from experiments.surrogate.rollouts import corners_of, cut, on_domain, persistence, predicted, stepping, wrapping
from experiments.surrogate.rows import DOMAIN, PERSISTENCE, TABLES, WINDOW
from experiments.surrogate.settings import Settings
from experiments.training.cell import run_cell
from experiments.training.cells import composed, sweep_cells
from experiments.training.train import build_task

QUICK = ["data.equation=advection_diffusion", "model.options.depth=2", "model.options.width=4", "threads=1"]
QUICK += ["trainer.max_epochs=1", "trainer.limit_train_batches=2", "trainer.limit_val_batches=1"]
QUICK += ["trainer.limit_test_batches=1", "trainer.accelerator=cpu"]


def composed_settings(runs, *overrides):
    quick = ",".join(f"'{setting}'" for setting in QUICK)
    with initialize_config_dir(str(CONFIGS), version_base="1.3"):
        return compose("surrogate", [f"runs_dir={runs}", f"settings=[{quick}]", "device=cpu", *overrides])


def small(method="zeros", *overrides):
    """A network that has not been trained, and its data."""
    config = composed(sweep_cells(composed_settings("/tmp/none", f"only=[{method}]", "seeds=[0]", *overrides))[0])
    data = flow_windows("advection_diffusion", train_windows=1, halo=config.data.halo)
    torch.manual_seed(0)
    return config, data, build_task(config, data).state_dict()


def test_errors_of_regions_are_means_over_their_pixels():
    predicted_, truth = torch.zeros(1, 2, 20, 20), torch.zeros(1, 2, 20, 20)
    predicted_[0, 0, 0] = 2.0
    predicted_[0, 1, 9:11, 9:11] = 3.0
    errors = region_errors(predicted_, truth)
    assert errors["whole"].tolist() == [[4 * 20 / 400, 9 * 4 / 400]]
    assert errors["frame"].tolist() == [[4 * 20 / (400 - 16), 0.0]]
    assert errors["interior"].tolist() == [[0.0, 9 * 4 / 16]]
    assert errors["shell_0"].tolist() == [[4 * 20 / 76, 0.0]]
    assert errors["shell_1"].tolist() == [[0.0, 0.0]]
    assert "interior" not in region_errors(torch.zeros(1, 1, 16, 16), torch.zeros(1, 1, 16, 16))


def test_relative_errors_and_the_time_before_they_exceed_a_threshold():
    truth = torch.full((1, 3, 4, 4), 2.0)
    errors = relative_errors(truth * torch.tensor([1.1, 1.4, 1.2])[:, None, None], truth)
    torch.testing.assert_close(errors, torch.tensor([[0.1, 0.4, 0.2]], dtype=torch.float64))
    assert stable_time(errors, 0.3).tolist() == [1]
    assert stable_time(errors, 0.05).tolist() == [0]
    assert stable_time(errors, 0.5).tolist() == [3]
    assert stable_time(torch.tensor([[0.1, math.nan, 0.1]]), 0.3).tolist() == [1]
    frames = torch.tensor([1.0, -5.0, 1.0])[None, :, None, None].expand(1, 3, 4, 4)
    assert bounded_time(frames, 4.0).tolist() == [1]


def test_the_spectrum_is_of_lines_parallel_to_each_edge_at_the_distance():
    """A wave along one line alone is found at that line's distance, whatever the side, and nowhere else."""
    wave = torch.cos(2 * torch.pi * 5 * torch.arange(24) / 24)
    for side in range(4):
        frames = torch.zeros(24, 24)
        frames[2] = wave
        frames = frames.rot90(side)[None, None]
        assert line_spectrum(frames, 2)[0].argmax() + 1 == 5
        # At other distances lines cross the wave at one pixel: no wave number stands out.
        others = line_spectrum(frames, 9)[0]
        assert line_spectrum(frames, 2)[0, 4] > 20 * others.max()
    with pytest.raises(ValueError, match="distance must be from 0 to below half the size of square windows, got 12"):
        line_spectrum(torch.zeros(1, 1, 24, 24), 12)


def test_long_waves_do_not_leak_into_short_ones():
    """Hann's window takes a constant into the first wave number alone, and little of half a wave far away."""
    power = line_spectrum(torch.ones(2, 3, 32, 32), 0)
    assert power.shape == (3, 16)
    assert (power[:, 1:] < 1e-20).all()
    # Without a window, a hundredth of the power would be this far from its wave number.
    half = torch.cos(2 * torch.pi * 4.5 * torch.arange(32) / 32).expand(32, 32)
    power = line_spectrum(half[None, None], 0)[0]
    assert power[13] < 1e-4 * power.max()


def test_windows_are_cut_flow_after_flow_from_their_place_and_time():
    flows = torch.arange(2 * 7 * SIZE * SIZE, dtype=torch.float32).view(2, 7, SIZE, SIZE)
    seen, truth = cut(flows, [0, 2], steps=3, size=16, halo=4)
    assert seen.shape == (16, HISTORY, 24, 24)
    assert truth.shape == (16, 3, 16, 16)
    for index, (flow, first, top, left) in enumerate(corners_of(2, [0, 2]).tolist()):
        assert flow == index // 8
        expected = flows[flow, first : first + HISTORY + 3, top : top + 16, left : left + 16]
        assert torch.equal(truth[index], expected[HISTORY:])
        assert torch.equal(seen[index, :, 4:-4, 4:-4], expected[:HISTORY])
    # The domain is periodic.
    assert torch.equal(seen[0, 0, 0, 4:-4], flows[0, 0, -4, :16])
    assert torch.equal(persistence(cut(flows, [0], 3, 16, 4))[0, 2], flows[0, 1, :16, :16])


@pytest.mark.parametrize("method", ["zeros", "adaptive", "learned", "adaptive_running", "halo"])
def test_on_the_domain_every_method_is_the_same_convolution_with_true_context(method):
    """One step in a window is, beyond what the network sees, that on the domain; for the control everywhere."""
    config, data, weights = small(method)
    task = stepping(config, data, weights, steps=2)
    size, flows = config.data.size, data.test.flows[:2]
    windows = cut(flows, [0, 6], 2, size, config.data.halo)
    in_windows, there = predicted(task, windows.seen), on_domain(wrapping(task), flows, [0, 6], size)
    assert in_windows.shape == there.shape == windows.truth.shape
    # A network of two convolutions sees two pixels far a step.
    torch.testing.assert_close(in_windows[:, 0, 2:-2, 2:-2], there[:, 0, 2:-2, 2:-2])
    torch.testing.assert_close(in_windows[:, 1, 4:-4, 4:-4], there[:, 1, 4:-4, 4:-4])
    at_edge = (in_windows[:, 0, 0] - there[:, 0, 0]).abs().max()
    assert at_edge < 1e-5 if method == "halo" else at_edge > 1e-3
    # The network itself is not changed.
    assert torch.equal(predicted(task, windows.seen), in_windows)


def test_a_step_sees_the_networks_own_predictions():
    """Of three steps the last is that of a network that is given the first two."""
    config, data, weights = small()
    windows = cut(data.test.flows[:1], [0], 3, config.data.size)
    three = predicted(stepping(config, data, weights, 3), windows.seen)
    one = predicted(stepping(config, data, weights, 1), three[:, :2])
    torch.testing.assert_close(three[:, 2:], one)


@pytest.fixture(scope="module")
def measured(tmp_path_factory):
    runs = tmp_path_factory.mktemp("runs")
    config = composed_settings(
        runs, "seeds=[0,1]", "only=[zeros,halo]", "steps=3", "told_steps=[1,3]", "distances=[0,20]", "long_steps=5"
    )
    for cell in sweep_cells(config):
        assert run_cell(composed(cell), Console(quiet=True, force_terminal=False)) is None
    return runs, run(read_settings(Settings, config), Console(quiet=True))


@pytest.mark.slow
@pytest.mark.filterwarnings("ignore::UserWarning")
def test_the_tables(measured):
    _, (tables, cells) = measured
    assert [cell.method for cell in cells] == ["zeros", "halo", "zeros", "halo"]
    assert {name: list(table.columns) for name, table in tables.items()} == TABLES
    rollouts, flows, spectra = tables.values()
    keys = ["method", "context", "region", "step"]
    assert not rollouts.duplicated([*keys, "seed"]).any()
    # Two methods, seeds and contexts, and the control.
    assert len(rollouts) == (2 * 2 * 2 + 1) * (3 * 3 + 8 * 2)
    assert len(spectra) == (2 * 2 * 2 + 1) * 2 * 2 * 24
    # With that much true context a window is as good as the domain.
    mean = rollouts.groupby(keys)["value"].mean()
    assert mean["halo", WINDOW, "frame", 3] == pytest.approx(mean["halo", DOMAIN, "frame", 3], rel=1e-4)
    assert mean["zeros", WINDOW, "frame", 1] > mean["zeros", DOMAIN, "frame", 1]
    assert mean[PERSISTENCE, WINDOW, "whole", 3] > mean[PERSISTENCE, WINDOW, "whole", 1]
    # The mean over flows is the table's.
    by_flow = flows[flows["metric"] == "mse"].groupby([*keys, "seed"])["value"].mean()
    pd.testing.assert_series_equal(by_flow, rollouts.set_index([*keys, "seed"])["value"].loc[by_flow.index])
    times = flows[flows["metric"] == "stable_time"]
    assert times["value"].between(0, 3).all()
    assert set(times["step"]) == {3}
    bounded = flows[flows["metric"] == "bounded_time"]
    assert len(bounded) == 2 * 2 * 24
    assert set(bounded["step"]) == {5}


@pytest.mark.slow
@pytest.mark.filterwarnings("ignore::UserWarning")
def test_networks_that_are_not_there_are_left_out_only_if_a_setting_says_so(measured, capsys):
    runs, _ = measured
    parts = "seeds=[0]", "only=[zeros,diff]", "steps=1", "told_steps=[1]", "long_steps=1"
    with pytest.raises(FileNotFoundError, match="reproduce-surrogate METHODS=diff SEEDS=0` trains it; missing=leave"):
        run(read_settings(Settings, composed_settings(runs, *parts)), Console(quiet=True))
    settings = read_settings(Settings, composed_settings(runs, *parts, "missing=leave_out"))
    tables, cells = run(settings, Console())
    assert [cell.method for cell in cells] == ["zeros"]
    assert set(tables["surrogate_rollouts"]["method"]) == {"zeros", PERSISTENCE}
    assert "left out: 1 of 2 networks, which have not been trained: surrogate diff seed 0" in capsys.readouterr().out
    settings = read_settings(Settings, composed_settings(runs, "seeds=[0]", "only=[diff]", "missing=leave_out"))
    with pytest.raises(FileNotFoundError, match="1 of 1 networks have not been trained"):
        run(settings, Console(quiet=True))


@pytest.mark.parametrize(
    ("override", "told"),
    [
        ("steps=23", "steps must be an integer of at most 22, got 23"),
        ("starts=[7]", "starts must .*at most 6, got 7"),
        ("told_steps=[17]", "told_steps must .*at most 16, got 17"),
        ("missing=none", "missing must be one of"),
        ("sweep=[surrogate,surrogate_unrolled]", "sweep must be one of surrogate, surrogate_...; got"),
        ("sweep=classification", "sweep must be one of surrogate, surrogate_...; got 'classification'"),
    ],
)
def test_settings_that_do_not_fit_are_told(override, told):
    with pytest.raises(ValueError, match=told):
        read_settings(Settings, composed_settings("/tmp/none", override))
