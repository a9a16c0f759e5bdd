"""Converted networks that are hardly trained, and fine-tuned for a step or two."""

import itertools
import json

import numpy as np
import pandas as pd
import pytest
import torch
from hydra import compose, initialize_config_dir
from hydra.utils import instantiate
from omegaconf import OmegaConf
from rich.console import Console

from diff_conv2d.modes.kept_predictors import RunningPredictors
from experiments.data.splits import Splits
from experiments.finetuning.converted_networks import calibrated, chance, converted, fine_tuned, training_batches
from experiments.finetuning.program import LAYER_COLUMNS, run
from experiments.finetuning.settings import Settings
from experiments.finetuning.summary import MOST_FREQUENT, means, sentence
from experiments.padding_configs import VARIANTS
from experiments.paths import CONFIGS
from experiments.settings import read_settings
from experiments.trained_networks import trained_weights
from experiments.training.cell import cell_folder, run_cell
from experiments.training.cells import composed, sweep_cells

COMMON = ["trainer.max_epochs=1", "trainer.limit_val_batches=1", "threads=1", "trainer.accelerator=cpu"]
QUICK = {
    "super_resolution": [
        *COMMON,
        "trainer.limit_test_batches=1",
        "model.options.depth=1",
        "model.options.width=2",
        "data.train_patches=16",
    ],
    "classification": [*COMMON, "data.train_tiles=16", "data.validation_tiles=16", "data.test_tiles=33"],
}
ONLY = {
    "super_resolution": "zeros,explicit,diff,adaptive_running,halo",
    "classification": "zeros,replicate,diff,adaptive_running",
}


def settings(sweep, runs, *overrides):
    quick = ",".join(f"'{setting}'" for setting in QUICK[sweep])
    fixed = [f"sweep={sweep}", f"runs_dir={runs}", f"settings=[{quick}]", "device=cpu", "seeds=[0]"]
    with initialize_config_dir(str(CONFIGS), version_base="1.3"):
        return compose("finetuning", [*fixed, *overrides])


@pytest.fixture(scope="module", params=list(QUICK))
def studied(request, tmp_path_factory):
    """The settings of a study, and its tables, of a network that was trained for one epoch of one batch."""
    runs = tmp_path_factory.mktemp("runs")
    config = settings(request.param, runs, f"only=[{ONLY[request.param]}]", "steps=[0,2]", "calibration_batches=2")
    (cell,) = sweep_cells(OmegaConf.merge(config, {"only": ["zeros"]}))
    assert run_cell(composed(cell), Console(quiet=True, force_terminal=False)) is None
    return config, cell, run(read_settings(Settings, config), Console(quiet=True))


@pytest.mark.slow
@pytest.mark.filterwarnings("ignore::UserWarning")
def test_a_network_that_is_neither_converted_nor_trained_further_has_the_results_of_its_record(studied):
    _, cell, (table, _) = studied
    record = json.loads(cell_folder(composed(cell)).record.read_text())["results"]
    as_trained = table[(table["method"] == "zeros") & (table["steps"] == 0)]
    assert len(as_trained) == (1 if cell.sweep == "classification" else 3)
    for row in as_trained.itertuples():
        assert row.value == pytest.approx(record[row.metric][row.region], rel=1e-6)


@pytest.mark.slow
@pytest.mark.filterwarnings("ignore::UserWarning")
def test_the_table(studied):
    _, cell, (table, _) = studied
    assert list(table.columns) == ["data", "model", "method", "seed", "steps", "metric", "region", "value"]
    # True context is no mode to convert to.
    methods = set(ONLY[cell.sweep].split(",")) - {"halo"}
    found = table[table["method"] != MOST_FREQUENT]
    assert set(found["method"]) == methods
    regions = {"whole"} if cell.sweep == "classification" else {"whole", "frame", "interior"}
    cells = set(found[["method", "steps", "region"]].itertuples(index=False, name=None))
    assert cells == set(itertools.product(methods, (0, 2), regions))
    values = means(table)
    if cell.sweep == "classification":
        data = instantiate(composed(cell).data)
        share = np.bincount([target for _, target in data.test]).max() / 33
        assert values["accuracy", "whole", MOST_FREQUENT, 0] == pytest.approx(share) == pytest.approx(chance(data))
        return
    frame = values["mse", "frame"]
    # New edge kernels are copies of the interior's, on zeros outside: zero padding, until they are trained.
    assert frame["explicit", 0] == pytest.approx(frame["zeros", 0], rel=1e-5)
    assert frame["explicit", 2] != pytest.approx(frame["zeros", 2], rel=1e-5)
    assert frame["diff", 0] != pytest.approx(frame["zeros", 0], rel=1e-3)
    assert frame["zeros", 2] != pytest.approx(frame["zeros", 0], rel=1e-5)


