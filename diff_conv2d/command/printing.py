"""Tables in a terminal: plain text, or by rich where it is installed and somebody looks."""

from __future__ import annotations

import sys
from collections.abc import Sequence

__all__ = ["print_table", "text_table"]


def print_table(header: Sequence[str], rows: Sequence[Sequence[str]]) -> None:
    """Print a table; plain where the output is read by a program."""
    if sys.stdout.isatty():
        try:
            from rich.console import Console
            from rich.table import Table
        except ImportError:
            pass
        else:
            table = Table()
            for number, name in enumerate(header):
                table.add_column(name, justify="left" if number == 0 else "right")
            for row in rows:
                table.add_row(*row)
            Console().print(table)
            return
    print(text_table(header, rows))


def text_table(header: Sequence[str], rows: Sequence[Sequence[str]]) -> str:
    """Return a table as text, the first column to the left and the others to the right.

    Example:
        >>> print(text_table(["mode", "error"], [["zeros", "1.5"], ["adaptive", "0.1"]]))
        mode      error
        zeros       1.5
        adaptive    0.1
    """
    widths = [max(map(len, column)) for column in zip(header, *rows, strict=True)]
    lines = []
    for row in (header, *rows):
        first, *others = (
            cell.ljust(width) if number == 0 else cell.rjust(width)
            for number, (cell, width) in enumerate(zip(row, widths, strict=True))
        )
        lines.append("  ".join([first, *others]).rstrip())
    return "\n".join(lines)
