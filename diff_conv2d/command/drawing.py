"""What is drawn into pictures: the outline of the original, and a sheet of panels with titles."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np

__all__ = ["outlined", "write_sheet"]

# Red, which is seen on gray, and titles on white.
_OUTLINE = (220, 30, 30)
_TITLE, _MARGIN = 18, 6
# Panels beside each other.
_COLUMNS = 5


def outlined(pixels: Any, left: int, right: int, top: int, bottom: int) -> Any:
    """Return pixels (H, W, 1 or 3) in colours, with a line around what lies this far from each side.

    The line is one pixel wide, and lies outside what it surrounds where there is room for it.

    Example:
        >>> outlined(np.zeros((5, 5, 1), np.uint8), 2, 2, 2, 2)[..., 0]
        array([[  0,   0,   0,   0,   0],
               [  0, 220, 220, 220,   0],
               [  0, 220,   0, 220,   0],
               [  0, 220, 220, 220,   0],
               [  0,   0,   0,   0,   0]], dtype=uint8)
    """
    drawn = np.repeat(pixels, 3 // pixels.shape[-1], axis=-1)
    height, width = drawn.shape[:2]
    first_row, last_row = max(top - 1, 0), height - max(bottom, 1)
    first_column, last_column = max(left - 1, 0), width - max(right, 1)
    for row in (first_row, last_row):
        drawn[row, first_column : last_column + 1] = _OUTLINE
    for column in (first_column, last_column):
        drawn[first_row : last_row + 1, column] = _OUTLINE
    return drawn


def write_sheet(path: Path, panels: Sequence[tuple[str, Any]], enlarged: int) -> None:
    """Write panels, each with a title above it, five in a row.

    Args:
        path: of the picture.
        panels: titles, and pixels (H, W, 3) of one size.
        enlarged: how many pixels wide a pixel is drawn.
    """
    from PIL import Image, ImageDraw

    large = [(title, pixels.repeat(enlarged, 0).repeat(enlarged, 1)) for title, pixels in panels]
    height, width = (size + _MARGIN for size in large[0][1].shape[:2])
    rows = -(-len(large) // _COLUMNS)
    columns = min(len(large), _COLUMNS)
    sheet = Image.new("RGB", (columns * width + _MARGIN, rows * (height + _TITLE) + _MARGIN), "white")
    draw = ImageDraw.Draw(sheet)
    for number, (title, pixels) in enumerate(large):
        x, y = _MARGIN + number % _COLUMNS * width, _MARGIN + number // _COLUMNS * (height + _TITLE)
        draw.text((x, y + 2), title, fill="black")
        sheet.paste(Image.fromarray(pixels), (x, y + _TITLE))
    sheet.save(path)
