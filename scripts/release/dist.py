"""Build the release and try it away from the repository: `make dist`.

Builds the wheel and the source distribution into dist/, looks at what they hold, installs the wheel into an empty
environment, and there runs the examples of its docstrings, a program of a user's and the command, once with torch
alone and once with all that the library can use. mypy reads the program, and pyright if there is one. Ends with
status 1 if anything fails.

torch has gigabytes, so that it is lent by the present environment; with --download all is installed from the index.
"""

import argparse
import json
import os
import shutil
import sys
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import diff_conv2d
from experiments.paths import REPOSITORY
from experiments.sentences import in_one_sentence
from scripts.release.contents import faults
from scripts.release.environments import FOLDER, commanded, install, lend, made, python_of

__all__ = ["built", "main", "tried", "typed"]

_HERE = Path(__file__).parent
#: What builds: the standard front end, and the back end that pyproject.toml names.
_BUILDERS = ("build>=1.2", "hatchling>=1.27")
_EXTRAS = "dask,images"
#: The packages that the library can do without, by the name that they are imported by.
_OPTIONAL = {"PIL", "dask", "numpy"}


def built(output: Path) -> tuple[Path, Path]:
    """Build the source distribution, the wheel from it, and the wheel from the repository, which must be the same.

    Args:
        output: folder for the wheel and the source distribution; those that are there go.

    Returns:
        Their paths.

    Raises:
        ValueError: nothing can be built, or the two wheels differ.
    """
    builder = python_of(FOLDER / "build")
    if not builder.is_file():
        install(made(FOLDER / "build"), *_BUILDERS)
    for old in [*output.glob("diff_conv2d-*.whl"), *output.glob("diff_conv2d-*.tar.gz")]:
        old.unlink()
    build = [builder, "-m", "build", "--no-isolation", "--outdir"]
    commanded([*build, output, REPOSITORY])
    (wheel,), (source,) = output.glob("diff_conv2d-*.whl"), output.glob("diff_conv2d-*.tar.gz")
    with TemporaryDirectory() as folder:
        commanded([*build, folder, "--wheel", REPOSITORY])
        if (Path(folder) / wheel.name).read_bytes() != wheel.read_bytes():
            raise ValueError(f"{source.name} builds another {wheel.name} than the repository does")
    return wheel, source


def tried(python: Path, lacking: set[str]) -> str:
    """Run the examples, a user's program and the command in an environment that has the package.

    Args:
        python: its interpreter.
        lacking: packages that may be missing there, by the name that they are imported by.

    Returns:
        What was run, in a few words.

    Raises:
        ValueError: something fails, lacks another package, or is not the package that was installed.
    """
    # Isolated from the repository: its folder is not on the path, nor what PYTHONPATH names.
    told: dict[str, Any] = json.loads(commanded([python, "-I", _HERE / "examples.py", "diff_conv2d"], cwd=FOLDER))
    folder = Path(told["folder"])
    if not folder.is_relative_to(python.parent.parent):
        raise ValueError(f"the library was imported from {folder}, not from the environment {python.parent.parent}")
    if told["version"] != diff_conv2d.__version__:
        raise ValueError(f"the version that was installed is {told['version']}, not {diff_conv2d.__version__}")
    wrong = [
        f"{place} needs {name}" for place, name in told["lacking"].items() if name.partition(".")[0] not in lacking
    ]
    if told["failed"] or wrong:
        raise ValueError("\n".join(["in the installed package fails:", *told["failed"], *wrong]))
    commanded([python, "-I", _HERE / "user.py"], cwd=FOLDER)
    commanded([python.parent / "diff-conv2d", "info" if "numpy" not in lacking else "--help"], cwd=FOLDER)
    left_out = f", {len(told['lacking'])} modules or examples need {', '.join(sorted({*told['lacking'].values()}))}"
    return f"{told['examples']} examples pass{left_out if told['lacking'] else ''}"


def typed(python: Path) -> str:
    """Check a user's program against the installed package, as strictly as the checkers can.

    Args:
        python: interpreter of an environment that has the package and torch.

    Returns:
        Which checkers accept it.

    Raises:
        ValueError: one does not.
    """
    with TemporaryDirectory() as folder:
        program = Path(shutil.copy(_HERE / "user.py", folder))
        mypy = [
            sys.executable,
            "-m",
            "mypy",
            "--strict",
            "--python-executable",
            python,
            "--config-file=",
            "--cache-dir",
        ]
        # PYTHONPATH would show the repository to it.
        apart = {"cwd": folder, "env": _without_path()}
        commanded([*mypy, FOLDER / "mypy_cache", program.name], **apart)
        pyright = shutil.which("pyright")
        if pyright:
            settings = {"typeCheckingMode": "strict", "include": [program.name]}
            (Path(folder) / "pyrightconfig.json").write_text(json.dumps(settings), encoding="utf-8")
            commanded([pyright, "--pythonpath", python, "--project", folder], **apart)
    return "mypy --strict and pyright" if pyright else "mypy --strict (there is no pyright on the PATH)"


def _without_path() -> dict[str, str]:
    return {name: value for name, value in os.environ.items() if name not in ("PYTHONPATH", "MYPYPATH")}


@in_one_sentence("scripts.release.dist")
def main() -> None:
    """Build and try."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--output", type=Path, default=REPOSITORY / "dist", help="folder (default: %(default)s)")
    parser.add_argument("--download", action="store_true", help="install torch and the rest anew: some 6 GB")
    options = parser.parse_args()
    wheel, source = built(options.output.resolve())
    if wrong := list(faults(wheel, source)):
        raise ValueError("\n".join(["the release is not as it must be:", *wrong]))
    for path in (wheel, source):
        print(f"{path}: {path.stat().st_size:,} bytes")
    print("the source distribution builds the same wheel, to the byte")
    python = made(FOLDER / "clean")
    if options.download:
        install(python, wheel)
    else:
        lend(python, ["torch"])
        # What torch needs is there: without an index pip would otherwise fail.
        install(python, "--no-index", wheel)
    print(f"with torch alone: {tried(python, _OPTIONAL)}")
    if options.download:
        install(python, f"{wheel}[{_EXTRAS}]", "scipy", "xarray")
    else:
        lend(python)
    print(f"with {_EXTRAS}: {tried(python, set())}")
    print(f"a user's program is accepted by {typed(python)}")


if __name__ == "__main__":
    main()
