"""Train a network with a boundary mode of choice: `python train.py padding=diff model=resnet18`, see --help."""

import os
import sys

# Idle threads that spin make torch many times slower when anything else runs; OpenMP reads this as it is loaded.
os.environ.setdefault("OMP_WAIT_POLICY", "passive")
# W&B reads these as it is loaded; it is to be quiet.
os.environ.setdefault("WANDB_SILENT", "true")
os.environ.setdefault("WANDB_ERROR_REPORTING", "false")

from hydra.core.hydra_config import HydraConfig
from hydra.types import RunMode
from omegaconf import DictConfig
from rich.console import Console

from experiments.hydra_program import hydra_program
from experiments.training.cell import run_cell

__all__ = ["main"]


@hydra_program("train")
def main(config: DictConfig) -> None:
    """Run one cell; in a sweep a failure is kept for the end, where all of them are listed."""
    reason = run_cell(config, Console())
    if reason is not None:
        print(f"train: {reason}", file=sys.stderr)
        if HydraConfig.get().mode != RunMode.MULTIRUN:
            sys.exit(1)


if __name__ == "__main__":
    main()
