"""The study of masks: `python -m experiments.masks fields=[cells] output_dir=/tmp/trial`, see configs/masks.yaml."""

from collections.abc import Iterator
from pathlib import Path

import pandas as pd
import torch
import torch.nn.functional as F
from omegaconf import DictConfig
from rich.console import Console
from scipy.ndimage import gaussian_filter
from torch import Tensor

from diff_conv2d.masks import MaskedBoundary
from experiments.adaptive.settings import FIELD_SETS
from experiments.data.synthetic_fields import standardised
from experiments.edge_error import CHUNK
from experiments.hydra_program import hydra_program
from experiments.masks.settings import FIELDS, Settings
from experiments.program import run_program
from experiments.progress import progress_bar
from experiments.random_numbers import random_kernels, random_source
from experiments.records import write_table

__all__ = ["blobs", "boundary", "main", "mask_errors", "middle", "run"]


def blobs(size: int, width: float, share: float, generator: torch.Generator) -> Tensor:
    """Draw a mask: white noise, blurred by a Gaussian of some width, is outside where it is highest."""
    noise = torch.randn(size, size, generator=generator, dtype=torch.float64)
    heights = torch.from_numpy(gaussian_filter(noise.numpy(), width, mode="wrap"))
    return heights < heights.quantile(1 - share)


def middle(field: Tensor, size: int) -> Tensor | None:
    """Cut the middle of a field and standardise it; None if the field is too small, or level there."""
    if min(field.shape) < size:
        return None
    top, left = ((length - size) // 2 for length in field.shape)
    part = field[top : top + size, left : left + size]
    deviation = part.std()
    return (part - part.mean()) / deviation if deviation > 0 else None


def boundary(mask: Tensor, kernel_size: int, method: str) -> MaskedBoundary:
    """Prepare a mask for a method of the study: one of the library's, or the polynomial of some degree."""
    _, found, degree = method.partition("degree_")
    # Windows that leave the field are not measured.
    options = {"reach": kernel_size // 2, "rim": 0, "beyond": False}
    return MaskedBoundary(
        mask, method="polynomial" if found else method, degree=int(degree) if found else None, **options
    )


def mask_errors(field: Tensor, kernels: Tensor, mask: Tensor, filled: dict[str, Tensor]) -> dict[str, float]:
    """Average the absolute error of filtering where a window meets the mask.

    Args:
        field: The truth, :math:`(H, W)`.
        kernels: Random kernels, :math:`(K, k, k)`.
        mask: True where a pixel is valid, :math:`(H, W)`.
        filled: The field as each method fills it.

    Returns:
        The error of each method over the valid pixels whose window lies in the field, and holds an outside pixel.

    """
    size = kernels.shape[-1]
    inner = slice(size // 2, -(size // 2))
    outside = F.max_pool2d((~mask)[None, None].double(), size, 1)[0, 0] > 0
    measured = outside & mask[inner, inner]
    errors = dict.fromkeys(filled, 0.0)
    for chunk in kernels[:, None].split(CHUNK):
        for method, image in filled.items():
            # Filtering is linear; pixels beyond reach are in no window that is measured.
            difference = F.conv2d((image - field)[None, None], chunk)[0]
            errors[method] += difference[:, measured].abs().mean().item() * len(chunk) / len(kernels)
    return errors


def measure(settings: Settings, fields: dict[str, Tensor]) -> Iterator[list[dict[str, object]]]:
    """Measure every field with one mask and one kernel size after the other."""
    for size in settings.kernel_sizes:
        for number in range(settings.masks):
            mask = blobs(settings.size, settings.blob, settings.share, random_source("mask", settings.seed, number))
            boundaries = {method: boundary(mask, size, method) for method in settings.methods}
            rows: list[dict[str, object]] = []
            for name, field in fields.items():
                kernels = random_kernels(settings.num_kernels, size, settings.seed, name, number, size)
                filled = {method: prepared.fill(field) for method, prepared in boundaries.items()}
                about = {"set": FIELDS[name], "field": name, "mask": number, "kernel_size": size}
                for method, error in mask_errors(field, kernels, mask, filled).items():
                    rows.append({**about, "method": method, "l1_error": error})
            yield rows


def run(settings: Settings, console: Console) -> list[Path]:
    """Measure everything, then write the table; return its path."""
    fields = {}
    for name in settings.fields:
        field = middle(standardised(FIELD_SETS[FIELDS[name]], name), settings.size)
        if field is not None:
            fields[name] = field
    rows: list[dict[str, object]] = []
    with torch.inference_mode(), progress_bar(settings.masks * len(settings.kernel_sizes), console) as advance:
        for found in measure(settings, fields):
            rows += found
            advance("masks")
    table = pd.DataFrame(rows).assign(
        unit="standard deviation of the field",
        num_kernels=settings.num_kernels,
        size=settings.size,
        seed=settings.seed,
        dtype="float64",
    )
    path = settings.output_dir / "tables" / "masks.csv"
    write_table(path, table)
    return [path]


@hydra_program("masks")
def main(config: DictConfig) -> None:
    """Check the configuration, then run."""
    run_program("masks", config, Settings, run)
