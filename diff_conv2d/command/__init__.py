"""The command `diff-conv2d`, or `python -m diff_conv2d`: the library tried on one's own image, without writing code.

Each subcommand is a module with `parser` and `run`, and is loaded when it is asked for. Neither torch nor a module of
the library is loaded for ``--help``.
"""

from __future__ import annotations

import argparse
import os
import sys
from collections.abc import Sequence
from importlib import import_module
from typing import NoReturn

__all__ = ["Parser", "main"]

#: The subcommands, each in the module of its name.
_SUBCOMMANDS = {
    "info": "versions, devices, threads, and which fast ways are on",
    "show": "extend an image beyond its edges, and write or display it",
    "filter": "filter an image with a kernel and a boundary mode",
    "compare": "rank the modes on an image by how well they predict its rim",
}

#: What users can mend: a setting or a file that does not fit, a package that is missing, too little memory.
_EXPECTED = (ValueError, OSError, ImportError, MemoryError)


class Parser(argparse.ArgumentParser):
    """A parser that ends with status 1, as everything else that users can mend."""

    def error(self, message: str) -> NoReturn:
        """Exit with the message and how to get help."""
        self.exit(1, f"{self.prog}: {message}\nTry: {self.prog} --help\n")


def main(arguments: Sequence[str] | None = None) -> int:
    """Run a subcommand and return the exit status: 0, 1 for what users can mend, 130 for Ctrl-C.

    Args:
        arguments: of the command line; those of this process if None.

    Example:
        >>> main(["show", "none.png", "--mode", "best"])
        1
    """
    listed = "\n".join(f"  {name:9}{what}" for name, what in _SUBCOMMANDS.items())
    parser = Parser(
        prog="diff-conv2d",
        description="What a convolution does at the edge of an image, tried on an image of one's own.",
        epilog=f"subcommands:\n{listed}\n\ndiff-conv2d SUBCOMMAND --help describes each.",
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    parser.add_argument("subcommand", choices=_SUBCOMMANDS, metavar="SUBCOMMAND", help=", ".join(_SUBCOMMANDS))
    parser.add_argument("rest", nargs=argparse.REMAINDER, metavar="...", help="what the subcommand takes")
    name = ""
    try:
        options = parser.parse_args(arguments)
        name = options.subcommand
        module = import_module(f"{__name__}.{name}")
        module.run(module.parser(f"diff-conv2d {name}").parse_args(options.rest))
        sys.stdout.flush()
    except SystemExit as end:
        return end.code if isinstance(end.code, int) else 0
    except KeyboardInterrupt:
        return 130
    except BrokenPipeError:
        # The reader has what it wants; Python would complain at its end.
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
    except _EXPECTED as error:
        return _told(name, error)
    except RuntimeError as error:
        # What torch raises where memory is too small for an image.
        if "allocate" not in str(error):
            raise
        return _told(name, error)
    return 0


def _told(name: str, error: Exception) -> int:
    """Say what is wrong, in a line, and return the status."""
    message = " ".join(str(error).split()) or type(error).__name__
    print(f"diff-conv2d {name}: {message}", file=sys.stderr)
    return 1
