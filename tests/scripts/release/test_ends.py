"""Which versions the ends of the supported range are."""

from pathlib import Path

import pytest
from packaging.requirements import Requirement

from scripts.release import ends
from scripts.release.ends import ENDS, TESTED_WITH, asked_for, python_for
from scripts.versions import REQUIREMENTS

LINES = REQUIREMENTS.read_text(encoding="utf-8").splitlines()


@pytest.mark.parametrize("end", ENDS)
@pytest.mark.parametrize("python", ["3.10", "3.11", "3.13"])
def test_every_package_is_asked_for_once(end, python):
    found = [Requirement(line) for line in asked_for(end, LINES, python)]
    assert sorted(one.name for one in found) == sorted(TESTED_WITH)
    for one in found:
        assert one.marker is None
        assert {part.operator for part in one.specifier} == ({"=="} if end == "oldest" else {">=", "<"})


def test_oldest_versions_depend_on_python():
    assert "zarr==2.18" in asked_for("oldest", LINES, "3.10")
    assert "zarr==3" in asked_for("oldest", LINES, "3.11")
    assert "torch==2.9" in asked_for("oldest", LINES, "3.10")


@pytest.mark.parametrize("line", ["numpy", "numpy==2.0", "numpy>1"])
def test_a_line_without_an_oldest_version_is_refused(line):
    with pytest.raises(ValueError, match="oldest version"):
        asked_for("oldest", [line], "3.10")
    assert asked_for("newest", [line], "3.10") == [line]


def test_the_python_is_the_oldest_or_the_newest_that_is_there(monkeypatch, capsys):
    there = ["3.11", "3.13"]
    monkeypatch.setattr(ends, "interpreter", lambda version: Path(version) if version in there else None)
    assert python_for("newest") == Path("3.13")
    assert capsys.readouterr().out == ""
    assert python_for("oldest") == Path("3.11")
    assert "There is no Python 3.10 here, the oldest that is allowed: 3.11 is used." in capsys.readouterr().out
    there += ["3.9", "3.10"]
    assert python_for("oldest") == Path("3.10")
    assert capsys.readouterr().out == ""
