"""Numbers as prose shows them."""

import textwrap
from collections.abc import Iterable, Sequence

__all__ = ["filled", "listed", "significant", "span"]


# Characters of a line of a page.
WIDTH = 118


def filled(text: str, **options: str) -> str:
    """Break a text into the lines of a page, at blanks alone; `options` are those of `textwrap.fill`."""
    return textwrap.fill(text, WIDTH, break_on_hyphens=False, break_long_words=False, **options)


def significant(value: float, digits: int = 2) -> str:
    """Write a number with so many significant digits, in powers of ten only where it is below a thousandth.

    Example:
        >>> [significant(value) for value in (0.30, 11.2, 242.4, 0.00026, 0.00999)]
        ['0.30', '11', '242', '2.6e-4', '0.010']
    """
    # Rounding first decides the notation: 0.000999 is 0.0010.
    value = float(f"{value:.{digits - 1}e}") if abs(value) < 10**digits else value
    if value and abs(value) < 1e-3:
        mantissa, exponent = f"{value:.{digits - 1}e}".split("e")
        return f"{mantissa}e{int(exponent)}"
    if abs(value) >= 10 ** (digits - 1):
        return f"{value:.0f}"
    return f"{value:#.{digits}g}" if value else "0"


def span(values: Iterable[float], form: str = ".2f") -> str:
    """Write the least and the greatest of some numbers, or one if both look the same.

    Example:
        >>> span([1.5, 1.2, 1.75]), span([2, 2.001])
        ('1.20 to 1.75', '2.00')
    """
    numbers = list(values)
    ends = [format(end, form) for end in (min(numbers), max(numbers))]
    return ends[0] if ends[0] == ends[1] else " to ".join(ends)


def listed(parts: Sequence[str]) -> str:
    """Join parts as a sentence does; "none" if there are none.

    Example:
        >>> listed(["3", "5", "7"]), listed(["3"]), listed([])
        ('3, 5 and 7', '3', 'none')
    """
    if not parts:
        return "none"
    return " and ".join(filter(None, [", ".join(parts[:-1]), parts[-1]]))
