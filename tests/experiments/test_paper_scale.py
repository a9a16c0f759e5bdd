"""The paper's scale on small trees of its data: two batches of each experiment, to tables and figures."""

import os
import re
import shlex
import subprocess
import sys
from pathlib import Path

import matplotlib as mpl
import matplotlib.pyplot as plt
import numpy as np
import pandas as pd
import pytest
from hydra import compose, initialize_config_dir
from rich.console import Console

from experiments.error_maps import program as error_maps
from experiments.error_maps.settings import Settings as ErrorMapsSettings
from experiments.paths import CONFIGS
from experiments.settings import read_settings
from experiments.sizes import program as sizes
from experiments.sizes.settings import Settings as SizesSettings
from experiments.training.cell import cell_folder, run_cell
from experiments.training.cells import composed, sweep_cells
from scripts.collect import collect
from scripts.figures import classification, segmentation, super_resolution, super_resolution_sizes
from scripts.figures import error_maps as error_maps_figure
from scripts.small_trees import caltech101_tree, cityscapes_tree, etopo_tree

ROOT = Path(__file__).resolve().parents[2]
METHODS = ["zeros", "diff"]
SEEDS = [0]
FIGURES = {"classification": classification, "segmentation": segmentation, "super_resolution": super_resolution}
EXPECTED = {
    "classification": {"accuracy"},
    "segmentation": {"mean_iou", "iou_micro", "f1_micro", "f2_macro", "accuracy_macro", "recall_per_image"},
    "super_resolution": {"mse", "psnr"},
}


def configuration(name, *overrides):
    with initialize_config_dir(str(CONFIGS), version_base="1.3"):
        return compose(name, list(overrides))


@pytest.fixture(scope="module")
def small(tmp_path_factory):
    """The trees, and a folder for results; the data is found by the environment."""
    folder = tmp_path_factory.mktemp("paper")
    caltech101_tree(folder / "data" / "caltech101")
    cityscapes_tree(folder / "data" / "cityscapes")
    etopo_tree(folder / "data" / "etopo")
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("DIFF_CONV2D_DATA", str(folder / "data"))
        yield folder


def settings(small, name="reproduce", sweep="all", methods=METHODS):
    choice = ["+trial=small_trees", "scale=paper", f"seeds={SEEDS}", f"only=[{','.join(methods)}]"]
    return configuration(name, *choice, f"runs_dir={small}/runs/train", f"sweep={sweep}")


def train(config):
    for cell in sweep_cells(config):
        assert run_cell(composed(cell), Console(quiet=True, force_terminal=False)) is None


def draw(module, small, *arguments):
    with pytest.MonkeyPatch.context() as patch, mpl.rc_context():
        places = ["--tables", str(small / "tables"), "--output", str(small / "figures")]
        patch.setattr(sys, "argv", ["figure", *places, *arguments])
        module.main()
    plt.close("all")


@pytest.mark.slow
@pytest.mark.filterwarnings("ignore::UserWarning")
@pytest.mark.parametrize("name", FIGURES)
def test_an_experiment_runs_two_batches_to_its_tables_and_its_figure(small, name):
    config = settings(small, sweep=name)
    train(config)
    for cell in sweep_cells(config):
        run = composed(cell)
        assert run.experiment_name == f"paper_{name}"
        assert run.data.paper_split
        # Where the data is on this machine is not among the settings that are kept.
        kept = cell_folder(run).path.joinpath("config.yaml").read_text()
        assert str(small / "data") not in kept
    collect(f"paper_{name}", small / "runs" / "train", small / "tables", METHODS, SEEDS, {})
    table = pd.read_csv(small / "tables" / f"paper_{name}.csv")
    assert set(table["method"]) == set(METHODS)
    assert EXPECTED[name] <= set(table["metric"])
    draw(FIGURES[name], small, "--scale", "paper")
    assert (small / "figures" / f"paper_{name}.png").stat().st_size > 10_000


@pytest.mark.slow
@pytest.mark.filterwarnings("ignore::UserWarning")
def test_what_needs_the_networks_of_super_resolution_is_drawn_too(small):
    methods = [*METHODS, "halo"]
    train(settings(small, sweep="super_resolution", methods=methods))
    table = sizes.run(
        read_settings(SizesSettings, settings(small, "sizes", "super_resolution", methods)), Console(quiet=True)
    )
    assert sorted(table["size"].unique()) == [64, 128, 192, 256]
    assert len(table) == len(methods) * 4 * 4
    (small / "tables").mkdir(exist_ok=True)
    table.to_csv(small / "tables" / "paper_super_resolution_sizes.csv", index=False)
    draw(super_resolution_sizes, small, "--scale", "paper")

    config = configuration(
        "error_maps", "scale=paper", "patches=16", "methods=[zeros,diff]", f"runs_dir={small}/runs/train"
    )
    arrays = error_maps.error_maps(read_settings(ErrorMapsSettings, config))
    # The paper's block: 4 x 4 patches, here of 64 pixels, in its tile and at its place.
    assert arrays["target"].shape == (256, 256)
    np.testing.assert_allclose(arrays["box"][:2], ((1700 - 264) / 3072, (800 - 264) / 3072))
    np.savez(small / "tables" / "paper_error_maps.npz", **arrays)
    draw(error_maps_figure, small, "--name", "paper_error_maps")
    for name in ("paper_super_resolution_sizes", "paper_error_maps"):
        assert (small / "figures" / f"{name}.png").stat().st_size > 10_000


PROGRAM = re.compile(r"-m experiments\.(\w+)(.*)")


@pytest.mark.parametrize(
    "choice",
    [
        ["reproduce"],
        ["reproduce", "SCALE=paper"],
        ["reproduce", "SCALE=paper", "SEEDS=0,1", "METHODS=zeros,diff", "JOBS=2", "RESULTS=/tmp/x", "STUDIES="],
        ["trial", "RESULTS=/tmp/x"],
    ],
    ids=" ".join,
)
def test_every_command_of_make_reproduce_has_options_that_there_are(choice):
    command = ["make", "--dry-run", f"VENV={sys.prefix}", *choice]
    # What `make test` itself was given does not belong to these commands.
    mine = {key: value for key, value in os.environ.items() if key not in ("MAKEFLAGS", "MFLAGS", "MAKEOVERRIDES")}
    printed = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=True, env=mine).stdout
    programs = PROGRAM.findall(printed.replace("\\\n", " "))
    assert {"reproduce", "error_maps", "sizes"} <= {name for name, _ in programs}
    for name, rest in programs:
        words = shlex.split(rest)
        if "--config-name" in words:
            place = words.index("--config-name")
            name = words[place + 1]
            del words[place : place + 2]
        config = configuration(name, *words)
        if "RESULTS=/tmp/x" in choice:
            assert {config.get("output_dir", "/tmp/x"), config.get("runs_dir", "/tmp/x/runs/train")} <= {
                "/tmp/x",
                "/tmp/x/runs/train",
            }
    if "SCALE=paper" in choice:
        assert "scripts.figures.error_maps --name paper_error_maps" in printed
