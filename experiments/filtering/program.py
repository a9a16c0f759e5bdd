"""The filtering experiment: `python -m experiments.filtering kernel_sizes=[3]`, see configs/filtering.yaml."""

from pathlib import Path

import numpy as np
import pandas as pd
import torch
from omegaconf import DictConfig
from rich.console import Console

from experiments.edge_error import edge_errors
from experiments.fields import FIELDS, Image, load_field
from experiments.filtering.laplacian import laplacian_study
from experiments.filtering.ranking import ranking_table
from experiments.filtering.settings import Settings
from experiments.hydra_program import hydra_program
from experiments.methods import compared
from experiments.program import run_program
from experiments.progress import progress_bar
from experiments.random_numbers import random_kernels, random_source
from experiments.records import write_together

__all__ = ["load_images", "main", "measure", "run", "sample_pictures"]


def load_images(settings: Settings) -> dict[str, tuple[str, list[Image]]]:
    """Load every field: where its values come from, and its images.

    Raises:
        ValueError: A number, a size or a file cannot be used.
        FileNotFoundError: A file is missing.

    """
    fields = {
        name: load_field(name, orders, settings.size, settings.navier_stokes_path)
        for name, orders in settings.orders.items()
    }
    return {name: (source, list(images)) for name, (source, images) in fields.items()}


def measure(settings: Settings, name: str, source: str, image: Image) -> list[dict[str, object]]:
    """Measure every method and kernel size on one image of a field; one row each."""
    rows = []
    for size in settings.kernel_sizes:
        key = settings.seed, name, image.order, size
        # Drawn in float64, so that float32 sees the same kernels, rounded.
        kernels = random_kernels(settings.num_kernels, size, *key).to(settings.dtype)
        methods = compared(settings.methods, [], random_source("noise", *key))
        errors = edge_errors(image.samples.to(settings.dtype), kernels, methods)
        for method, error in errors.items():
            rows.append(
                {
                    "field": name,
                    "order": image.order,
                    "kernel_size": size,
                    "method": method,
                    "l1_error": error,
                    "unit": FIELDS[name],
                    "num_kernels": settings.num_kernels,
                    "seed": settings.seed,
                    "dtype": str(settings.dtype).removeprefix("torch."),
                    "size": image.samples.shape[-1],
                    "source": source,
                }
            )
    return rows


def sample_pictures(name: str, images: list[Image]) -> dict[str, np.ndarray]:
    """Return four images of a field, or all if there are fewer, with about 128 samples along each axis."""
    chosen = (
        np.unique(np.linspace(1, len(images) - 1, 4).round().astype(int)) if len(images) > 4 else range(len(images))
    )
    pictures = {}
    for image in (images[index] for index in chosen):
        step = max(1, image.samples.shape[-1] // 125)
        # Half precision is finer than any screen or print shows.
        pictures[f"field/{name}/{image.order}"] = image.samples[::step, ::step].to(torch.float16).numpy()
    return pictures


def run(settings: Settings, images: dict[str, tuple[str, list[Image]]], console: Console) -> list[Path]:
    """Measure everything, then write tables and pictures; return their paths."""
    rows, pictures = [], {}
    total = sum(len(of_field) for _, of_field in images.values())
    with torch.inference_mode(), progress_bar(total, console) as advance:
        for name, (source, of_field) in images.items():
            pictures |= sample_pictures(name, of_field)
            for image in of_field:
                rows += measure(settings, name, source, image)
                advance(f"{name} {image.order}")
        methods = compared(settings.methods, [], random_source("noise", settings.seed, "laplacian"))
        laplacian, corners = laplacian_study(settings.kernel_sizes, methods, settings.dtype)

    errors = pd.DataFrame(rows)
    console.print(ranking_table(errors))
    folder = settings.output_dir / "tables"
    return write_together(
        {
            folder / "filtering.csv": errors,
            folder / "laplacian.csv": pd.DataFrame(laplacian),
            folder / "filtering_pictures.npz": pictures | corners,
        }
    )


@hydra_program("filtering")
def main(config: DictConfig) -> None:
    """Check the configuration, then run."""
    run_program("filtering", config, Settings, run, load_images)
