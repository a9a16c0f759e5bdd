"""The study of adaptive boundaries: `python -m experiments.adaptive kernel_sizes=[3]`, see configs/adaptive.yaml.

On held-out fields: `python -m experiments.adaptive --config-name adaptive_held_out`, see that file.
"""

from collections.abc import Iterator
from itertools import product
from pathlib import Path

import pandas as pd
import torch
from omegaconf import DictConfig
from rich.console import Console
from torch import Tensor

from experiments.adaptive.settings import FIELD_SETS, Settings
from experiments.adaptive.summary import best_degree, ratios, summary_table
from experiments.adaptive.variants import VARIANTS
from experiments.data.synthetic_fields import standardised
from experiments.edge_error import edge_errors
from experiments.hydra_program import hydra_program
from experiments.methods import compared
from experiments.program import run_program
from experiments.progress import progress_bar
from experiments.random_numbers import random_kernels, random_source
from experiments.records import write_together

__all__ = ["cut", "main", "measure", "run"]


def cut(field: Tensor, size: int, count: int, frame: int, generator: torch.Generator) -> Tensor | None:
    """Cut crops with a frame of the truth around them, (count, size + 2 frame, ...); None if the field is too small.

    One crop is the middle of the field; several lie anywhere.
    """
    whole = size + 2 * frame
    room = [length - whole for length in field.shape]
    if min(room) < 0:
        return None
    if count == 1:
        corners = [[side // 2 for side in room]]
    else:
        corners = [[int(torch.randint(side + 1, (), generator=generator)) for side in room] for _ in range(count)]
    return torch.stack([field[top : top + whole, left : left + whole] for top, left in corners])


def measure(settings: Settings, name: str) -> Iterator[tuple[list[dict[str, object]], list[dict[str, object]]]]:
    """Measure a field, size by size: rows of the table of modes, and of that of variants."""
    field = standardised(FIELD_SETS[settings.field_set], name)
    for size, count in settings.crops.items():
        rows: tuple[list[dict[str, object]], list[dict[str, object]]] = ([], [])
        for kernel in settings.kernel_sizes:
            key = settings.seed, name, size
            images = cut(field, size, count, kernel // 2, random_source("crops", *key))
            if images is None:
                continue
            kernels = random_kernels(settings.num_kernels, kernel, *key, kernel)
            tables = [compared(settings.methods, range(kernel), random_source("noise", *key, kernel))]
            tables += [VARIANTS] if size in settings.ablation_sizes else []
            # A batch is measured by its mean; crops that are told apart are batches of one.
            batches = images.split(1) if settings.each_crop else [images]
            for (crop_number, batch), (table, methods) in product(
                enumerate(batches), zip(rows, tables, strict=False)
            ):
                which = {"crop": crop_number} if settings.each_crop else {"crops": count}
                about = {"field": name, "size": size, **which, "kernel_size": kernel}
                for method, error in edge_errors(batch, kernels, methods).items():
                    table.append({**about, "method": method, "l1_error": error})
        yield rows


def run(settings: Settings, console: Console) -> list[Path]:
    """Measure everything, then write the tables; return their paths."""
    rows: tuple[list[dict[str, object]], list[dict[str, object]]] = ([], [])
    with torch.inference_mode(), progress_bar(len(settings.fields) * len(settings.crops), console) as advance:
        for name in settings.fields:
            for found in measure(settings, name):
                for table, more in zip(rows, found, strict=True):
                    table += more
                advance(name)
    about = {
        "unit": "standard deviation of the field",
        "num_kernels": settings.num_kernels,
        "seed": settings.seed,
        "dtype": "float64",
    }
    modes, variants = (pd.DataFrame(table).assign(**about) for table in rows)
    console.print(summary_table(ratios(modes), "Modes"))
    folder = settings.output_dir / "tables"
    tables = {folder / f"{settings.name}.csv": modes}
    if settings.ablation_sizes:
        console.print(summary_table(ratios(variants, best_degree(modes)), "Variants of adaptive"))
        tables[folder / f"{settings.name}_ablation.csv"] = variants
    return write_together(tables)


@hydra_program("adaptive")
def main(config: DictConfig) -> None:
    """Check the configuration, then run."""
    run_program("adaptive", config, Settings, run)
