"""What a wheel and a source distribution must hold, and what they must not."""

import re
import tarfile
import zipfile
from collections.abc import Iterator
from pathlib import Path

from packaging.metadata import Metadata

import diff_conv2d
from experiments.paths import REPOSITORY
from scripts.site.sources import tracked

__all__ = ["LARGEST", "PAGES", "faults", "files_of_the_library", "names_in"]

#: Bytes that neither file may have: the library is code alone.
LARGEST = 2_000_000
#: Beside the package in the source distribution.
PAGES = ("CHANGELOG.md", "CITATION.cff", "LICENSE", "SECURITY.md", "pyproject.toml")
#: The page that an index shows; its links must lead somewhere from there, too.
DESCRIPTION = "diff_conv2d/README.md"
_LINK = re.compile(r"\]\((?!https://)([^)]*)\)")


def files_of_the_library() -> set[str]:
    """The paths of the package's files in the repository, but for the page that describes it."""
    return {path.relative_to(REPOSITORY).as_posix() for path in tracked("diff_conv2d")} - {DESCRIPTION}


def names_in(path: Path) -> set[str]:
    """The files in a wheel or a source distribution; those of the latter without the folder that all are in."""
    if path.suffix == ".whl":
        with zipfile.ZipFile(path) as archive:
            return set(archive.namelist())
    with tarfile.open(path) as archive:
        return {member.name.partition("/")[2] for member in archive.getmembers() if member.isfile()}


def faults(wheel: Path, source: Path) -> Iterator[str]:
    """Yield what is wrong with the two files, a sentence each.

    Args:
        wheel: the built package.
        source: the source distribution.
    """
    library = files_of_the_library()
    info = f"diff_conv2d-{diff_conv2d.__version__}.dist-info"
    in_info = ("METADATA", "RECORD", "WHEEL", "entry_points.txt", "licenses/LICENSE")
    asked_for = {
        wheel: library | {f"{info}/{name}" for name in in_info},
        source: library | {*PAGES, DESCRIPTION, "PKG-INFO"},
    }
    for path, names in asked_for.items():
        found = names_in(path)
        yield from (f"{path.name} lacks {name}" for name in sorted(names - found))
        # Hatchling adds the ignored files of git, which it needs to build the same wheel.
        yield from (
            f"{path.name} holds {name}, which is not of the package"
            for name in sorted(found - names - {".gitignore"})
        )
        if path.stat().st_size > LARGEST:
            yield f"{path.name} has {path.stat().st_size:,} bytes; at most {LARGEST:,} are allowed"
    if "diff_conv2d/py.typed" not in library:
        yield "diff_conv2d/py.typed is not there: no type checker would read the package"
    with zipfile.ZipFile(wheel) as archive:
        text = archive.read(f"{info}/METADATA")
    told = Metadata.from_email(text)
    if str(told.version) != diff_conv2d.__version__:
        yield f"the package says that it is {told.version}; the library says {diff_conv2d.__version__}"
    if [requirement.name for requirement in told.requires_dist or [] if not requirement.marker] != ["torch"]:
        yield f"the package must need torch alone; it needs {told.requires_dist}"
    yield from (
        f"{DESCRIPTION} links to {link}, which an index has not" for link in _LINK.findall(told.description or "")
    )
