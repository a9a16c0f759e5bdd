import itertools
import json
import sys

import numpy as np
import pandas as pd
import pytest
from omegaconf import OmegaConf
from run_records import flat_results, write_run
from scipy import stats

from experiments.manifest import FOLDER, read_manifest
from experiments.training.cells import composed, sweep_cells
from scripts import collect
from scripts.intervals import estimate
from scripts.manifests import configured_runs, sweep_config
from scripts.summary import differences, summarise
from scripts.sweeps import METRICS, SWEEPS

METHODS, SEEDS = ("zeros", "diff", "halo"), (0, 1, 2)
# Level of each method, and what a seed adds to all of them: pairing takes it out.
# The third of a millionth is beyond the digits of the first table: the second must not know it.
LEVELS = {"zeros": 1.0, "diff": 0.7 + 1e-6 / 3, "halo": 0.4}


def level(method, seed):
    return LEVELS[method] + 10 * seed + 0.01 * seed * (method == "diff")


def write_sweep(runs, experiment="globe", methods=METHODS, seeds=SEEDS, settings=None):
    return {
        (m, s): write_run(runs, experiment, m, s, flat_results(experiment, level(m, s)), settings)
        for m in methods
        for s in seeds
    }


def run(monkeypatch, runs, tables, *arguments, experiment="super_resolution", cells=None):
    cells = ("--methods", ",".join(METHODS), "--seeds", "0,1,2") if cells is None else cells
    places = ("--runs", str(runs), "--tables", str(tables))
    monkeypatch.setattr(sys, "argv", ["collect", experiment, *cells, *places, *arguments])
    collect.main()


def refused(monkeypatch, capsys, *arguments, **options):
    with pytest.raises(SystemExit) as stopped:
        run(monkeypatch, *arguments, **options)
    return str(stopped.value)


@pytest.fixture
def places(tmp_path):
    return tmp_path / "runs", tmp_path / "tables"


def test_a_row_per_run_metric_and_region_and_known_means_and_differences(places, monkeypatch, capsys):
    runs, tables = places
    write_sweep(runs)
    run(monkeypatch, runs, tables)
    assert capsys.readouterr().out.splitlines() == [
        str(tables / "super_resolution_runs.csv"),
        str(tables / "super_resolution.csv"),
    ]
    rows = pd.read_csv(tables / "super_resolution_runs.csv")
    assert list(rows) == ["data", "model", "method", "seed", "metric", "region", "value"]
    assert len(rows) == 3 * 3 * 2 * 17
    assert set(rows["data"]) == {"globe"}
    frame = rows[(rows["metric"] == "mse") & (rows["region"] == "frame")].set_index(["method", "seed"])["value"]
    for (method, seed), value in frame.items():
        assert value == pytest.approx(level(method, seed), rel=1e-6)

    table = pd.read_csv(tables / "super_resolution.csv").set_index(["metric", "region", "method"])
    assert set(table["seeds"]) == {3}
    diff = table.loc[("mse", "frame", "diff")]
    assert diff["mean"] == pytest.approx(10.71, rel=1e-6)
    # The level of a seed, 0 to 20, is in the interval of the mean, but not in that of the difference. t(2) = 4.303.
    reach = 4.302653 / 3**0.5
    assert (diff["low"], diff["high"]) == pytest.approx((10.71 - 10.01 * reach, 10.71 + 10.01 * reach), rel=1e-5)
    assert diff["difference"] == pytest.approx(-0.29, rel=1e-5)
    expected = -0.29 - 0.01 * reach, -0.29 + 0.01 * reach
    assert (diff["difference_low"], diff["difference_high"]) == pytest.approx(expected, rel=1e-5)
    assert diff["p"] == pytest.approx(stats.ttest_1samp([-0.3, -0.29, -0.28], 0).pvalue, rel=1e-3)
    assert diff["blocks"] == 0
    assert table.loc[("mse", "frame", "zeros"), ["difference", "difference_low", "difference_high"]].isna().all()
    # The interior has a tenth of the frame's error in every run.
    assert table.loc[("mse", "frame/interior", "diff"), "mean"] == pytest.approx(10, rel=1e-5)
    assert ("psnr", "frame/interior", "diff") not in table.index


