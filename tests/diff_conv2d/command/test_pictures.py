"""Files of images, read and written."""

import struct
import sys
import types
import zlib
from pathlib import Path

import numpy as np
import pytest
import torch
from PIL import Image

from diff_conv2d.command import main, pictures
from diff_conv2d.command.pictures import beside, pixels, read_picture, write_picture

RNG = np.random.default_rng(0)
GRAY = RNG.integers(0, 256, (5, 7), np.uint8)
COLOURS = RNG.integers(0, 256, (5, 7, 3), np.uint8)


def channels_first(array):
    return np.atleast_3d(array).transpose(2, 0, 1).astype(float)


@pytest.mark.parametrize("array", [GRAY, COLOURS], ids=["gray", "colours"])
def test_pictures_of_8_bits(array, tmp_path):
    Image.fromarray(array).save(tmp_path / "a.png")
    picture = read_picture(tmp_path / "a.png")
    assert np.array_equal(picture.values, channels_first(array))
    assert (picture.white, picture.alpha, picture.valid, picture.note) == (255, None, None, "")
    assert write_picture(tmp_path / "b.png", picture.values, picture.white) == ""
    assert np.array_equal(np.asarray(Image.open(tmp_path / "b.png")), array)


def test_gray_of_16_bits(tmp_path):
    deep = GRAY.astype(np.uint16) * 257 + 3
    Image.fromarray(deep).save(tmp_path / "a.png")
    picture = read_picture(tmp_path / "a.png")
    assert picture.white == 65535
    assert np.array_equal(picture.values[0], deep)
    write_picture(tmp_path / "b.png", picture.values, picture.white)
    assert np.array_equal(np.asarray(Image.open(tmp_path / "b.png")), deep)


def png_of_16_bits(path, array):
    """Write colours of 16 bits, which Pillow cannot."""
    height, width, _ = array.shape
    lines = b"".join(b"\0" + line.astype(">u2").tobytes() for line in array)

    def chunk(kind, data):
        return struct.pack(">I", len(data)) + kind + data + struct.pack(">I", zlib.crc32(kind + data))

    header = struct.pack(">IIBBBBB", width, height, 16, 2, 0, 0, 0)
    parts = [chunk(b"IHDR", header), chunk(b"IDAT", zlib.compress(lines)), chunk(b"IEND", b"")]
    path.write_bytes(b"\x89PNG\r\n\x1a\n" + b"".join(parts))


def test_colours_of_16_bits_lose_8_and_it_says_so(tmp_path):
    png_of_16_bits(tmp_path / "a.png", COLOURS.astype(np.uint16) * 256 + 7)
    picture = read_picture(tmp_path / "a.png")
    assert np.array_equal(picture.values, channels_first(COLOURS))
    assert "upper 8" in picture.note


def test_floating_point(tmp_path):
    values = RNG.standard_normal((5, 7)).astype(np.float32) * 1e5
    Image.fromarray(values).save(tmp_path / "a.tif")
    picture = read_picture(tmp_path / "a.tif")
    assert picture.white is None
    assert np.array_equal(picture.values[0], values)
    assert write_picture(tmp_path / "b.tif", picture.values, None) == ""
    assert np.array_equal(np.asarray(Image.open(tmp_path / "b.tif")), values)


@pytest.mark.parametrize("mode", ["LA", "RGBA", "P"])
def test_transparent_pixels_are_masked(mode, tmp_path):
    alpha = np.full((5, 7), 255, np.uint8)
    alpha[1, 2:4], alpha[3, 3] = 0, 100
    if mode == "P":
        palette = Image.fromarray(np.where(alpha == 0, 0, 1).astype(np.uint8), "P")
        palette.putpalette([10, 20, 30, 40, 50, 60])
        palette.save(tmp_path / "a.png", transparency=0)
    else:
        base = GRAY if mode == "LA" else COLOURS
        Image.fromarray(np.concatenate([np.atleast_3d(base), alpha[..., None]], -1)).save(tmp_path / "a.png")
    picture = read_picture(tmp_path / "a.png")
    assert len(picture.values) == (1 if mode == "LA" else 3)
    assert np.array_equal(picture.valid, alpha > 0)
    if mode != "P":
        assert np.array_equal(picture.alpha, alpha)


def test_two_colours_are_black_and_white(tmp_path):
    Image.fromarray(GRAY > 99).save(tmp_path / "a.png")
    assert np.array_equal(read_picture(tmp_path / "a.png").values[0], 255 * (GRAY > 99))


def test_a_photograph_that_lies_on_its_side_is_stood_up(tmp_path):
    exif = Image.Exif()
    exif[0x0112] = 6
    Image.fromarray(GRAY).save(tmp_path / "a.png", exif=exif)
    assert np.array_equal(read_picture(tmp_path / "a.png").values[0], np.rot90(GRAY, -1))


