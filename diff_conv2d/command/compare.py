"""`diff-conv2d compare IMAGE`: modes ranked by how well they predict the rim of the image, which is known."""

from __future__ import annotations

import argparse
from collections.abc import Sequence
from pathlib import Path

import torch
from torch import Tensor

import diff_conv2d
from diff_conv2d.command import Parser
from diff_conv2d.command.drawing import outlined, write_sheet
from diff_conv2d.command.kernel_words import HELP as KERNELS
from diff_conv2d.command.kernel_words import filter_of
from diff_conv2d.command.mode_words import HELP, UNTRAINED, extension_of, mode_of
from diff_conv2d.command.pictures import Picture, beside, pillow, pixels, read_picture
from diff_conv2d.command.printing import print_table
from diff_conv2d.command.rim import SIDES, Errors, cuts_of, rim_errors
from diff_conv2d.masks import filled
from diff_conv2d.modes.base import Boundary

__all__ = ["CANDIDATES", "FILTERS", "parser", "periodic_axes", "ranked", "run"]

# First among equals, since they are safe where the rim tells nothing.
_SAFE = ("adaptive", "replicate")
#: The modes that are compared if nobody says which: all that train nothing, and the polynomials of low degree.
CANDIDATES = (*_SAFE, *(name for name in UNTRAINED if name not in _SAFE), "diff:degree=1", "diff:degree=2")
#: The filters with which they are compared: a mean, a first and a second derivative.
FILTERS = ("gaussian:1", "sobel", "laplace")

# Wider kernels would take much memory on large images.
_MOST_SIZE = 41
# How far masked pixels are filled.
_REACH = 3
# Panels of the picture: their size, and what of it is cut off and predicted.
_PANEL, _RIM, _ENLARGED = 72, 12, 3
# A step across the seam of at most so many steps of the image, and steps of at most this share of its spread.
_SEAM, _SMOOTH = 2.0, 0.3


def parser(name: str) -> argparse.ArgumentParser:
    """Return what parses the subcommand's arguments."""
    made = Parser(
        prog=name,
        description="Rank the modes on an image. Its rim is cut off, by several depths; each mode extends what is "
        "left, which is filtered and compared with the whole image filtered.",
    )
    made.add_argument("image", type=Path, help="a picture, or a file .npy with (height, width[, channels])")
    made.add_argument("--modes", nargs="+", default=CANDIDATES, metavar="MODE", help=f"{HELP} (default: all)")
    made.add_argument("--kernels", nargs="+", default=FILTERS, metavar="KERNEL", help=KERNELS)
    made.add_argument("--by", choices=("kernel", "side"), default="kernel", help="what the columns of the table are")
    made.add_argument(
        "--output", type=Path, help="picture of the predicted rims to write (default: beside the image)"
    )
    made.add_argument("--no-picture", action="store_true", help="write no picture")
    return made


def run(options: argparse.Namespace) -> None:
    """Compare, print the table, write the picture."""
    names = list(dict.fromkeys(options.modes))
    modes = {name: mode_of(name) for name in names}
    filters = {word: filter_of(word).kernels for word in dict.fromkeys(options.kernels)}
    for word, kernels in filters.items():
        size = max(max(kernel.shape) for kernel in kernels)
        if not 2 <= size <= _MOST_SIZE:
            raise ValueError(f"--kernels must be 2 to {_MOST_SIZE} pixels wide, got {word!r} of {size}")
    picture = read_picture(options.image)
    print(f"{options.image}: {picture}" + (f" ({picture.note})" if picture.note else ""))
    errors = ranked_errors(picture, filters, list(modes.values()))
    cuts = cuts_of(picture.values.shape, filters)
    order = ranked(errors)
    _print(errors, order, names, list(filters), options.by)
    mean = "; geometric mean over the kernels" if len(filters) > 1 else ""
    print(f"\nerror: mean absolute error at the edge, in standard deviations of the filtered image{mean}")
    print(f"Measured at edges whose outside is known: {_listed(cuts)} px farther in than those of the image.")
    exact = int((errors.by_filter <= errors.rounding).all(1).sum())
    if exact > 1:
        print(f"{exact} modes are exact there, to rounding, and not told apart.")
    for axis in periodic_axes(picture.values):
        print(
            f"{axis}: the ends fit together. If the image is a whole period along them, 'circular' is exact there, "
            "which a cut image cannot show."
        )
    if options.no_picture:
        return
    if pillow() is None:
        print('The picture needs Pillow: pip install "diff-conv2d[images]"')
        return
    output = options.output or beside(options.image, "compare", suffix=".png")
    overall = errors.overall()
    titles = [(f"{names[m]}  {overall[m]:.2g}", names[m]) for m in order if modes[names[m]].extends]
    _draw(output, picture, [(title, extension_of(name)) for title, name in titles])
    print(f"{output}: a corner of the image, and what each mode makes of its rim")


