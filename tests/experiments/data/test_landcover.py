import hashlib
import pickle
from itertools import pairwise

import numpy as np
import pytest
import torch
from PIL import Image

from experiments.data import landcover as module
from experiments.data.landcover import BLOCKS, CLASSES, IMAGE, LABELS, SCENES, landcover, landcover_scenes, load_maps
from experiments.data.regions import SPLITS
from scripts.prepare_landcover import MERGED, PALETTE, merge, resample

# All of them together take many seconds.
pytestmark = pytest.mark.slow


@pytest.fixture(scope="module")
def maps():
    return load_maps()


@pytest.fixture(scope="module")
def scenes():
    return landcover_scenes()


@pytest.fixture(scope="module")
def segmentation():
    return landcover()


@pytest.mark.parametrize("path", [IMAGE, LABELS], ids=lambda path: path.name)
def test_files_are_the_documented_ones(path):
    readme = (IMAGE.parents[1] / "README.md").read_text()
    assert hashlib.sha256(path.read_bytes()).hexdigest() in readme


@pytest.mark.parametrize(
    ("latitude", "longitude", "name"),
    [
        (25.0, 10.0, "barren"),  # Sahara
        (-5.0, -65.0, "forest"),  # Amazonia
        (0.0, -140.0, "water"),  # Pacific
        (70.0, -40.0, "snow"),  # Greenland
        (42.0, -93.5, "crop"),  # Iowa
        (-26.0, 128.0, "shrub"),  # Australia
        (48.0, 105.0, "grass"),  # Mongolia
    ],
)
def test_classes_are_where_they_are_on_earth(maps, latitude, longitude, name):
    row, column = int((90 - latitude) * 15), int((180 + longitude) * 15)
    around = maps[1][row - 3 : row + 4, column - 3 : column + 4]
    assert np.mean(around == CLASSES.index(name)) > 0.5


def test_picture_and_classes_lie_on_each_other_to_the_pixel(maps):
    # Red and green minus blue is high on land. A shift of the labels by a pixel in any direction fits worse.
    picture = maps[0][300:2250, 50:5350].astype(np.float32) @ np.array([1, 1, -1], np.float32)

    def fit(down, right):
        land = maps[1][300 + down : 2250 + down, 50 + right : 5350 + right] != 0
        return picture[land].mean() - picture[~land].mean()

    shifts = {(down, right): fit(down, right) for down in (-1, 0, 1) for right in (-1, 0, 1)}
    assert max(shifts, key=shifts.get) == (0, 0)


def test_tiles_have_the_documented_shapes_and_numbers(segmentation, scenes):
    for splits, task, classes in ((segmentation, "segmentation", CLASSES), (scenes, "classification", SCENES)):
        assert (splits.task, splits.classes, splits.in_channels) == (task, classes, 3)
        assert splits.image_size == (64, 64)
        assert [len(getattr(splits, split)) for split in SPLITS] == [2000, 400, 600]
        image, target = splits.train[0]
        assert (image.shape, image.dtype, target.dtype) == ((3, 64, 64), torch.float32, torch.int64)
        assert target.shape == ((64, 64) if task == "segmentation" else ())
        assert 0 <= target.min() <= target.max() < len(classes)
    pictures = torch.stack([segmentation.train[index][0] for index in range(2000)])
    torch.testing.assert_close(pictures.mean(dim=(0, 2, 3)), torch.zeros(3), atol=1e-4, rtol=0)
    torch.testing.assert_close(pictures.std(dim=(0, 2, 3)), torch.ones(3), atol=1e-4, rtol=0)


@pytest.fixture(scope="module")
def marked():
    """A picture of which each pixel says in which column it lies, so that tiles tell where they are from."""
    columns = np.arange(5400)
    rows = np.broadcast_to(np.arange(2700)[:, None] % 256, module.SHAPE)
    picture = np.empty((*module.SHAPE, 3), np.uint8)
    picture[..., 0], picture[..., 1], picture[..., 2] = columns // 256, columns % 256, rows
    return picture, np.ones(module.SHAPE, np.uint8)


