import numpy as np
import pytest
import torch
from PIL import Image

from experiments.data.pictures import IMAGENET_MEAN, IMAGENET_STD, normalise, read_picture


def test_grey_is_repeated_and_size_is_rows_by_columns(tmp_path):
    pixels = np.arange(48, dtype=np.uint8).reshape(6, 8)
    Image.fromarray(pixels).save(tmp_path / "grey.png")
    assert np.array_equal(read_picture(tmp_path / "grey.png"), pixels)
    colour = read_picture(tmp_path / "grey.png", "RGB", (3, 16))
    assert colour.shape == (3, 16, 3)
    assert np.array_equal(colour[..., 0], colour[..., 2])


def test_normalise_is_that_of_imagenet():
    pixels = np.random.default_rng(0).integers(0, 256, (4, 5, 3), dtype=np.uint8)
    expected = (pixels / 255 - np.array(IMAGENET_MEAN)) / np.array(IMAGENET_STD)
    torch.testing.assert_close(normalise(pixels), torch.from_numpy(expected.transpose(2, 0, 1)).float())


@pytest.mark.parametrize("suffix", ["jpg", "png"])
def test_damaged_files_are_named(tmp_path, suffix):
    path = tmp_path / f"torn.{suffix}"
    Image.fromarray(np.random.default_rng(0).integers(0, 256, (64, 64, 3), dtype=np.uint8)).save(path)
    whole = path.read_bytes()
    for content in (whole[: len(whole) // 2], b"", b"no picture at all"):
        path.write_bytes(content)
        with pytest.raises(ValueError, match=rf"torn\.{suffix} cannot be read: "):
            read_picture(path, "RGB")


def test_a_png_damaged_in_its_middle_is_named(tmp_path):
    path = tmp_path / "torn.png"
    Image.fromarray(np.random.default_rng(0).integers(0, 256, (300, 300, 3), dtype=np.uint8)).save(path)
    whole = path.read_bytes()
    second = whole.index(b"IDAT", whole.index(b"IDAT") + 4)
    path.write_bytes(whole[:second] + bytes(4) + whole[second + 4 :])
    with pytest.raises(ValueError, match=r"torn\.png cannot be read: broken PNG file"):
        read_picture(path)
