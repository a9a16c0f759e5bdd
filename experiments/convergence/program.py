"""The study of convergence at the edge: `python -m experiments.convergence`, see configs/convergence.yaml."""

from pathlib import Path

import pandas as pd
import torch
import torch.nn.functional as F
from omegaconf import DictConfig
from rich.console import Console
from torch import Tensor

from experiments.convergence.settings import Settings
from experiments.convergence.slopes import fit_slopes, slopes_table
from experiments.data.runge import runge
from experiments.edge_parts import part_errors
from experiments.hydra_program import hydra_program
from experiments.methods import compared
from experiments.models.halo import crop
from experiments.operators import OPERATORS, operator_kernels
from experiments.program import run_program
from experiments.progress import progress_bar
from experiments.random_numbers import random_source
from experiments.records import write_together

__all__ = ["grid", "main", "measure", "run"]


def grid(samples: int, extra: int) -> Tensor:
    """Return the middles of the cells of [0, 1], and of ``extra`` cells beyond each end."""
    return (torch.arange(-extra, samples + extra, dtype=torch.float64) + 0.5) / samples


def measure(settings: Settings, size: int, samples: int) -> list[dict[str, object]]:
    """Measure every method and operator on one grid with one kernel size; one row each and part of the frame.

    ``l1_error`` is against the same kernel on the field itself, also outside; ``l1_error_analytical`` against the
    derivative that the kernel stands for. ``rounding`` is by how much the result changes when the samples are
    rounded in another way.
    """
    width, axis = size // 2, grid(samples, size // 2)
    fields = runge(axis, axis)
    field = fields["smoothing"][None, None]
    powers = torch.tensor([float(samples**order) for order in OPERATORS.values()], dtype=torch.float64)
    kernels = operator_kernels(size) * powers.view(-1, 1, 1, 1)
    truth = F.conv2d(field, kernels)[0]
    analytical = torch.stack([crop(fields[name], width) for name in OPERATORS])
    cropped = crop(field, width)
    draws = torch.rand(
        cropped.shape, generator=random_source("rounding", settings.seed, samples), dtype=torch.float64
    )
    rounded = cropped * (1 + torch.finfo(torch.float64).eps * (draws - 0.5))

    # Made twice, so that random padding draws the same noise again.
    once, again = (
        compared(settings.methods, settings.degrees, random_source("noise", settings.seed, size, samples))
        for _ in range(2)
    )
    rows = []
    for method in once:
        output, other = once[method](cropped, kernels)[0], again[method](rounded, kernels)[0]
        for index, operator in enumerate(OPERATORS):
            pairs = {"l1_error": truth, "l1_error_analytical": analytical, "rounding": other}
            found = {name: part_errors(output[index], image[index], width) for name, image in pairs.items()}
            for part in found["l1_error"]:
                key = {"operator": operator, "kernel_size": size, "method": method, "part": part, "samples": samples}
                rows.append(key | {name: errors[part] for name, errors in found.items()})
    return rows


def run(settings: Settings, console: Console) -> list[Path]:
    """Measure everything, then write the tables; return their paths."""
    rows = []
    with torch.inference_mode(), progress_bar(len(settings.kernel_sizes) * len(settings.samples), console) as advance:
        for size in settings.kernel_sizes:
            for samples in settings.samples:
                rows += measure(settings, size, samples)
                advance(f"{size} x {size}, {samples} samples")
    errors = pd.DataFrame(rows)
    slopes = fit_slopes(errors)
    console.print(slopes_table(slopes))
    folder = settings.output_dir / "tables"
    return write_together({folder / "convergence.csv": errors, folder / "convergence_slopes.csv": slopes})


@hydra_program("convergence")
def main(config: DictConfig) -> None:
    """Check the configuration, then run."""
    run_program("convergence", config, Settings, run)
