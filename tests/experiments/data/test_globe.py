import pickle
from itertools import pairwise

import numpy as np
import pytest
import torch
from scipy.ndimage import gaussian_filter

from experiments.data import globe as module
from experiments.data.deblurring import BlurredPatches, InMemoryFields, blur, blur_radius
from experiments.data.globe import BLOCKS, MAX_HALO, globe
from experiments.data.regions import SPLITS
from experiments.data.terrain import load_terrain

# All of them together take many seconds.
pytestmark = pytest.mark.slow


@pytest.fixture(scope="module")
def terrain():
    return load_terrain()


@pytest.fixture(scope="module")
def splits():
    return globe(augment=False)


def test_patches_have_the_documented_shapes_and_numbers(splits):
    assert (splits.task, splits.in_channels, splits.image_size, splits.classes) == (
        "super_resolution",
        1,
        (64, 64),
        (),
    )
    assert [len(getattr(splits, split)) for split in SPLITS] == [2000, 102, 238]
    for split in SPLITS:
        image, target = getattr(splits, split)[0]
        assert image.shape == target.shape == (1, 64, 64)
        assert image.dtype == target.dtype == torch.float32


def test_input_is_the_blurred_terrain_and_both_share_one_affine_map(splits, terrain):
    blurred = torch.from_numpy(gaussian_filter(terrain.numpy(), 3.0))
    for index in (0, 57, 200):
        _, top, left = splits.test.corners[index].tolist()
        inside = np.s_[top : top + 64, left : left + 64]
        mean, std = blurred[inside].mean(), blurred[inside].std(correction=0)
        image, target = splits.test[index]
        torch.testing.assert_close(image[0].double(), (blurred[inside] - mean) / std, atol=2e-4, rtol=0)
        torch.testing.assert_close(target[0].double(), (terrain[inside] - mean) / std, atol=2e-4, rtol=0)


def test_normalisation_does_not_look_at_the_target():
    clear = np.random.default_rng(0).normal(size=(60, 60))
    fields = InMemoryFields(clear, sigma=3.0)
    corners = np.array([[0, 20, 20]])
    before = BlurredPatches(fields, corners, 16)[0][0]
    fields.clear = fields.clear * 100 + 7
    assert torch.equal(BlurredPatches(fields, corners, 16)[0][0], before)
    # The paper's does: that is what makes it a leak.
    leaky = BlurredPatches(fields, corners, 16, normalisation="target_range")
    _, target = leaky[0]
    assert (target.min().item(), target.max().item()) == pytest.approx((-1, 1), abs=1e-5)
    first = leaky[0][0]
    fields.clear = fields.clear * 2
    assert not torch.allclose(leaky[0][0], first)


def test_blur_is_that_of_the_whole_plane_away_from_the_edge():
    random = np.random.default_rng(0).normal(size=(120, 130))
    radius = blur_radius(3.0)
    assert radius == 12
    part = blur(random[30:90, 40:100], 3.0)[radius:-radius, radius:-radius]
    np.testing.assert_allclose(part, blur(random, 3.0)[30 + radius : 90 - radius, 40 + radius : 100 - radius])


@pytest.mark.parametrize("halo", [1, 8, MAX_HALO])
def test_halo_adds_true_context_and_changes_nothing_else(splits, halo):
    wide = globe(halo=halo, augment=False)
    assert wide.image_size == (64 + 2 * halo, 64 + 2 * halo)
    for split in SPLITS:
        near, far = getattr(splits, split), getattr(wide, split)
        assert np.array_equal(near.corners, far.corners)
        image, target = far[3]
        assert image.shape == (1, *wide.image_size)
        torch.testing.assert_close(image[:, halo:-halo, halo:-halo], near[3][0])
        torch.testing.assert_close(target, near[3][1])
    # The context is what lies there: the neighbour's pixels under the same affine map.
    number, top, left = wide.test.corners[3].tolist()
    context = wide.test.fields.window(number, top - halo, left - halo, 64 + 2 * halo, 64 + 2 * halo)[0]
    correlation = torch.corrcoef(torch.stack([context.flatten(), wide.test[3][0].flatten()]))[0, 1]
    assert correlation > 0.9999


