"""The settings of the study of adaptive boundaries, checked once, before anything is computed."""

from dataclasses import dataclass
from pathlib import Path
from typing import Any

from omegaconf import DictConfig, OmegaConf

from experiments.checks import folder, integer, names
from experiments.data.held_out_fields import HELD_OUT_KINDS
from experiments.data.study_fields import KINDS
from experiments.data.synthetic_fields import Kinds
from experiments.methods import METHODS

__all__ = ["FIELD_SETS", "Settings", "read_settings"]

FIELD_SETS: dict[str, Kinds] = {"study": KINDS, "held_out": HELD_OUT_KINDS}

# The fields have 518 samples along each axis.
LARGEST = 512


@dataclass(frozen=True)
class Settings:
    """What a configuration of the study says, in the types that the program works with."""

    name: str
    field_set: str
    fields: list[str]
    crops: dict[int, int]
    each_crop: bool
    methods: list[str]
    ablation_sizes: list[int]
    kernel_sizes: list[int]
    num_kernels: int
    seed: int
    output_dir: Path


def read_settings(config: DictConfig) -> Settings:
    """Check a configuration.

    Args:
        config: As composed from ``configs/adaptive.yaml`` or ``configs/adaptive_held_out.yaml``.

    Returns:
        The settings.

    Raises:
        ValueError: A value cannot be used; the sentence names it and what is allowed.

    """
    values: Any = OmegaConf.to_container(config, resolve=True)
    if values["field_set"] not in FIELD_SETS:
        raise ValueError(f"field_set must be one of {', '.join(FIELD_SETS)}; got {values['field_set']!r}")
    allowed = [field for kind in FIELD_SETS[values["field_set"]].values() for field in kind]
    fields = allowed if values["fields"] is None else names("fields", values["fields"], allowed)
    methods = list(METHODS) if values["methods"] is None else names("methods", values["methods"], list(METHODS))
    if not isinstance(values["each_crop"], bool):
        raise ValueError(f"each_crop must be true or false, got {values['each_crop']!r}")
    if not isinstance(values["name"], str) or not values["name"].isidentifier():
        raise ValueError(f"name must be a word that can name a file, got {values['name']!r}")
    kernels = values["kernel_sizes"]
    if not kernels or any(size not in (3, 5, 7) for size in kernels):
        raise ValueError(f"kernel_sizes must be a list of 3, 5 and 7, got {kernels}")
    crops = values["crops"]
    # 2 k - 1 samples leave an interior once k // 2 are cut off for the truth and as many are invalid.
    least = max(kernels)
    if not crops or any(not (isinstance(size, int) and least <= size <= LARGEST) for size in crops):
        raise ValueError(f"crops must name sizes from {least} to {LARGEST}, got {crops}")
    if any(not isinstance(count, int) or count < 1 for count in crops.values()):
        raise ValueError(f"crops must have at least one crop of each size, got {crops}")
    if any(size not in crops for size in values["ablation_sizes"]):
        raise ValueError(f"ablation_sizes must be of {list(crops)}, got {values['ablation_sizes']}")
    return Settings(
        name=values["name"],
        field_set=values["field_set"],
        fields=fields,
        crops=crops,
        each_crop=values["each_crop"],
        methods=methods,
        ablation_sizes=values["ablation_sizes"],
        kernel_sizes=kernels,
        num_kernels=integer("num_kernels", values["num_kernels"], 1),
        seed=integer("seed", values["seed"], 0),
        output_dir=folder(values["output_dir"]),
    )