def test_of_several_pictures_the_first(tmp_path):
    Image.fromarray(GRAY).save(tmp_path / "a.gif", save_all=True, append_images=[Image.fromarray(255 - GRAY)])
    picture = read_picture(tmp_path / "a.gif")
    assert "first of 2" in picture.note


@pytest.mark.parametrize("dtype", ["bool", "uint8", "int16", "uint16", "int32", "int64", "float16", "float64"])
def test_arrays(dtype, tmp_path):
    array = (GRAY / 3).astype(dtype)
    np.save(tmp_path / "a.npy", array)
    picture = read_picture(tmp_path / "a.npy")
    assert np.array_equal(picture.values[0], array)
    assert picture.white is None


def test_nan_is_masked(tmp_path):
    array = COLOURS / 255
    array[2, 3, 1] = np.nan
    np.save(tmp_path / "a.npy", array)
    picture = read_picture(tmp_path / "a.npy")
    assert (~picture.valid).nonzero().tolist() == [[2, 3]]
    assert "masked" in str(picture)


REFUSED = {
    "a line": (np.ones(5), "(height, width)"),
    "many channels": (np.ones((5, 7, 5)), "at most 4 channels"),
    "nothing": (np.ones((0, 7)), "shape (0, 7)"),
    "complex numbers": (np.ones((5, 7), complex), "real numbers"),
    "infinity": (np.full((5, 7), np.inf), "infinity"),
    "NaN alone": (np.full((5, 7), np.nan), "no valid pixel"),
}


@pytest.mark.parametrize(("array", "says"), REFUSED.values(), ids=REFUSED)
def test_other_arrays_are_refused(array, says, tmp_path):
    np.save(tmp_path / "a.npy", array)
    with pytest.raises(ValueError, match=r"a\.npy (must hold|has)") as raised:
        read_picture(tmp_path / "a.npy")
    assert says in str(raised.value)


def test_code_in_an_array_is_not_run(tmp_path):
    np.save(tmp_path / "a.npy", np.array([[Path("a")]], dtype=object), allow_pickle=True)
    with pytest.raises(ValueError, match="allow_pickle"):
        read_picture(tmp_path / "a.npy")


@pytest.mark.parametrize("damage", ["text", "half"])
def test_a_damaged_file_is_one_sentence(damage, tmp_path, capsys):
    path = tmp_path / "a.png"
    Image.fromarray(np.tile(COLOURS, (20, 20, 1))).save(path)
    path.write_bytes(b"no picture" if damage == "text" else path.read_bytes()[: path.stat().st_size // 2])
    assert main(["show", str(path)]) == 1
    error = capsys.readouterr().err
    assert "cannot be read as an image" in error
    assert error.count("\n") == 1


def test_without_pillow_arrays_alone(tmp_path, monkeypatch, capsys):
    Image.fromarray(GRAY).save(tmp_path / "a.png")
    np.save(tmp_path / "a.npy", GRAY)
    monkeypatch.setitem(sys.modules, "PIL", None)
    assert main(["show", str(tmp_path / "a.png")]) == 1
    assert 'pip install "diff-conv2d[images]"' in capsys.readouterr().err
    assert main(["show", str(tmp_path / "a.npy"), "--mode", "replicate", "--pad", "2"]) == 0
    assert np.array_equal(np.load(tmp_path / "a.replicate.npy"), np.pad(GRAY, 2, "edge"))
    assert main(["show", str(tmp_path / "a.npy"), "--output", str(tmp_path / "b.png")]) == 1
    assert "needs Pillow" in capsys.readouterr().err


def test_imageio_reads_what_pillow_cannot(tmp_path, monkeypatch):
    (tmp_path / "a.exr").write_bytes(b"no picture to Pillow")
    values = COLOURS.astype(np.float32) / 7
    found = types.SimpleNamespace(imread=lambda path: values)
    monkeypatch.setattr(pictures, "import_module", lambda name: found if name == "imageio.v3" else None)
    assert np.array_equal(read_picture(tmp_path / "a.exr").values, values.transpose(2, 0, 1))


def test_values_beyond_black_and_white_are_cut_off_and_it_says_so():
    shown, note = pixels(torch.tensor([[[-20.0, 0, 255, 300]]]), 255)
    assert shown[..., 0].tolist() == [[0, 0, 255, 255]]
    assert note == "50 % of the values lie outside 0 to 255, and are cut off"


def test_values_without_white_are_stretched_and_it_says_so():
    shown, note = pixels(torch.tensor([[[-1.0, 0, 1, torch.nan]]]), None)
    assert shown[..., 0].tolist() == [[0, 128, 255, 0]]
    assert note == "-1 is black and 1 white"
    assert pixels(torch.ones(1, 2, 2), None)[0].max() == 0


def test_the_name_of_a_result_has_no_separators():
    assert beside(Path("x/a.b.png"), "gaussian:2", "replicate,circular") == Path(
        "x/a.b.gaussian-2.replicate-circular.png"
    )