def test_the_second_table_comes_from_the_first_to_the_digit(places, monkeypatch):
    runs, tables = places
    write_sweep(runs)
    run(monkeypatch, runs, tables)
    whole = (tables / "super_resolution.csv").read_bytes()
    (tables / "super_resolution.csv").unlink()
    run(monkeypatch, runs / "nowhere", tables, "--from-runs-csv", cells=())
    assert (tables / "super_resolution.csv").read_bytes() == whole


def test_blocks_of_the_test_set_widen_the_interval(places, monkeypatch):
    """Every run errs more by one in one block of four: what the mean would be without it is known."""
    runs, tables = places
    for method, s in itertools.product(METHODS, SEEDS):
        value, extra = level(method, s), 4.0 * (method == "diff")
        # Four equal blocks: without the first, its surplus is gone; without another, the mean is higher.
        without = {"mse": {"frame": [value - extra / 4, *[value + extra / 12] * 3]}}
        write_run(runs, "globe", method, s, flat_results("globe", value), without=without)
    run(monkeypatch, runs, tables)
    blocks = pd.read_csv(tables / "super_resolution_blocks.csv")
    assert len(blocks) == 3 * 3 * 4
    table = pd.read_csv(tables / "super_resolution.csv").set_index(["metric", "region", "method"])
    frame, interior = table.loc[("mse", "frame", "diff")], table.loc[("mse", "interior", "diff")]
    assert (frame["blocks"], interior["blocks"]) == (4, 0)
    # Pseudo-values of the blocks: 4, 0, 0, 0 above what is without them; their mean has a standard error of 1.
    assert frame["difference_high"] - frame["difference"] > 2 > interior["difference_high"] - interior["difference"]
    run(monkeypatch, runs / "nowhere", tables, "--from-runs-csv", cells=())
    assert pd.read_csv(tables / "super_resolution.csv").set_index(["metric", "region", "method"]).equals(table)


def test_runs_with_and_without_blocks_are_not_mixed(places, monkeypatch, capsys):
    runs, tables = places
    write_sweep(runs)
    without = {"mse": {"frame": [1.0, 2.0]}}
    write_run(runs, "globe", "diff", 1, flat_results("globe", level("diff", 1)), without=without)
    assert "has no results without each block" in refused(monkeypatch, capsys, runs, tables)


def test_one_seed_has_no_interval(places, monkeypatch):
    runs, tables = places
    write_sweep(runs, seeds=(1,))
    run(monkeypatch, runs, tables, cells=("--methods", "zeros,diff", "--seeds", "1"))
    table = pd.read_csv(tables / "super_resolution.csv")
    assert table[["low", "high", "difference_low", "difference_high"]].isna().all(axis=None)
    assert table.loc[table["method"] == "diff", "difference"].notna().all()


def test_a_missing_cell_names_the_command(places, monkeypatch, capsys):
    runs, tables = places
    folders = write_sweep(runs)
    folders["diff", 1].record.unlink()
    told = refused(monkeypatch, capsys, runs, tables)
    assert "1 of 9 runs are missing, the first one unet diff seed 1" in told
    assert "python train.py experiment=globe model.options.batch_norm=true padding=diff seed=1" in told
    assert not tables.exists()


def test_commands_are_as_few_as_will_do_and_a_failure_gives_its_reason(places, monkeypatch, capsys):
    runs, tables = places
    write_run(runs, "landcover", "zeros", 0, flat_results("landcover", 1.0))
    write_run(runs, "landcover", "diff", 1, None, failure="the loss is nan")
    cells = ("--methods", "zeros,replicate,diff", "--seeds", "0,1")
    told = refused(monkeypatch, capsys, runs, tables, experiment="segmentation", cells=cells)
    assert "python train.py experiment=landcover model.options.batch_norm=true padding=zeros seed=1\n" in told
    assert "-m experiment=landcover model.options.batch_norm=true padding=replicate,diff seed=0,1\n" in told
    assert told.endswith("unet diff seed 1 has failed: the loss is nan") or "diff seed 1 has failed" in told


def test_the_control_is_a_command_of_its_own(places, monkeypatch, capsys):
    told = refused(monkeypatch, capsys, *places)
    assert "-m experiment=globe model.options.batch_norm=true padding=zeros,diff seed=0,1,2\n" in told
    assert "-m experiment=globe model.options.batch_norm=true padding=zeros seed=0,1,2 data.halo=32" in told


