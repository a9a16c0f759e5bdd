import itertools
import sys

import hydra
import numpy as np
import pandas as pd
import pytest
import torch

import diff_conv2d
from experiments.adaptive import program as adaptive
from experiments.adaptive.settings import Settings
from experiments.adaptive.summary import best_degree, field_means, ratios, summary, summary_table
from experiments.adaptive.variants import VARIANTS
from experiments.data.held_out_fields import HELD_OUT_KINDS, held_out_field
from experiments.data.study_fields import FIELDS, KINDS, study_field
from experiments.data.synthetic_fields import SIZE
from experiments.edge_error import edge_errors
from experiments.methods import METHODS, compared
from experiments.paths import CONFIGS, REPOSITORY
from experiments.settings import read_settings

# All of them together take many seconds.
pytestmark = pytest.mark.slow

SMALL = [
    "fields=[discs,scan]",
    "~crops",
    "+crops={10:2,32:1}",
    "ablation_sizes=[32]",
    "kernel_sizes=[3]",
    "num_kernels=2",
]


HELD_OUT = {name: kind for kind, members in HELD_OUT_KINDS.items() for name in members}


def settings(*overrides, name="adaptive"):
    with hydra.initialize_config_dir(str(CONFIGS), version_base="1.3"):
        return read_settings(Settings, hydra.compose(name, list(overrides)))


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


# Held-out fields


@pytest.mark.parametrize("name", HELD_OUT)
def test_held_out_fields_are_standardised_and_come_again(name):
    field = held_out_field(name)
    assert field.dtype == torch.float64
    assert min(field.shape) >= 130
    torch.testing.assert_close(field.mean().item(), 0.0, rtol=0, atol=1e-9)
    torch.testing.assert_close(field.std().item(), 1.0)
    assert torch.equal(field, held_out_field(name))


def test_held_out_fields_have_the_kinds_of_the_study_and_other_names():
    assert list(HELD_OUT_KINDS) == list(KINDS)
    assert all(len(fields) >= 8 for fields in HELD_OUT_KINDS.values())
    # Names are part of what crops and kernels are drawn from.
    assert not HELD_OUT.keys() & FIELDS.keys()
    assert len(HELD_OUT) == sum(len(fields) for fields in HELD_OUT_KINDS.values())


def test_held_out_terrain_shares_no_pixel_with_the_study_or_itself():
    corners = [
        make.args for kinds in (KINDS, HELD_OUT_KINDS) for name, make in kinds["real"].items() if "terrain" in name
    ]
    assert len(corners) == 8
    for one, other in itertools.combinations(corners, 2):
        assert max(abs(a - b) for a, b in zip(one, other, strict=True)) >= SIZE, (one, other)


def test_held_out_fields_are_other_fields():
    """No field is nearly one of the study; the snapshots are of one flow, and are compared below."""
    study = {name: study_field(name) for name in FIELDS if "navier" not in name}
    for name in (name for name in HELD_OUT if "navier" not in name):
        field = held_out_field(name)
        for known, other in study.items():
            if field.shape == other.shape:
                assert (field * other).mean().abs() < 0.9, (name, known)


def test_held_out_snapshots_are_none_of_the_study():
    for name in (name for name in HELD_OUT if "navier" in name):
        for known in (name for name in FIELDS if "navier" in name):
            assert not torch.equal(held_out_field(name), study_field(known))


# Measuring


def test_a_batch_of_one_is_measured_as_in_the_filtering_experiment():
    field = study_field("blurred_1")[:40, :42]
    kernels = torch.randn(20, 5, 5, dtype=torch.float64, generator=torch.Generator().manual_seed(0))
    methods = {name: METHODS[name] for name in ("adaptive", "replicate", "partial")}
    expected = edge_errors(field, kernels, methods)
    assert edge_errors(field[None], kernels, methods) == pytest.approx(expected, rel=1e-12)


def test_a_batch_is_the_mean_of_its_images():
    images = torch.stack([study_field("blurred_1")[:20, :20], study_field("scan")[100:120, 100:120]])
    kernels = torch.randn(4, 3, 3, dtype=torch.float64, generator=torch.Generator().manual_seed(0))
    both = edge_errors(images, kernels, {"adaptive": METHODS["adaptive"]})["adaptive"]
    each = [edge_errors(i[None], kernels, {"adaptive": METHODS["adaptive"]})["adaptive"] for i in images]
    assert both == pytest.approx(np.mean(each), rel=1e-12)


def test_crops_have_a_frame_and_one_is_the_middle():
    field = torch.arange(400.0).view(20, 20)
    (middle,) = adaptive.cut(field, adaptive.places(field, 12, 1, torch.Generator()), 12)
    assert torch.equal(middle, field[4:16, 4:16])
    corners = adaptive.places(field, 12, 5, torch.Generator().manual_seed(0))
    crops = adaptive.cut(field, corners, 12)
    assert crops.shape == (5, 12, 12)
    assert corners == adaptive.places(field, 12, 5, torch.Generator().manual_seed(0))
    assert adaptive.places(field, 22, 1, torch.Generator()) is None


