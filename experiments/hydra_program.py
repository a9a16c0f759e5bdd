"""Programs with a configuration of Hydra's that tell in one sentence what does not fit."""

import os
from collections.abc import Callable
from functools import wraps
from pathlib import Path
from typing import Any

import hydra
from hydra.core.hydra_config import HydraConfig
from hydra.types import RunMode
from omegaconf import DictConfig

from experiments.paths import CONFIGS
from experiments.sentences import FULL_ERROR, in_one_sentence

__all__ = ["hydra_program", "is_sweep"]


def hydra_program(name: str, again: str = "") -> Callable[[Callable[..., Any]], Callable[[], Any]]:
    """Make a program of a function of a configuration: ``hydra.main`` for ``configs/NAME.yaml``.

    Whatever goes wrong, in the configuration or in the function, ends it as `in_one_sentence` says.

    Args:
        name: Of the configuration, and of the program as the sentence begins.
        again: What to say of a next attempt when the program is stopped.

    """

    def decorate(function: Callable[..., Any]) -> Callable[[], Any]:
        @wraps(function)
        def program() -> Any:
            if os.environ.get(FULL_ERROR):
                return _composed(name, function, function)()

            def job(config: DictConfig) -> Any:
                # Processes that the function starts are to tell their errors in sentences too.
                os.environ.pop(FULL_ERROR, None)
                try:
                    if is_sweep():
                        # Hydra keeps an error until the other jobs have run.
                        return function(config)
                    with in_one_sentence(name, _folder(config, name), again):
                        return function(config)
                finally:
                    os.environ[FULL_ERROR] = "1"

            with in_one_sentence(name, again=again):
                os.environ[FULL_ERROR] = "1"
                try:
                    return _composed(name, function, job)()
                finally:
                    os.environ.pop(FULL_ERROR, None)

        return program

    return decorate


def is_sweep() -> bool:
    """Whether the function that runs is one job of several, as with --multirun."""
    return HydraConfig.initialized() and HydraConfig.get().mode == RunMode.MULTIRUN


def _composed(name: str, function: Callable[..., Any], job: Callable[..., Any]) -> Callable[[], Any]:
    """Let Hydra compose the configuration of a job, which it calls by the file or the package of the function."""
    # The program of a study is a module of the package that names the study.
    job.__module__ = function.__module__.removesuffix(".program")
    if job is not function:
        job.__code__ = job.__code__.replace(co_filename=function.__code__.co_filename)
    return hydra.main(version_base="1.3", config_path=str(CONFIGS), config_name=name)(job)


def _folder(config: DictConfig, name: str) -> Path | None:
    """Where the program's traces are kept, if it has such a place."""
    place = config.get("output_dir")
    return Path(place).expanduser() / "runs" / name if isinstance(place, str) and place else None