def ranked_errors(picture: Picture, filters: dict[str, tuple[Tensor, ...]], modes: Sequence[Boundary]) -> Errors:
    """Return the errors of modes at the rim of a picture; its masked pixels are filled and not compared."""
    values = _known(picture)
    with torch.random.fork_rng(devices=[]), torch.inference_mode():
        torch.manual_seed(0)
        return rim_errors(values, filters, modes, valid=picture.valid)


def ranked(errors: Errors) -> list[int]:
    """Return the numbers of the modes, the one with the least error first; of those equal as printed the first."""
    printed = [float(_number(error)) for error in errors.overall()]
    return sorted(range(len(printed)), key=printed.__getitem__)


def periodic_axes(values: Tensor) -> list[str]:
    """Return the axes of a smooth image whose ends fit together: the step between them is as one within.

    Example:
        >>> h, w = torch.arange(40.0)[:, None], torch.arange(48.0)
        >>> periodic_axes((torch.sin(2 * torch.pi * w / 24) + h / 40)[None])
        ['columns']
    """
    found = []
    for axis, name in ((-2, "rows"), (-1, "columns")):
        steps = values.diff(dim=axis).abs().nanmean()
        length = values.shape[axis]
        seam = (values.narrow(axis, 0, 1) - values.narrow(axis, length - 1, 1)).abs().nanmean()
        lines = values - values.nanmean(dim=axis, keepdim=True)
        if 0 < steps < _SMOOTH * lines.abs().nanmean() and seam <= _SEAM * steps:
            found.append(name)
    return found


def _known(picture: Picture) -> Tensor:
    return picture.values if picture.valid is None else filled(picture.values, picture.valid, _REACH)


def _listed(cuts: Sequence[int]) -> str:
    *first, last = map(str, cuts)
    return f"{', '.join(first)} and {last}" if first else last


def _print(errors: Errors, order: Sequence[int], names: Sequence[str], filters: Sequence[str], by: str) -> None:
    overall = errors.overall()
    columns = errors.by_filter.clamp(min=errors.rounding) if by == "kernel" else errors.of_sides()
    header = ["mode", "error", "to first", *(filters if by == "kernel" else SIDES)]
    rows = [
        [names[m], _number(overall[m]), f"{overall[m] / overall[order[0]]:.3g}", *map(_number, columns[m])]
        for m in order
    ]
    print()
    print_table(header, rows)


def _number(error: Tensor) -> str:
    return "-" if error.isnan() else f"{error.item():.3g}"


def _draw(path: Path, picture: Picture, modes: Sequence[tuple[str, Boundary]]) -> None:
    """Write the upper left corner of the image, and the same with its rim as each mode predicts it."""
    values = _known(picture)
    height, width = values.shape[1:]
    rim = min(_RIM, min(height, width) // 4)
    corner, inner = (slice(None), slice(_PANEL), slice(_PANEL)), values[:, rim : height - rim, rim : width - rim]

    def panel(image: Tensor) -> Tensor:
        return image[corner].maximum(values.amin()).minimum(values.amax())

    panels = [("the image", panel(values))]
    panels += [(title, panel(diff_conv2d.pad(inner, (rim,) * 4, mode))) for title, mode in modes]
    shown = [(title, pixels(image, picture.white)[0]) for title, image in panels]
    write_sheet(path, [(title, outlined(image, rim, 0, rim, 0)) for title, image in shown], _ENLARGED)
