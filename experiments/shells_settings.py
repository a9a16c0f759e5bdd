"""The settings of the study of shells, checked once, before anything is computed."""

from dataclasses import dataclass
from pathlib import Path
from typing import Any

from omegaconf import DictConfig, OmegaConf

from experiments.checks import folder, integer, integers, kernel_sizes, names
from experiments.fields import FIELDS
from experiments.methods import METHODS

__all__ = ["Settings", "read_settings"]


@dataclass(frozen=True)
class Settings:
    """What ``configs/shells.yaml`` says, in the types that the program works with."""

    orders: dict[str, list[int]]
    size: int
    kernel_sizes: list[int]
    methods: list[str]
    degrees: list[int]
    num_kernels: int
    seed: int
    output_dir: Path


def read_settings(config: DictConfig) -> Settings:
    """Check a configuration.

    Args:
        config: As composed from ``configs/shells.yaml``.

    Returns:
        The settings.

    Raises:
        ValueError: A value cannot be used; the sentence names it and what is allowed.

    """
    values: Any = OmegaConf.to_container(config, resolve=True)
    fields = names("fields", values["fields"], list(FIELDS))
    if missing := [name for name in fields if name not in values["orders"]]:
        raise ValueError(f"orders.{missing[0]} is missing, though fields names {missing[0]}")
    sizes = kernel_sizes(values["kernel_sizes"])
    return Settings(
        orders={name: integers(f"orders.{name}", values["orders"][name]) for name in fields},
        size=integer("size", values["size"], 2 * max(sizes) - 1),
        kernel_sizes=sizes,
        methods=names("methods", values["methods"], list(METHODS)),
        degrees=integers("degrees", values["degrees"], 0),
        num_kernels=integer("num_kernels", values["num_kernels"], 1),
        seed=integer("seed", values["seed"], 0),
        output_dir=folder(values["output_dir"]),
    )
