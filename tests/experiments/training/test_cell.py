"""What becomes of a run, where the training itself does not matter."""

import errno
import os
import signal
import subprocess
import sys

import lightning
import pytest
from hydra import compose, initialize_config_dir
from lightning.pytorch.utilities.exceptions import SIGTERMException
from rich.console import Console

from experiments.paths import CONFIGS, REPOSITORY
from experiments.training import stopping
from experiments.training import train as module
from experiments.training.callbacks import History
from experiments.training.cell import cell_folder, run_cell
from experiments.training.run_folder import RunFolder, is_first_process
from experiments.training.stopping import Stopped

RECORD = {"results": {"mse": {"whole": 1.0}}}
TINY = REPOSITORY / "tests" / "experiments" / "training" / "configs"


def settings(runs, *overrides):
    small = ["data=tiny_super_resolution", "model=unet", "model.options.depth=1", "model.options.width=2"]
    small += ["batch_size=8", "logger=csv", "trainer.max_epochs=1", "trainer.accelerator=cpu"]
    with initialize_config_dir(str(CONFIGS), version_base="1.3"):
        return compose("train", [f"hydra.searchpath=[file://{TINY}]", f"runs_dir={runs}", *small, *overrides])


def succeed(config, folder, console):
    folder.write_json(folder.record, RECORD)
    return RECORD


def failing(error):
    def fail(config, folder, console):
        raise error

    return fail


def run(config):
    return run_cell(config, Console(quiet=True))


@pytest.mark.parametrize("record", ["", '{"results": {"mse"', "[]", "null", "{}", '{"results": {}}', "\x00" * 40])
def test_a_record_that_is_not_whole_does_not_count_as_done(tmp_path, monkeypatch, record):
    config = settings(tmp_path)
    folder = cell_folder(config)
    folder.path.mkdir(parents=True)
    folder.record.write_text(record)
    assert folder.finished() is None
    monkeypatch.setattr(module, "train", succeed)
    assert run(config) is None
    assert folder.finished() == RECORD
    # And what is done is not done again.
    monkeypatch.setattr(module, "train", failing(ValueError("again")))
    assert run(config) is None


def test_a_failure_does_not_stay_beside_a_run_that_succeeds(tmp_path, monkeypatch):
    config = settings(tmp_path)
    folder = cell_folder(config)
    monkeypatch.setattr(module, "train", failing(ValueError("no")))
    assert run(config).endswith("no")
    assert folder.failure.exists()
    monkeypatch.setattr(module, "train", succeed)
    run(config)
    assert not folder.failure.exists()
    # A failure that an older program has left beside a record.
    folder.failure.write_text("{}")
    run(config)
    assert not folder.failure.exists()


def test_a_second_process_leaves_no_failure_beside_a_run_that_succeeds(tmp_path, monkeypatch):
    config = settings(tmp_path)
    folder = cell_folder(config)

    def meanwhile(config, folder, console):
        # Another lock than that of this call, as in another process.
        assert "another process works on this run" in run(config)
        return succeed(config, folder, console)

    monkeypatch.setattr(module, "train", meanwhile)
    assert run(config) is None
    assert folder.finished()
    assert not folder.failure.exists()


def test_a_folder_that_cannot_be_made_is_one_sentence(tmp_path):
    (tmp_path / "file").touch()
    reason = run(settings(tmp_path / "file"))
    assert reason.endswith("Not a directory")
    assert str(tmp_path / "file") in reason
    assert len(reason.splitlines()) == 1


def test_a_full_disk_is_one_sentence_even_if_it_cannot_be_kept(tmp_path, monkeypatch):
    config = settings(tmp_path)
    folder = cell_folder(config)
    monkeypatch.setattr(module, "train", failing(OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))))
    monkeypatch.setattr(type(folder), "write_json", failing(OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))))
    assert run(config) == f"tiny unet diff seed 0: {folder.path}: No space left on device"


def test_what_a_killed_process_left_half_written_is_removed(tmp_path, monkeypatch):
    config = settings(tmp_path)
    folder = cell_folder(config)
    folder.checkpoints.mkdir(parents=True)
    left = [folder.path / ".record.json.7.partial", folder.checkpoints / ".0001.ckpt.7.partial"]
    for path in left:
        path.touch()
    monkeypatch.setattr(module, "train", succeed)
    run(config)
    assert not any(path.exists() for path in left)


@pytest.mark.parametrize(
    "error", [Stopped("stopped"), SIGTERMException(), RuntimeError("DataLoader worker is killed")]
)
def test_a_run_that_is_stopped_tells_what_it_goes_on_from(tmp_path, monkeypatch, error):
    config = settings(tmp_path)
    folder = cell_folder(config)
    monkeypatch.setattr(stopping._process, "asked", True)
    monkeypatch.setattr(module, "train", failing(error))
    with pytest.raises(
        Stopped, match="stopped by SIGTERM; there is no checkpoint yet, and the same command"
    ) as stopped:
        run(config)
    assert stopped.value.code == 143
    folder.checkpoints.mkdir()
    (folder.checkpoints / "0003-stopped.ckpt").touch()
    with pytest.raises(Stopped, match=r"the same command goes on from .*0003-stopped\.ckpt"):
        run(config)
    assert not folder.failure.exists()
    monkeypatch.setattr(module, "train", succeed)
    with pytest.raises(Stopped, match=r"it is done, see .*record\.json"):
        run(config)


