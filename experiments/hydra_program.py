"""Programs with a configuration of Hydra's that tell in one sentence what does not fit."""

import os
import sys
from collections.abc import Callable
from functools import wraps
from typing import Any

import hydra
from hydra.errors import HydraException, MissingConfigException
from omegaconf.errors import ConfigAttributeError, ConfigKeyError, OmegaConfBaseException

from experiments.paths import CONFIGS

__all__ = ["hydra_program", "sentence"]

# With it Hydra raises what is wrong instead of printing it in several lines, and a user has the whole trace.
FULL_ERROR = "HYDRA_FULL_ERROR"


def hydra_program(name: str) -> Callable[[Callable[..., Any]], Callable[[], Any]]:
    """Make a program of a function of a configuration: ``hydra.main`` for ``configs/NAME.yaml``.

    An option or a choice that there is not ends it with one sentence and status 1.

    Args:
        name: Of the configuration, and of the program as the sentence begins.

    """

    def decorate(function: Callable[..., Any]) -> Callable[[], Any]:
        composed = hydra.main(version_base="1.3", config_path=str(CONFIGS), config_name=name)(function)

        @wraps(function)
        def program() -> Any:
            if os.environ.get(FULL_ERROR):
                return composed()
            os.environ[FULL_ERROR] = "1"
            try:
                return composed()
            except (HydraException, OmegaConfBaseException) as error:
                sys.exit(f"{name}: {sentence(error)}")
            finally:
                del os.environ[FULL_ERROR]

        return program

    return decorate


def sentence(error: Exception) -> str:
    """Say what is wrong with an override.

    Example:
        >>> sentence(MissingConfigException("In 'train': ...", "padding/dif", ["diff", "zeros"]))
        'there is no padding/dif; there are diff, zeros'
    """
    if isinstance(error, MissingConfigException) and error.options:
        return f"there is no {error.missing_cfg_file}; there are {', '.join(map(str, error.options))}"
    what = str(error).splitlines()[0].rstrip(".")
    cause = error.__cause__
    if isinstance(cause, ConfigAttributeError | ConfigKeyError):
        return f"{what[0].lower()}{what[1:]}: there is no such option; --help lists all"
    return f"{what}: {str(cause).splitlines()[0]}" if cause and str(cause) else what
