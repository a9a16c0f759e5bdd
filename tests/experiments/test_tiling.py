import pytest
import torch

from experiments.models.halo import crop
from experiments.models.unet import UNet
from experiments.seams.measures import measure_tiling, overlapping_tiles
from experiments.tiling import edge_distance, stitched


def smooth(image, padding_mode="zeros"):
    kernel = torch.ones(1, 1, 3, 3, dtype=image.dtype) / 9
    return torch.nn.functional.conv2d(torch.nn.functional.pad(image, [1] * 4, padding_mode), kernel)


def zero_padded(image):
    return smooth(image, "constant")


IMAGE = torch.rand(1, 24 + 8, 24 + 8, generator=torch.Generator().manual_seed(0), dtype=torch.float64)


def test_every_other_tile_makes_up_the_image():
    tiles = overlapping_tiles(lambda image: image, IMAGE, context=4, tile=8, halo=0)
    assert tiles.shape == (5, 5, 8, 8)
    assert torch.equal(stitched(tiles[::2, ::2]), crop(IMAGE, 4)[0])
    assert torch.equal(tiles[1, 2], crop(IMAGE, 4)[0, 4:12, 8:16])


def test_a_halo_as_wide_as_the_network_sees_leaves_no_seam():
    whole = crop(zero_padded(IMAGE[None]), 4)[0, 0]
    for halo in (1, 4):
        tiles = overlapping_tiles(zero_padded, IMAGE, context=4, tile=8, halo=halo)
        torch.testing.assert_close(stitched(tiles[::2, ::2]), whole)
    tiles = overlapping_tiles(zero_padded, IMAGE, context=4, tile=8, halo=0)
    assert not torch.allclose(stitched(tiles[::2, ::2]), whole)


def test_differences_lie_where_the_boundary_reaches():
    whole, clear = crop(zero_padded(IMAGE[None]), 4)[0, 0], crop(IMAGE, 4)[0]
    tiles = overlapping_tiles(zero_padded, IMAGE, context=4, tile=8, halo=0)
    values = measure_tiling(tiles, whole, clear)
    assert {name: len(value) for name, value in values.items()} == {
        "to_whole": 4, "overlap": 2, "error": 4, "error_whole": 4
    }  # fmt: skip
    assert values["to_whole"][0] > 0.01
    torch.testing.assert_close(values["to_whole"][1:], torch.zeros(3, dtype=torch.float64))
    torch.testing.assert_close(values["error"][1:], values["error_whole"][1:])
    assert values["error"][0] > values["error_whole"][0]


def test_measures_by_hand():
    """Tiles that are wrong by 1 in their outermost pixels, of an image of zeros, whose truth is 2."""
    tiles = (edge_distance(8, 8) == 0).double().expand(5, 5, 8, 8)
    values = measure_tiling(tiles, torch.zeros(24, 24), torch.full((24, 24), 2.0))
    assert values["to_whole"].tolist() == [1, 0, 0, 0]
    assert values["error"].tolist() == [1, 4, 4, 4]
    assert values["error_whole"].tolist() == [4, 4, 4, 4]
    # A shared half, 8 by 4, has 20 pixels at its edge. On its short sides and at its corners both tiles are wrong
    # alike; on each long side one of them alone, in 6 pixels.
    assert values["overlap"].tolist() == pytest.approx([12 / 20, 0])


def test_the_context_of_the_experiment_is_more_than_the_network_sees():
    torch.manual_seed(0)
    network = UNet(1, 1, depth=3, width=2, activation="tanh").double().eval()
    image = torch.rand(1, 1, 144, 144, dtype=torch.float64, requires_grad=True)
    for pixel in range(68, 76):
        (gradient,) = torch.autograd.grad(network(image)[0, 0, pixel, pixel], image)
        seen = gradient[0, 0].nonzero() - pixel
        assert seen.abs().max() <= 64
