"""`diff-conv2d show IMAGE`: the image extended beyond its edges, written or displayed."""

from __future__ import annotations

import argparse
import os
import sys
from pathlib import Path

import torch.nn.functional as F
from torch import Tensor

import diff_conv2d
from diff_conv2d.command import Parser
from diff_conv2d.command.drawing import outlined
from diff_conv2d.command.mode_words import HELP, extension_of
from diff_conv2d.command.pictures import Picture, beside, pillow, pixels, read_picture, write_picture
from diff_conv2d.masks import filled
from diff_conv2d.modes.base import Boundary

__all__ = ["parser", "run"]

# How far from valid pixels masked ones are filled.
_REACH = 3


def parser(name: str) -> argparse.ArgumentParser:
    """Return what parses the subcommand's arguments."""
    made = Parser(prog=name, description="Extend an image beyond its edges, and write or display it.")
    made.add_argument("image", type=Path, help="a picture, or a file .npy with (height, width[, channels])")
    made.add_argument("--mode", default="adaptive", help=f"how it is extended: {HELP} (default: adaptive)")
    made.add_argument(
        "--pad",
        type=int,
        nargs="+",
        default=[32],
        metavar="N",
        help="pixels added at each side, or at left, right, top and bottom (default: 32)",
    )
    made.add_argument("--output", type=Path, help="file to write; without it the picture is displayed if possible")
    made.add_argument("--outline", action="store_true", help="draw a line around the original")
    return made


def run(options: argparse.Namespace) -> None:
    """Extend, then write or display."""
    if len(options.pad) not in (1, 4) or min(options.pad) < 0:
        raise ValueError(f"--pad must be one number from 0 on, or left, right, top and bottom, got {options.pad}")
    pad = options.pad * (4 if len(options.pad) == 1 else 1)
    mode = extension_of(options.mode)
    output, picture = options.output, read_picture(options.image)
    if output is not None and output.resolve() == options.image.resolve():
        raise ValueError(f"--output must be another file than the image, got {output}")
    values = extended(picture, pad, mode)
    print(f"{options.image}: {picture}" + (f" ({picture.note})" if picture.note else ""))
    if output is None and _is_displayed(picture, values, pad, options):
        return
    if output is None:
        suffix = ".npy" if pillow() is None else ".png"
        output = beside(options.image, options.mode, suffix=suffix)
    note = _written(output, picture, values, pad, options.outline)
    print(f"{output}: {values.shape[1]} rows x {values.shape[2]} columns" + (f"; {note}" if note else ""))


def extended(picture: Picture, pad: list[int], mode: Boundary) -> Tensor:
    """Return the values of a picture with pixels added at left, right, top and bottom; masked ones are as they were.

    Masked pixels near valid ones are first filled with the nearest.
    """
    values = picture.values
    known = values if picture.valid is None else filled(values, picture.valid, _REACH)
    result = diff_conv2d.pad(known, pad, mode)
    left, _, top, _ = pad
    result[:, top : top + values.shape[1], left : left + values.shape[2]] = values
    return result


def _alpha(picture: Picture, pad: list[int]) -> Tensor | None:
    """Return the opacity of the extended picture: what is new is opaque."""
    if picture.alpha is None:
        return None
    return F.pad(picture.alpha, pad, value=float(picture.white or 1))


def _written(path: Path, picture: Picture, values: Tensor, pad: list[int], outline: bool) -> str:
    if not outline:
        return write_picture(path, values, picture.white, _alpha(picture, pad))
    image = pillow()
    if path.suffix.lower() == ".npy" or image is None:
        raise ValueError("--outline needs a picture to be drawn in: --output NAME.png, and Pillow")
    shown, note = pixels(values, picture.white)
    image.fromarray(outlined(shown, *pad)).save(path)
    return note


def _is_displayed(picture: Picture, values: Tensor, pad: list[int], options: argparse.Namespace) -> bool:
    """Display the picture, if a display and a program for it are there."""
    image = pillow()
    has_display = sys.platform in ("win32", "darwin") or "DISPLAY" in os.environ or "WAYLAND_DISPLAY" in os.environ
    if image is None or not has_display:
        return False
    from PIL import ImageShow

    shown, note = pixels(values, picture.white)
    shown = outlined(shown, *pad) if options.outline else shown
    if note:
        print(note)
    return bool(ImageShow.show(image.fromarray(shown[..., 0] if shown.shape[-1] == 1 else shown)))