@pytest.mark.slow
@pytest.mark.filterwarnings("ignore::UserWarning")
def test_running_predictors_are_fitted_before_the_first_test(studied):
    config, cell, (table, layers) = studied
    assert list(layers.columns) == LAYER_COLUMNS
    assert set(layers["method"]) == {"adaptive_running"}
    of_run, data = composed(cell), instantiate(composed(cell).data)
    task = converted(of_run, data, trained_weights(cell), OmegaConf.create(VARIANTS["adaptive_running"]))
    tracked = {name for name, module in task.named_modules() if isinstance(module, RunningPredictors)}
    every = {name.removesuffix(".predictors") for name in tracked}
    # In maps of two pixels there is nothing to predict from.
    assert set(layers["layer"]) < every if cell.sweep == "classification" else set(layers["layer"]) == every
    before = {name: parameter.detach().clone() for name, parameter in task.named_parameters()}
    gains = calibrated(task, data, of_run, read_settings(Settings, config))
    assert gains == pytest.approx(layers.set_index("layer")["relative_error"].to_dict(), rel=1e-5)
    assert all(torch.equal(parameter, before[name]) for name, parameter in task.named_parameters())
    values = means(table)
    if cell.sweep == "super_resolution":
        frame = values["mse", "frame"]
        assert frame["adaptive_running", 0] != pytest.approx(frame["zeros", 0], rel=1e-6)
    assert (
        calibrated(
            converted(of_run, data, trained_weights(cell), OmegaConf.create({"mode": "zeros"})),
            data,
            of_run,
            read_settings(Settings, config),
        )
        == {}
    )


@pytest.mark.slow
@pytest.mark.filterwarnings("ignore::UserWarning")
def test_training_is_in_training_mode_tests_are_not_and_edge_kernels_are_trained(studied):
    config, cell, _ = studied
    of_run, data, weights = composed(cell), instantiate(composed(cell).data), trained_weights(cell)
    task = converted(of_run, data, weights, OmegaConf.create({"mode": "explicit"}))
    before = {name: parameter.detach().clone() for name, parameter in task.named_parameters()}
    batches = [value for name, value in task.state_dict().items() if name.endswith("num_batches_tracked")]
    tracked = [value.item() for value in batches]
    for steps, results in fine_tuned(task, data, of_run, read_settings(Settings, config)):
        assert not task.training
        assert set(results) == {"accuracy" if cell.sweep == "classification" else "mse"}
        # Every step counts one batch, and no test does.
        assert [value.item() for value in batches] == [count + steps for count in tracked]
        moved = {name for name, parameter in task.named_parameters() if not torch.equal(before[name], parameter)}
        # In a map of two pixels the interior's kernel has no part, so that not every parameter moves.
        assert {"edge_weight" in name for name in moved} == ({True, False} if steps else set())


@pytest.mark.slow
@pytest.mark.filterwarnings("ignore::UserWarning")
def test_what_does_not_fit_is_told(studied):
    config, cell, _ = studied
    target = cell.sweep.replace("_", "-")
    with pytest.raises(FileNotFoundError, match=f"reproduce-{target} METHODS=zeros SEEDS=1` trains it"):
        run(read_settings(Settings, OmegaConf.merge(config, {"seeds": [0, 1]})), Console(quiet=True))


@pytest.mark.parametrize(
    ("override", "words"),
    [
        ("steps=[20,60]", r"steps must hold 0, the network as converted, got \[20, 60\]"),
        ("steps=[0,20,20]", r"got \[0, 20, 20\]"),
        ("steps=[0,-1]", r"each of steps must be an integer of at least 0, got -1"),
        ("learning_rate_share=0", "learning_rate_share must be a number above 0, got 0"),
        ("only=[difff]", "got 'difff'"),
    ],
)
def test_settings_that_do_not_fit_are_told(override, words, tmp_path):
    with pytest.raises(ValueError, match=words):
        run(read_settings(Settings, settings("super_resolution", tmp_path, override)), Console(quiet=True))