def test_runs_with_other_settings_are_not_mixed_in(places, monkeypatch, capsys):
    runs, tables = places
    write_sweep(runs)
    write_sweep(runs, methods=("diff",), seeds=(2,), settings={"trainer.max_epochs": 1})
    told = refused(monkeypatch, capsys, runs, tables)
    assert "differ in trainer.max_epochs" in told
    assert "--where trainer.max_epochs=5" in told
    run(monkeypatch, runs, tables, "--where", "trainer.max_epochs=5")
    # Alone, the other setting lacks cells, and the command carries it.
    told = refused(monkeypatch, capsys, runs, tables, "--where", "trainer.max_epochs=1")
    assert "8 of 9" in told
    assert "trainer.max_epochs=1 padding=diff seed=0,1" in told


def test_options_of_one_mode_are_not_mixed(places, monkeypatch, capsys):
    runs, tables = places
    write_sweep(runs)
    write_sweep(runs, methods=("diff",), settings={"padding.degree": 1})
    told = refused(monkeypatch, capsys, runs, tables)
    assert "runs of diff that differ in padding.degree" in told
    run(monkeypatch, runs, tables, "--where", "diff:padding.degree=2")


def test_two_folders_of_one_cell(places, monkeypatch, capsys):
    runs, tables = places
    folders = write_sweep(runs)
    copy = folders["zeros", 0].path
    copy.with_name("copy").mkdir()
    for file in copy.glob("*.*"):
        (copy.with_name("copy") / file.name).write_bytes(file.read_bytes())
    told = refused(monkeypatch, capsys, runs, tables)
    assert "2 runs of unet zeros seed 0" in told
    assert str(copy) in told


def test_a_value_that_is_no_number_is_named(places, monkeypatch, capsys):
    runs, tables = places
    write_sweep(runs)
    bad = flat_results("globe", 1.0)
    bad["mse"]["corners"] = float("nan")
    folder = write_run(runs, "globe", "diff", 2, bad)
    told = refused(monkeypatch, capsys, runs, tables)
    assert f"mse of corners is nan in {folder.record}" in told


def test_a_record_without_a_region_of_the_others(places, monkeypatch, capsys):
    runs, tables = places
    write_sweep(runs)
    old = flat_results("globe", 1.0)
    del old["mse"]["crop1"]
    folder = write_run(runs, "globe", "zeros", 0, old)
    assert f"{folder.record} has no mse of crop1" in refused(monkeypatch, capsys, runs, tables)


def test_a_record_that_is_cut_off(places, monkeypatch, capsys):
    runs, tables = places
    write_sweep(runs)["zeros", 1].record.write_text('{"results": ')
    assert "record.json cannot be read" in refused(monkeypatch, capsys, runs, tables)


def test_models_of_the_normalization_experiment_are_kept_apart(places, monkeypatch):
    runs, tables = places
    write_sweep(runs, methods=("zeros", "diff"))
    write_sweep(runs, methods=("zeros", "diff"), settings={"model.options.batch_norm": False})
    run(monkeypatch, runs, tables, experiment="normalization", cells=("--methods", "zeros,diff", "--seeds", "0,1,2"))
    table = pd.read_csv(tables / "normalization.csv")
    assert table.groupby("model").size().to_dict() == {"unet": 70, "unet_no_norm": 70}
    # The super-resolution table has those with normalisation alone.
    run(monkeypatch, runs, tables, cells=("--methods", "zeros,diff", "--seeds", "0,1,2"))
    assert set(pd.read_csv(tables / "super_resolution.csv")["model"]) == {"unet"}


