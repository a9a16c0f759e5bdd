"""Every boundary mode trains on every task, and equal settings give equal numbers."""

import dataclasses

import lightning as L
import pytest
import torch
from hydra import compose, initialize_config_dir
from lightning.pytorch.callbacks import Callback
from tiny_data import tiny

from experiments.padding_configs import COMPARED
from experiments.paths import CONFIGS
from experiments.training.callbacks import EpochSeed
from experiments.training.loaders import Loaders
from experiments.training.run_folder import run_name
from experiments.training.train import build_task

TASKS = {"classification": "unet_classifier", "segmentation": "unet", "super_resolution": "unet"}


def settings(*overrides):
    with initialize_config_dir(str(CONFIGS), version_base="1.3"):
        small = [] if "model=resnet18" in overrides else ["model.options.depth=1", "model.options.width=2"]
        return compose("train", [*small, *overrides])


def fit(config, data, batches=2, callbacks=()):
    task = build_task(config, data)
    trainer = L.Trainer(
        accelerator="cpu",
        fast_dev_run=batches,
        max_epochs=1,
        enable_checkpointing=False,
        callbacks=[EpochSeed(config.seed), *callbacks],
        logger=False,
        enable_progress_bar=False,
        enable_model_summary=False,
        use_distributed_sampler=False,
    )
    trainer.fit(task, datamodule=Loaders(data, 8, config.seed))
    trainer.test(task, datamodule=Loaders(data, 8, config.seed), verbose=False)
    return task


@pytest.mark.filterwarnings("ignore::UserWarning")
@pytest.mark.parametrize("mode", COMPARED)
@pytest.mark.parametrize("task", TASKS)
def test_every_mode_trains_on_every_task(task, mode):
    trained = fit(settings(f"model={TASKS[task]}", f"padding={mode}"), tiny(task))
    assert all(parameter.isfinite().all() for parameter in trained.parameters())
    for metric, regions in trained.test_results.items():
        assert regions, metric
        assert all(value == value for value in regions.values()), metric
    assert trained.picture(tiny(task).test[:2]).shape[0] == 2


@pytest.mark.filterwarnings("ignore::UserWarning")
def test_torchvisions_network_reports_its_consistency():
    trained = fit(settings("model=resnet18"), tiny("classification", size=32))
    assert set(trained.test_results) == {"accuracy", "shift_consistency"}


@pytest.mark.filterwarnings("ignore::UserWarning")
def test_what_a_network_draws_changes_no_draw_outside_of_it():
    """Random padding draws noise; augmentation after it draws what it does with any other mode."""
    data, drawn = tiny("super_resolution"), {}

    class Flips(Callback):
        def on_train_batch_end(self, *_):
            drawn.setdefault(mode, []).append(torch.rand(2))

    for mode in ("zeros", "random"):
        fit(settings("model=unet", f"padding={mode}"), data, callbacks=[Flips()])
    assert len(drawn["zeros"]) == 2
    assert all(map(torch.equal, drawn["zeros"], drawn["random"]))


@pytest.mark.filterwarnings("ignore::UserWarning")
def test_the_test_is_also_measured_without_each_of_its_blocks():
    """Items come in batches of 8; the block of each is known by its place."""
    data = tiny("super_resolution")
    count = len(data.test)
    blocks = torch.arange(count) % 3
    trained = fit(settings("model=unet", "padding=zeros"), dataclasses.replace(data, test_blocks=blocks), batches=0)
    left = trained.test_results_without_each_block["mse"]["whole"]
    assert len(left) == 3
    images, targets = (torch.stack(parts) for parts in zip(*data.test, strict=True))
    trained.eval()
    with torch.no_grad():
        errors = (trained(images) - targets).square().mean((1, 2, 3))
    for block in range(3):
        assert left[block] == pytest.approx(errors[blocks != block].mean().item(), rel=1e-4)


@pytest.mark.filterwarnings("ignore::UserWarning")
def test_equal_seeds_see_the_same_images_and_end_with_the_same_weights():
    data = tiny("segmentation")
    states = [fit(settings("model=unet", "padding=random", f"seed={s}"), data).state_dict() for s in (3, 3, 4)]
    assert all(torch.equal(value, states[1][name]) for name, value in states[0].items())
    assert not all(torch.equal(value, states[2][name]) for name, value in states[0].items())


def test_the_folder_depends_on_what_decides_the_result_alone():
    first = run_name(settings("model=unet", "data=landcover", "padding=diff", "padding.degree=1"))
    assert first.parts[:3] == ("landcover", "unet", "diff-degree=1")
    assert first.name.startswith("seed0-")
    same = run_name(settings("model=unet", "data=landcover", "padding.degree=1", "logger=csv", "workers=2"))
    assert same == first
    other = run_name(settings("model=unet", "data=landcover", "padding.degree=1", "optimizer.lr=0.1"))
    assert other.parent == first.parent
    assert other != first
