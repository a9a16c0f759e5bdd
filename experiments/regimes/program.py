"""The regime map: `python -m experiments.regimes`, see configs/regimes.yaml."""

from pathlib import Path

import pandas as pd
import torch
import torch.nn.functional as F
from omegaconf import DictConfig
from rich.console import Console
from torch import Tensor

from experiments.edge_error import frame
from experiments.hydra_program import hydra_program
from experiments.methods import compared
from experiments.models.halo import crop
from experiments.program import run_program
from experiments.progress import progress_bar
from experiments.random_numbers import random_kernels, random_source
from experiments.records import write_together
from experiments.regimes.best import best_of, best_table, families
from experiments.regimes.fields import regime_fields
from experiments.regimes.settings import Settings

__all__ = ["frame_errors", "main", "measure", "run"]


def frame_errors(output: Tensor, truth: Tensor, width: int) -> Tensor:
    """Average the absolute difference over kernels and the frame, image by image: (N, K, H, W) to (N,)."""
    pairs = zip(frame(output, width), frame(truth, width), strict=True)
    strips = [(a - b).abs().flatten(1) for a, b in pairs]
    return torch.cat(strips, 1).mean(1)


def measure(settings: Settings, images: Tensor, size: int, *key: object) -> tuple[pd.DataFrame, dict[str, float]]:
    """Measure every method on the crops of a field.

    Args:
        settings: Kernels, methods and seed.
        images: Crops with a frame for the largest kernel, (N, H, W).
        size: Of the kernels.
        key: What the noise of random padding belongs to.

    Returns:
        The errors in float64: a row for each crop, a column for each method. And the mean difference between what
        each method gives in float32 and in float64, but for random padding.

    """
    kernels, width = random_kernels(settings.num_kernels, size, settings.seed, size)[:, None], size // 2
    # The same crop for every kernel size: a smaller kernel sees a narrower frame of the truth.
    images = crop(images, max(settings.kernel_sizes) // 2 - width)[:, None]
    truth, cropped = F.conv2d(images, kernels), crop(images, width)
    # Made twice, so that random padding draws the same noise again.
    exact, single = (
        compared(settings.methods, settings.degrees, random_source("noise", settings.seed, *key, size))
        for _ in range(2)
    )
    errors, rounding = {}, {}
    for name in exact:
        output = exact[name](cropped, kernels)
        errors[name] = frame_errors(output, truth, width).numpy()
        # Noise in float32 is other noise, whatever the generator: its rounding cannot be told from it.
        if name != "random":
            rounded = single[name](cropped.float(), kernels.float()).double()
            rounding[name] = frame_errors(rounded, output, width).mean().item()
    return pd.DataFrame(errors), rounding


def run(settings: Settings, console: Console) -> list[Path]:
    """Measure everything, then write the tables; return their paths."""
    rows, rounded, best = [], [], []
    total = len(settings.blurs) + len(settings.terrain_blurs) + len(settings.noise_levels)
    with torch.inference_mode(), progress_bar(total, console) as advance:
        for field, level, images in regime_fields(settings):
            for size in settings.kernel_sizes:
                errors, rounding = measure(settings, images, size, field, level)
                key = {"field": field, "level": level, "kernel_size": size}
                rows += [{**key, "method": method, "l1_error": error} for method, error in errors.mean().items()]
                rounded += [{**key, "method": method, "rounding": error} for method, error in rounding.items()]
                for family, names in families(errors).items():
                    best.append({**key, "family": family, **best_of(errors[names])})
            advance(f"{field} {level:g}")
    folder = settings.output_dir / "tables"
    tables = {"regimes": rows, "regimes_rounding": rounded, "regimes_best": best}
    console.print(best_table(pd.DataFrame(best)))
    return write_together({folder / f"{name}.csv": pd.DataFrame(table) for name, table in tables.items()})


@hydra_program("regimes")
def main(config: DictConfig) -> None:
    """Check the configuration, then run."""
    run_program("regimes", config, Settings, run)
