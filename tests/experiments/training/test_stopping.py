"""A run that is stopped after a batch of choice."""

import signal

import pytest
import torch
from hydra import compose, initialize_config_dir
from interruptions import SETTINGS, TINY, check_same
from rich.console import Console

from experiments.paths import CONFIGS
from experiments.training import stopping
from experiments.training.callbacks import History
from experiments.training.cell import cell_folder, run_cell
from experiments.training.stopping import Stopped

EPOCHS, BATCHES = 3, 4


def settings(runs, *overrides):
    given = [*SETTINGS, f"data.images={8 * BATCHES + 3}", "trainer.accelerator=cpu", *overrides]
    with initialize_config_dir(str(CONFIGS), version_base="1.3"):
        return compose("train", [f"hydra.searchpath=[file://{TINY}/configs]", f"runs_dir={runs}", *given])


@pytest.fixture(autouse=True)
def _tiny_data(monkeypatch):
    monkeypatch.syspath_prepend(str(TINY))
    threads = torch.get_num_threads()
    yield
    torch.set_num_threads(threads)


def run(config):
    return run_cell(config, Console(quiet=True, force_terminal=False))


@pytest.mark.slow
@pytest.mark.parametrize("workers", [0, 2])
@pytest.mark.parametrize("scheduler", ["cosine", "step"])
def test_a_run_that_is_stopped_after_any_batch_ends_bit_identical(tmp_path, monkeypatch, workers, scheduler):
    options = [f"workers={workers}", f"scheduler={scheduler}"]
    assert run(settings(tmp_path / "whole", *options)) is None
    config = settings(tmp_path / "broken", *options)
    monkeypatch.setattr(stopping, "_process", stopping._Process())
    ends = History.on_train_batch_end

    def asked_after(step):
        def on_train_batch_end(self, trainer, *arguments):
            ends(self, trainer, *arguments)
            stopping._process.asked = trainer.global_step >= step

        return on_train_batch_end

    # The first two batches of an epoch, one after the other; its last one; and that of the whole run.
    for step, saved in ((1, "0000-stopped"), (2, "0000-stopped"), (4, "0000"), (7, "0001-stopped"), (12, "0002")):
        monkeypatch.setattr(History, "on_train_batch_end", asked_after(step))
        with pytest.raises(Stopped, match=f"goes on from .*/{saved}.ckpt"):
            run(config)
        stopping._process.asked = False
    assert not cell_folder(config).finished()
    monkeypatch.setattr(History, "on_train_batch_end", ends)
    assert run(config) is None
    check_same(tmp_path / "whole", tmp_path / "broken")


@pytest.mark.slow
def test_batches_whose_gradients_are_collected_are_not_torn_apart(tmp_path, monkeypatch):
    options = ["+trainer.accumulate_grad_batches=2"]
    assert run(settings(tmp_path / "whole", *options)) is None
    config = settings(tmp_path / "broken", *options)
    monkeypatch.setattr(stopping, "_process", stopping._Process(asked=True))
    with pytest.raises(Stopped, match="0000-stopped"):
        run(config)
    stopping._process.asked = False
    assert run(config) is None
    check_same(tmp_path / "whole", tmp_path / "broken")


@pytest.mark.slow
def test_a_test_that_is_stopped_is_run_again(tmp_path, monkeypatch):
    assert run(settings(tmp_path / "whole")) is None
    config = settings(tmp_path / "broken")
    monkeypatch.setattr(stopping, "_process", stopping._Process())
    monkeypatch.setattr("experiments.tasks.task.Task.on_test_start", lambda self: _ask(), raising=False)
    with pytest.raises(Stopped, match=r"goes on from .*/0002\.ckpt"):
        run(config)
    stopping._process.asked = False
    monkeypatch.undo()
    monkeypatch.syspath_prepend(str(TINY))
    assert run(config) is None
    check_same(tmp_path / "whole", tmp_path / "broken")


def _ask():
    stopping._process.asked = True


def test_lightning_does_not_keep_the_handler(tmp_path, monkeypatch):
    before = signal.getsignal(signal.SIGTERM)
    seen = []
    monkeypatch.setattr(stopping, "_process", stopping._Process())
    monkeypatch.setattr(History, "on_train_batch_end", lambda self, *_: seen.append(signal.getsignal(signal.SIGTERM)))
    try:
        stopping.listen()
        run(settings(tmp_path, "trainer.max_epochs=1"))
        seen.append(signal.getsignal(signal.SIGTERM))
    finally:
        signal.signal(signal.SIGTERM, before)
    assert set(seen) == {stopping._end}
