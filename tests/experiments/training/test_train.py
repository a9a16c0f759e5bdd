"""train.py as a user runs it, in processes of its own."""

import json
import os
import signal
import struct
import subprocess
import sys
import time
from pathlib import Path

import pandas as pd
import pytest
import torch

HERE = Path(__file__).resolve().parent
ROOT = HERE.parents[2]
SMALL = ["batch_size=8", "threads=1", "logger=csv"]
UNET = ["model=unet", "model.options.depth=1", "model.options.width=4"]
RESNET = ["model=resnet18"]


def command(runs, *overrides):
    network = [] if any(override.startswith("model=") for override in overrides) else UNET
    flags, overrides = ([o for o in overrides if o.startswith("-") is flag] for flag in (True, False))
    program = [sys.executable, str(ROOT / "train.py"), *flags, "--config-dir", str(HERE / "configs")]
    return [*program, f"runs_dir={runs}", *SMALL, *network, *overrides]


def environment():
    paths = [str(ROOT), str(HERE), os.environ.get("PYTHONPATH", "")]
    return {**os.environ, "PYTHONPATH": os.pathsep.join(paths), "OMP_WAIT_POLICY": "passive", "OMP_NUM_THREADS": "1"}


def start(runs, *overrides):
    """A run in the background."""
    quiet = {"stdout": subprocess.DEVNULL, "stderr": subprocess.DEVNULL}
    return subprocess.Popen(command(runs, *overrides), env=environment(), cwd=runs, **quiet)


def train(runs, *overrides, check=True):
    done = subprocess.run(command(runs, *overrides), capture_output=True, text=True, env=environment(), cwd=runs)
    assert not check or done.returncode == 0, done.stdout + done.stderr
    return done


def only(runs, name):
    (path,) = Path(runs).rglob(name)
    return path


@pytest.mark.slow
def test_a_run_leaves_its_record_and_is_not_run_again(tmp_path):
    done = train(tmp_path, "data=tiny_segmentation", "trainer.max_epochs=2")
    record = json.loads(only(tmp_path, "record.json").read_text())
    assert 0 < record["results"]["mean_iou"]["whole"] <= 1
    assert str(only(tmp_path, "record.json")) in done.stdout
    history = pd.read_csv(only(tmp_path, "history.csv"))
    assert history.epoch.tolist() == [0, 1]
    assert history[["train/loss", "validation/loss", "validation/mean_iou"]].notna().all().all()
    assert "mode: diff" in only(tmp_path, "config.yaml").read_text()

    stamp = only(tmp_path, "record.json").stat().st_mtime_ns
    again = train(tmp_path, "data=tiny_segmentation", "trainer.max_epochs=2")
    assert "done already" in again.stdout
    assert only(tmp_path, "record.json").stat().st_mtime_ns == stamp
    train(tmp_path, "data=tiny_segmentation", "trainer.max_epochs=2", "force=true")
    assert only(tmp_path, "record.json").stat().st_mtime_ns != stamp
    # Other settings are another run.
    train(tmp_path, "data=tiny_segmentation", "trainer.max_epochs=1")
    assert len(list(tmp_path.rglob("record.json"))) == 2


@pytest.mark.slow
def test_killed_in_the_middle_of_an_epoch_it_ends_bit_identical(tmp_path):
    """Random padding draws noise in every step, so that a random state that is not restored shows."""
    settings = ["data=tiny_super_resolution", "data.images=400", "padding=random", "trainer.max_epochs=4"]
    whole, broken = tmp_path / "whole", tmp_path / "broken"
    whole.mkdir()
    broken.mkdir()
    train(whole, *settings)
    process = start(broken, *settings)
    deadline = time.monotonic() + 120
    while not list(broken.rglob("0001.ckpt")):
        assert time.monotonic() < deadline, "no checkpoint of epoch 1 was written"
        assert process.poll() is None, "the run ended before it could be killed"
        time.sleep(0.02)
    time.sleep(0.1)
    process.send_signal(signal.SIGKILL)
    process.wait()
    assert not list(broken.rglob("record.json"))
    assert "going on from" in train(broken, *settings).stdout

    states, records = [], []
    for folder in (whole, broken):
        checkpoint = torch.load(only(folder, "0003.ckpt"), weights_only=True)
        states.append({**checkpoint["state_dict"]})
        records.append(json.loads(only(folder, "record.json").read_text())["results"])
        assert pd.read_csv(only(folder, "history.csv")).epoch.tolist() == [0, 1, 2, 3]
    assert states[0].keys() == states[1].keys()
    for name, value in states[0].items():
        assert torch.equal(value, states[1][name]), name
    assert records[0] == records[1]
    assert only(whole, "history.csv").read_text() == only(broken, "history.csv").read_text()


@pytest.mark.slow
def test_what_does_not_fit_is_one_sentence_and_status_1(tmp_path):
    for overrides, message in [
        (["model=resnet18", "data=tiny_segmentation"], "is for classification"),
        (
            ["data=tiny_super_resolution", "+padding.degre=2"],
            "there is no setting padding.degre; there are padding.degree",
        ),
        (["data=caltech101", "model=resnet18", f"data.root={tmp_path}/missing"], "Caltech"),
        (["trainer.max_epochs=many"], "trainer.max_epochs must be an integer of at least 1, got 'many'"),
        (["padding=dif"], "train: there is no padding/dif; there are adaptive, "),
        (["modl=unet"], "train: could not override 'modl': there is no such option"),
        (["seed=[0"], "train: "),
    ]:
        done = train(tmp_path, *overrides, check=False)
        assert done.returncode == 1
        assert message in done.stderr
        assert len(done.stderr.splitlines()) == 1
        assert "Traceback" not in done.stdout + done.stderr


