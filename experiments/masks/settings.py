"""The settings of the study of masks."""

from dataclasses import dataclass
from pathlib import Path

from experiments.adaptive.settings import FIELD_SETS
from experiments.checks import LARGEST_SEED, MOST_KERNELS, folder, integer, kernel_sizes, names, names_or_all, number
from experiments.settings import setting

__all__ = ["FIELDS", "Settings"]

# Fields of all sets by name, with the set of each.
FIELDS = {name: chosen for chosen, kinds in FIELD_SETS.items() for kind in kinds.values() for name in kind}


@dataclass(frozen=True)
class Settings:
    """What ``configs/masks.yaml`` says."""

    fields: list[str] = setting(names_or_all, FIELDS)
    size: int = setting(integer, 16, 512)
    masks: int = setting(integer, 1, 1000)
    blob: float = setting(number, 0.5, 100.0)
    share: float = setting(number, 0.01, 0.99)
    methods: list[str] = setting(
        names, ("zeros", "nearest", "degree_0", "degree_1", "degree_2", "degree_3", "adaptive")
    )
    kernel_sizes: list[int] = setting(kernel_sizes)
    num_kernels: int = setting(integer, 1, MOST_KERNELS)
    seed: int = setting(integer, 0, LARGEST_SEED)
    output_dir: Path = setting(folder)
