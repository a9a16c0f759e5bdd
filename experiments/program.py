"""What the programs of the studies share: settings checked, work done, files named."""

import sys
from collections.abc import Callable, Iterable
from pathlib import Path
from time import monotonic
from typing import TypeVar

from hydra.core.hydra_config import HydraConfig
from omegaconf import DictConfig
from rich.console import Console

from experiments.manifest import settings_of, write_manifest

__all__ = ["run_program"]

Settings = TypeVar("Settings")


def run_program(
    name: str,
    config: DictConfig,
    read_settings: Callable[[DictConfig], Settings],
    run: Callable[[Settings, Console], Iterable[Path]],
) -> None:
    """Check a configuration, run, and print what was written; what is wrong is told in one sentence.

    What the tables were made from is kept beside them (`experiments.manifest`).

    Args:
        name: Of the program, as the sentence begins.
        config: As composed.
        read_settings: Checks it; raises ValueError.
        run: Does the work and returns the files it wrote; raises ValueError, or FileNotFoundError for missing data.

    """
    console, start = Console(), monotonic()
    try:
        paths = list(run(read_settings(config), console))
    except (ValueError, FileNotFoundError) as error:
        sys.exit(f"{name}: {error}")
    # A program may have more than one configuration, which then has a name of its own.
    study = str(config.get("name", name))
    composed_from = HydraConfig.get().job.config_name if HydraConfig.initialized() else name
    modules = [f"experiments.{name}"]
    write_manifest(study, paths, modules, settings_of(config), program=name, config=composed_from)
    # Plain prints: a path must not be broken into lines.
    for path in paths:
        print(path)
    print(f"Done in {monotonic() - start:.0f} s.")
