import pickle

import pytest
import torch
from torch.utils.data import TensorDataset

from experiments.data.splits import Splits
from experiments.data.tiles import Tiles, channel_moments, flip_together


def random_images(*shape):
    return torch.randint(0, 256, shape, dtype=torch.uint8, generator=torch.Generator().manual_seed(0))


def test_tiles_are_normalised_per_channel():
    images = random_images(5, 3, 8, 9)
    mean, std = channel_moments(images)
    torch.testing.assert_close(mean, images.double().mean(dim=(0, 2, 3)))
    torch.testing.assert_close(std, images.double().std(dim=(0, 2, 3), correction=0))

    tiles = pickle.loads(pickle.dumps(Tiles(images, torch.arange(5), mean, std)))
    everything = torch.stack([tiles[index][0] for index in range(len(tiles))])
    assert everything.dtype == torch.float32
    torch.testing.assert_close(everything.mean(dim=(0, 2, 3)), torch.zeros(3), atol=1e-5, rtol=0)
    torch.testing.assert_close(everything.std(dim=(0, 2, 3), correction=0), torch.ones(3))
    assert [tiles[index][1].item() for index in range(5)] == [0, 1, 2, 3, 4]
    assert tiles[0][1].dtype == torch.int64


def test_targets_of_pixels_are_flipped_with_their_image():
    images = random_images(1, 1, 6, 7)
    tiles = Tiles(images, images[:, 0], [0.0], [1.0], flip_axes=(-2, -1))
    seen = set()
    for seed in range(40):
        torch.manual_seed(seed)
        image, target = tiles[0]
        torch.testing.assert_close(image[0], target.float())
        seen.add(tuple(image.flatten().tolist()))
        torch.manual_seed(seed)
        torch.testing.assert_close(tiles[0][0], image)
    # All four: neither axis, the one, the other, both.
    assert len(seen) == 4


def test_without_axes_no_random_number_is_drawn():
    torch.manual_seed(0)
    state = torch.get_rng_state()
    image = torch.arange(4).view(2, 2)
    assert flip_together(image, axes=()) == (image,)
    assert torch.equal(torch.get_rng_state(), state)


def test_what_does_not_fit_is_refused():
    with pytest.raises(ValueError, match=r"images must be uint8 of four axes, got torch\.float32"):
        Tiles(torch.zeros(1, 1, 2, 2), torch.zeros(1), [0.0], [1.0])
    with pytest.raises(ValueError, match="each image needs a target, got 2 images and 1 targets"):
        Tiles(random_images(2, 1, 2, 2), torch.zeros(1), [0.0], [1.0])
    with pytest.raises(ValueError, match="a channel has one value only"):
        channel_moments(torch.zeros(2, 1, 3, 3, dtype=torch.uint8))


def test_splits_that_do_not_fit_are_refused():
    part = TensorDataset(torch.zeros(2, 1, 4, 4), torch.zeros(2))
    nothing = TensorDataset(torch.zeros(0, 1, 4, 4), torch.zeros(0))
    with pytest.raises(ValueError, match=r"task must be one of classification, .*, got 'detection'"):
        Splits("detection", part, part, part, 1, (4, 4))
    with pytest.raises(ValueError, match="only super_resolution has none"):
        Splits("segmentation", part, part, part, 1, (4, 4))
    with pytest.raises(ValueError, match="the test part of the data set has no items"):
        Splits("super_resolution", part, part, nothing, 1, (4, 4))
