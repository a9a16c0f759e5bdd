import sys

import hydra
import numpy as np
import pandas as pd
import pytest
import torch

from experiments import adaptive
from experiments.adaptive_settings import read_settings
from experiments.adaptive_summary import best_degree, ratios, summary, summary_table
from experiments.adaptive_variants import VARIANTS, compared
from experiments.data.study_fields import FIELDS, KINDS, study_field
from experiments.edge_error import edge_errors
from experiments.methods import METHODS
from experiments.paths import CONFIGS

SMALL = [
    "fields=[discs,scan]",
    "~crops",
    "+crops={10:2,32:1}",
    "ablation_sizes=[32]",
    "kernel_sizes=[3]",
    "num_kernels=2",
]


def settings(*overrides):
    with hydra.initialize_config_dir(str(CONFIGS), version_base="1.3"):
        return read_settings(hydra.compose("adaptive", list(overrides)))


def table(errors):
    """A table of errors by (field, method), of one size and kernel size."""
    rows = [(field, 32, 3, method, error) for (field, method), error in errors.items()]
    return pd.DataFrame(rows, columns=["field", "size", "kernel_size", "method", "l1_error"])


# Fields


@pytest.mark.parametrize("name", FIELDS)
def test_fields_are_standardised_and_come_again(name):
    field = study_field(name)
    assert field.dtype == torch.float64
    assert min(field.shape) >= 90
    torch.testing.assert_close(field.mean().item(), 0.0, rtol=0, atol=1e-9)
    torch.testing.assert_close(field.std().item(), 1.0)
    assert torch.equal(field, study_field(name))


def test_there_are_enough_fields_of_every_kind():
    assert len(FIELDS) >= 24
    assert sum(len(fields) for fields in KINDS.values()) == len(FIELDS)
    assert all(len(fields) >= 5 for fields in KINDS.values())


def test_an_unknown_field_is_named():
    with pytest.raises(ValueError, match=r"fields must be of .*; got 'lena'"):
        study_field("lena")


# Measuring


def test_a_batch_of_one_is_measured_as_in_the_filtering_experiment():
    field = study_field("blurred_1")[:40, :42]
    kernels = torch.randn(20, 5, 5, dtype=torch.float64, generator=torch.Generator().manual_seed(0))
    methods = {name: METHODS[name] for name in ("adaptive", "replicate", "partial")}
    expected = edge_errors(field, kernels, methods)
    assert adaptive.batch_errors(field[None], kernels, methods) == pytest.approx(expected, rel=1e-12)


def test_a_batch_is_the_mean_of_its_images():
    images = torch.stack([study_field("blurred_1")[:20, :20], study_field("scan")[100:120, 100:120]])
    kernels = torch.randn(4, 3, 3, dtype=torch.float64, generator=torch.Generator().manual_seed(0))
    both = adaptive.batch_errors(images, kernels, {"adaptive": METHODS["adaptive"]})["adaptive"]
    each = [adaptive.batch_errors(i[None], kernels, {"adaptive": METHODS["adaptive"]})["adaptive"] for i in images]
    assert both == pytest.approx(np.mean(each), rel=1e-12)


def test_crops_have_a_frame_and_one_is_the_middle():
    field = torch.arange(400.0).view(20, 20)
    (middle,) = adaptive.cut(field, 8, 1, 2, torch.Generator())
    assert torch.equal(middle, field[4:16, 4:16])
    crops = adaptive.cut(field, 8, 5, 2, torch.Generator().manual_seed(0))
    assert crops.shape == (5, 12, 12)
    assert torch.equal(crops, adaptive.cut(field, 8, 5, 2, torch.Generator().manual_seed(0)))
    assert adaptive.cut(field, 20, 1, 1, torch.Generator()) is None


def test_what_is_compared():
    methods = compared(5, torch.Generator())
    assert methods.keys() == {*METHODS, *(f"degree_{d}" for d in range(5))}
    image, kernel = torch.randn(1, 1, 12, 12), torch.randn(1, 1, 5, 5)
    torch.testing.assert_close(methods["degree_4"](image, kernel), methods["diff"](image, kernel))
    torch.testing.assert_close(methods["degree_0"](image, kernel), methods["replicate"](image, kernel))
    torch.testing.assert_close(VARIANTS["default"](image, kernel), methods["adaptive"](image, kernel))


# The tables


def test_small_run_writes_its_tables(monkeypatch, tmp_path, capsys):
    monkeypatch.setattr(sys, "argv", ["adaptive", *SMALL, f"output_dir={tmp_path}"])
    adaptive.main()
    modes = pd.read_csv(tmp_path / "tables" / "adaptive.csv")
    assert len(modes) == 2 * 2 * (len(METHODS) + 3)
    assert set(modes["dtype"]) == {"float64"}
    variants = pd.read_csv(tmp_path / "tables" / "adaptive_ablation.csv")
    assert len(variants) == 2 * len(VARIANTS)
    assert set(variants["size"]) == {32}
    printed = capsys.readouterr().out
    assert "geometric mean (largest)" in printed
    assert str(tmp_path / "tables" / "adaptive_ablation.csv") in printed.splitlines()
    assert not list(tmp_path.rglob("*.partial"))


def test_ratios_are_to_the_best_degree():
    errors = table(
        {
            ("a", "adaptive"): 1.0,
            ("a", "degree_0"): 4.0,
            ("a", "degree_1"): 2.0,
            # Both are rounding, and equal.
            ("b", "adaptive"): 3e-12,
            ("b", "degree_0"): 1.0,
            ("b", "degree_1"): 1e-14,
        }
    )
    assert best_degree(errors).tolist() == [2.0, 1e-14]
    assert ratios(errors)["adaptive"].tolist() == [0.5, 1.0]
    numbers = summary(ratios(errors)).loc[32, "adaptive"]
    assert numbers.to_dict() == pytest.approx({"mean": 0.5**0.5, "largest": 1.0, "above": 0})
    assert summary_table(ratios(errors), "Modes").row_count == 1


@pytest.mark.parametrize(
    ("override", "message"),
    [
        ("fields=[lena]", "fields must be of .*; got 'lena'"),
        ("kernel_sizes=[4]", "kernel_sizes must be a list of 3, 5 and 7, got"),
        ("crops={600:1}", "crops must name sizes from 7 to 512"),
        ("crops={32:0}", "at least one crop of each size"),
        ("ablation_sizes=[31]", "ablation_sizes must be of"),
        ("num_kernels=0", "num_kernels must be an integer of at least 1, got 0"),
        ("seed=-1", "seed must be an integer of at least 0, got -1"),
    ],
)
def test_settings_are_checked(override, message):
    # Hydra would merge the sizes with those of the file.
    overrides = ["~crops", f"+{override}"] if override.startswith("crops") else [override]
    with pytest.raises(ValueError, match=message):
        settings(*overrides)
