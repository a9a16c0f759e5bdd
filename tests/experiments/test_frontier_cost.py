"""The cost of tiles with a halo."""

import pytest
import torch
from hydra import compose, initialize_config_dir
from rich.console import Console

from experiments.frontier_cost.program import multiply_adds, run
from experiments.frontier_cost.settings import Settings
from experiments.models.unet import UNet
from experiments.paths import CONFIGS
from experiments.settings import read_settings
from scripts.figures.tables import read_table


def settings(folder, *overrides):
    with initialize_config_dir(str(CONFIGS), version_base="1.3"):
        return compose("frontier_cost", [f"output_dir={folder}", "sweep=frontier_globe", "seeds=[0]", *overrides])


def test_multiply_adds_are_those_of_the_layers():
    network = UNet(1, 1, depth=1, width=2, batch_norm=False)
    pixels = 8 * 8
    first, middle, reduce, decoder, last = 9 * (2 + 4), 9 * (8 + 16) / 4, 4 * 2, 9 * (8 + 4), 2
    assert multiply_adds(network, torch.rand(3, 1, 8, 8)) == 3 * pixels * (first + middle + reduce + decoder + last)


def test_the_table_of_costs(tmp_path):
    quick = ["only=[zeros,adaptive,adaptive_running,halo]", "halos=[0,32]", "tiles=1", "rounds=2", "warmup=1"]
    console = Console(quiet=True)
    (path,) = run(read_settings(Settings, settings(tmp_path, *quick)), console)
    table = read_table(path, ["ratio", "ratio_low", "seconds", "threads", "device"], "")
    # A halo costs what it does in a network trained without: `halo` has no row of its own.
    assert len(table) == 3 * 3 * 2
    counts = table.set_index(["model", "method", "halo"])["multiply_adds"]
    assert counts["unet", "zeros", 32] == pytest.approx(4 * counts["unet", "zeros", 0])
    # Weights that are kept need no fit.
    assert counts["unet", "adaptive", 0] > 1.2 * counts["unet", "adaptive_running", 0]
    assert counts["unet", "adaptive_running", 0] < 1.02 * counts["unet", "zeros", 0]
    assert (table.set_index(["model", "method", "halo"])["ratio"]["unet", "zeros", 0]) == 1
    with pytest.raises(ValueError, match="halos must hold 0, and only zeros"):
        run(read_settings(Settings, settings(tmp_path, "only=[diff]")), console)
