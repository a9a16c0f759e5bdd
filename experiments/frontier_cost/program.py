"""The cost of the frontier: `python -m experiments.frontier_cost`, see configs/frontier_cost.yaml.

A network costs the same whatever its weights are, so that none need be trained.
"""

import dataclasses
from collections.abc import Callable, Iterable
from functools import partial
from pathlib import Path
from typing import Any

import pandas as pd
import torch
from omegaconf import DictConfig
from rich.console import Console
from torch import Tensor, nn
from torch.utils.flop_counter import FlopCounterMode

from experiments.benchmark.timing import interleaved, ratios_to
from experiments.data.load import load_data
from experiments.data.splits import Splits
from experiments.frontier_cost.settings import Settings
from experiments.hydra_program import hydra_program
from experiments.program import run_program
from experiments.progress import progress_bar
from experiments.provenance import machine
from experiments.records import write_table
from experiments.training.cells import Cell, composed, sweep_cells
from experiments.training.run_folder import data_name
from experiments.training.train import build_task

__all__ = ["REFERENCE", "cost", "main", "multiply_adds", "run"]

# What the others are compared with: this mode without a halo.
REFERENCE = "zeros"


def multiply_adds(network: Callable[[Tensor], Tensor], images: Tensor) -> int:
    """Count the multiplications that a network does on images, each with an addition, as torch counts them.

    Example:
        >>> multiply_adds(nn.Conv2d(1, 2, 3, bias=False), torch.rand(1, 1, 6, 6))
        288
    """
    with torch.no_grad(), FlopCounterMode(display=False) as counter:
        network(images)
    return int(counter.get_total_flops()) // 2


@torch.no_grad()
def cost(cells: Iterable[Cell], data: Splits, settings: Settings) -> pd.DataFrame:
    """Measure the networks of one data set and variant, in turns.

    Returns:
        A row for each method and halo: multiply-adds and seconds of a useful pixel, and the ratio of the time to that
        of zeros without a halo, with its quartiles over the rounds.
    """
    steps: dict[str, Callable[[], object]] = {}
    rows: list[dict[str, Any]] = []
    useful = settings.tiles * settings.tile**2
    for cell in cells:
        task = build_task(composed(cell), data).to(settings.device)
        # A mode that keeps its weights has them from training; without, evaluation fits them to each image.
        task.network(torch.rand(2, data.in_channels, settings.tile, settings.tile, device=settings.device))
        task.eval()
        for halo in settings.halos:
            wide = settings.tile + 2 * halo
            images = torch.rand(settings.tiles, data.in_channels, wide, wide, device=settings.device)
            steps[f"{cell.method}/{halo}"] = partial(_without_gradient, task, images)
            counted = multiply_adds(task, images[:1]) / settings.tile**2
            rows.append({"method": cell.method, "halo": halo, "multiply_adds": counted})
    times = interleaved(steps, settings.rounds, settings.device, settings.warmup)
    ratios = ratios_to(times, f"{REFERENCE}/0").assign(seconds=lambda table: table["seconds"] / useful)
    return pd.concat([pd.DataFrame(rows), ratios.loc[list(steps)].reset_index(drop=True)], axis=1)


@torch.no_grad()
def _without_gradient(network: nn.Module, images: Tensor) -> None:
    network(images)


def run(settings: Settings, console: Console) -> list[Path]:
    """Measure every network, and write the table.

    Raises:
        ValueError: there is nothing to compare with.
    """
    cells = [cell for cell in sweep_cells(settings.sweep) if cell.seed == settings.sweep.seeds[0]]
    # A halo at inference costs the same whatever the network was trained with.
    groups: dict[tuple[str, str], list[Cell]] = {}
    for cell in cells:
        if not composed(cell).data.get("halo"):
            groups.setdefault((cell.sweep, cell.variant), []).append(cell)
    if 0 not in settings.halos or any(REFERENCE not in {c.method for c in of} for of in groups.values()):
        raise ValueError(f"halos must hold 0, and only {REFERENCE}: with them the others are compared")
    before = torch.get_num_threads()
    torch.set_num_threads(settings.threads)
    about = {"device": machine(), "threads": settings.threads, "dtype": "float32"}
    about |= {"tiles": settings.tiles, "rounds": settings.rounds, "warmup": settings.warmup}
    parts = []
    try:
        with progress_bar(len(groups), console) as advance:
            for (sweep, variant), of_group in groups.items():
                config = composed(of_group[0])
                data = dataclasses.replace(load_data(config.data), test_blocks=None)
                place = {"data": data_name(config), "model": variant or config.model.name}
                parts.append(pd.DataFrame([place]).merge(cost(of_group, data, settings), how="cross").assign(**about))
                advance(f"{sweep} {variant}")
    finally:
        torch.set_num_threads(before)
    path = settings.output_dir / "tables" / "frontier_cost.csv"
    write_table(path, pd.concat(parts, ignore_index=True))
    return [path]


@hydra_program("frontier_cost")
def main(config: DictConfig) -> None:
    """Check the settings, measure, and write the table."""
    run_program("frontier_cost", config, Settings, run)
