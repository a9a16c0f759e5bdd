"""What a wheel and a source distribution hold is compared with the repository."""

import io
import tarfile
import zipfile

import pytest

import diff_conv2d
from scripts.release.contents import DESCRIPTION, LARGEST, PAGES, faults, files_of_the_library

NAME = f"diff_conv2d-{diff_conv2d.__version__}"
TOLD = f"""Metadata-Version: 2.4
Name: diff-conv2d
Version: {diff_conv2d.__version__}
Requires-Dist: torch<3,>=2.9
Requires-Dist: numpy; extra == 'images'
Provides-Extra: images
Description-Content-Type: text/markdown

The [paper](https://arxiv.org/abs/2309.06370).
"""


@pytest.fixture
def made(tmp_path):
    """Write a wheel and a source distribution with these changes, and return their paths."""

    def write(told=TOLD, without=(), more=()):
        info = f"{NAME}.dist-info"
        texts = {name: "" for name in [*files_of_the_library(), *more] if name not in without}
        in_info = {f"{info}/{name}": "" for name in ("RECORD", "WHEEL", "entry_points.txt", "licenses/LICENSE")}
        paths = tmp_path / f"{NAME}-py3-none-any.whl", tmp_path / f"{NAME}.tar.gz"
        with zipfile.ZipFile(paths[0], "w") as archive:
            for name, text in {**texts, **in_info, f"{info}/METADATA": told}.items():
                archive.writestr(name, text)
        with tarfile.open(paths[1], "w:gz") as archive:
            for name in {*texts, *PAGES, DESCRIPTION, "PKG-INFO"}:
                archive.addfile(tarfile.TarInfo(f"{NAME}/{name}"), io.BytesIO())
        return paths

    return write


def test_what_is_as_it_must_be_has_no_fault(made):
    assert [*faults(*made())] == []
    assert "diff_conv2d/py.typed" in files_of_the_library()
    assert DESCRIPTION not in files_of_the_library()


@pytest.mark.parametrize(
    ("changes", "says"),
    [
        ({"without": ["diff_conv2d/py.typed"]}, "lacks diff_conv2d/py.typed"),
        ({"without": ["diff_conv2d/modes/adaptive.py"]}, "lacks diff_conv2d/modes/adaptive.py"),
        ({"more": ["tests/test_modes.py"]}, "holds tests/test_modes.py, which is not of the package"),
        ({"told": TOLD.replace(diff_conv2d.__version__, "0.9")}, "the package says that it is 0.9"),
        ({"told": TOLD.replace("numpy; extra == 'images'", "numpy")}, "must need torch alone"),
        ({"told": TOLD.replace("https://arxiv.org/abs/2309.06370", "docs/speed.md")}, "links to docs/speed.md"),
    ],
)
def test_faults(changes, says, made):
    found = [*faults(*made(**changes))]
    assert any(says in fault for fault in found), found


def test_neither_file_is_large(made, monkeypatch):
    wheel, source = made()
    monkeypatch.setattr("scripts.release.contents.LARGEST", source.stat().st_size)
    assert [*faults(wheel, source)] == [
        f"{wheel.name} has {wheel.stat().st_size:,} bytes; at most {source.stat().st_size:,} are allowed"
    ]
    assert LARGEST < 10**7