def test_a_network_with_groupnorm_is_taken_for_no_other(places, monkeypatch, capsys):
    """It has no BatchNorm either, as the network without normalisation."""
    runs, tables = places
    zeros = {"methods": ("zeros",)}
    group_norm = {"model.options.batch_norm": False, "model.options.group_norm": 4}
    write_sweep(runs, **zeros, settings=group_norm)
    cells = ("--methods", "zeros", "--seeds", "0,1,2")
    told = refused(monkeypatch, capsys, runs, tables, experiment="frontier_globe", cells=cells)
    assert "6 of 9 runs are missing, the first one unet zeros seed 0" in told
    write_sweep(runs, **zeros, settings={"model.options.batch_norm": False})
    write_sweep(runs, **zeros)
    run(monkeypatch, runs, tables, experiment="normalization", cells=cells)
    run(monkeypatch, runs, tables, experiment="frontier_globe", cells=cells)
    assert set(pd.read_csv(tables / "frontier_globe.csv")["model"]) == {"unet", "unet_group_norm", "unet_no_norm"}
    told = refused(monkeypatch, capsys, runs, tables, experiment="frontier_globe", cells=("--methods", "zeros,diff"))
    assert "experiment=globe model.options.batch_norm=false +model.options.group_norm=4 padding=diff" in told


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (("--methods", "diff"), "methods must hold zeros"),
        (("--methods", "zeros,mirror"), "methods must be of zeros, .* got 'mirror'"),
        (("--methods", "zeros,zeros"), "methods must differ; got zeros twice"),
        (("--seeds", "0,one"), "seeds must be whole numbers"),
        (("--seeds", "0,0"), "seeds must differ"),
        (("--where", "epochs"), "where must be SETTING=VALUE"),
        (("--from-runs-csv",), "no table .*super_resolution_runs.csv; `python -m scripts.collect super_resolution`"),
    ],
)
def test_a_slip_is_told_in_one_sentence(arguments, message, places, monkeypatch):
    with pytest.raises(SystemExit, match=message):
        run(monkeypatch, *places, *arguments, cells=())


def test_an_unknown_experiment(places, monkeypatch):
    with pytest.raises(SystemExit, match=r"experiment must be one of classification, .* at scale paper; got 'normal"):
        run(monkeypatch, *places, "--scale", "paper", experiment="normalization", cells=())


@pytest.mark.parametrize("name", SWEEPS)
def test_what_is_collected_is_what_is_run(name):
    """Of each run the table has the method, the model and the experiment's name."""
    sweep = SWEEPS[name]
    cells = sweep_cells(sweep_config(name, [0]))
    assert {(cell.method, cell.variant) for cell in cells} == {
        (method, model) for method in sweep.methods for model in sweep.models or [""]
    }
    for cell in (cells[0], cells[-1]):
        config = composed(cell)
        assert config.experiment_name == sweep.config
        assert config.data.get("halo", 0) == (sweep.halo if cell.method == "halo" else 0)
        for setting, value in sweep.models.get(cell.variant, {}).items():
            assert OmegaConf.select(config, setting) == value
    assert set(sweep.metrics) <= set(METRICS)
    assert sweep.primary is None or sweep.primary.metric in sweep.metrics


def rows(values):
    columns = ["data", "model", "method", "seed", "metric", "region", "value"]
    return pd.DataFrame([("d", "m", m, s, "mse", "whole", v) for (m, s), v in values.items()], columns=columns)


def test_differences_are_between_runs_of_one_seed_in_any_order():
    values = {
        ("zeros", 0): 1.0,
        ("zeros", 1): 5.0,
        ("zeros", 2): 9.0,
        ("diff", 2): 8.5,
        ("diff", 0): 0.9,
        ("diff", 1): 4.0,
    }
    table = summarise(rows(values)).set_index("method")
    expected = estimate(np.array([-0.5, -0.1, -1.0]))[1:3]
    assert table.loc["diff", "difference"] == pytest.approx(-1.6 / 3)
    assert tuple(table.loc["diff", ["difference_low", "difference_high"]]) == pytest.approx(expected)


def test_methods_are_compared_on_the_seeds_that_both_have():
    """Zeros is better with the seeds 3 and 4, which adaptive shares: the difference of diff must not see that."""
    values = {("zeros", s): 1.0 if s < 3 else 0.2 for s in range(5)}
    values |= {("adaptive", s): 0.9 if s < 3 else 0.1 + 0.01 * s for s in range(5)}
    values |= {("diff", s): 0.8 + 0.02 * s for s in range(3)}
    values["diff", 9] = 100.0
    table = summarise(rows(values)).set_index("method")
    assert table["seeds"].to_dict() == {"zeros": 5, "adaptive": 5, "diff": 3}
    expected = estimate(np.array([-0.2, -0.18, -0.16]))
    columns = ["difference", "difference_low", "difference_high", "p"]
    assert tuple(table.loc["diff", columns]) == pytest.approx(expected)
    assert table.loc["diff", "mean"] == pytest.approx(0.82)
    assert table.loc["zeros", "mean"] == pytest.approx(0.68)
    # In per cent of zeros on the three seeds, which is 1, and not on all five.
    assert differences(table.reset_index(), "mse", "whole").loc["diff", "centre"] == pytest.approx(-18)


