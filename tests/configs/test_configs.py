"""Every configuration composes, and every boundary mode has one."""

import re
from pathlib import Path

import pytest
from hydra import compose, initialize_config_dir
from hydra.utils import get_class, get_method

from diff_conv2d import MODES
from diff_conv2d.modes import boundary
from experiments.padding_configs import store_modes
from experiments.paths import CONFIGS

GROUPS = ("padding", "model", "data", "optimizer", "scheduler", "trainer", "logger", "experiment")
CHOICES = [(group, path.stem) for group in GROUPS for path in sorted((CONFIGS / group).glob("*.yaml"))]


store_modes()


def composed(*overrides, name="train"):
    with initialize_config_dir(str(CONFIGS), version_base="1.3"):
        return compose(name, list(overrides))


@pytest.mark.parametrize("mode", MODES)
def test_every_mode_has_a_configuration(mode):
    assert composed(f"padding={mode}").padding.mode == mode


@pytest.mark.parametrize(("group", "choice"), CHOICES, ids=["=".join(choice) for choice in CHOICES])
def test_choices_compose(group, choice):
    config = composed(f"{group}={choice}")
    if group == "experiment":
        assert config.experiment_name == choice
        return
    if group == "padding":
        options = {k: tuple(v) if isinstance(v, list) else v for k, v in dict(config.padding).items() if k != "mode"}
        boundary(config.padding.mode, **options)
    if config[group] and "_target_" in config[group]:
        find = get_method if group == "data" else get_class
        assert callable(find(config[group]._target_))


@pytest.mark.parametrize("launcher", ["basic", "joblib", "slurm"])
def test_launchers_compose(launcher):
    with initialize_config_dir(str(CONFIGS), version_base="1.3"):
        config = compose("train", [f"hydra/launcher={launcher}"], return_hydra_config=True)
    assert config.hydra.launcher._target_


def test_no_machine_path_is_written_down():
    """Folders are given relative to the repository; /tmp in a comment is an example."""
    for path in Path(CONFIGS).rglob("*.yaml"):
        values = [line.partition("#")[0] for line in path.read_text().splitlines()]
        assert not any(re.search(r":\s*/\w", line) for line in values), path


def test_the_papers_settings_are_the_papers():
    config = composed("experiment=paper_super_resolution")
    assert (config.optimizer.lr, config.batch_size, config.trainer.max_epochs) == (1e-5, 64, 20)
    assert (config.scheduler.step_size, config.scheduler.gamma) == (10, 0.1)
    assert dict(config.model.options) == {"depth": 4, "width": 64, "activation": "tanh", "batch_norm": True}
