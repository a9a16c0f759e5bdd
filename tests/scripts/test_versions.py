"""The list of versions that the tables were made with."""

import json
from importlib.metadata import version

import pytest
from packaging.requirements import Requirement
from packaging.utils import canonicalize_name
from packaging.version import Version

from experiments.manifest import FOLDER
from scripts.figures.tables import TABLES
from scripts.versions import PATH, REQUIREMENTS, installed, requirements, text


def frozen():
    return {one.name: one for one in requirements(PATH.read_text(encoding="utf-8").splitlines())}


def test_every_line_names_one_version():
    found = frozen()
    assert len(found) > 50
    assert list(found) == sorted(found)
    for one in found.values():
        (specifier,) = one.specifier
        assert specifier.operator == "=="
        Version(specifier.version)


def test_it_has_what_the_experiments_need_in_allowed_versions():
    found = frozen()
    wanted = requirements(REQUIREMENTS.read_text(encoding="utf-8").splitlines())
    assert {"torch", "lightning", "dask"} <= {one.name for one in wanted}
    for one in wanted:
        (specifier,) = found[canonicalize_name(one.name)].specifier
        assert one.specifier.contains(specifier.version, prereleases=True), one


def test_the_tables_were_made_with_its_torch():
    made = {}
    for path in (TABLES / FOLDER).glob("*.json"):
        for one in json.loads(path.read_text(encoding="utf-8"))["torch"].split("; "):
            made[path.stem] = Version(one).public
    assert {Requirement(f"torch=={one}") for one in made.values()} == {frozen()["torch"]}, made


def test_what_is_brought_along_is_in_the_list():
    # dask alone does not need distributed; its extra does.
    plain, with_extra = installed(requirements(["dask"])), installed(requirements(["dask[distributed]"]))
    assert plain["dask"] == with_extra["dask"] == version("dask")
    assert "distributed" not in plain
    assert with_extra["distributed"] == version("distributed")
    # Asked for twice, with an extra and without: the order does not matter.
    assert installed(requirements(["dask[distributed]", "dask"])) == with_extra
    assert installed(requirements(["dask", "dask[distributed]"])) == with_extra
    assert requirements(text(plain).splitlines()) == [Requirement(f"{n}=={v}") for n, v in plain.items()]


@pytest.mark.parametrize(
    ("line", "words"),
    [
        ("no-such-package-here>=1", "no-such-package-here is not installed"),
        ("torch<1", "torch must be <1; .* is installed"),
    ],
)
def test_what_does_not_fit_is_told(line, words):
    with pytest.raises(ValueError, match=words):
        installed(requirements([line]))
