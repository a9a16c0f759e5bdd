"""The numbers behind the interactive figure, computed by the library when the site is built: docs/assets/try.js."""

import base64
import json
from functools import partial
from typing import Any

import numpy as np
import torch
import torch.nn.functional as F
from torch import Tensor

import diff_conv2d
from experiments.edge_error import frame_l1
from experiments.fields import load_field
from experiments.methods import seeded
from experiments.models.halo import crop
from experiments.operators import OPERATORS, operator_kernels
from experiments.random_numbers import random_source
from scripts.figures.style import METHODS, in_order
from scripts.filtering_page import FIELDS

__all__ = ["KERNEL_SIZES", "SHOWN", "WIDTH", "error_of", "extension_of", "fields", "pages", "try_data"]

#: Samples along a side of an image, and how many of its extension are shown at each side.
SIZE, WIDTH = 48, 8
KERNEL_SIZES = (3, 5, 7)
#: One image of each field, and every how many-th sample of it.
SHOWN = {"chebyshev": (50, 1), "spherical_harmonics": (30, 3), "navier_stokes": (6, 1), "terrain": (6, 1)}
#: Powers of ten of the errors that the map of errors tells apart.
DECADES = (-9, 1)


def pages() -> dict[str, str | bytes]:
    """The script that holds the numbers: from a disk, a page may load scripts, but no other data."""
    return {"assets/try_data.js": "const tryData = " + json.dumps(try_data(), separators=(",", ":")) + ";\n"}


def fields() -> dict[str, Tensor]:
    """One image of each field with its surroundings, float64, of mean 0 and deviation 1: (1, 1, 64, 64)."""
    result = {}
    for name, (order, step) in SHOWN.items():
        side = SIZE + 2 * WIDTH
        samples = next(load_field(name, [order], 500)[1]).samples[::step, ::step]
        part = samples[20 : 20 + side, 20 : 20 + side]
        inner = part[WIDTH:-WIDTH, WIDTH:-WIDTH]
        result[name] = ((part - inner.mean()) / inner.std())[None, None]
    return result


def extension_of(image: Tensor, mode: str, size: int) -> Tensor | None:
    """Extend an image as a mode does for kernels of a size; None if the mode extends no image.

    Args:
        image: (1, 1, H, W).
        mode: a method of the filtering experiment.
        size: of the kernel.
    """
    options: dict[str, Any] = {}
    if mode in ("diff", "extrapolate"):
        options = {"degree": size - 1 if mode == "diff" else size // 2}
    elif mode == "random":
        options = {"generator": random_source("try")}
    elif mode == "partial":
        return None
    return diff_conv2d.pad(image, (WIDTH,) * 4, mode, **options)


def error_of(whole: Tensor, kernel: Tensor, mode: str) -> tuple[float, Tensor]:
    """Filter an image by a mode, and compare with the truth, in standard deviations of the true result.

    Args:
        whole: the image with `WIDTH` samples of its surroundings, (1, 1, H, W).
        kernel: (1, 1, k, k).
        mode: a method of the filtering experiment.

    Returns:
        The mean absolute error where the window leaves the image, and the absolute error everywhere.
    """
    reach = kernel.shape[-1] // 2
    truth = F.conv2d(crop(whole, WIDTH - reach), kernel)
    made = seeded(random_source("try"))[mode](crop(whole, WIDTH), kernel)
    scale = truth.std()
    return frame_l1(made / scale, truth / scale, reach), ((made - truth).abs() / scale)[0, 0]


def try_data() -> dict[str, Any]:
    """All that the figure shows: the fields, their extensions and the errors."""
    modes = [mode for mode in in_order(seeded(random_source("try"))) if mode in METHODS]
    data: dict[str, Any] = {
        "size": SIZE,
        "width": WIDTH,
        "decades": DECADES,
        "kernels": [f"{name}, {size} x {size}" for size in KERNEL_SIZES for name in OPERATORS],
        "modes": {mode: METHODS[mode].label for mode in modes},
        "fields": {},
    }
    for name, whole in fields().items():
        low, high = _range(whole)
        levels = partial(_levels, low=low, high=high)
        images = {
            mode: [
                levels(made)
                for size in KERNEL_SIZES
                if (made := extension_of(crop(whole, WIDTH), mode, size)) is not None
            ]
            for mode in modes
        }
        errors: dict[str, list[list[Any]]] = {mode: [] for mode in modes}
        for size in KERNEL_SIZES:
            for kernel in operator_kernels(size)[:, None]:
                for mode in modes:
                    mean, error = error_of(whole, kernel, mode)
                    errors[mode].append([float(f"{mean:.3g}"), _errors(error, size // 2)])
        data["fields"][name] = {
            "title": FIELDS[name],
            "truth": levels(whole),
            # Most modes extend alike whatever the kernel's size.
            "images": {mode: made[:1] if len(set(made)) == 1 else made for mode, made in images.items()},
            "errors": errors,
        }
    return data


def _range(whole: Tensor) -> tuple[float, float]:
    """From where to where values are shown: the field's range and a quarter of it at either side."""
    low, high = whole.min().item(), whole.max().item()
    return low - (high - low) / 4, high + (high - low) / 4


def _levels(samples: Tensor, low: float, high: float) -> str:
    """Values as 16 bits each, from `low` to `high`."""
    share = ((samples[0, 0].numpy() - low) / (high - low)).clip(0, 1)
    return base64.b64encode((share * 65535).round().astype("<u2").tobytes()).decode()


def _errors(error: Tensor, reach: int) -> str:
    """The errors of the frame, row by row, as 8 bits each on a scale of powers of ten; 0 is no error."""
    inside = torch.zeros(error.shape, dtype=torch.bool)
    inside[reach:-reach, reach:-reach] = True
    first, last = DECADES
    share = (np.log10(error[~inside].numpy().clip(10.0**first / 10, None)) - first) / (last - first)
    return base64.b64encode((share.clip(0, 1) * 255).round().astype(np.uint8).tobytes()).decode()