def test_some_methods_with_more_seeds_than_others(places, monkeypatch):
    runs, tables = places
    write_sweep(runs)
    write_sweep(runs, methods=("zeros", "diff"), seeds=(3, 4, 5))
    run(monkeypatch, runs, tables, "--more-seeds", "zeros,diff=3,4", "--more-seeds", "zeros=5")
    table = pd.read_csv(tables / "super_resolution.csv").set_index(["metric", "region", "method"])
    assert table.xs(("mse", "frame"), level=(0, 1))["seeds"].to_dict() == {"zeros": 6, "diff": 5, "halo": 3}
    assert table.loc[("mse", "frame", "halo"), "difference"] == pytest.approx(-0.6)
    alone = summarise(pd.read_csv(tables / "super_resolution_runs.csv").query("seed < 3"))
    alone = alone.set_index(["metric", "region", "method"]).loc[("mse", "frame", "halo")]
    pd.testing.assert_series_equal(table.loc[("mse", "frame", "halo")], alone, check_dtype=False, rtol=1e-6)


def test_the_manifest_names_further_seeds(places):
    runs, tables = places
    made = {"sources": {"a.py": "1"}, "torch": "2", "machine": "m", "date": "d"}
    for method, seeds in {"zeros": (0, 1, 2), "diff": (0, 1, 2), "halo": (0,)}.items():
        for s in seeds:
            record = write_run(runs, "globe", method, s, flat_results("globe", 1.0 + s)).record
            record.write_text(json.dumps(json.loads(record.read_text()) | {"made_from": made}))
    more = {"zeros": [1, 2], "diff": [1, 2]}
    collect.collect("super_resolution", runs, tables, list(METHODS), [0], {}, more)
    settings = read_manifest(tables / FOLDER / "super_resolution.json")["settings"]
    assert (settings["seeds"], settings["more_seeds"]) == ([0], more)
    asked = configured_runs("super_resolution", [0], {"diff": [1, 2]})
    assert asked - configured_runs("super_resolution", [0]) == {
        name for name in configured_runs("super_resolution", [1, 2]) if "/diff-" in name
    }


def test_runs_differ_by_sources_that_decide_numbers_alone(places):
    runs, tables = places
    for method in METHODS:
        for s in (0, 1, 2):
            # As when a version was given while a sweep ran; and one run of other code.
            sources = {
                "diff_conv2d/__init__.py": str(s),
                "diff_conv2d/modes/base.py": "1" if (method, s) != ("diff", 2) else "2",
            }
            made = {"sources": sources, "torch": "2", "machine": "m", "date": "d"}
            record = write_run(runs, "globe", method, s, flat_results("globe", 1.0 + s)).record
            record.write_text(json.dumps(json.loads(record.read_text()) | {"made_from": made}))
    collect.collect("super_resolution", runs, tables, list(METHODS), [0, 1, 2], {})
    assert read_manifest(tables / FOLDER / "super_resolution.json")["other_sources"] == 1


@pytest.mark.parametrize(
    ("more", "message"),
    [
        ("adaptive=3", "more_seeds must be of the methods zeros, diff, halo; got 'adaptive'"),
        ("zeros=2", "more_seeds of zeros must differ from one another and from seeds; got 2"),
        ("diff=3", "more_seeds of diff must be seeds of zeros, too, with which it is compared; got 3"),
        ("zeros", "more_seeds must be METHODS=SEEDS"),
        ("zeros=a", "seeds must be whole numbers"),
    ],
)
def test_further_seeds_that_do_not_fit(more, message, places, monkeypatch):
    write_sweep(places[0])
    with pytest.raises(SystemExit, match=message):
        run(monkeypatch, *places, "--more-seeds", more)


def test_a_run_without_partner_a_row_twice_and_a_value_that_is_none():
    values = {("zeros", 0): 1.0, ("diff", 1): 2.0, ("diff", 2): 3.0}
    with pytest.raises(ValueError, match="diff, mse of whole: seeds 1, 2, but zeros has 0"):
        summarise(rows(values))
    with pytest.raises(ValueError, match="holds twice"):
        summarise(pd.concat([rows({("zeros", 0): 1.0})] * 2, ignore_index=True))
    with pytest.raises(ValueError, match="no finite value"):
        summarise(rows({("zeros", 0): np.inf}))