@pytest.mark.parametrize("images", [1, 7])
def test_fewer_images_than_a_batch_are_refused_before_training(tmp_path, monkeypatch, images):
    monkeypatch.syspath_prepend(str(TINY.parent))
    config = settings(tmp_path, f"data.images={images}")
    assert run(config) == (
        f"tiny unet diff seed 0: batch_size must be at most {images}, the images that data=tiny has to train on: no "
        "batch is made of fewer; got 8"
    )
    assert not cell_folder(config).record.exists()


def test_a_run_without_a_step_is_not_recorded(tmp_path, monkeypatch):
    monkeypatch.syspath_prepend(str(TINY.parent))
    monkeypatch.setattr(lightning.Trainer, "fit", lambda *_, **__: None)
    config = settings(tmp_path)
    assert "nothing was trained" in run(config)
    assert not cell_folder(config).record.exists()


def test_a_run_without_all_its_epochs_is_not_recorded(tmp_path, monkeypatch):
    monkeypatch.syspath_prepend(str(TINY.parent))

    def stop(self, trainer, *_):
        trainer.should_stop = True

    monkeypatch.setattr(History, "on_train_epoch_end", stop)
    config = settings(tmp_path, "trainer.max_epochs=3")
    assert "only 1 of 3 epochs were trained" in run(config)
    assert not cell_folder(config).record.exists()


@pytest.mark.parametrize("name", ["max_steps=1", "max_time={seconds: 3}", "fast_dev_run=true", "overfit_batches=1"])
def test_what_would_end_a_run_before_its_epochs_is_no_setting(name, tmp_path):
    assert f"there is no setting trainer.{name.partition('=')[0]}" in run(settings(tmp_path, f"+trainer.{name}"))
    assert not list(tmp_path.iterdir())


def test_a_finished_run_is_found_by_the_experiment_that_asks_last(tmp_path):
    folder = cell_folder(settings(tmp_path))
    folder.path.mkdir(parents=True)
    folder.write_json(folder.record, RECORD)
    for name in ("one", "other"):
        assert run(settings(tmp_path, f"experiment_name={name}")) is None
        assert f"experiment_name: {name}" in (folder.path / "config.yaml").read_text()


@pytest.mark.parametrize("results", [5, {}, {"mse": {}}, {"mse": 5}, {"mse": {"whole": float("nan")}}])
def test_a_record_of_another_kind_is_none(results, tmp_path):
    folder = RunFolder(tmp_path)
    folder.write_json(folder.record, {"results": results})
    assert folder.finished() is None


def test_force_keeps_a_finished_run_until_there_is_something_to_train(tmp_path, monkeypatch):
    config = settings(tmp_path, "force=true")
    folder = cell_folder(config)
    folder.path.mkdir(parents=True)
    folder.write_json(folder.record, RECORD)

    def damaged(_):
        raise ValueError("the data is damaged")

    monkeypatch.setattr(module, "load_data", damaged)
    assert "the data is damaged" in run(config)
    assert folder.finished() == RECORD


@pytest.mark.parametrize(("name", "value", "why"), [("RANK", "x", "whole number"), ("LOCAL_RANK", "1", "WORLD_SIZE")])
def test_what_is_left_of_another_distributed_run_is_told(name, value, why, monkeypatch):
    for other in ("WORLD_SIZE", "RANK", "LOCAL_RANK"):
        monkeypatch.delenv(other, raising=False)
    monkeypatch.setenv(name, value)
    with pytest.raises(ValueError, match=f"environment variable {name} .*{why}"):
        is_first_process()


SCRIPT = """
import multiprocessing, sys, time
from experiments.training.stopping import asked, deferred, listen, telling

def child(ready):
    listen()
    with deferred():
        ready.set()
        while not asked():
            time.sleep(0.01)
    print("child is done", flush=True)
    sys.exit(0)

if __name__ == "__main__":
    listen("program")
    context = multiprocessing.get_context("fork")
    started = context.Event()
    process = context.Process(target=child, args=(started,))
    process.start()
    started.wait()
    with telling(lambda: "the end"):
        print("ready", flush=True)
        time.sleep(60)
"""


def test_sigterm_ends_a_program_after_the_processes_that_it_has_started():
    process = subprocess.Popen(
        [sys.executable, "-c", SCRIPT],
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        env={**os.environ, "PYTHONPATH": str(REPOSITORY)},
    )
    assert process.stdout.readline() == "ready\n"
    process.send_signal(signal.SIGTERM)
    out, err = process.communicate(timeout=60)
    assert (process.returncode, out, err) == (143, "child is done\n", "program: the end\n")
