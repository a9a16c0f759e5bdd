"""The library's tests on the oldest and on the newest versions: `make test-oldest`, `make test-newest`.

Makes an environment of its own, .venvs/oldest or .venvs/newest, with the oldest or the newest versions that
exp_requirements.txt allows of what the tests of the library use, and runs these there. It has some 7 GB; a second run
takes it as it is. `rm -r .venvs/oldest` removes it.
"""

import argparse
import json
import os
import re
import shlex
import subprocess
import sys
from collections.abc import Iterable
from pathlib import Path

from packaging.requirements import Requirement
from packaging.utils import canonicalize_name

from experiments.paths import REPOSITORY
from experiments.sentences import in_one_sentence
from scripts.release.environments import FOLDER, commanded, install, interpreter, made, python_of
from scripts.versions import REQUIREMENTS

__all__ = ["ENDS", "TESTED_WITH", "asked_for", "main", "python_for"]

ENDS = ("oldest", "newest")
#: What the tests of the library import; of exp_requirements.txt.
TESTED_WITH = (
    *("torch", "torchvision", "numpy", "scipy", "hydra-core", "rich", "matplotlib", "pillow", "timm", "onnx"),
    *("onnxscript", "onnxruntime", "dask", "xarray", "zarr", "pytest", "hypothesis"),
)
#: torch.compile builds C++ with it, and torch does not ask for it on every Python.
_BUILDS_WITH = "setuptools"
_TESTS = ("tests/diff_conv2d", "diff_conv2d")
#: Versions of Python that are looked for beyond the newest that is claimed.
_MINORS = range(10, 20)


def asked_for(end: str, lines: Iterable[str], python: str) -> list[str]:
    """What pip is asked for: the oldest version that each line allows, or the line as it is.

    Args:
        end: one of `ENDS`.
        lines: of a file of requirements.
        python: version of Python that a line may depend on, such as "3.10".

    Raises:
        ValueError: a line names no oldest version.

    Example:
        >>> lines = ["dask[array]>=2025.1,<2027  # or older", "zarr>=3; python_version >= '3.11'", "lightning>=2"]
        >>> asked_for("oldest", lines, "3.10")
        ['dask[array]==2025.1']
    """
    chosen = []
    for line in lines:
        text = line.partition("#")[0].strip()
        one = Requirement(text) if text else None
        if one is None or canonicalize_name(one.name) not in TESTED_WITH:
            continue
        if one.marker and not one.marker.evaluate({"python_version": python, "python_full_version": f"{python}.0"}):
            continue
        one.marker = None
        if end == "oldest":
            lower = [part.version for part in one.specifier if part.operator == ">="]
            if len(lower) != 1:
                raise ValueError(f"{line!r} must say the oldest version that is allowed, as NAME>=VERSION")
            extras = f"[{','.join(sorted(one.extras))}]" if one.extras else ""
            chosen.append(f"{one.name}{extras}=={lower[0]}")
        else:
            chosen.append(str(one))
    return chosen


def python_for(end: str) -> Path:
    """The interpreter for an end: the oldest that the package allows, or the newest that there is."""
    text = (REPOSITORY / "pyproject.toml").read_text(encoding="utf-8")
    least = re.search(r'^requires-python = ">=3\.(\d+)"$', text, re.MULTILINE)
    if least is None:
        raise ValueError('pyproject.toml must have a line requires-python = ">=3.N"')
    minors = [minor for minor in _MINORS if minor >= int(least[1])]
    for minor in minors if end == "oldest" else reversed(minors):
        if found := interpreter(f"3.{minor}"):
            if end == "oldest" and minor > minors[0]:
                print(f"There is no Python 3.{minors[0]} here, the oldest that is allowed: 3.{minor} is used.")
            return found
    return Path(sys.executable)


def _environment(end: str, python: Path) -> Path:
    """Make the environment of an end, unless it is there; return its interpreter."""
    version = commanded([python, "-c", "import sys; print('%d.%d' % sys.version_info[:2])"]).strip()
    wanted = asked_for(end, REQUIREMENTS.read_text(encoding="utf-8").splitlines(), version)
    # Written last: an environment that was not finished is made anew. The newest of today are not those of tomorrow.
    stamp, content = FOLDER / end / "asked_for.json", json.dumps([version, *wanted, _BUILDS_WITH])
    if stamp.is_file() and stamp.read_text(encoding="utf-8") == content:
        return python_of(FOLDER / end)
    print(f"Making the environment {FOLDER / end}: a few minutes and about 7 GB.", flush=True)
    own = made(FOLDER / end, python)
    install(own, *wanted, _BUILDS_WITH)
    stamp.write_text(content, encoding="utf-8")
    return own


@in_one_sentence("scripts.release.ends")
def main() -> None:
    """Make the environment, say what it has, and run the tests."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("end", choices=ENDS)
    parser.add_argument("--python", type=Path, help="interpreter (default: the oldest, or the newest, that is found)")
    parser.add_argument("tests", nargs="*", default=_TESTS, help="files or folders (default: those of the library)")
    parser.add_argument(
        "--pytest", default="", metavar="OPTIONS", help='options of pytest: --pytest="-x --durations=9"'
    )
    options = parser.parse_args()
    python = _environment(options.end, options.python or python_for(options.end))
    code = (
        "import sys; from importlib.metadata import version; "
        "print('Python ', sys.version.split()[0], *(f', {n} {version(n)}' for n in sys.argv[1:]), sep='')"
    )
    print(commanded([python, "-c", code, *TESTED_WITH]), end="", flush=True)
    environment = {**os.environ, "OMP_NUM_THREADS": os.environ.get("OMP_NUM_THREADS", "1")}
    chosen = ["-m", "not slow and not cuda", *shlex.split(options.pytest), *options.tests]
    command = [str(python), "-m", "pytest", "-q", *chosen]
    sys.exit(subprocess.run(command, cwd=REPOSITORY, env=environment).returncode)


if __name__ == "__main__":
    main()
