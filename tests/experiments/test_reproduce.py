"""A sweep as a user runs it, with tiny data."""

import os
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[2]
TINY = ROOT / "tests" / "experiments" / "training"


def reproduce(runs, *overrides, lr="1e-3", setting="batch_size=8"):
    small = [
        "data=tiny_super_resolution",
        "model.options.depth=1",
        "model.options.width=2",
        "trainer.max_epochs=1",
        setting,
    ]
    given = [f"hydra.searchpath=[file://{TINY}/configs]", *small, "optimizer=sgd", f"optimizer.lr={lr}"]
    quoted = ",".join(f"'{setting}'" for setting in given)
    paths = os.pathsep.join([str(ROOT), str(TINY)])
    return subprocess.run(
        [sys.executable, "-m", "experiments.reproduce", f"runs_dir={runs}", f"settings=[{quoted}]", *overrides],
        capture_output=True,
        text=True,
        cwd=runs,
        env={**os.environ, "PYTHONPATH": paths, "OMP_NUM_THREADS": "1"},
    )


@pytest.mark.slow
def test_a_sweep_runs_what_is_missing_and_tells_what_failed(tmp_path):
    first = reproduce(tmp_path, "sweep=super_resolution", "seeds=[0]", "only=[zeros]")
    assert first.returncode == 0, first.stdout + first.stderr
    assert "super_resolution: 1 runs, 0 done" in first.stdout
    assert "[1/1] super_resolution unet zeros seed 0: " in first.stdout

    record = next(tmp_path.rglob("record.json"))
    stamp = record.stat().st_mtime_ns
    again = reproduce(tmp_path, "sweep=super_resolution", "seeds=[0]", "only=[zeros,diff]", "jobs=2")
    assert again.returncode == 0, again.stdout + again.stderr
    assert "super_resolution: 2 runs, 1 done, 1 at a time" in again.stdout
    assert "[2/2] super_resolution unet diff seed 0: " in again.stdout
    assert record.stat().st_mtime_ns == stamp
    assert len(list(tmp_path.rglob("record.json"))) == 2

    failing = reproduce(tmp_path, "sweep=super_resolution", "seeds=[0]", "only=[zeros]", lr="1e30")
    assert failing.returncode == 1
    assert "super_resolution unet zeros seed 0: FAILED" in failing.stdout
    assert "failed: tiny unet zeros seed 0: the loss is" in failing.stderr
    assert "1 of the runs failed; the same command goes on with them" in failing.stderr
    assert "Traceback" not in failing.stderr


@pytest.mark.slow
def test_a_slip_is_one_sentence(tmp_path):
    done = reproduce(tmp_path, "sweep=super_resolution", "only=[zero]")
    assert done.returncode == 1
    assert done.stderr.startswith("reproduce: methods of super_resolution")
    assert "Traceback" not in done.stderr
    done = reproduce(tmp_path, "sweep=super_resolution", setting="trainr.max_epochs=1")
    assert done.returncode == 1
    assert (
        done.stderr
        == "reproduce: could not override 'trainr.max_epochs': there is no such option; --help lists all\n"
    )
