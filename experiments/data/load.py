"""A data set from its settings."""

from typing import Any

from hydra.errors import InstantiationException
from hydra.utils import instantiate
from omegaconf import DictConfig

from experiments.data.splits import Splits
from experiments.training.arguments import blamed

__all__ = ["load_data"]


def load_data(settings: DictConfig, **changes: Any) -> Splits:
    """Make the data set of some settings, as in configs/data.

    Args:
        settings: its function, and that function's arguments.
        changes: arguments in place of those.

    Raises:
        ValueError: a setting cannot be used; the sentence names it.
        OSError: data is missing.
    """
    try:
        data = instantiate(settings, **changes)
    except InstantiationException as error:
        # Hydra wraps what a data set raises.
        cause = error.__cause__ or error
        if isinstance(cause, OSError):
            raise cause from None
        raise ValueError(blamed("data", {**settings, **changes}, cause)) from cause
    if not isinstance(data, Splits):
        raise ValueError(f"data._target_ must make {Splits.__name__}, got {type(data).__name__}")
    return data
