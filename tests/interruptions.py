"""Trial of what interrupts a run: `python tests/interruptions.py`, or `make interruptions KILLS=20 TERMS=10`.

A small run is killed, stopped, starved of disk and fed damaged files, and run again until it ends. Its last
checkpoint, its history and its record must then be those of a run that nothing has happened to, bit by bit.
"""

import argparse
import json
import os
import random
import shutil
import signal
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any
from zipfile import ZipFile

import torch

ROOT = Path(__file__).resolve().parents[1]
TINY = ROOT / "tests" / "experiments" / "training"
# Noise of padding and of data, so that a random state that is not restored shows.
SETTINGS = (
    "data=tiny_super_resolution",
    "data.images=240",
    "+data.noisy=true",
    "padding=random",
    "model=unet",
    "model.options.depth=1",
    "model.options.width=4",
    "batch_size=8",
    "threads=1",
    "logger=csv",
    "trainer.max_epochs=3",
)
LAST = "0002.ckpt"
# What may differ between two runs of the same settings.
TIMES = ("fit_seconds", "waiting_share")
TERMINATED = 128 + signal.SIGTERM


class Failure(Exception):
    """An interruption had a consequence that it must not have."""


def start(runs: Path, *overrides: str, program: str = "train.py") -> subprocess.Popen[str]:
    """A run in the background, in a process group of its own."""
    runs.mkdir(parents=True, exist_ok=True)
    paths = os.pathsep.join([str(ROOT), str(TINY)])
    if program == "train.py":
        flags = [override for override in overrides if override.startswith("-")]
        overrides = tuple(override for override in overrides if override not in flags)
        options = ["--config-dir", str(TINY / "configs"), *flags]
        command = [str(ROOT / program), *options, f"runs_dir={runs}", *SETTINGS]
    else:
        # The sweep itself says which padding, logger and threads.
        own = [s for s in SETTINGS if not s.startswith(("padding", "logger", "threads"))]
        settings = [f"hydra.searchpath=[file://{TINY}/configs]", *own]
        quoted = ",".join(f"'{setting}'" for setting in settings)
        command = ["-m", program, f"runs_dir={runs}", f"settings=[{quoted}]"]
    return subprocess.Popen(
        [sys.executable, *command, *overrides],
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        cwd=runs,
        start_new_session=True,
        env={**os.environ, "PYTHONPATH": paths, "OMP_NUM_THREADS": "1", "OMP_WAIT_POLICY": "passive"},
    )


def ended(runs: Path, *overrides: str, program: str = "train.py") -> str:
    """Run to the end; what was printed."""
    process = start(runs, *overrides, program=program)
    out, err = process.communicate()
    if process.returncode != 0:
        raise Failure(f"a run that nothing happened to ended with status {process.returncode}: {err or out}")
    return out + err


def wait_for(process: subprocess.Popen[str], runs: Path, name: str) -> None:
    """Wait until a file is there."""
    while not any(runs.rglob(name)):
        if process.poll() is not None:
            raise Failure(f"a run ended with status {process.returncode} before {name}: {process.communicate()[1]}")
        time.sleep(0.05)


def wait(process: subprocess.Popen[str], seconds: float) -> None:
    """Wait some seconds, or until the process has ended."""
    deadline = time.monotonic() + seconds
    while process.poll() is None and time.monotonic() < deadline:
        time.sleep(0.005)


def interrupt(runs: Path, number: int, moment: float, begun: bool, times: tuple[float, float]) -> bool:
    """Start a run, send it a signal at a moment from 0 to 1, and check how it ends.

    Args:
        runs: folder of runs.
        number: the signal.
        moment: when, as a share of the whole run, or of its training.
        begun: whether to count from the beginning of the training.
        times: seconds of the whole run, and of its training.

    Returns:
        Whether the signal came before the end.
    """
    process = start(runs)
    if begun:
        # The configuration is written again when a run goes on, in one move.
        before = {path: path.stat().st_mtime_ns for path in runs.rglob("config.yaml")}
        while process.poll() is None:
            if any(before.get(path) != path.stat().st_mtime_ns for path in runs.rglob("config.yaml")):
                break
            time.sleep(0.05)
    wait(process, moment * times[begun])
    process.send_signal(number)
    out, err = process.communicate()
    if process.returncode == 0:
        return False
    if number == signal.SIGTERM:
        check_stopped(process.returncode, err)
    elif process.returncode != -number:
        raise Failure(f"a run that was killed ended with status {process.returncode}: {err or out}")
    return True


def check_stopped(status: int, err: str, sentence: str = "stopped by SIGTERM") -> None:
    """Status 143 and one sentence; before the first line of the program Python itself is ended by the signal."""
    if status == -signal.SIGTERM and not err:
        return
    if status != TERMINATED or len(err.splitlines()) != 1 or sentence not in err:
        raise Failure(f"SIGTERM ended a run with status {status}, and: {err}")


