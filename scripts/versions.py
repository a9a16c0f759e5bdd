"""The versions that the tables were made with: `python -m scripts.versions` writes results/versions.txt.

The packages of exp_requirements.txt and all that they bring, as this environment has them. pip reads the file:
`pip install -r results/versions.txt` makes the same environment on the same kind of machine.
"""

import argparse
import platform
from collections.abc import Iterable
from importlib.metadata import PackageNotFoundError, distribution
from pathlib import Path

from packaging.requirements import Requirement
from packaging.utils import canonicalize_name

from experiments.paths import REPOSITORY
from experiments.records import replacing
from experiments.sentences import in_one_sentence

__all__ = ["PATH", "REQUIREMENTS", "installed", "main", "requirements", "text"]

PATH, REQUIREMENTS = REPOSITORY / "results" / "versions.txt", REPOSITORY / "exp_requirements.txt"
HEAD = (
    "# The versions that the tables of this repository were made with; `python -m scripts.versions` writes them.\n"
    "# A version that ends in +NAME, such as +cpu, comes from the index of that package, not from PyPI.\n"
)


def requirements(lines: Iterable[str]) -> list[Requirement]:
    """The requirements of a file such as exp_requirements.txt that hold here, without its comments.

    Example:
        >>> requirements(["zarr>=2.18,<3; python_version < '3.4'"])
        []
        >>> [str(requirement) for requirement in requirements(["# images", "", "dask[array]>=2025.1"])]
        ['dask[array]>=2025.1']
    """
    named = (line.partition("#")[0].strip() for line in lines)
    found = [Requirement(line) for line in named if line]
    return [one for one in found if one.marker is None or one.marker.evaluate()]


def installed(wanted: Iterable[Requirement]) -> dict[str, str]:
    """The versions of packages and of all that they need here, by name, in order.

    Raises:
        ValueError: a package is not installed, or in a version that is not allowed.
    """
    found: dict[str, str] = {}
    seen: set[tuple[str, str]] = set()
    waiting = [(one, "") for one in wanted]
    while waiting:
        one, by = waiting.pop()
        name = canonicalize_name(one.name)
        try:
            package = distribution(one.name)
        except PackageNotFoundError as error:
            raise ValueError(f"{name} is not installed{by}: `make env` installs what is needed") from error
        if not one.specifier.contains(package.version, prereleases=True):
            raise ValueError(f"{name} must be {one.specifier}{by}; {package.version} is installed")
        found[name] = package.version
        # What a package needs depends on the extras that it is asked for with; '' is the package itself.
        for extra in {"", *one.extras} - {extra for other, extra in seen if other == name}:
            seen.add((name, extra))
            waiting += [
                (needed, f", which {name} needs")
                for needed in map(Requirement, package.requires or ())
                if (needed.marker.evaluate({"extra": extra}) if needed.marker else not extra)
            ]
    return dict(sorted(found.items()))


def text(versions: dict[str, str]) -> str:
    """The file: what it is, Python and the kind of machine, then a line for each package."""
    where = f"# Python {platform.python_version()}, {platform.system()} {platform.machine()}\n"
    return HEAD + where + "".join(f"{name}=={version}\n" for name, version in versions.items())


@in_one_sentence("scripts.versions")
def main() -> None:
    """Write the file."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--output", type=Path, default=PATH, help="file to write (default: %(default)s)")
    path = parser.parse_args().output
    versions = installed(requirements(REQUIREMENTS.read_text(encoding="utf-8").splitlines()))
    with replacing(path) as partial:
        partial.write_text(text(versions), encoding="utf-8")
    print(f"{path}: {len(versions)} packages")


if __name__ == "__main__":
    main()
