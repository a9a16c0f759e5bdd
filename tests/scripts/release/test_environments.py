"""Environments to try a package in, and what is lent to them."""

import shutil
import subprocess
import sys

import pytest

from experiments.paths import REPOSITORY
from scripts.release import environments
from scripts.release.dist import typed
from scripts.release.environments import commanded, interpreter, lend, made


def sees(python, *names):
    code = "import importlib.util as u, sys; print(*[n for n in sys.argv[1:] if u.find_spec(n)])"
    return set(commanded([python, "-I", "-c", code, *names]).split())


def test_an_environment_sees_what_is_lent_to_it_and_no_more(tmp_path):
    python = made(tmp_path / "clean")
    names = ("packaging", "dask", "fsspec", "toolz", "torch", "diff_conv2d", "pip")
    assert sees(python, *names) == set()
    lend(python, ["dask"])
    assert sees(python, *names) == {"packaging", "dask", "fsspec", "toolz"}
    lend(python)
    # An editable install of the library stays where it is.
    assert sees(python, *names) == {*names} - {"diff_conv2d"}
    lend(python, ["packaging"])
    assert sees(python, *names) == {"packaging"}


def test_a_command_that_fails_says_what_it_said():
    assert commanded([sys.executable, "-c", "print(1)"]) == "1\n"
    with pytest.raises(ValueError, match="status 3: no such thing"):
        commanded([sys.executable, "-c", "import sys; print('no such thing', file=sys.stderr); sys.exit(3)"])


def test_interpreters_that_do_not_run_are_passed_over(tmp_path, monkeypatch):
    version = f"{sys.version_info.major}.{sys.version_info.minor}"
    shims, pyenv = tmp_path / "shims", tmp_path / "pyenv"
    place = pyenv / "versions" / f"{version}.99" / "bin" / "python"
    for folder in (shims, place.parent):
        folder.mkdir(parents=True)
    # As pyenv's own, where that version is not chosen.
    (shims / f"python{version}").write_text("#!/bin/sh\nexit 127\n")
    (shims / f"python{version}").chmod(0o755)
    monkeypatch.setenv("PATH", str(shims))
    monkeypatch.setenv("PYENV_ROOT", str(pyenv))
    assert interpreter(version) is None
    place.symlink_to(sys.executable)
    assert interpreter(version) == place
    assert interpreter("3.4") is None


@pytest.mark.slow
def test_a_users_program_is_accepted_where_the_package_says_that_it_is_typed(tmp_path, monkeypatch):
    monkeypatch.setattr("scripts.release.dist.FOLDER", tmp_path)
    monkeypatch.setattr("scripts.release.dist.shutil.which", lambda name: None)
    python = made(tmp_path / "clean")
    lend(python)
    code = "import sysconfig; print(sysconfig.get_path('purelib'))"
    package = f"{commanded([python, '-I', '-c', code]).strip()}/diff_conv2d"
    shutil.copytree(REPOSITORY / "diff_conv2d", package, ignore=shutil.ignore_patterns("__pycache__"))
    assert "mypy --strict" in typed(python)
    subprocess.run(["rm", f"{package}/py.typed"], check=True)
    with pytest.raises(ValueError, match=r"py\.typed"):
        typed(python)
    assert environments.FOLDER == REPOSITORY / ".venvs"