def check_refused(process: subprocess.Popen[str], sentence: str) -> None:
    """Status 1 and one sentence."""
    _, err = process.communicate()
    if process.returncode != 1 or len(err.splitlines()) != 1 or sentence not in err:
        raise Failure(f"expected status 1 and {sentence!r}, got status {process.returncode}, and: {err}")


def only(runs: Path, name: str) -> Path:
    """The one file of a name."""
    (path,) = runs.rglob(name)
    return path


def check_same(whole: Path, broken: Path) -> None:
    """Refuse a run that has ended otherwise than the whole one, or left something lying about."""
    if only(whole, "history.csv").read_bytes() != only(broken, "history.csv").read_bytes():
        raise Failure(f"{broken}: another history")
    records = [json.loads(only(runs, "record.json").read_text()) for runs in (whole, broken)]
    for record in records:
        # Midnight may lie between the two.
        del record["made_from"]["date"]
    if different := {key for key in records[0] | records[1] if key not in TIMES and _differ(*records, key)}:
        raise Failure(f"{broken}: the record has other {', '.join(different)}")
    ends = [torch.load(only(runs, LAST), map_location="cpu", weights_only=True) for runs in (whole, broken)]
    for key in ("epoch", "global_step", "state_dict", "optimizer_states", "lr_schedulers"):
        if not same(ends[0][key], ends[1][key]):
            raise Failure(f"{broken}: another {key}")
    if left := [*broken.rglob("*.partial"), *broken.rglob("*-stopped.ckpt"), *broken.rglob("failure.json")]:
        raise Failure(f"{left[0]} was left behind")


def _differ(one: dict[str, Any], other: dict[str, Any], key: str) -> bool:
    return one.get(key) != other.get(key)


def same(one: Any, other: Any) -> bool:
    """Whether nested values are the same, tensors bit by bit."""
    if isinstance(one, torch.Tensor):
        return one.dtype == other.dtype and torch.equal(one, other)
    if isinstance(one, dict):
        return one.keys() == other.keys() and all(same(one[key], other[key]) for key in one)
    if isinstance(one, (list, tuple)):
        return len(one) == len(other) and all(map(same, one, other))
    return one == other


def flip(path: Path, width: int = 1) -> None:
    """Change bytes in the middle of the largest part of a checkpoint, and of what follows it."""
    content = bytearray(path.read_bytes())
    with ZipFile(path) as archive:
        part = max((archive.read(name) for name in archive.namelist()), key=len)
    # Between the parts there are gaps, in which nothing depends on a byte.
    position = content.index(part) + len(part) // 2
    content[position : position + width] = bytes(byte ^ 0xFF for byte in content[position : position + width])
    path.write_bytes(content)


