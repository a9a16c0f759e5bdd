"""The study of shells, the error by distance to the edge: `python -m experiments.shells`, see configs/shells.yaml."""

from pathlib import Path

import pandas as pd
import torch
import torch.nn.functional as F
from omegaconf import DictConfig
from rich.console import Console

from experiments.edge_parts import shell_errors
from experiments.fields import Image, load_field
from experiments.hydra_program import hydra_program
from experiments.methods import compared
from experiments.models.halo import crop
from experiments.program import run_program
from experiments.progress import progress_bar
from experiments.random_numbers import random_kernels, random_source
from experiments.records import write_table
from experiments.shells.settings import Settings

__all__ = ["load_images", "main", "measure", "run"]


def measure(settings: Settings, name: str, image: Image) -> list[dict[str, object]]:
    """Measure every method and kernel size on one image, in float64; one row each, part of the frame and shell.

    Beyond the last shell, k // 2 - 1, no window leaves the image and every method is exact.
    """
    rows = []
    for size in settings.kernel_sizes:
        key = settings.seed, name, image.order, size
        kernels = random_kernels(settings.num_kernels, size, *key)[:, None]
        methods = compared(settings.methods, settings.degrees, random_source("noise", *key))
        samples, width = image.samples.double()[None, None], size // 2
        truth, cropped = F.conv2d(samples, kernels), crop(samples, width)
        for method, convolved in methods.items():
            errors = shell_errors(convolved(cropped, kernels), truth, width)
            for (part, shell), error in errors.items():
                row = {"field": name, "order": image.order, "kernel_size": size, "method": method}
                rows.append(row | {"part": part, "shell": shell, "l1_error": error})
    return rows


def load_images(settings: Settings) -> dict[str, list[Image]]:
    """Load the images of every field.

    Raises:
        ValueError: A number or a size cannot be used.
        FileNotFoundError: A file is missing.

    """
    return {name: list(load_field(name, orders, settings.size)[1]) for name, orders in settings.orders.items()}


def run(settings: Settings, images: dict[str, list[Image]], console: Console) -> list[Path]:
    """Measure everything, then write the table; return its path."""
    rows = []
    with torch.inference_mode(), progress_bar(sum(map(len, images.values())), console) as advance:
        for name, of_field in images.items():
            for image in of_field:
                rows += measure(settings, name, image)
                advance(f"{name} {image.order}")
    path = settings.output_dir / "tables" / "shells.csv"
    write_table(path, pd.DataFrame(rows))
    return [path]


@hydra_program("shells")
def main(config: DictConfig) -> None:
    """Check the configuration, then run."""
    run_program("shells", config, Settings, run, load_images)
