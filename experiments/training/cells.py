"""The cells of a sweep, from configs/reproduce.yaml: one run for each method, variant of the network and seed."""

import copy
import functools
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from hydra import compose, initialize_config_dir
from hydra.core.global_hydra import GlobalHydra
from omegaconf import DictConfig, OmegaConf

from experiments.checks import (
    LARGEST_SEED,
    Reader,
    different,
    integers,
    mapping,
    optional,
    processes,
    text,
    texts,
)
from experiments.padding_configs import METHODS, store_modes
from experiments.paths import CONFIGS

__all__ = ["Cell", "composed", "read_sweep", "sweep_cells", "sweep_names"]

# Settings of train.py that a sweep gives each of its runs.
OWN = ("experiment", "experiment_name", "runs_dir", "seed")


@dataclass(frozen=True)
class Cell:
    """One run of a sweep: its name, and the settings of train.py that make it, but for the seed."""

    sweep: str
    variant: str
    method: str
    seed: int
    overrides: tuple[str, ...]

    @property
    def name(self) -> str:
        """The cell in a few words."""
        return " ".join(filter(None, [self.sweep, self.variant, self.method, f"seed {self.seed}"]))


def read_sweep(read: Reader) -> None:
    """Check the settings of configs/reproduce.yaml, shared by other programs."""
    read("seeds", integers, 0, LARGEST_SEED)
    read("jobs", optional, processes)
    read("settings", _settings)
    read("runs_dir", text)
    # Of a trial, which has settings of other programs too.
    read.known.add("squares")
    names, scale = read("sweep", _sweep_names), read("scale", text)
    controls, sweeps = read("controls", _lists), read("sweeps", _sweeps)
    count = len(read.wrong)
    read("only", optional, _method_names)
    if names is None or scale is None or controls is None or sweeps is None or len(read.wrong) > count:
        return
    if not sweep_names(read.config):
        scales = dict.fromkeys(found for of_sweep in sweeps.values() for found in of_sweep)
        read.wrong.append(f"scale must be one of {', '.join(scales)}; got {scale!r}")
    for name in sweep_names(read.config):
        try:
            _methods(read.config, name, _sweep(read.config, name))
        except ValueError as error:
            read.wrong.append(str(error))


def _sweep_names(key: str, value: object) -> object:
    return text(key, value) if isinstance(value, str) else [text(f"each of {key}", n) for n in different(key, value)]


def _method_names(key: str, value: object) -> list[str]:
    return [text(f"each of {key}", name) for name in different(key, value)]


def _settings(key: str, value: object) -> list[str]:
    """Check settings of train.py that all runs share: those that tell the runs apart are not among them."""
    given = texts(key, value)
    for setting in given:
        name = setting.lstrip("+~").partition("=")[0]
        if name in OWN:
            raise ValueError(f"{key} must not hold {name}, which the sweep gives; got {setting!r}")
    return given


def _lists(key: str, value: object) -> dict[str, list[str]]:
    """Return lists of settings of train.py, by name."""
    return {name: texts(f"{key}.{name}", settings) for name, settings in mapping(key, value).items()}


def _primary(key: str, value: object) -> dict[str, str]:
    """Return a comparison with zero padding: a method, a metric and a region."""
    parts = mapping(key, value)
    if set(parts) != {"method", "metric", "region"}:
        raise ValueError(f"{key} must have method, metric and region; got {', '.join(map(str, parts)) or 'nothing'}")
    return {name: text(f"{key}.{name}", part) for name, part in parts.items()}


