import hashlib

import numpy as np
import pytest
import torch
from PIL import Image

from experiments.data import terrain
from experiments.data.terrain import TERRAIN, load_terrain, terrain_patches
from scripts.prepare_globe import cut


def test_terrain_file_is_the_documented_one():
    readme = (TERRAIN.parents[1] / "README.md").read_text()
    assert hashlib.sha256(TERRAIN.read_bytes()).hexdigest() in readme


def test_terrain_is_the_himalaya_in_metres():
    elevation = load_terrain()
    assert elevation.shape == (2048, 3072)
    assert elevation.dtype == torch.float64
    assert elevation.min() >= 0

    # The highest pixel of the crop has to lie where Everest does: 27.99 N, 86.93 E.
    row, column = divmod(int(elevation.argmax()), 3072)
    assert 42.5 - row / 120 == pytest.approx(27.99, abs=0.02)
    assert 64.4 + column / 120 == pytest.approx(86.93, abs=0.02)
    # Delhi, 28.6 N, 77.2 E, lies on the plain at 216 m.
    assert elevation[int((42.5 - 28.6) * 120), int((77.2 - 64.4) * 120)].item() == pytest.approx(216, abs=20)


@pytest.mark.parametrize("size", [2, 63, 500, 512])
def test_patches_are_standardised(size):
    patches = terrain_patches(size)
    assert patches.shape == (11, size, size)
    assert patches.dtype == torch.float64
    assert patches.isfinite().all()
    assert patches.mean(dim=(1, 2)).abs().max() < 1e-10
    if size > 2:
        torch.testing.assert_close(patches.std(dim=(1, 2), correction=0), torch.ones(11, dtype=torch.float64))


def test_patches_have_500_pixels_by_default():
    torch.testing.assert_close(terrain_patches(), terrain_patches(500))


@pytest.mark.parametrize("size", [100, 500, 512])
def test_patches_never_overlap_and_spread_over_the_crop(monkeypatch, size):
    # Noise differs from place to place, so that a patch cut elsewhere cannot pass.
    noise = torch.rand(2048, 3072, generator=torch.Generator().manual_seed(0), dtype=torch.float64)
    monkeypatch.setattr(terrain, "load_terrain", lambda: noise)
    seen = torch.zeros(2048, 3072, dtype=torch.int64)
    for patch, (row, column) in zip(terrain_patches(size), terrain.CELLS, strict=True):
        top, left = 512 * row + (512 - size) // 2, 512 * column + (512 - size) // 2
        source = noise[top : top + size, left : left + size]
        expected = (source - source.mean()) / source.std(correction=0)
        torch.testing.assert_close(patch, expected)
        seen[top : top + size, left : left + size] += 1
    assert seen.max() == 1
    assert seen.sum() == 11 * size**2
    # Every row of cells and every column holds a patch.
    assert {row for row, _ in terrain.CELLS} == set(range(4))
    assert {column for _, column in terrain.CELLS} == set(range(6))


def test_numbers_of_the_patches_stay_what_the_tables_say():
    first_rows = (0, 0), (0, 2), (0, 4), (1, 1), (1, 3), (1, 5)
    last_rows = (2, 0), (2, 2), (2, 4), (3, 1), (3, 3)
    assert first_rows + last_rows == terrain.CELLS


def test_level_patch_stays_finite(monkeypatch):
    monkeypatch.setattr(terrain, "load_terrain", lambda: torch.full((2048, 3072), 5.0, dtype=torch.float64))
    assert (terrain_patches(8) == 0).all()


@pytest.mark.parametrize(
    ("size", "error", "message"),
    [
        (1, ValueError, "size must be within 2 and 512, got 1"),
        (513, ValueError, "size must be within 2 and 512, got 513"),
        (64.0, TypeError, "size must be an integer, got 64.0"),
    ],
)
def test_bad_sizes_are_refused(size, error, message):
    with pytest.raises(error, match=message):
        terrain_patches(size)


def test_missing_file_names_the_command_that_makes_it(monkeypatch, tmp_path):
    monkeypatch.setattr(terrain, "TERRAIN", tmp_path / "nowhere.png")
    with pytest.raises(FileNotFoundError, match=r"no terrain at .*nowhere.png; .*scripts.prepare_globe"):
        load_terrain()


@pytest.mark.parametrize(("shape", "dtype"), [((2048, 3072), np.uint8), ((8, 8), np.uint16)])
def test_picture_of_another_kind_is_refused(monkeypatch, tmp_path, shape, dtype):
    path = tmp_path / "other.png"
    Image.fromarray(np.zeros(shape, dtype)).save(path)
    monkeypatch.setattr(terrain, "TERRAIN", path)
    with pytest.raises(ValueError, match=r"must be 16-bit grey of shape \(2048, 3072\), got mode (L|I;16) of shape"):
        load_terrain()


def test_cut_takes_the_north_east_of_the_tile_and_nothing_below_zero():
    tile = np.zeros((6000, 10800), np.int16)
    tile[900, 7728], tile[2947, 10799], tile[899, 7728], tile[900, 7727] = 1, 2, 3, 4
    crop = cut(tile)
    assert crop.shape == (2048, 3072)
    assert crop.dtype == np.uint16
    assert (crop[0, 0], crop[-1, -1], crop.sum()) == (1, 2, 3)

    tile[1000, 8000] = -1
    with pytest.raises(ValueError, match="the crop must not be negative, got a least elevation of -1"):
        cut(tile)
    with pytest.raises(ValueError, match=r"the tile must have shape \(6000, 10800\), got \(6, 8\)"):
        cut(tile[:6, :8])
