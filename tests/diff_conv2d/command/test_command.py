"""The command as a whole: its exit codes and messages, and what it loads."""

import os
import re
import subprocess
import sys

import numpy as np
import pytest

import diff_conv2d.command
from diff_conv2d.command import main
from experiments.paths import REPOSITORY


@pytest.fixture
def image(tmp_path):
    path = tmp_path / "image.npy"
    np.save(path, np.random.default_rng(0).random((30, 40)))
    return path


def process(*arguments, **options):
    return subprocess.run(
        [sys.executable, "-m", "diff_conv2d", *map(str, arguments)],
        capture_output=True,
        text=True,
        cwd=REPOSITORY,
        **options,
    )


def test_it_runs_as_a_module_and_as_a_script():
    done = process("info")
    assert done.returncode == 0
    assert re.search(r"^  torch +2\.", done.stdout, re.MULTILINE)
    assert 'diff-conv2d = "diff_conv2d.command:main"' in (REPOSITORY / "pyproject.toml").read_text(encoding="utf-8")


@pytest.mark.parametrize("name", ["info", "show", "filter", "compare"])
def test_help_names_every_option(name, capsys):
    assert main([name, "--help"]) == 0
    assert f"diff-conv2d {name}" in capsys.readouterr().out


def test_help_and_an_import_load_neither_torch_nor_the_subcommands():
    code = "import sys, diff_conv2d.command as c; c.main(['--help']); print(*sys.modules, file=sys.stderr)"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True, cwd=REPOSITORY)
    loaded = done.stderr.split()
    assert "compare" in done.stdout
    assert [name for name in loaded if name.startswith("diff_conv2d")] == ["diff_conv2d", "diff_conv2d.command"]
    assert not {"torch", "numpy", "PIL"} & {*loaded}


WRONG = {
    "no subcommand": ([], "SUBCOMMAND"),
    "an unknown subcommand": (["shew"], "'show'"),
    "an unknown option": (["info", "--fast"], "--fast"),
    "no such file": (["show", "none.png"], "none.png: there is no such file"),
    "no mode": (["show", "IMAGE", "--mode", "best"], "--mode must be one of zeros"),
    "a mode that trains": (["show", "IMAGE", "--mode", "learned"], "trains weights"),
    "a mode that extends nothing": (["show", "IMAGE", "--mode", "partial"], "must extend the image"),
    "an unknown option of a mode": (["show", "IMAGE", "--mode", "diff:deg=1"], "has no option 'deg'"),
    "a wrong option of a mode": (["show", "IMAGE", "--mode", "diff:degree=-1"], "degree must"),
    "half an option of a mode": (["show", "IMAGE", "--mode", "diff:degree"], "got 'diff:degree'"),
    "three modes": (["show", "IMAGE", "--mode", "zeros,zeros,zeros"], "rows and columns"),
    "too little memory": (["show", "IMAGE", "--mode", "zeros", "--pad", "9000000"], "allocate"),
    "a negative pad": (["show", "IMAGE", "--pad", "-1"], "--pad"),
    "two pads": (["show", "IMAGE", "--pad", "1", "2"], "left, right, top and bottom, got [1, 2]"),
    "the image written over": (["show", "IMAGE", "--output", "IMAGE"], "another file"),
    "an array with a line in it": (["show", "IMAGE", "--output", "IMAGE.2.npy", "--outline"], "--outline needs"),
    "no such format": (["show", "IMAGE", "--output", "IMAGE.nix"], ".nix"),
    "no such folder": (["show", "IMAGE", "--output", "IMAGE/none/a.npy"], "none"),
    "no kernel": (["filter", "IMAGE", "--kernel", "blur"], "got 'blur'"),
    "no number": (["filter", "IMAGE", "--kernel", "gaussian:wide"], "got 'wide'"),
    "an even size": (["filter", "IMAGE", "--kernel", "uniform:4"], "odd"),
    "too wide a kernel": (["filter", "IMAGE", "--kernel", "gaussian:100"], "at most 256"),
    "the result over the image": (["filter", "IMAGE", "--output", "IMAGE"], "another file"),
    "a kernel of one pixel": (["compare", "IMAGE", "--kernels", "gaussian:0.1"], "2 to 41 pixels wide"),
    "a small image": (["compare", "IMAGE", "--kernels", "gaussian:4"], "at least 67 pixels"),
    "a conversion of no mode": (["compare", "IMAGE", "--modes", "zeros", "best"], "got 'best'"),
}


@pytest.mark.parametrize(("arguments", "says"), WRONG.values(), ids=WRONG)
def test_what_does_not_fit_is_status_1_and_says_what_is_allowed(arguments, says, image, capsys):
    arguments = [argument.replace("IMAGE", str(image)) for argument in arguments]
    before = {path: path.read_bytes() for path in image.parent.iterdir()}
    assert main(arguments) == 1
    error = capsys.readouterr().err
    assert error.startswith("diff-conv2d")
    assert says in error
    assert "Traceback" not in error
    assert {path: path.read_bytes() for path in image.parent.iterdir()} == before


def test_an_error_that_nobody_foresaw_keeps_its_traceback(monkeypatch):
    monkeypatch.setattr(diff_conv2d.command, "import_module", lambda name: 1 / 0)
    with pytest.raises(ZeroDivisionError):
        main(["info"])


def test_ctrl_c_is_status_130(monkeypatch):
    def stopped(name):
        raise KeyboardInterrupt

    monkeypatch.setattr(diff_conv2d.command, "import_module", stopped)
    assert main(["info"]) == 130


def test_a_reader_that_stops_is_no_error():
    reading, writing = os.pipe()
    os.close(reading)
    code = "import sys; from diff_conv2d.command import main; sys.exit(main(['info']))"
    done = subprocess.run(
        [sys.executable, "-c", code], stdout=writing, stderr=subprocess.PIPE, text=True, cwd=REPOSITORY, check=False
    )
    os.close(writing)
    assert (done.returncode, done.stderr) == (0, "")


def test_info_says_what_is_off(monkeypatch, capsys):
    import torch

    from diff_conv2d.algorithms import blocks

    monkeypatch.setattr(blocks, "_HAS_LIBRARY", False)
    monkeypatch.setattr(torch.cuda, "is_available", lambda: False)
    assert main(["info"]) == 0
    lines = capsys.readouterr().out.splitlines()
    assert any(re.match(r"  blocks +off: torch has no oneDNN", line) for line in lines)
    assert any(re.match(r"  fused kernels +off", line) for line in lines)
    assert any(re.match(rf"  threads +{torch.get_num_threads()} of \d", line) for line in lines)