def test_weights_of_others_never_see_what_is_measured(monkeypatch):
    field = torch.arange(3600.0, dtype=torch.float64).view(60, 60)
    corners, seen = [[0, 0], [30, 40]], []
    fit = diff_conv2d.fit
    monkeypatch.setattr(diff_conv2d, "fit", lambda crops, **options: seen.append(crops) or fit(crops, **options))
    convolve = adaptive.fitted_to_others(field, corners, 12, 1, 8, torch.Generator().manual_seed(0))
    measured = {value for crop in adaptive.cut(field, corners, 12) for value in crop.flatten().tolist()}
    assert seen[0].shape == (8, 1, 10, 10)
    assert not measured & set(seen[0].flatten().tolist())
    # The field is a plane, which they continue.
    image, kernel = field[20:30, 20:30][None, None], torch.ones(1, 1, 3, 3, dtype=torch.float64)
    torch.testing.assert_close(convolve(image, kernel), 9 * image)
    assert adaptive.fitted_to_others(field, [[20, 20]], 30, 1, 8, torch.Generator()) is None


def test_what_is_compared():
    methods = compared(METHODS, range(5), torch.Generator())
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


def test_small_run_on_held_out_fields_has_each_crop_by_itself(monkeypatch, tmp_path):
    overrides = ["fields=[counts]", "~crops", "+crops={10:2}", "kernel_sizes=[3]", "num_kernels=2"]
    name = "--config-name=adaptive_held_out"
    monkeypatch.setattr(sys, "argv", ["adaptive", name, *overrides, f"output_dir={tmp_path}"])
    adaptive.main()
    assert [path.name for path in (tmp_path / "tables").glob("*.csv")] == ["adaptive_held_out.csv"]
    rows = pd.read_csv(tmp_path / "tables" / "adaptive_held_out.csv")
    chosen = settings(name="adaptive_held_out")
    assert len(rows) == 2 * (len(chosen.methods) + 3)
    assert set(rows["crop"]) == {0, 1}
    assert rows.groupby("method")["l1_error"].nunique().eq(2).all()
    assert ratios(rows).index.names == ["field", "size", "crop", "kernel_size"]
    # The mean of a batch is that of its crops.
    again = [option for option in overrides if option != name] + [
        "each_crop=false",
        f"output_dir={tmp_path / 'mean'}",
    ]
    monkeypatch.setattr(sys, "argv", ["adaptive", name, *again])
    adaptive.main()
    means = pd.read_csv(tmp_path / "mean" / "tables" / "adaptive_held_out.csv").set_index("method")["l1_error"]
    expected = rows.groupby("method")["l1_error"].mean()
    pd.testing.assert_series_equal(means.sort_index(), expected.sort_index(), rtol=1e-5)


def test_the_table_of_held_out_fields_is_the_one_that_its_settings_ask_for():
    rows = pd.read_csv(REPOSITORY / "results" / "tables" / "adaptive_held_out.csv")
    chosen = settings(name="adaptive_held_out")
    assert list(dict.fromkeys(rows["field"])) == chosen.fields == list(HELD_OUT)
    assert set(rows["size"]) == set(chosen.crops)
    assert set(rows["kernel_size"]) == set(chosen.kernel_sizes)
    crops = rows.drop_duplicates(["field", "size", "crop"]).groupby("size").size()
    # Snapshots have 256 samples, lettering 130: too few for 256 and a frame.
    assert crops.to_dict() == {size: 126 if size < 256 else 111 for size in chosen.crops}


def test_a_field_is_the_geometric_mean_over_its_cells():
    index = pd.MultiIndex.from_product([["a"], [32, 64], [3]], names=["field", "size", "kernel_size"])
    assert field_means(pd.DataFrame({"adaptive": [0.5, 8.0]}, index=index))["adaptive"].to_dict() == pytest.approx(
        {"a": 2.0}
    )


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
        ("kernel_sizes=[4]", "kernel_sizes must be of 3, 5, 7; got"),
        ("crops={600:1}", "crops must name sizes from 7 to 512"),
        ("crops={32:0}", r"crops\.32 must be an integer of at least 1, got 0"),
        ("ablation_sizes=[31]", "ablation_sizes must be of"),
        ("num_kernels=0", "num_kernels must be an integer of at least 1, got 0"),
        ("seed=-1", "seed must be an integer of at least 0, got -1"),
        ("field_set=all", "field_set must be one of study, held_out; got 'all'"),
        ("fields=[forest]", "fields must be of .*; got 'forest'"),
        ("methods=[nearest]", "methods must be of .*; got 'nearest'"),
        ("each_crop=2", "each_crop must be true or false, got 2"),
        ("name=a/b", "name must be a word that can name a file, got 'a/b'"),
    ],
)
def test_settings_are_checked(override, message):
    # Hydra would merge the sizes with those of the file.
    overrides = ["~crops", f"+{override}"] if override.startswith("crops") else [override]
    with pytest.raises(ValueError, match=message):
        settings(*overrides)
