"""Train a network with a boundary mode of choice: `python train.py padding=diff model=resnet18`, see --help."""

import os
import sys

# Idle threads that spin make torch many times slower when anything else runs; OpenMP reads this as it is loaded.
os.environ.setdefault("OMP_WAIT_POLICY", "passive")
# W&B reads these as it is loaded; it is to be quiet.
os.environ.setdefault("WANDB_SILENT", "true")
os.environ.setdefault("WANDB_ERROR_REPORTING", "false")

# This imports next to nothing: SIGTERM is to be told of from the start.
from experiments.training.stopping import Stopped, listen

if __name__ == "__main__":
    listen("train")

from hydra.core.hydra_config import HydraConfig
from hydra.errors import HydraException
from hydra.types import RunMode
from omegaconf import DictConfig
from rich.console import Console

from experiments.hydra_program import hydra_program
from experiments.training.cell import cell_folder, run_cell
from experiments.training.run_folder import is_first_process

__all__ = ["main"]


@hydra_program("train")
def main(config: DictConfig) -> None:
    """Run one cell; in a sweep a failure is kept for the end, where all of them are listed."""
    # A launcher may call this in another process.
    listen("train")
    try:
        reason = run_cell(config, Console())
    except Stopped as stopped:
        if is_first_process():
            print(f"train: {stopped}", file=sys.stderr)
        raise
    if reason is not None:
        print(f"train: {reason}", file=sys.stderr)
        if HydraConfig.get().mode != RunMode.MULTIRUN:
            sys.exit(1)
        folder = cell_folder(config)
        if not folder.failure.exists() and not folder.finished():
            # The list at the end is made of files, and this one could not be written.
            raise HydraException(reason)


if __name__ == "__main__":
    main()