@pytest.mark.parametrize("tile", [32, 64, 96])
def test_splits_are_a_tile_apart_and_inside_their_blocks(monkeypatch, marked, tile):
    monkeypatch.setattr(module, "load_maps", lambda: marked)
    splits = landcover(tile, train_tiles=1500, validation_tiles=300, test_tiles=500)
    owner = np.full(5400, "", dtype="U10")
    for split in SPLITS:
        images = getattr(splits, split).images.long()
        used = (images[:, 0] * 256 + images[:, 1]).unique().numpy()
        assert (owner[used] == "").all()
        owner[used] = split
        blocks = [range(start, stop) for name, start, stop in BLOCKS if name == split]
        assert all(any(column in block for block in blocks) for column in used)
    used = np.flatnonzero(owner != "")
    changes = [(a, b) for a, b in pairwise(used) if owner[a] != owner[b]]
    assert len(changes) == len(BLOCKS) - 1
    assert all(b - a > tile for a, b in changes)
    # Across the date line, too: the map is round.
    assert owner[used[0]] != owner[used[-1]]
    assert used[0] + 5400 - used[-1] > tile


def test_tiles_are_cut_alike_from_picture_and_classes(monkeypatch, maps):
    # With the classes as the picture, each tile has to be its own target.
    monkeypatch.setattr(module, "load_maps", lambda: (np.repeat(maps[1][:, :, None], 3, axis=2), maps[1]))
    for part in (landcover().train, landcover().test):
        assert torch.equal(part.images[:, 0], part.targets)


def test_no_tile_is_nearly_all_water(segmentation):
    for split in SPLITS:
        water = (getattr(segmentation, split).targets == CLASSES.index("water")).double().mean(dim=(1, 2))
        assert water.max() <= 0.8
    dry = landcover(max_water=0.0, train_tiles=50, validation_tiles=10, test_tiles=10)
    assert (dry.train.targets != CLASSES.index("water")).all()


def test_scenes_are_dominated_by_their_class(monkeypatch, maps):
    monkeypatch.setattr(module, "load_maps", lambda: (np.repeat(maps[1][:, :, None], 3, axis=2), maps[1]))
    splits = landcover_scenes()
    for split in SPLITS:
        part = getattr(splits, split)
        names = torch.tensor([CLASSES.index(name) for name in SCENES])[part.targets]
        share = (part.images[:, 0] == names[:, None, None]).double().mean(dim=(1, 2))
        assert share.min() >= 0.6


def test_scenes_are_nearly_even(scenes):
    for split in SPLITS:
        counts = torch.bincount(getattr(scenes, split).targets, minlength=len(SCENES))
        assert counts.min() > 0
        assert counts.max() / counts.sum() < 0.22


def test_the_draw_is_fixed_and_smaller_draws_are_part_of_larger_ones(scenes):
    few = landcover_scenes(train_tiles=100, validation_tiles=20, test_tiles=30)
    for split, count in zip(SPLITS, (100, 20, 30), strict=True):
        assert torch.equal(getattr(few, split).images, getattr(scenes, split).images[:count])
        assert torch.equal(getattr(few, split).targets, getattr(scenes, split).targets[:count])


def test_only_training_tiles_are_flipped(scenes):
    torch.manual_seed(0)
    first = scenes.train[0][0]
    assert any(not torch.equal(scenes.train[0][0], first) for _ in range(10))
    assert all(torch.equal(scenes.test[0][0], scenes.test[0][0]) for _ in range(10))
    still = landcover_scenes(train_tiles=6, validation_tiles=6, test_tiles=6, augment=False)
    assert all(torch.equal(still.train[0][0], still.train[0][0]) for _ in range(10))


def test_splits_travel_to_worker_processes(scenes):
    copy = pickle.loads(pickle.dumps(scenes.test))
    assert torch.equal(copy[5][0], scenes.test[5][0])


@pytest.mark.parametrize(
    ("function", "options", "error", "message"),
    [
        (landcover, {"tile": 30}, ValueError, "tile must be a multiple of 4 of at least 16, got 30"),
        (landcover, {"tile": 64.0}, TypeError, "tile must be an integer, got 64.0"),
        (landcover, {"train_tiles": 0}, ValueError, "train_tiles must be at least 1, got 0"),
        (landcover, {"test_tiles": "many"}, TypeError, "test_tiles must be an integer, got 'many'"),
        (landcover, {"max_water": 80}, ValueError, "max_water must be within 0 and 1, got 80"),
        (landcover_scenes, {"dominance": 0.5}, ValueError, "dominance must be above 0.5"),
        (landcover_scenes, {"dominance": "most"}, TypeError, "dominance must be a number, got 'most'"),
        (landcover_scenes, {"test_tiles": 5000}, ValueError, r"test_tiles must be at most \d+ .*, got 5000"),
    ],
)
def test_bad_options_are_refused(function, options, error, message):
    with pytest.raises(error, match=message):
        function(**options)


