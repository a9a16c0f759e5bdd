"""What each mode does, drawn: a line and an image, extended by it."""

import io
from functools import cache
from typing import Any, NamedTuple

import matplotlib.pyplot as plt
import numpy as np
import torch
from matplotlib.patches import Rectangle
from scipy.ndimage import gaussian_filter
from torch import Tensor

import diff_conv2d
from diff_conv2d import MODES
from experiments.data.terrain import load_terrain
from experiments.random_numbers import random_source
from scripts.figures.style import RC, place

__all__ = ["INKS", "OPTIONS", "UNEXTENDED", "Seen", "drawing", "seen", "told"]

#: Samples along a side of what is extended, and how many are added to each side: for the line, for the image.
LINE, IMAGE = (32, 8), (56, 16)
#: What a mode is drawn with; values are in standard deviations of the image.
OPTIONS: dict[str, dict[str, Any]] = {
    "extrapolate": {"degree": 1},
    "diff": {"degree": 2},
    "diff_explicit": {"degree": 2},
    "constant": {"value": -1.0},
    "dirichlet": {"value": 0.0},
    "neumann": {"value": 0.1},
}
#: Modes that extend no image, but change outputs: what is drawn is the mean over a window of so many samples.
UNEXTENDED = ("partial", "explicit")
MEAN = 9
#: Text, what is known, and what a mode adds, on light and on dark pages.
INKS = {"light": ("#1a1a1a", "#707070", "#c2185b"), "dark": ("#ececec", "#a0a0a0", "#ff80ab")}


class Seen(NamedTuple):
    """What a mode makes of a square, and what is true: float64, of one shape.

    `outside` samples at each side are the mode's own; 0 where the mode extends no image.
    """

    made: np.ndarray
    truth: np.ndarray
    outside: int


@cache
def _terrain() -> Tensor:
    """A part of the terrain, smoothed, of mean 0 and deviation 1, float64, (1, 1, 128, 128)."""
    part = gaussian_filter(load_terrain().numpy()[872:1064, 1372:1564], 2.5)[32:-32, 32:-32]
    return torch.from_numpy((part - part.mean()) / part.std())[None, None]


def seen(mode: str, side: int, outside: int) -> Seen:
    """What a mode makes of a square in the middle of the terrain.

    Args:
        mode: one of the library's.
        side: samples along a side of the square.
        outside: samples that are added at each side.

    Example:
        >>> made = seen("replicate", 8, 2).made[6]
        >>> made.shape, bool(made[0] == made[1] == made[2])
        ((12,), True)
    """
    start = (_terrain().shape[-1] - side) // 2
    whole = slice(start - outside, start + side + outside)
    truth = _terrain()[..., whole, whole]
    square = truth[..., outside:-outside, outside:-outside]
    if mode not in UNEXTENDED:
        return Seen(_wider(mode, square, outside), truth[0, 0].numpy(), outside)
    near = slice(outside - MEAN // 2, side + outside + MEAN // 2)
    layer = diff_conv2d.Conv2d(1, 1, MEAN, padding="same", padding_mode=mode, bias=False, dtype=torch.float64)
    with torch.no_grad():
        # Kernels for the edge, where the mode has some, start as copies of the kernel.
        for parameter in layer.parameters():
            parameter.fill_(1 / MEAN**2)
        made, true = layer(square), torch.nn.functional.conv2d(truth[..., near, near], layer.weight)
    return Seen(made[0, 0].numpy(), true[0, 0].numpy(), 0)


def _wider(mode: str, square: Tensor, outside: int) -> np.ndarray:
    options = dict(OPTIONS.get(mode, {}))
    # Latitudes end at poles, longitudes nowhere.
    name: Any = ("pole", "circular") if mode == "pole" else mode
    with torch.no_grad():
        if MODES[mode].trained and mode != "diff_explicit":
            torch.manual_seed(0)
            layer = diff_conv2d.Conv2d(1, 1, 1, padding=outside, padding_mode=name, bias=False, dtype=torch.float64)
            layer.weight.fill_(1)
            return layer(square)[0, 0].numpy()
        if mode == "random":
            options["generator"] = random_source("drawing")
        return diff_conv2d.pad(square, (outside,) * 4, name, **options)[0, 0].numpy()


def told(mode: str) -> str:
    """What the drawing of a mode shows, in words."""
    options = "".join(f", {name} {value:g}" for name, value in OPTIONS.get(mode, {}).items())
    trained = ", before any training" if MODES[mode].trained and mode != "diff_explicit" else ""
    if mode in UNEXTENDED:
        return (
            f"A mean over {MEAN} x {MEAN} samples with `{mode}`{trained}: along a line of terrain beside the true "
            "mean, and as an image"
        )
    beyond = "pole beyond top and bottom, circular at left and right: " if mode == "pole" else ""
    return (
        f"A line of {LINE[0]} samples of terrain with {LINE[1]} more at each end by `{mode}`{options}{trained}, "
        f"beside what is truly there; and an image extended by {IMAGE[1]} samples at each side, {beyond}"
        "its edge marked"
    )


def drawing(mode: str, ink: str) -> bytes:
    """Draw a mode: a line at the left, an image at the right, as a PNG without a background.

    Args:
        mode: one of the library's.
        ink: one of `INKS`.
    """
    text, known, added = INKS[ink]
    colours = {"text.color": text, "axes.edgecolor": known, "xtick.color": known, "ytick.color": known}
    with plt.rc_context({**RC, **colours, "axes.labelcolor": text}):
        figure = plt.figure(figsize=(4.8, 1.7))
        axes = place(figure, 0.1, 0.06, 2.9, 1.58)
        line, image = seen(mode, *LINE), seen(mode, *IMAGE)
        middle, ends = line.made.shape[0] // 2, (line.outside, line.made.shape[0] - line.outside)
        place_of = np.arange(line.made.shape[0])
        inside = slice(*ends)
        axes.plot(place_of, line.truth[middle], color=known, linewidth=1, linestyle=":")
        if line.outside:
            axes.plot(place_of[inside], line.made[middle][inside], "o", color=text, markersize=2.5)
            for part in (slice(0, ends[0]), slice(ends[1], None)):
                axes.plot(place_of[part], line.made[middle][part], "o", color=added, markersize=3)
            for end in ends:
                axes.axvline(end - 0.5, color=known, linewidth=0.8)
        else:
            axes.plot(place_of, line.made[middle], "o", color=added, markersize=2.5)
        least, most = line.truth[middle].min(), line.truth[middle].max()
        # What a mode adds is shown as far as 1.6 times the range of the line beyond it.
        far = 1.6 * (most - least)
        shown = np.clip(line.made[middle], least - far, most + far)
        axes.set_ylim(min(shown.min(), least) - 0.1, max(shown.max(), most) + 0.1)
        axes.set_axis_off()
        picture = place(figure, 3.1, 0.06, 1.58, 1.58)
        limits = {"vmin": image.truth.min(), "vmax": image.truth.max()}
        picture.imshow(image.made, cmap="viridis", interpolation="nearest", **limits)
        if image.outside:
            corner, side = image.outside - 0.5, image.made.shape[0] - 2 * image.outside
            picture.add_patch(Rectangle((corner, corner), side, side, fill=False, edgecolor="white", linewidth=1))
        picture.set_axis_off()
        file = io.BytesIO()
        figure.savefig(file, format="png", dpi=160, transparent=True, metadata={"Software": None})
        plt.close(figure)
    return file.getvalue()
