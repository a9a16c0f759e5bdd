"""A run that cannot begin: nothing is lost, and one sentence says why."""

import pytest
from hydra import compose, initialize_config_dir
from rich.console import Console

from experiments.paths import CONFIGS
from experiments.training.cell import cell_folder, run_cell


def composed(runs, *overrides):
    with initialize_config_dir(str(CONFIGS), version_base="1.3"):
        return compose("train", [f"runs_dir={runs}", "logger=csv", *overrides])


@pytest.mark.parametrize("force", ["no", "off", "yes", "maybe", "0", "null", "[]"])
def test_force_that_is_neither_true_nor_false_leaves_a_finished_run_alone(force, tmp_path):
    record = cell_folder(composed(tmp_path)).record
    record.parent.mkdir(parents=True)
    record.write_text('{"results": {"mse": {"whole": 1.0}}}')
    reason = run_cell(composed(tmp_path, f"force={force}"), Console(quiet=True))
    assert "force must be true or false, got" in reason
    assert [path.name for path in record.parent.iterdir()] == [record.name]


def test_all_wrong_settings_are_told_at_once_and_leave_nothing(tmp_path):
    wrong = ["seed=x", "workers=null", "optimizer.lr=x", "experiment_name=[1]", "trainer.devices=0", "+colour=red"]
    reason = run_cell(composed(tmp_path, *wrong, "threads=100000", "model.name=[1]"), Console(quiet=True))
    for override in [*wrong, "threads=", "model.name="]:
        assert override.partition("=")[0].lstrip("+") in reason
    assert "\n" not in reason
    assert not list(tmp_path.iterdir())
