"""The sweeps of configs/reproduce.yaml: every cell composes, and is what its name says."""

import pytest
from hydra import compose, initialize_config_dir

from experiments.padding_configs import COMPARED
from experiments.paths import CONFIGS
from experiments.reproduce import seconds_left
from experiments.training.cells import Cell, composed, method_settings, sweep_cells
from experiments.training.run_folder import method_name, run_name

# All of them together take many seconds.
pytestmark = pytest.mark.slow

SWEEPS = {
    "classification": ("landcover_scenes", "paper_classification"),
    "segmentation": ("landcover", "paper_segmentation"),
    "super_resolution": ("globe", "paper_super_resolution"),
    "normalization": ("globe",),
    "frontier_globe": ("globe",),
    "frontier_landcover": ("landcover",),
    "surrogate": ("surrogate",),
    "surrogate_unrolled": ("surrogate_unrolled",),
    "surrogate_advection": ("surrogate_advection",),
}


def settings(*overrides):
    with initialize_config_dir(str(CONFIGS), version_base="1.3"):
        return compose("reproduce", list(overrides))


def test_the_methods_are_the_modes_and_the_control():
    assert list(method_settings(settings("sweep=segmentation").controls)) == [
        *COMPARED,
        "adaptive_running",
        "peripheral_shared",
        "halo",
    ]


@pytest.mark.parametrize("sweep", SWEEPS)
def test_every_cell_composes_to_what_its_name_says(sweep):
    config = settings(f"sweep={sweep}", "seeds=[3]")
    assert set(config.sweeps) == set(SWEEPS)
    for scale, experiment in zip(config.sweeps[sweep], SWEEPS[sweep], strict=True):
        cells = sweep_cells(settings(f"sweep={sweep}", "seeds=[3]", f"scale={scale}"))
        cells = cells if scale == "embedded" else [cells[0], cells[-1]]
        runs = [composed(cell) for cell in cells]
        assert len({run_name(run) for run in runs}) == len(cells)
        for cell, run in zip(cells, runs, strict=True):
            assert (method_name(run), run.seed, run.experiment_name) == (cell.method, 3, experiment)
            assert run.data.get("halo", 0) == (32 if cell.method == "halo" else 0)
            options = run.model.options
            assert options.get("batch_norm", True) == (cell.variant not in ("unet_no_norm", "unet_group_norm"))
            assert options.get("group_norm", 0) == (4 if cell.variant == "unet_group_norm" else 0)
    # Of 16 modes, two variants and the control: none has `antireflect`, networks of 3x3 kernels no `symmetric`; two
    # networks, five methods; three networks, seven modes and the control; one network, seven modes and the control.
    count = {"classification": 18, "segmentation": 17, "super_resolution": 17, "normalization": 2 * 5}
    count |= dict.fromkeys(("frontier_globe", "frontier_landcover"), 3 * 8)
    count |= dict.fromkeys((name for name in SWEEPS if name.startswith("surrogate")), 8)
    assert len(sweep_cells(settings(f"sweep={sweep}"))) == 5 * count[sweep]


def test_runs_of_one_setting_are_shared_by_sweeps():
    """BatchNorm against none needs no second run of the network with it."""
    folders = [
        {run_name(composed(cell)) for cell in sweep_cells(settings(f"sweep={sweep}", "seeds=[0]"))}
        for sweep in ("super_resolution", "normalization", "frontier_globe", "segmentation", "frontier_landcover")
    ]
    assert len(folders[0] & folders[1]) == 5
    # The networks of the frontier without GroupNorm; a mode of five is missing among those without BatchNorm.
    assert len(folders[2] & folders[0]) == 8
    assert len(folders[2] & folders[1]) == 5 + 5
    assert len(folders[4] & folders[3]) == 8


def test_seed_after_seed_and_methods_in_the_order_of_the_configuration():
    cells = sweep_cells(
        settings("sweep=segmentation", "seeds=[1,0]", "only=[halo,diff,zeros]", "settings=['threads=1']")
    )
    assert [(cell.seed, cell.method) for cell in cells] == [
        (1, "zeros"), (1, "diff"), (1, "halo"), (0, "zeros"), (0, "diff"), (0, "halo")
    ]  # fmt: skip
    assert cells[0].name == "segmentation unet zeros seed 1"
    assert composed(cells[0]).threads == 1


def test_several_sweeps_are_one():
    names = [cell.sweep for cell in sweep_cells(settings("sweep=all", "seeds=[0]", "only=[zeros,diff]"))]
    assert list(dict.fromkeys(names)) == list(SWEEPS)
    assert len(names) == 2 + 2 + 2 + 4 + 6 + 6 + 2 + 2 + 2
    pair = sweep_cells(settings("sweep=[segmentation,classification]", "seeds=[0,1]", "only=[zeros]"))
    assert [cell.name for cell in pair] == [
        f"{sweep} zeros seed {seed}" for seed in (0, 1) for sweep in ("segmentation unet", "classification")
    ]
    paper = sweep_cells(settings("sweep=all", "scale=paper", "seeds=[0]", "only=[zeros]"))
    assert {cell.sweep for cell in paper} == {name for name, of_scale in SWEEPS.items() if len(of_scale) == 2}


@pytest.mark.parametrize(
    ("overrides", "message"),
    [
        (["sweep=detection"], "sweep must be one of all, classification, .*; got 'detection'"),
        (["sweep=normalization", "scale=paper"], "scale must be one of embedded for normalization; got 'paper'"),
        (["sweep=segmentation", "only=[zero]"], "methods of segmentation .* are zeros, .*; got 'zero'"),
        (["sweep=segmentation", "scale=paper", "only=[halo]"], "got 'halo'"),
        (["sweep=segmentation", "only=[]"], "at least one method"),
        (["sweep=segmentation", "seeds=[]"], "seeds must be"),
        (["sweep=segmentation", "seeds=[0,0]"], "seeds must be"),
        (["sweep=segmentation", "seeds=[a]"], "seeds must be"),
    ],
)
def test_what_there_is_not_is_refused(overrides, message):
    with pytest.raises(ValueError, match=message):
        sweep_cells(settings(*overrides))


def test_the_time_left():
    waiting = [Cell("globe", "", method, 1, ()) for method in ("zeros", "zeros", "halo")]
    seconds = {("globe", "", "zeros"): [10.0, 20.0], ("globe", "", "halo"): [100.0]}
    assert seconds_left(waiting, seconds, jobs=1) == 130
    # Two at a time, but the control alone takes longer than half of it.
    assert seconds_left(waiting, seconds, jobs=2) == 100
    assert seconds_left([], seconds, jobs=2) == 0
