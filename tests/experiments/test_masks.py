import sys

import hydra
import pandas as pd
import pytest
import torch
import torch.nn.functional as F

from experiments.masks import program as masks
from experiments.masks.settings import FIELDS, Settings
from experiments.paths import CONFIGS, REPOSITORY
from experiments.random_numbers import random_source
from experiments.settings import read_settings
from scripts.masks_page import END, START, markdown, ratios
from scripts.pages import filled

SMALL = ["fields=[cells,waves]", "size=40", "masks=2", "blob=3", "kernel_sizes=[3]", "num_kernels=2"]


def settings(*overrides):
    with hydra.initialize_config_dir(str(CONFIGS), version_base="1.3"):
        return read_settings(Settings, hydra.compose("masks", list(overrides)))


def test_errors_are_those_beside_the_mask():
    field = torch.randn(12, 12, generator=random_source("test"), dtype=torch.float64)
    mask = torch.ones(12, 12, dtype=torch.bool)
    mask[5, 5] = False
    kernels = torch.randn(3, 3, 3, generator=random_source("kernels"), dtype=torch.float64)
    errors = masks.mask_errors(field, kernels, mask, {"zeros": field * mask, "truth": field})
    # Eight windows whose middle is valid hold the pixel, each under another weight.
    weights = kernels.abs().sum((1, 2)) - kernels[:, 1, 1].abs()
    assert errors["zeros"] == pytest.approx((weights.mean() / 8 * field[5, 5].abs()).item(), rel=1e-12)
    assert errors["truth"] == 0


def test_masks_are_blobs_of_the_share():
    mask = masks.blobs(64, 4, 0.2, random_source("mask"))
    assert (~mask).double().mean().item() == pytest.approx(0.2, abs=1e-3)
    # Most outside pixels lie among outside pixels.
    among = F.avg_pool2d((~mask)[None].double(), 3, 1, 1)[0]
    assert among[~mask].mean() > 0.7


def test_a_field_that_is_too_small_or_level_is_left_out():
    assert masks.middle(torch.randn(10, 20), 16) is None
    assert masks.middle(torch.ones(20, 20), 16) is None
    part = masks.middle(torch.randn(20, 21), 16)
    assert part.shape == (16, 16)
    assert part.std().item() == pytest.approx(1, rel=1e-5)


def test_small_run_writes_its_table(monkeypatch, tmp_path, capsys):
    monkeypatch.setattr(sys, "argv", ["masks", *SMALL, f"output_dir={tmp_path}"])
    masks.main()
    path = tmp_path / "tables" / "masks.csv"
    table = pd.read_csv(path)
    assert len(table) == 2 * 2 * 7
    assert (table["l1_error"] > 0).all()
    assert set(table["set"]) == {"study"}
    assert str(path) in capsys.readouterr().out.splitlines()


@pytest.mark.parametrize(
    ("override", "message"),
    [
        ("fields=[lena]", "fields must be of .*; got 'lena'"),
        ("methods=[linear]", "methods must be of .*; got 'linear'"),
        ("share=1", "share must be a number of at most 0.99, got 1"),
        ("size=8", "size must be an integer of at least 16"),
    ],
)
def test_settings_are_checked(override, message):
    with pytest.raises(ValueError, match=message):
        settings(override)


TABLE = pd.read_csv(REPOSITORY / "results" / "tables" / "masks.csv")


def test_the_page_shows_the_table_that_is_kept():
    page = (REPOSITORY / "docs" / "masks.md").read_text(encoding="utf-8")
    assert filled(page, START, END, markdown(TABLE)) == page, "`make pages` brings it up to date"


def test_adaptive_is_nearly_the_best_of_every_row():
    ratio = ratios(TABLE)
    assert len(ratio) == 2 * len(set(TABLE["field"])) >= 2 * 0.9 * len(FIELDS)
    assert ratio.max() <= 1.05


@pytest.mark.parametrize(
    ("field", "of_nearest"),
    # Errors of degree 1 and 2 relative to the nearest pixel, k = 3 and 5, of a least-squares fit to 7 x 7 pixels.
    [
        ("terrain_mountains", {1: (0.064 / 0.075, 0.135 / 0.145), 2: (0.071 / 0.075, 0.296 / 0.145)}),
        ("navier_stokes_11", {1: (0.023 / 0.057, 0.049 / 0.117), 2: (0.010 / 0.057, 0.126 / 0.117)}),
        ("spherical_harmonics_50", {1: (0.043 / 0.141, 0.096 / 0.282), 2: (0.008 / 0.141, 0.121 / 0.282)}),
        ("cells", {1: (0.129 / 0.078, 0.276 / 0.190), 2: (0.166 / 0.078, 0.505 / 0.190)}),
    ],
)
def test_polynomials_err_less_than_a_least_squares_fit(field, of_nearest):
    part = TABLE[TABLE["field"] == field].pivot_table("l1_error", "kernel_size", "method")
    for degree, limits in of_nearest.items():
        ratio = part[f"degree_{degree}"] / part["nearest"]
        for size, limit in zip((3, 5), limits, strict=True):
            assert ratio[size] <= 1.1 * limit, (degree, size, ratio[size], limit)
