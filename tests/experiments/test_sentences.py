"""How programs end: with a sentence and a status, whatever happens."""

import os
import signal
import subprocess
import sys
import time

import pytest

from experiments.paths import REPOSITORY
from experiments.sentences import FULL_ERROR, in_one_sentence


@pytest.fixture(autouse=True)
def _no_traces(monkeypatch):
    monkeypatch.delenv(FULL_ERROR, raising=False)


@pytest.mark.parametrize(
    ("error", "words"),
    [
        (ValueError("size must be odd, got 2"), "program: size must be odd, got 2"),
        (PermissionError(13, "Permission denied", "/root/x"), "program: /root/x: Permission denied"),
        (OSError(28, "No space left on device"), "program: No space left on device"),
        (MemoryError("9 GB"), "program: there is not enough memory (9 GB)"),
        (RuntimeError("can't allocate memory: 9"), "program: there is not enough memory (can't allocate memory: 9)"),
    ],
)
def test_an_error_is_a_sentence(error, words):
    with pytest.raises(SystemExit) as ended, in_one_sentence("program"):
        raise error
    assert ended.value.code == words


@pytest.mark.slow
@pytest.mark.parametrize(
    ("override", "words"),
    [
        ("data=null", "train: a group such as data, model or padding must be one of its choices, which --help lists"),
        ("seed='", "train: seed=' cannot be read: a setting is NAME=VALUE, with quotes in pairs"),
        ("trainer.accelerator=tpu", "train: trainer: Requirement 'torch_xla"),
    ],
)
def test_an_override_that_cannot_be_read_is_a_sentence(override, words):
    ended = subprocess.run([sys.executable, "train.py", override], capture_output=True, text=True, cwd=REPOSITORY)
    assert ended.returncode == 1
    assert ended.stderr.startswith(words)
    assert ended.stderr.count("\n") == 1


def test_an_unforeseen_error_keeps_its_traceback_or_says_how_to_see_it(tmp_path, monkeypatch):
    with pytest.raises(SystemExit) as ended, in_one_sentence("program", tmp_path / "runs"):
        raise KeyError("x")
    assert ended.value.code == f"program: KeyError: 'x'; the whole traceback is in {tmp_path}/runs/traceback.txt"
    assert 'raise KeyError("x")' in (tmp_path / "runs" / "traceback.txt").read_text()
    (tmp_path / "file").touch()
    for folder in (None, tmp_path / "file"):
        with (
            pytest.raises(SystemExit, match=f"{FULL_ERROR}=1 shows the whole traceback"),
            in_one_sentence("p", folder),
        ):
            raise KeyError("x")
    monkeypatch.setenv(FULL_ERROR, "1")
    with pytest.raises(KeyError), in_one_sentence("program"):
        raise KeyError("x")


def test_being_stopped_is_one_line_once(capsys):
    with pytest.raises(SystemExit) as ended, in_one_sentence("program"), in_one_sentence("program", again="go on"):
        raise KeyboardInterrupt
    assert ended.value.code == 130
    assert capsys.readouterr().err == "program: stopped; go on\n"


def test_an_end_that_stands_for_being_stopped_is_one_line(capsys):
    def stopped():
        try:
            raise KeyboardInterrupt
        except KeyboardInterrupt:
            sys.exit(1)

    with pytest.raises(SystemExit) as ended:
        in_one_sentence("program")(stopped)()
    assert ended.value.code == 130
    assert capsys.readouterr().err == "program: stopped\n"


def started(*command, **options):
    environment = {**os.environ, "PYTHONPATH": str(REPOSITORY), "OMP_NUM_THREADS": "1"}
    pipes = {"stdout": subprocess.PIPE, "stderr": subprocess.PIPE, "text": True}
    return subprocess.Popen([sys.executable, *command], env=environment, cwd=REPOSITORY, **pipes, **options)


SCRIPT = """
from experiments.sentences import in_one_sentence
@in_one_sentence("script")
def main():
    for line in range(100_000):
        print(line)
main()
"""


def test_a_reader_that_goes_away_ends_a_program_without_a_word():
    with started("-c", SCRIPT) as program:
        assert program.stdout.readline() == "0\n"
        program.stdout.close()
        assert program.stderr.read() == ""
    assert program.returncode == 1


def test_ctrl_c_while_a_program_is_loaded_is_one_line(tmp_path):
    with started("-m", "experiments.filtering", f"output_dir={tmp_path}", start_new_session=True) as program:
        time.sleep(1.5)
        os.killpg(program.pid, signal.SIGINT)
        told = program.stderr.read()
    assert program.returncode in (130, -signal.SIGINT)
    assert len(told.splitlines()) <= 1
    assert "Traceback" not in told
