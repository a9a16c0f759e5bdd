"""The settings of the regime map, checked once, before anything is computed."""

from dataclasses import dataclass
from pathlib import Path
from typing import Any

from omegaconf import DictConfig, OmegaConf

from experiments.checks import folder, integer, integers, kernel_sizes, names, numbers
from experiments.methods import METHODS

__all__ = ["Settings", "read_settings"]


@dataclass(frozen=True)
class Settings:
    """What ``configs/regimes.yaml`` says, in the types that the program works with."""

    blurs: list[float]
    terrain_blurs: list[float]
    noise_levels: list[float]
    noise_blur: float
    size: int
    world: int
    crops: int
    kernel_sizes: list[int]
    methods: list[str]
    degrees: list[int]
    num_kernels: int
    seed: int
    output_dir: Path


def read_settings(config: DictConfig) -> Settings:
    """Check a configuration.

    Args:
        config: As composed from ``configs/regimes.yaml``.

    Returns:
        The settings.

    Raises:
        ValueError: A value cannot be used; the sentence names it and what is allowed.

    """
    values: Any = OmegaConf.to_container(config, resolve=True)
    sizes = kernel_sizes(values["kernel_sizes"])
    size = integer("size", values["size"], 2 * max(sizes) - 1)
    crops = integer("crops", values["crops"], 1)
    if crops > 11:
        raise ValueError(f"crops must be at most 11, the patches of terrain, got {crops}")
    return Settings(
        blurs=numbers("blurs", values["blurs"]),
        terrain_blurs=numbers("terrain_blurs", values["terrain_blurs"]),
        noise_levels=numbers("noise_levels", values["noise_levels"]),
        noise_blur=numbers("noise_blur", [values["noise_blur"]])[0],
        size=size,
        world=integer("world", values["world"], size + max(sizes) - 1),
        crops=crops,
        kernel_sizes=sizes,
        methods=names("methods", values["methods"], list(METHODS)),
        degrees=integers("degrees", values["degrees"], 0),
        num_kernels=integer("num_kernels", values["num_kernels"], 1),
        seed=integer("seed", values["seed"], 0),
        output_dir=folder(values["output_dir"]),
    )