class Flipped(torch.utils.data.TensorDataset):
    """Items with a sign drawn from torch's own generator, as flips are."""

    def __getitem__(self, index):
        image, target = super().__getitem__(index)
        return image * (1 if torch.rand(()) < 0.5 else -1), target


def splits(count):
    part = Flipped(torch.arange(1.0, count + 1).view(-1, 1, 1, 1), torch.zeros(count, dtype=torch.int64))
    return Splits("classification", part, part, part, 1, (1, 1), classes=("a", "b"))


def drawn(count, seed=0, noise=False, steps=5):
    config = OmegaConf.create({"seed": seed, "batch_size": 4, "trainer": {"max_epochs": 3}})
    found = []
    for images, _ in itertools.islice(training_batches(splits(count), config), steps):
        found.append(images.flatten())
        if noise:
            torch.rand(7)
    return torch.stack(found)


def test_batches_depend_on_the_seed_alone():
    plain = drawn(10)
    assert torch.equal(plain, drawn(10, noise=True))
    assert not torch.equal(plain, drawn(10, seed=1))
    # Two batches of four are an epoch of ten; the next epoch has another order, and other flips.
    first, second = plain[:2].flatten(), plain[2:4].flatten()
    assert len(set(first.abs().tolist())) == len(set(second.abs().tolist())) == 8
    assert not torch.equal(first.abs(), second.abs())
    assert {-1.0, 1.0} == set(first.sign().tolist()) == set(second.sign().tolist())


def test_too_few_images_for_a_batch_are_told():
    with pytest.raises(ValueError, match="batch_size must be at most 3, all training images; got 4"):
        drawn(3)


def small_table(seeds=(0, 1)):
    """Accuracy and frame error of each method before and after 60 steps."""
    known = {
        "zeros": (0.65, 0.66, 0.2, 0.19),
        "replicate": (0.4, 0.65, 0.2, 0.19),
        "adaptive": (0.38, 0.66, 0.18, 0.17),
        "diff": (0.2, 0.64, 0.21, 0.19),
        "partial": (0.18, 0.64, 0.6, 0.19),
    }
    rows = [("resnet18", MOST_FREQUENT, seed, 0, "accuracy", "whole", 0.175) for seed in seeds]
    for (method, values), seed in itertools.product(known.items(), seeds):
        shift = 0.01 * (seed - 0.5) if len(seeds) > 1 else 0
        rows += [("resnet18", method, seed, s, "accuracy", "whole", values[i] + shift) for i, s in enumerate((0, 60))]
        rows += [("unet", method, seed, s, "mse", "frame", values[2 + i]) for i, s in enumerate((0, 60))]
    return pd.DataFrame(rows, columns=["model", "method", "seed", "steps", "metric", "region", "value"])


def test_the_sentence_has_the_means_of_the_table():
    said = sentence(small_table())
    assert "has an accuracy of 0.650. Converted, and not trained further, it has 0.400 (`replicate`)" in said
    assert "0.380 (`adaptive`) and 0.200 (`diff` of degree 2)" in said
    assert "the most frequent class gives 0.175" in said
    assert "After 60 steps of fine-tuning it has 0.650, 0.660 and 0.640, and with zero padding" in said
    assert "fine-tuned alike, 0.660." in said
    assert "`adaptive` -10 %, `diff` +5 %, `partial` 3.0 times; after 60 steps -11 %, +0 % and +0 %" in said
    assert said.endswith("(Means over 2 seeds.)")
    assert sentence(small_table((0,))).endswith("(Means over one seed.)")


def test_a_table_that_lacks_a_number_or_shows_something_else_makes_no_sentence():
    table = small_table()
    with pytest.raises(ValueError, match=r"no mse \(frame\) of partial after 0 steps"):
        sentence(table[(table["method"] != "partial") | (table["metric"] != "mse")])
    with pytest.raises(ValueError, match=r"partial has mse \(frame\) after 60 steps for fewer than 2 seeds"):
        sentence(table.drop(index=table.index[-1]))
    better = table.assign(value=table["value"].mask((table["method"] == "diff") & (table["steps"] == 0), 0.9))
    with pytest.raises(ValueError, match="does not show that conversion costs accuracy"):
        sentence(better)
