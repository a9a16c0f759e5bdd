"""Environments beside .venv, in .venvs: what is installed into one, and what is lent to it by this one."""

import os
import shutil
import subprocess
import sys
import sysconfig
from collections.abc import Iterable
from importlib.metadata import distribution
from pathlib import Path

from packaging.requirements import Requirement

from experiments.paths import REPOSITORY
from scripts.versions import installed

__all__ = ["FOLDER", "commanded", "install", "interpreter", "lend", "made", "python_of"]

FOLDER = REPOSITORY / ".venvs"
# The folder in an environment that holds links to packages of another one.
_LENT = "lent"


def commanded(command: Iterable[object], **options: object) -> str:
    """Run a command and return what it prints.

    Args:
        command: its words.
        options: of `subprocess.run`.

    Raises:
        ValueError: it failed; the message ends with what it said.
    """
    words = [str(word) for word in command]
    done = subprocess.run(words, **{"capture_output": True, "text": True, "cwd": REPOSITORY, **options})
    if done.returncode:
        said = (done.stderr or "").strip() or (done.stdout or "").strip()
        raise ValueError(f"{' '.join(words[:6])} ... failed with status {done.returncode}: {said[-3000:]}")
    return done.stdout or ""


def interpreter(version: str) -> Path | None:
    """The interpreter of a version of Python, on the PATH or among those of pyenv; None if there is none that runs.

    Args:
        version: such as "3.10".
    """
    pyenv = Path(os.environ.get("PYENV_ROOT", Path.home() / ".pyenv")) / "versions"
    on_path = shutil.which(f"python{version}")
    for candidate in [*([Path(on_path)] if on_path else []), *sorted(pyenv.glob(f"{version}.*/bin/python"))[::-1]]:
        code = "import sys; print('%d.%d' % sys.version_info[:2])"
        done = subprocess.run([str(candidate), "-c", code], capture_output=True, text=True)
        if done.stdout.strip() == version:
            return candidate
    return None


def made(folder: Path, python: Path | str = sys.executable) -> Path:
    """Make an empty environment, without pip; what is in the folder goes. Return its interpreter."""
    commanded([python, "-m", "venv", "--clear", "--without-pip", folder])
    return python_of(folder)


def python_of(folder: Path) -> Path:
    """The interpreter of an environment."""
    return folder / ("Scripts/python.exe" if os.name == "nt" else "bin/python")


def install(python: Path, *arguments: object) -> None:
    """Install into an environment by the pip of this one: `arguments` are those of pip install."""
    pip = [sys.executable, "-m", "pip", "--python", python, "--disable-pip-version-check"]
    commanded([*pip, "install", "--quiet", *arguments])


def lend(python: Path, names: Iterable[str] | None = None) -> None:
    """Let an environment import packages of this one, so that gigabytes are not installed once more.

    What was lent to it before is taken back.

    Args:
        python: of the environment, of the same version as this one.
        names: of packages, which are lent with all that they need; without names, everything is.
    """
    code = "import sysconfig; print(sysconfig.get_path('purelib'))"
    own = Path(commanded([python, "-I", "-c", code]).strip())
    links = own.parent / _LENT
    shutil.rmtree(links, ignore_errors=True)
    folder = Path(sysconfig.get_path("purelib"))
    if names is not None:
        links.mkdir()
        for name in installed(Requirement(name) for name in names):
            package = distribution(name)
            for entry in sorted({file.parts[0] for file in package.files or ()} - {"..", "__pycache__"}):
                if not (links / entry).is_symlink():
                    (links / entry).symlink_to(Path(str(package.locate_file(entry))).resolve())
        folder = links
    # Python reads the lines of this file, and no .pth file of the folder in it: editable installs stay behind.
    (own / f"{_LENT}.pth").write_text(f"{folder}\n", encoding="utf-8")
