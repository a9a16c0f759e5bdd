"""`diff-conv2d show`."""

import numpy as np
import pytest
import torch
from PIL import Image

import diff_conv2d
from diff_conv2d.command import main

RNG = np.random.default_rng(0)


@pytest.fixture
def field(tmp_path):
    path = tmp_path / "field.npy"
    np.save(path, RNG.standard_normal((40, 50)).cumsum(0).cumsum(1))
    return path


@pytest.mark.parametrize(
    ("word", "mode"),
    [
        ("adaptive", "adaptive"),
        ("diff", {"mode": "diff", "degree": 2}),
        ("diff:degree=1", {"mode": "diff", "degree": 1}),
        ("constant:value=-3.5", {"mode": "constant", "value": -3.5}),
        ("dirichlet:value=2:at=sample", {"mode": "dirichlet", "value": 2, "at": "sample"}),
        ("replicate,circular", ("replicate", "circular")),
    ],
)
def test_an_array_is_extended_by_pad(word, mode, field, tmp_path):
    output = tmp_path / "out.npy"
    assert main(["show", str(field), "--mode", word, "--pad", "1", "2", "3", "4", "--output", str(output)]) == 0
    expected = diff_conv2d.pad(torch.from_numpy(np.load(field))[None], (1, 2, 3, 4), mode)[0]
    assert np.array_equal(np.load(output), expected)


def test_without_a_display_the_picture_is_written_beside_the_image(field, monkeypatch, capsys):
    monkeypatch.delenv("DISPLAY", raising=False)
    monkeypatch.delenv("WAYLAND_DISPLAY", raising=False)
    monkeypatch.setattr("sys.platform", "linux")
    assert main(["show", str(field)]) == 0
    written = field.with_name("field.adaptive.png")
    assert Image.open(written).size == (114, 104)
    assert str(written) in capsys.readouterr().out


@pytest.mark.parametrize("works", [True, False])
def test_on_a_display_it_is_shown_and_otherwise_written(works, field, monkeypatch):
    shown = []
    monkeypatch.setenv("DISPLAY", ":0")
    monkeypatch.setattr("PIL.ImageShow.show", lambda image: shown.append(image.size) or works)
    assert main(["show", str(field), "--pad", "3", "--outline"]) == 0
    assert shown == [(56, 46)]
    assert field.with_name("field.adaptive.png").exists() is not works


def test_the_middle_is_the_picture_and_the_outline_lies_around_it(tmp_path):
    colours = RNG.integers(0, 256, (20, 30, 3), np.uint8)
    Image.fromarray(colours).save(tmp_path / "a.png")
    arguments = ["show", str(tmp_path / "a.png"), "--mode", "replicate", "--pad", "4", "--output"]
    assert main([*arguments, str(tmp_path / "b.png"), "--outline"]) == 0
    assert main([*arguments, str(tmp_path / "c.png")]) == 0
    outlined, plain = (np.asarray(Image.open(tmp_path / f"{name}.png")) for name in "bc")
    assert np.array_equal(plain, np.pad(colours, ((4, 4), (4, 4), (0, 0)), "edge"))
    assert np.array_equal(outlined[4:-4, 4:-4], colours)
    differs = (outlined != plain).any(-1)
    assert differs.sum() == 2 * (22 + 32) - 4
    assert differs[3, 3:-3].all()


def test_what_is_transparent_stays_so_and_is_not_extended(tmp_path):
    pixels = np.full((12, 12, 4), 200, np.uint8)
    pixels[..., 3] = 255
    # Of another colour, which nobody sees.
    pixels[:, 9:] = (0, 0, 0, 0)
    Image.fromarray(pixels).save(tmp_path / "a.png")
    output = tmp_path / "b.png"
    assert main(["show", str(tmp_path / "a.png"), "--mode", "replicate", "--pad", "2", "--output", str(output)]) == 0
    extended = np.asarray(Image.open(output))
    assert extended.shape == (16, 16, 4)
    assert np.array_equal(extended[2:-2, 2:-2], pixels)
    assert (extended[:, -2:] == (200, 200, 200, 255)).all()
