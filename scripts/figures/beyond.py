"""Values beyond the range of an axis: an arrow at the rim and, beside it, each value's marker and number."""

import math
from collections.abc import Callable, Mapping
from typing import Any

from matplotlib.axes import Axes
from matplotlib.transforms import Transform, offset_copy

from scripts.figures.style import STYLES, in_order

__all__ = ["mark_beyond", "plain", "power_of_ten", "write_beyond"]

# Points: from the rim to the arrow, from there to the first marker, from a marker to its number, and size of letters.
ARROW, FIRST, NUMBER, FONT = 3.5, 10.0, 4.0, 6.5
# Points from one entry to the next, without its number, and for each of the number's signs.
SPACE, SIGN = 9.5, 3.7


def plain(value: float) -> str:
    """A number as people write it.

    Example:
        >>> plain(36.14)
        '36'
    """
    return f"{value:.0f}" if value >= 10 else f"{value:.2g}"


def power_of_ten(value: float) -> str:
    """A number as the ticks of a logarithmic axis have it.

    Example:
        >>> power_of_ten(2.5e4)
        '$10^{4.4}$'
    """
    return f"$10^{{{math.log10(value):.1f}}}$"


def mark_beyond(
    ax: Axes,
    y: float,
    values: Mapping[str, float],
    write: Callable[[float], str] = plain,
    below: bool = False,
) -> float:
    """Mark values of one row that its axis does not hold, outside the axes.

    Args:
        ax: axes whose rows are at integers.
        y: the row.
        values: by name of the method; nothing is drawn of none.
        write: makes a number's text.
        below: whether the values are less than the least of the range, not more than the largest.

    Returns:
        How far the marks reach from the rim, in points.
    """
    entries = [(method, write(values[method])) for method in sorted(in_order(values), key=values.__getitem__)]
    reach = 2 * ARROW + sum(_width(text) for _, text in entries) if entries else 0.0
    # Half a marker lies on each side of its place.
    points = NUMBER - reach if below else FIRST
    if entries:
        _draw_arrow(ax, y, below)
    for method, text in entries:
        style = STYLES[method]
        _draw_at_rim(ax, y, points, below, **style.line | {"label": None, "markersize": 4})
        _write_at_rim(ax, y, points + NUMBER, below, text, style.color)
        points += _width(text)
    return reach


def write_beyond(ax: Axes, y: float, text: str, color: str) -> None:
    """Write one number beside an arrow at the right rim: what is meant must be plain from the row."""
    _draw_arrow(ax, y, False)
    _write_at_rim(ax, y, FIRST - NUMBER, False, text, color)


def _draw_arrow(ax: Axes, y: float, below: bool) -> None:
    style = {"marker": "<" if below else ">", "markersize": 3, "markeredgewidth": 0, "color": "#444444"}
    _draw_at_rim(ax, y, -ARROW if below else ARROW, below, **style)


def _draw_at_rim(ax: Axes, y: float, points: float, below: bool, **style: Any) -> None:
    """Draw a marker so many points to the right of the left or the right rim, without a change of the limits."""
    options = style | {"linestyle": "", "clip_on": False, "transform": _moved(ax, points)}
    ax.plot(float(not below), y, scalex=False, scaley=False, **options)


def _write_at_rim(ax: Axes, y: float, points: float, below: bool, text: str, color: str) -> None:
    """Write text that begins so many points to the right of the left or the right rim."""
    place = _moved(ax, points)
    ax.text(float(not below), y, text, transform=place, color=color, fontsize=FONT, va="center_baseline")


def _moved(ax: Axes, points: float) -> Transform:
    """Return the transform from a share of the width and a row to a place some points further right."""
    return offset_copy(ax.get_yaxis_transform(), ax.figure, x=points, units="points")


def _width(text: str) -> float:
    """Points that a marker and a number take; exponents are smaller."""
    base, _, exponent = text.strip("$").replace("{", "").replace("}", "").partition("^")
    return SPACE + SIGN * (len(base) + 0.7 * len(exponent))