def test_missing_file_names_the_command_that_makes_it(monkeypatch, tmp_path):
    monkeypatch.setattr(module, "IMAGE", tmp_path / "nowhere.jpg")
    with pytest.raises(FileNotFoundError, match=r"no land cover data at .*nowhere.jpg; .*scripts.prepare_landcover"):
        load_maps()


def test_damaged_and_foreign_files_are_named(monkeypatch, tmp_path):
    torn = tmp_path / "torn.jpg"
    torn.write_bytes(IMAGE.read_bytes()[:100_000])
    monkeypatch.setattr(module, "IMAGE", torn)
    with pytest.raises(ValueError, match=r"torn.jpg is damaged"):
        load_maps()
    torn.write_text("no picture")
    with pytest.raises(ValueError, match=r"torn.jpg is damaged"):
        load_maps()
    Image.fromarray(np.zeros((8, 8, 3), np.uint8)).save(torn)
    with pytest.raises(ValueError, match=r"torn.jpg must be RGB of shape \(2700, 5400\), got RGB of shape \(8, 8\)"):
        load_maps()


def test_merging_covers_every_class_once():
    assert sorted(code for codes in MERGED.values() for code in codes) == list(range(17))
    assert tuple(MERGED) == tuple(PALETTE) == CLASSES
    merged = merge(np.array([[0, 5, 10], [13, 15, 16]], np.uint8))
    assert [CLASSES[index] for index in merged.flatten()] == ["water", "forest", "grass", "crop", "snow", "barren"]
    with pytest.raises(ValueError, match="land cover must be a class from 0 to 16, got 17"):
        merge(np.array([17], np.uint8))


def test_resampling_takes_the_label_at_the_centre():
    # Of four samples three pixels are made: their centres lie at 2/3, 2 and 10/3 samples from the left.
    assert resample(np.array([[0, 1, 2, 3]]), (1, 3)).tolist() == [[0, 2, 3]]
    labels = np.arange(6).reshape(2, 3)
    assert np.array_equal(resample(labels, (2, 3)), labels)
    assert np.array_equal(resample(labels, (4, 6)), labels.repeat(2, axis=0).repeat(2, axis=1))


@pytest.mark.parametrize("make", [landcover, landcover_scenes])
def test_halo_adds_true_context_and_changes_nothing_else(maps, make):
    counts = {"train_tiles": 300, "validation_tiles": 60, "test_tiles": 60, "augment": False}
    plain, wide = make(**counts), make(**counts, halo=32)
    assert (plain.halo, wide.halo, wide.image_size) == (0, 32, (128, 128))
    for split in SPLITS:
        near, far = getattr(plain, split), getattr(wide, split)
        assert torch.equal(far.images[..., 32:-32, 32:-32], near.images)
        assert torch.equal(far.targets, near.targets)
        assert torch.equal(far.mean, near.mean)
        assert torch.equal(far.std, near.std)
    # The context is what lies there on the map, beyond its last column what lies in its first.
    globe = torch.from_numpy(np.concatenate([maps[0], maps[0][:, :64]], axis=1))
    for image in wide.train.images[:3]:
        row = image[:, 0].T
        starts = (globe[:, : 5400 - 64] == row[0]).all(-1)
        found = [(t, left) for t, left in starts.nonzero().tolist() if torch.equal(globe[t, left : left + 128], row)]
        assert any(torch.equal(globe[t : t + 128, left : left + 128].permute(2, 0, 1), image) for t, left in found)


def test_the_context_goes_on_across_the_date_line():
    pixels = np.arange(60 * 100).reshape(60, 100) % 251
    tile = module._cut(pixels.astype(np.uint8), np.array([[20, 0], [20, 84]]), 16, halo=8)
    assert np.array_equal(tile[0][:, 8:], pixels[12:44, :24])
    assert np.array_equal(tile[0][:, :8], pixels[12:44, 92:])
    assert np.array_equal(tile[1][:, 24:], pixels[12:44, :8])


@pytest.mark.parametrize(
    ("halo", "error", "message"),
    [
        (33, ValueError, "halo must be within 0 and 32 for tiles of 64, got 33"),
        (-1, ValueError, "halo must be within 0 and 32"),
        (True, TypeError, "halo must be an integer, got True"),
    ],
)
def test_a_halo_that_there_is_no_room_for_is_refused(halo, error, message):
    with pytest.raises(error, match=message):
        landcover(halo=halo)
