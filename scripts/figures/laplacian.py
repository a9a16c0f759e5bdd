"""The lower part of the filtering figure: a Laplacian, and what each method makes of its corner."""

import numpy as np
import pandas as pd
from matplotlib.figure import Figure
from matplotlib.patches import Rectangle

from scripts.figures.style import METHODS, place

__all__ = ["HEIGHT", "draw_laplacian"]

# Colours of the paper: second differences of the field, per squared spacing.
COLOURS = {"cmap": "RdBu_r", "vmin": -0.2, "vmax": 0.2}
SHOWN = ("diff", "extrapolate", "replicate", "zeros")

# The field covers this range along both axes (`experiments.filtering.laplacian`).
EXTENT = (0.3, 0.8)
SAMPLES = 501

# Inches.
HEIGHT = 3.06
FULL, ZOOM, ZOOM_GAP, CAPTION = 1.86, 0.72, 0.08, 0.16
FULL_LEFT, ZOOMS_LEFT, INDENT = 0.36, 2.98, 0.22


def draw_laplacian(
    figure: Figure, top: float, letter: str, errors: pd.DataFrame, pictures: dict[str, np.ndarray]
) -> None:
    """Draw the analytical Laplacian, and below each other the zooms for each kernel size."""
    width, height = figure.get_size_inches()
    title = f"({letter}) Laplacian of the Chebyshev field of order 100"
    figure.text(0.05 / width, 1 - (top - 0.02) / height, title, va="bottom", fontweight="bold")
    zoom = _zoom_pixels(pictures)
    subtitle = f"Top right corner, {zoom} × {zoom} pixels"
    figure.text(1 - 0.05 / width, 1 - (top - 0.02) / height, subtitle, ha="right", va="bottom")
    _draw_analytical(figure, top + INDENT, pictures["laplacian/analytical"], zoom)

    sizes = sorted(set(errors["kernel_size"]))
    value = errors.set_index(["kernel_size", "method"])["l1_error"]
    columns = ["truth", *[method for method in SHOWN if method in set(errors["method"])]]
    for row, size in enumerate(sizes):
        for column, method in enumerate(columns):
            left = ZOOMS_LEFT + INDENT + column * (ZOOM + ZOOM_GAP)
            ax = place(figure, left, top + INDENT + row * (ZOOM + CAPTION + ZOOM_GAP), ZOOM, ZOOM)
            # Single pixels are to be seen: no interpolation.
            ax.imshow(pictures[f"laplacian/zoom/{size}/{method}"], interpolation="nearest", **COLOURS)
            ax.set_xticks([])
            ax.set_yticks([])
            caption = "L1 error:" if method == "truth" else _power(value[size, method])
            ax.set_xlabel(caption, labelpad=2, fontsize=7)
            if row == 0:
                ax.set_title("Truth" if method == "truth" else METHODS[method].label, pad=3)
            if column == 0:
                ax.set_ylabel(f"{size} × {size}", labelpad=3)


def _draw_analytical(figure: Figure, top: float, picture: np.ndarray, zoom: int) -> None:
    """Draw the whole field, its colour bar, and the corner that the zooms show."""
    ax = place(figure, FULL_LEFT, top, FULL, FULL)
    low, high = EXTENT
    image = ax.imshow(picture, extent=(low, high, high, low), interpolation="bilinear", **COLOURS)
    ax.set_xticks([0.3, 0.4, 0.5, 0.6, 0.7, 0.8])
    ax.set_yticks([0.3, 0.4, 0.5, 0.6, 0.7, 0.8])
    ax.tick_params(pad=2, length=2.5)
    ax.set_xlabel("$w$", labelpad=0)
    ax.set_ylabel("$h$", labelpad=1)
    side = (high - low) * zoom / SAMPLES
    ax.add_patch(Rectangle((high - side, low), side, side, fill=False, linewidth=1.0, clip_on=False))
    bar = figure.colorbar(
        image, cax=place(figure, FULL_LEFT, top + FULL + 0.42, FULL, 0.08), orientation="horizontal"
    )
    bar.set_label("Analytical Laplacian × spacing²", labelpad=2)
    bar.ax.tick_params(pad=2, length=2.5)


def _zoom_pixels(pictures: dict[str, np.ndarray]) -> int:
    """Return how many pixels a zoom shows along each side."""
    return next(picture.shape[0] for key, picture in pictures.items() if key.startswith("laplacian/zoom/"))


def _power(value: float) -> str:
    """Write a number with two digits and a power of ten."""
    digits, exponent = f"{value:.1e}".split("e")
    return rf"${digits} \times 10^{{{int(exponent)}}}$"