@pytest.mark.slow
def test_divergence_names_the_mode_and_a_way_out(tmp_path):
    done = train(tmp_path, "data=tiny_super_resolution", "optimizer=sgd", "optimizer.lr=1e30", check=False)
    assert done.returncode == 1
    assert "padding_mode='diff'" in done.stderr
    assert "lower padding.degree" in done.stderr
    assert json.loads(only(tmp_path, "failure.json").read_text())["reason"] in done.stderr


@pytest.mark.slow
def test_a_sweep_goes_on_after_a_failure_and_runs_only_what_is_missing(tmp_path):
    sweep = ["-m", "data=tiny_super_resolution", "trainer.max_epochs=1", "padding=zeros,diff"]
    failing = train(tmp_path, *sweep, "optimizer=sgd", "optimizer.lr=1e30,1e-3", check=False)
    assert failing.returncode == 1
    assert "2 of the sweep's runs failed" in failing.stderr
    assert len(list(tmp_path.rglob("record.json"))) == 2
    again = train(tmp_path, *sweep, "optimizer=sgd", "optimizer.lr=1e-3,1e-4")
    assert again.stdout.count("done already") == 2
    assert len(list(tmp_path.rglob("record.json"))) == 4


@pytest.mark.slow
def test_a_sweep_tells_every_failure_wherever_its_runs_are(tmp_path):
    """Also of settings that have no folder, and beside a failure of before."""
    runs = f"runs_dir={tmp_path / 'a'},{tmp_path / 'b'}"
    sweep = ["-m", "data=tiny_super_resolution", "trainer.max_epochs=1", runs]
    for wrong in ("batch_size=9999", "workers=-1"):
        done = train(tmp_path, *sweep, wrong, check=False)
        assert done.returncode == 1
        assert done.stderr.count("failed: ") == 2
        assert done.stderr.count(f"failed: {wrong.partition('=')[0]} must") == (2 if wrong == "workers=-1" else 0)
        assert "2 of the sweep's runs failed" in done.stderr


@pytest.mark.slow
def test_two_processes_do_not_work_on_one_run(tmp_path):
    settings = ["data=tiny_super_resolution", "data.images=2000", "trainer.max_epochs=50"]
    first = start(tmp_path, *settings)
    try:
        deadline = time.monotonic() + 120
        while not list(tmp_path.rglob("config.yaml")):
            assert time.monotonic() < deadline
            assert first.poll() is None
            time.sleep(0.05)
        second = train(tmp_path, *settings, check=False)
    finally:
        first.kill()
        first.wait()
    assert second.returncode == 1
    assert "another process works on this run" in second.stderr


@pytest.mark.slow
def test_two_processes_train_one_network(tmp_path):
    two = ["trainer.devices=2", "trainer.accelerator=cpu", "trainer.strategy=ddp"]
    train(tmp_path, "data=tiny_classification", *RESNET, *two, "trainer.max_epochs=1", "data.size=32")
    record = json.loads(only(tmp_path, "record.json").read_text())
    assert record["environment"]["devices"] == 2
    assert 0 <= record["results"]["accuracy"]["whole"] <= 1


@pytest.mark.slow
def test_offline_wandb_holds_the_numbers_of_the_csv(tmp_path):
    train(tmp_path, "data=tiny_segmentation", "trainer.max_epochs=2", "logger=wandb")
    history = pd.read_csv(only(tmp_path, "history.csv"))
    file = next(
        path for path in tmp_path.rglob("run-*.wandb") if not path.is_symlink() and "latest-run" not in str(path)
    )
    rows, summary = read_wandb(file)
    assert len(rows) >= len(history)
    for (_, expected), row in zip(history.iterrows(), (r for r in rows if "validation/loss" in r), strict=True):
        for name in history.columns:
            assert row[name] == pytest.approx(expected[name], rel=1e-12)
    record = json.loads(only(tmp_path, "record.json").read_text())
    assert summary["test/mean_iou/whole"] == pytest.approx(record["results"]["mean_iou"]["whole"])


def wandb_records(path):
    """The records of an offline file: LevelDB's log format after a header of 7 bytes, in blocks of 32 KiB."""
    data, position, parts = path.read_bytes(), 7, b""
    while position + 7 <= len(data):
        if 32768 - position % 32768 < 7:
            # No record header fits in what is left of the block.
            position += 32768 - position % 32768
            continue
        _, length, kind = struct.unpack_from("<IHB", data, position)
        parts += data[position + 7 : position + 7 + length]
        position += 7 + length
        if kind in (1, 4):  # whole, or the last part
            yield parts
            parts = b""


def read_wandb(path):
    """The history and the last summary of an offline run."""
    from wandb.proto import wandb_internal_pb2

    rows, summary = [], {}
    for data in wandb_records(path):
        record = wandb_internal_pb2.Record()
        record.ParseFromString(data)
        kind = record.WhichOneof("record_type")
        if kind == "history":
            rows.append({i.key or ".".join(i.nested_key): json.loads(i.value_json) for i in record.history.item})
        elif kind == "summary":
            summary |= {i.key or ".".join(i.nested_key): json.loads(i.value_json) for i in record.summary.update}
    return rows, summary


@pytest.mark.slow
def test_a_wandb_that_fails_does_not_stop_the_run(tmp_path):
    done = train(tmp_path, "data=tiny_segmentation", "trainer.max_epochs=1", "logger=wandb", "logger.mode=online")
    assert only(tmp_path, "record.json").exists()
    assert "W&B is given up" in done.stderr