def _sweeps(key: str, value: object) -> dict[str, Any]:
    """Return what each sweep is at each scale."""
    sweeps = mapping(key, value)
    for name, scales in sweeps.items():
        for scale, sweep in mapping(f"{key}.{name}", scales).items():
            place = f"{key}.{name}.{scale}"
            checks = {
                "config": text,
                "without": texts,
                "methods": texts,
                "variants": _lists,
                "metrics": texts,
                "primary": _primary,
            }
            for part, setting in mapping(place, sweep).items():
                if part not in checks:
                    raise ValueError(f"{place} may have {', '.join(checks)}; got {part!r}")
                checks[part](f"{place}.{part}", setting)
            for part in ("config", "metrics"):
                if part not in sweep:
                    raise ValueError(f"{place}.{part} is missing")
    return sweeps


def sweep_cells(config: DictConfig) -> list[Cell]:
    """List the cells of a sweep or several, seed after seed, so that what is stopped has whole seeds.

    Args:
        config: as in configs/reproduce.yaml.

    Raises:
        ValueError: there is no such experiment, scale or method, or nothing to run.
    """
    seeds = list(config.seeds)
    if not seeds or len(set(seeds)) < len(seeds) or not all(isinstance(s, int) and s >= 0 for s in seeds):
        raise ValueError(f"seeds must be different whole numbers from 0 on, at least one; got {seeds}")
    sweeps = {name: _sweep(config, name) for name in sweep_names(config)}
    methods = {name: _methods(config, name, sweep) for name, sweep in sweeps.items()}
    common = [f"runs_dir={config.runs_dir}", "logger=csv", *config.settings]
    return [
        Cell(
            name,
            variant,
            method,
            seed,
            (f"experiment={sweep['config']}", *common, *of_variant, *method_settings(config.controls)[method]),
        )
        for seed in seeds
        for name, sweep in sweeps.items()
        for variant, of_variant in sweep.get("variants", {"": []}).items()
        for method in methods[name]
    ]


def sweep_names(config: DictConfig) -> list[str]:
    """The sweeps that `config.sweep` names: one, a list of them, or `all` that there are at its scale."""
    if config.sweep == "all":
        return [name for name, scales in config.sweeps.items() if config.scale in scales]
    return [config.sweep] if isinstance(config.sweep, str) else list(config.sweep)


def method_settings(controls: Mapping[str, list[str]]) -> dict[str, list[str]]:
    """The settings of train.py that each method stands for: boundary modes, variants of them, controls."""
    return {method: [f"padding={method}"] for method in METHODS} | dict(controls)


def composed(cell: Cell) -> DictConfig:
    """The settings of a cell's run, as train.py has them.

    Raises:
        HydraException: an override does not fit.
    """
    config = copy.deepcopy(_composed(cell.overrides))
    config.seed = cell.seed
    return config


@functools.cache
def _composed(overrides: tuple[str, ...]) -> DictConfig:
    """Compose once for all seeds: it takes a tenth of a second."""
    # A program that Hydra started cannot compose another's settings before this.
    GlobalHydra.instance().clear()
    with initialize_config_dir(str(CONFIGS), version_base="1.3"):
        store_modes()
        return compose("train", list(overrides))


def _sweep(config: DictConfig, name: str) -> dict[str, Any]:
    """The sweep of an experiment at a scale."""
    if name not in config.sweeps:
        raise ValueError(f"sweep must be one of all, {', '.join(config.sweeps)}; got {name!r}")
    scales = config.sweeps[name]
    if config.scale not in scales:
        raise ValueError(f"scale must be one of {', '.join(scales)} for {name}; got {config.scale!r}")
    return OmegaConf.to_container(scales[config.scale])


def _methods(config: DictConfig, name: str, sweep: dict[str, Any]) -> list[str]:
    """The methods to run, in the order of the configuration."""
    possible = [m for m in method_settings(config.controls) if m not in sweep.get("without", [])]
    if config.only is None:
        return [m for m in possible if m in sweep.get("methods", possible)]
    if unknown := [m for m in config.only if m not in possible]:
        raise ValueError(f"methods of {name} at scale {config.scale} are {', '.join(possible)}; got {unknown[0]!r}")
    if not config.only:
        raise ValueError("only must name at least one method, or be null for all of them")
    return [m for m in possible if m in config.only]