@pytest.mark.parametrize("size", [32, 64, 128, 192])
def test_splits_keep_the_blur_and_a_patch_between_them(size):
    splits = globe(size, train_patches=None)
    owner = np.full(3072, "", dtype="U10")
    for split in SPLITS:
        part = getattr(splits, split)
        _, tops, lefts = part.corners.T
        reach = MAX_HALO + blur_radius(3.0)
        assert tops.min() >= reach
        assert tops.max() + size <= 2048 - reach
        assert lefts.min() >= reach
        assert lefts.max() + size <= 3072 - reach
        used = np.unique(lefts[:, None] + np.arange(size))
        assert (owner[used] == "").all()
        owner[used] = split
        blocks = [range(start, stop) for name, start, stop in BLOCKS if name == split]
        assert all(any(column in block for block in blocks) for column in used)
    used = np.flatnonzero(owner != "")
    gaps = [b - a - 1 for a, b in pairwise(used) if owner[a] != owner[b]]
    assert len(gaps) == len(BLOCKS) - 1
    assert min(gaps) >= size + blur_radius(3.0)


def test_test_patches_are_disjoint(splits):
    seen = np.zeros((2048, 3072), int)
    for _, top, left in splits.test.corners:
        seen[top : top + 64, left : left + 64] += 1
    assert seen.max() == 1


def test_flat_patches_are_left_out(monkeypatch, splits):
    lowest = min(splits.test.fields.window(*corner, 64, 64)[0].std(correction=0) for corner in splits.test.corners)
    assert lowest >= 20
    monkeypatch.setattr(module, "FLAT", 0.0)
    assert len(globe().test) > len(splits.test)


def test_a_level_patch_is_zero_and_not_nan():
    patches = BlurredPatches(InMemoryFields(np.full((60, 60), 5000.1), 3.0), np.array([[0, 20, 20]]), 16)
    assert all(part.isfinite().all() for part in patches[0])
    rounded = BlurredPatches(patches.fields, patches.corners, 16, least_scale=1.0)
    assert all(part.abs().max() < 0.01 for part in rounded[0])


def test_pairs_are_flipped_together():
    fields = InMemoryFields(np.random.default_rng(0).normal(size=(60, 60)), sigma=0.01)
    patches = BlurredPatches(fields, np.array([[0, 20, 20]]), 16, augment=True)
    seen = set()
    for seed in range(40):
        torch.manual_seed(seed)
        image, target = patches[0]
        # So narrow a blur changes nothing: image and target are the same picture.
        torch.testing.assert_close(image, target)
        seen.add(tuple(image.flatten().tolist()))
    assert len(seen) == 4


def test_the_draw_is_fixed_and_smaller_draws_are_part_of_larger_ones(splits):
    assert np.array_equal(globe(train_patches=50).train.corners, splits.train.corners[:50])
    assert globe().train.augment
    assert not globe().test.augment


def test_patches_travel_to_worker_processes(splits):
    copy = pickle.loads(pickle.dumps(splits.test))
    assert torch.equal(copy[5][0], splits.test[5][0])


@pytest.mark.parametrize(
    ("options", "error", "message"),
    [
        ({"size": 65}, ValueError, "size must be even and within 16 and 192, got 65"),
        ({"size": "64"}, TypeError, "size must be an integer, got '64'"),
        ({"sigma": 0}, ValueError, "sigma must be above 0 and at most 16, got 0"),
        ({"halo": 65}, ValueError, "halo must be within 0 and 64, got 65"),
        ({"normalisation": "max"}, ValueError, "normalisation must be one of input, target_range, got 'max'"),
        ({"train_patches": 0}, ValueError, "train_patches must be at least 1, or null for all, got 0"),
        ({"train_patches": 9999}, ValueError, r"train_patches must be at most \d+ with these options, got 9999"),
    ],
)
def test_bad_options_are_refused(options, error, message):
    with pytest.raises(error, match=message):
        globe(**options)
