import sys

import hydra
import pandas as pd
import pytest
import torch

from experiments.edge_error import edge_errors
from experiments.edge_parts import part_errors, shell_errors
from experiments.fields import Image
from experiments.methods import METHODS
from experiments.paths import CONFIGS
from experiments.random_numbers import random_source
from experiments.settings import read_settings
from experiments.shells import program as shells
from experiments.shells.settings import Settings

SMALL = ["fields=[terrain]", "orders.terrain=[2]", "size=24", "kernel_sizes=[3,7]", "num_kernels=2", "degrees=[1]"]


def settings(*overrides):
    with hydra.initialize_config_dir(str(CONFIGS), version_base="1.3"):
        return read_settings(Settings, hydra.compose("shells", list(overrides)))


def test_shells_by_hand():
    # 8 x 8 with a frame of 2: shell 0 has 4 corners of 3 pixels, shell 1 of 1; edges of 4 pixels each.
    difference = torch.zeros(2, 8, 8)
    difference[:, 0] = 1
    difference[:, 2:6, 1] = 2
    errors = shell_errors(difference, torch.zeros(2, 8, 8), 2)
    assert errors == {
        ("edges", 0): 4 / 16, ("corners", 0): 4 / 12, ("edges", 1): 8 / 16, ("corners", 1): 0.0,
    }  # fmt: skip
    assert part_errors(difference, torch.zeros(2, 8, 8), 2) == {"edges": 12 / 32, "corners": 4 / 16}


def test_the_parts_together_are_the_frame():
    chosen, size, width, side = settings(*SMALL, "kernel_sizes=[5]"), 5, 2, 20
    samples = torch.randn(side + 4, side + 4, generator=torch.Generator().manual_seed(0), dtype=torch.float64)
    rows = [row for row in shells.measure(chosen, "terrain", Image(2, samples)) if row["method"] == "diff"]
    counts = {
        (part, s): {"edges": 4 * (side - 2 * width), "corners": 4 * (2 * (width - s) - 1)}[part]
        for part in ("edges", "corners")
        for s in range(width)
    }
    mean = sum(row["l1_error"] * counts[row["part"], row["shell"]] for row in rows) / sum(counts.values())
    source = random_source("kernels", chosen.seed, "terrain", 2, size)
    kernels = torch.randn(2, 1, 5, 5, generator=source, dtype=torch.float64)[:, 0]
    assert mean == pytest.approx(edge_errors(samples, kernels, {"diff": METHODS["diff"]})["diff"], rel=1e-12)


def test_small_run_writes_its_table(monkeypatch, tmp_path, capsys):
    monkeypatch.setattr(sys, "argv", ["shells", *SMALL, f"output_dir={tmp_path}"])
    shells.main()
    table = pd.read_csv(tmp_path / "tables" / "shells.csv")
    # One shell of 3 x 3 kernels and three of 7 x 7, edges and corners.
    assert len(table) == (1 + 3) * 2 * (len(METHODS) + 1)
    assert str(tmp_path / "tables" / "shells.csv") in capsys.readouterr().out.splitlines()


@pytest.mark.parametrize(
    ("override", "message"),
    [
        ("fields=[lena]", "fields must be of .*; got 'lena'"),
        ("~orders.terrain", "orders.terrain is missing"),
        ("kernel_sizes=[4]", "kernel_sizes must be of 3, 5, 7"),
        ("size=12", "size must be an integer of at least 13"),
    ],
)
def test_settings_are_checked(override, message):
    with pytest.raises(ValueError, match=message):
        settings(override)
