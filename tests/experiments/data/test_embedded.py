import re
import shutil

import pytest

from experiments.data import embedded, landcover, navier_stokes, terrain
from experiments.data.embedded import DATA, SHA256, read_embedded

# What reads each file, and where it finds it.
READERS = {
    "navier_stokes/kolmogorov_re500.npy": (navier_stokes, "SNAPSHOTS", navier_stokes.load_snapshots),
    "globe/himalaya.png": (terrain, "TERRAIN", terrain.load_terrain),
    "landcover/blue_marble.jpg": (landcover, "IMAGE", landcover.load_maps),
    "landcover/classes.png": (landcover, "LABELS", landcover.load_maps),
}


def test_checksums_are_those_of_the_table():
    rows = re.findall(r"^\| `(\S+)` \| `([0-9a-f]{64})` \|", (DATA / "README.md").read_text(), re.MULTILINE)
    assert dict(rows) == SHA256
    assert READERS.keys() == SHA256.keys()


def moved(monkeypatch, tmp_path, name):
    """A copy of the folder of data, of which one file is there."""
    module, constant, _ = READERS[name]
    copy = tmp_path / name
    copy.parent.mkdir()
    shutil.copy(DATA / name, copy)
    monkeypatch.setattr(embedded, "DATA", tmp_path)
    monkeypatch.setattr(module, constant, copy)
    return copy


@pytest.mark.parametrize("name", SHA256)
def test_a_file_with_one_changed_byte_is_refused(monkeypatch, tmp_path, name):
    copy = moved(monkeypatch, tmp_path, name)
    content = bytearray(copy.read_bytes())
    content[len(content) // 2] ^= 1
    copy.write_bytes(content)
    with pytest.raises(
        ValueError, match=rf"{name} has changed: .* not {SHA256[name]}; `git checkout -- data/{name}`"
    ):
        READERS[name][2]()


@pytest.mark.parametrize("name", SHA256)
def test_a_file_that_changes_later_is_refused_when_it_is_read_again(monkeypatch, tmp_path, name):
    copy = moved(monkeypatch, tmp_path, name)
    assert read_embedded(copy) == (DATA / name).read_bytes()
    copy.write_bytes(b"")
    with pytest.raises(ValueError, match="has changed"):
        READERS[name][2]()


def test_a_link_in_place_of_the_folder_hides_nothing(monkeypatch, tmp_path):
    elsewhere = tmp_path / "elsewhere"
    elsewhere.mkdir()
    (elsewhere / "himalaya.png").write_bytes(b"x")
    (tmp_path / "globe").symlink_to(elsewhere)
    monkeypatch.setattr(embedded, "DATA", tmp_path)
    for path in (tmp_path / "globe" / "himalaya.png", elsewhere / "himalaya.png"):
        with pytest.raises(ValueError, match="has changed"):
            read_embedded(path)


def test_a_file_of_ones_own_is_read_as_it_is(tmp_path):
    (tmp_path / "himalaya.png").write_bytes(b"x")
    assert read_embedded(tmp_path / "himalaya.png") == b"x"