DAMAGES: dict[str, Callable[[Path], object]] = {
    "an empty file": lambda path: path.write_bytes(b""),
    "half a file": lambda path: path.write_bytes(path.read_bytes()[: path.stat().st_size // 2]),
    "a flipped byte": flip,
    "a sector of flipped bytes": lambda path: flip(path, 512),
    "text": lambda path: path.write_text("not a checkpoint"),
    "an empty mapping": lambda path: torch.save({}, path),
    "other weights": lambda path: torch.save(
        torch.load(path, weights_only=True) | {"state_dict": {"network.weight": torch.ones(3)}}, path
    ),
}


@contextmanager
def small_disk(folder: Path, size: int) -> Iterator[bool]:
    """A file system of its own in a folder; False where this user may not have one."""
    folder.mkdir(parents=True)
    command = ["mount", "-t", "tmpfs", "-o", f"size={size}", "tmpfs", str(folder)]
    mounted = shutil.which("mount") is not None and subprocess.run(command, capture_output=True).returncode == 0
    try:
        yield mounted
    finally:
        if mounted:
            subprocess.run(["umount", str(folder)], check=True)


class Trial:
    """The interruptions, one by one, in a folder.

    Args:
        folder: where the runs go.
        seed: of the moments.
    """

    def __init__(self, folder: Path, seed: int = 0) -> None:
        self.folder, self.random = folder, random.Random(seed)
        self.whole, self.count = folder / "whole", 0
        begin = time.monotonic()
        process = start(self.whole)
        wait_for(process, self.whole, "config.yaml")
        training = time.monotonic()
        out, err = process.communicate()
        if process.returncode != 0:
            raise Failure(f"the whole run ended with status {process.returncode}: {err or out}")
        end = time.monotonic()
        self.times = (end - begin, end - training)

    def _new(self) -> Path:
        self.count += 1
        return self.folder / f"broken{self.count}"

    def signals(self, number: int, times: int) -> None:
        """Interrupt runs, one or two times each, and let them end."""
        while times > 0:
            runs, begun = self._new(), True
            for _ in range(min(times, self.random.choice((1, 2, 3)))):
                moment, begun = self.random.random(), self.random.random() < 0.75
                if not interrupt(runs, number, moment, begun, self.times):
                    break
                times -= 1
                found = sorted(path.name for path in runs.rglob("*.ckpt"))
                when = f"{moment:.0%} of its {'training' if begun else 'time'}"
                print(f"{signal.Signals(number).name} at {when}: {', '.join(found) or 'no checkpoint'}", flush=True)
            ended(runs)
            check_same(self.whole, runs)
            print("  ends as the whole run does", flush=True)
            shutil.rmtree(runs)

    def damages(self, names: Iterable[str] = DAMAGES) -> None:
        """Damage what a run that was killed goes on from, and the record of one that is done."""
        killed = self._new()
        process = start(killed)
        wait_for(process, killed, "0001.ckpt")
        process.kill()
        process.communicate()
        for name in names:
            runs = self._new()
            shutil.copytree(killed, runs)
            newest = max(runs.rglob("*.ckpt"))
            DAMAGES[name](newest)
            if f"{newest} cannot be used" not in ended(runs):
                raise Failure(f"{name} in place of a checkpoint was not told of")
            check_same(self.whole, runs)
            print(f"{name} in place of {newest.name}: ends as the whole run does", flush=True)
        for name in ("an empty file", "half a file"):
            runs = self._new()
            shutil.copytree(self.whole, runs)
            DAMAGES[name](only(runs, "record.json"))
            ended(runs)
            check_same(self.whole, runs)
            print(f"{name} in place of record.json: made again", flush=True)

    def full_disk(self) -> bool:
        """Leave room for one checkpoint and a half; then more. False where this user may not have a small disk."""
        room = int(1.5 * only(self.whole, LAST).stat().st_size) + 65536
        runs = self._new()
        with small_disk(runs, 2 * room) as mounted:
            if not mounted:
                print("full disk: left out, this user cannot mount one")
                return False
            filler = runs / "filler"
            filler.write_bytes(bytes(room))
            check_refused(start(runs), "No space left on device")
            filler.unlink()
            ended(runs)
            check_same(self.whole, runs)
        print("full disk: one sentence, and with room again it ends as the whole run does", flush=True)
        return True

    def read_only(self) -> bool:
        """Make the disk of a run that was killed read-only, then writable again; returns as `full_disk` does."""
        runs = self._new()
        with small_disk(runs, 1 << 24) as mounted:
            if not mounted:
                print("read-only folder: left out, this user cannot mount one")
                return False
            process = start(runs)
            wait_for(process, runs, "0000.ckpt")
            process.kill()
            process.communicate()
            subprocess.run(["mount", "-o", "remount,ro", str(runs)], check=True)
            check_refused(start(runs), "Read-only file system")
            subprocess.run(["mount", "-o", "remount,rw", str(runs)], check=True)
            ended(runs)
            check_same(self.whole, runs)
        print("read-only folder: one sentence, and writable again it ends as the whole run does", flush=True)
        return True

    def sweep(self, everyone: bool) -> None:
        """Stop a sweep of two processes: all of them, as a scheduler does, or the first one alone."""
        program, cells = "experiments.reproduce", ("sweep=super_resolution", "seeds=[0]", "only=[random,zeros]")
        whole = self._new()
        ended(whole, *cells, "jobs=2", program=program)
        records = sorted(path.relative_to(whole).parent for path in whole.rglob("record.json"))
        runs = self._new()
        process = start(runs, *cells, "jobs=2", program=program)
        wait_for(process, runs, "0000.ckpt")
        wait(process, 0.5 * self.random.random())
        os.killpg(process.pid, signal.SIGTERM) if everyone else process.terminate()
        _, err = process.communicate()
        check_stopped(process.returncode, err, "reproduce: stopped by SIGTERM; the same command goes on")
        ended(runs, *cells, "jobs=2", program=program)
        for name in records:
            check_same(whole / name, runs / name)
        who = "all processes" if everyone else "the first process"
        print(f"SIGTERM to {who} of a sweep: ends as the whole sweep does", flush=True)


def main() -> None:
    """Run the trial."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--kills", type=int, default=20, help="kill -9 so many times (default: %(default)s)")
    parser.add_argument("--terms", type=int, default=10, help="SIGTERM so many times (default: %(default)s)")
    parser.add_argument("--seed", type=int, default=0, help="of the moments (default: %(default)s)")
    arguments = parser.parse_args()
    with tempfile.TemporaryDirectory() as folder:
        try:
            trial = Trial(Path(folder), arguments.seed)
            trial.signals(signal.SIGKILL, arguments.kills)
            trial.signals(signal.SIGTERM, arguments.terms)
            trial.damages()
            trial.full_disk()
            trial.read_only()
            trial.sweep(everyone=False)
            trial.sweep(everyone=True)
        except Failure as failure:
            sys.exit(f"interruptions: {failure}")
    print(f"{arguments.kills} kills, {arguments.terms} times SIGTERM, and the rest: all runs ended as the whole one")


if __name__ == "__main__":
    main()
