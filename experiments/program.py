"""What the programs of the studies share: settings checked, work done, files named."""

import sys
from collections.abc import Callable, Iterable
from pathlib import Path
from time import monotonic
from typing import TypeVar

from omegaconf import DictConfig
from rich.console import Console

__all__ = ["run_program"]

Settings = TypeVar("Settings")


def run_program(
    name: str,
    config: DictConfig,
    read_settings: Callable[[DictConfig], Settings],
    run: Callable[[Settings, Console], Iterable[Path]],
) -> None:
    """Check a configuration, run, and print what was written; what is wrong is told in one sentence.

    Args:
        name: Of the program, as the sentence begins.
        config: As composed.
        read_settings: Checks it; raises ValueError.
        run: Does the work and returns the files it wrote; raises ValueError, or FileNotFoundError for missing data.

    """
    console, start = Console(), monotonic()
    try:
        paths = run(read_settings(config), console)
    except (ValueError, FileNotFoundError) as error:
        sys.exit(f"{name}: {error}")
    # Plain prints: a path must not be broken into lines.
    for path in paths:
        print(path)
    print(f"Done in {monotonic() - start:.0f} s.")
