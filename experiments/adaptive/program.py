"""The study of adaptive boundaries: `python -m experiments.adaptive kernel_sizes=[3]`, see configs/adaptive.yaml.

On held-out fields: `python -m experiments.adaptive --config-name adaptive_held_out`, see that file. With weights that
were fitted to other crops of the same field: `--config-name adaptive_others`.
"""

from collections.abc import Iterator
from functools import partial
from itertools import product
from pathlib import Path

import pandas as pd
import torch
from omegaconf import DictConfig
from rich.console import Console
from torch import Tensor

import diff_conv2d
from experiments.adaptive.settings import FIELD_SETS, Settings
from experiments.adaptive.summary import best_degree, ratios, summary_table
from experiments.adaptive.variants import VARIANTS
from experiments.data.synthetic_fields import standardised
from experiments.edge_error import edge_errors
from experiments.hydra_program import hydra_program
from experiments.methods import Method, compared
from experiments.program import run_program
from experiments.progress import progress_bar
from experiments.random_numbers import random_kernels, random_source
from experiments.records import write_together

__all__ = ["cut", "fitted_to_others", "main", "measure", "places", "run"]


# Places that are tried for a crop that must not touch others.
MOST_TRIES = 10_000


def places(field: Tensor, whole: int, count: int, generator: torch.Generator) -> list[list[int]] | None:
    """Choose the corners of crops of some size; None if the field is too small.

    One crop is the middle of the field; several lie anywhere.
    """
    room = [length - whole for length in field.shape]
    if min(room) < 0:
        return None
    if count == 1:
        return [[side // 2 for side in room]]
    return [[int(torch.randint(side + 1, (), generator=generator)) for side in room] for _ in range(count)]


def cut(field: Tensor, corners: list[list[int]], whole: int) -> Tensor:
    """Cut crops, (count, whole, whole)."""
    return torch.stack([field[top : top + whole, left : left + whole] for top, left in corners])


def fitted_to_others(
    field: Tensor, corners: list[list[int]], whole: int, frame: int, count: int, generator: torch.Generator
) -> Method | None:
    """A convolution with weights fitted to other crops, which touch none of those at `corners`.

    None if the field has no room for so many of them.
    """
    others: list[list[int]] = []
    for _ in range(MOST_TRIES):
        place = [int(torch.randint(length - whole + 1, (), generator=generator)) for length in field.shape]
        if all(max(abs(a - b) for a, b in zip(place, corner, strict=True)) >= whole for corner in corners):
            others.append(place)
        if len(others) == count:
            break
    else:
        return None
    size = whole - 2 * frame
    boundary = diff_conv2d.fit(cut(field, others, size).unsqueeze(1), padding=frame)
    return partial(diff_conv2d.conv2d, padding="same", padding_mode=boundary)


def measure(settings: Settings, name: str) -> Iterator[tuple[list[dict[str, object]], list[dict[str, object]]]]:
    """Measure a field, size by size: rows of the table of modes, and of that of variants."""
    field = standardised(FIELD_SETS[settings.field_set], name)
    for size, count in settings.crops.items():
        rows: tuple[list[dict[str, object]], list[dict[str, object]]] = ([], [])
        for kernel in settings.kernel_sizes:
            key = settings.seed, name, size
            frame, whole = kernel // 2, size + 2 * (kernel // 2)
            corners = places(field, whole, count, random_source("crops", *key))
            if corners is None:
                continue
            images = cut(field, corners, whole)
            kernels = random_kernels(settings.num_kernels, kernel, *key, kernel)
            tables = [compared(settings.methods, range(kernel), random_source("noise", *key, kernel))]
            tables += [VARIANTS] if size in settings.ablation_sizes else []
            if settings.other_crops:
                others = settings.other_crops, random_source("others", *key, kernel)
                lent = fitted_to_others(field, corners, whole, frame, *others)
                if lent is None:
                    continue
                tables[0]["adaptive_fitted_to_others"] = lent
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
