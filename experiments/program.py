"""What the programs of the studies share: settings checked, work done, files written and named."""

from collections.abc import Callable, Iterable
from pathlib import Path
from time import monotonic
from typing import Any, Protocol, TypeVar

from hydra.core.hydra_config import HydraConfig
from omegaconf import DictConfig, OmegaConf
from rich.console import Console

from experiments.checks import writable
from experiments.manifest import chosen_parts, settings_of, write_manifest
from experiments.records import replacing
from experiments.settings import read_settings

__all__ = ["run_program"]


class _Settings(Protocol):
    """The settings of any study."""

    @property
    def output_dir(self) -> Path:
        """Where its tables go."""


Settings = TypeVar("Settings", bound=_Settings)


def run_program(
    name: str,
    config: DictConfig,
    kind: type[Settings],
    run: Callable[..., Iterable[Path]],
    load: Callable[[Settings], Any] | None = None,
) -> None:
    """Check a configuration, run, and print what was written.

    What the tables were made from is kept beside them (`experiments.manifest`), and the configuration in
    ``output_dir/runs/NAME`` once they are there: a run that fails must not replace the
    configuration of the tables that are there.

    Args:
        name: Of the program.
        config: As composed.
        kind: The dataclass of its settings.
        run: Does the work with the settings, what was loaded, and a console; returns the files it wrote.
        load: Loads the data, if there is any; raises ValueError or FileNotFoundError.

    """
    console, start = Console(), monotonic()
    settings = read_settings(kind, config)
    writable("output_dir", settings.output_dir / "tables")
    loaded = [] if load is None else [load(settings)]
    paths = list(run(settings, *loaded, console))
    # A program may have more than one configuration, which then has a name of its own.
    study = str(config.get("name", name))
    composed_from = HydraConfig.get().job.config_name if HydraConfig.initialized() else name
    modules = [f"experiments.{name}.program"]
    # A table of another name is what its overrides make of the program.
    overrides = chosen_parts()
    more = {"overrides": overrides} if any(override.startswith("name=") for override in overrides) else {}
    write_manifest(study, paths, modules, settings_of(config), program=name, config=composed_from, **more)
    with replacing(settings.output_dir / "runs" / study / "config.yaml") as partial:
        partial.write_text(OmegaConf.to_yaml(config), encoding="utf-8")
    # Plain prints: a path must not be broken into lines.
    for path in paths:
        print(path)
    print(f"Done in {monotonic() - start:.0f} s.")
