import shutil
import subprocess
import sys

import pytest

from experiments.paths import REPOSITORY

# All of them together take many seconds.
pytestmark = pytest.mark.slow

HERE = REPOSITORY / "diff_conv2d"


def python(*arguments):
    done = subprocess.run([sys.executable, *arguments], cwd=REPOSITORY, capture_output=True, text=True)
    return done.returncode, done.stdout, done.stderr


def test_a_revision_is_timed_against_the_working_tree(tmp_path):
    options = [
        "--groups",
        "inference",
        "--methods",
        "diff,replicate",
        "--rounds",
        "1",
        "--output",
        tmp_path / "t.csv",
    ]
    status, shown, error = python("-m", "scripts.compare_versions", "HEAD", *map(str, options))
    assert status == 0, error
    rows = (tmp_path / "t.csv").read_text().splitlines()
    assert rows[0] == "case,method,old,new,ratio"
    # Three cases of two methods.
    assert len(rows) == 7
    assert shown.splitlines()[-1].startswith("largest: ")


def test_what_is_no_revision_or_no_group_is_told_in_one_sentence():
    for arguments, word in (
        (["no-such-revision"], "old must be a revision"),
        (["HEAD", "--groups", "x"], "--groups"),
    ):
        status, _, error = python("-m", "scripts.compare_versions", *arguments)
        assert status == 1
        assert error.startswith(f"scripts.compare_versions: {word}")
        assert "Traceback" not in error


def test_each_version_runs_its_own_code(tmp_path):
    shutil.copytree(HERE, tmp_path / HERE.name)
    with (tmp_path / HERE.name / "torch_layers.py").open("a") as file:
        file.write("\n\ndef _forward(self, input):\n    raise SystemExit(7)\n\n\n_BoundaryConv.forward = _forward\n")
    program = (
        "import sys; from pathlib import Path; from scripts.compare_versions import steps_of; "
        "old, new = (steps_of(Path(p), 'call, 1x8x8x8')['diff'] for p in sys.argv[1:]); new(); old()"
    )
    status, _, error = python("-c", program, str(tmp_path), str(REPOSITORY))
    assert status == 7, error
    status, _, error = python("-c", program, str(tmp_path / "nothing"), str(REPOSITORY))
    assert "OLD must hold the package" in error
