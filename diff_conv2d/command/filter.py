"""`diff-conv2d filter IMAGE`: the image filtered with a kernel and a boundary mode, and written."""

from __future__ import annotations

import argparse
from pathlib import Path

import torch

from diff_conv2d.command import Parser
from diff_conv2d.command.kernel_words import HELP as KERNELS
from diff_conv2d.command.kernel_words import filter_of
from diff_conv2d.command.mode_words import HELP, mode_of, named_modes
from diff_conv2d.command.pictures import beside, pillow, read_picture, write_picture

__all__ = ["parser", "run"]


def parser(name: str) -> argparse.ArgumentParser:
    """Return what parses the subcommand's arguments."""
    made = Parser(prog=name, description="Filter an image, channel by channel, and write the result.")
    made.add_argument("image", type=Path, help="a picture, or a file .npy with (height, width[, channels])")
    made.add_argument("--kernel", default="gaussian:1", help=f"{KERNELS} (default: gaussian:1)")
    made.add_argument("--mode", default="adaptive", help=f"what lies outside: {HELP} (default: adaptive)")
    made.add_argument(
        "--output", type=Path, help="file to write, .npy for the exact values (default: beside the image)"
    )
    return made


def run(options: argparse.Namespace) -> None:
    """Filter and write. Masked pixels are filled from the nearest valid ones, and masked in the result."""
    filter_, modes = filter_of(options.kernel), named_modes(options.mode)
    # Rejects what cannot be before the image is read.
    mode_of(options.mode)
    picture = read_picture(options.image)
    output = options.output
    if output is None:
        suffix = ".npy" if pillow() is None or options.image.suffix.lower() == ".npy" else ".png"
        output = beside(options.image, filter_.name, options.mode, suffix=suffix)
    if output.resolve() == options.image.resolve():
        raise ValueError(f"--output must be another file than the image, got {output}")
    edges = {} if picture.valid is None else {"mask": picture.valid, "fill": "nearest"}
    mode = modes[0] if len(modes) == 1 else modes
    values = torch.stack([filter_(channel, mode=mode, **edges) for channel in picture.values])
    note = write_picture(output, values, picture.white if filter_.smooths else None, picture.alpha)
    print(f"{options.image}: {picture}" + (f" ({picture.note})" if picture.note else ""))
    known = values[values.isfinite()]
    print(f"{output}: values from {known.min():.4g} to {known.max():.4g}" + (f"; {note}" if note else ""))
