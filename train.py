"""Train a network with a boundary mode of choice: `python train.py padding=diff model=resnet18`, see --help."""

import os
import sys

from experiments.interrupts import quiet_while_loading

if __name__ == "__main__":
    quiet_while_loading()

# Idle threads that spin make torch many times slower when anything else runs; OpenMP reads this as it is loaded.
os.environ.setdefault("OMP_WAIT_POLICY", "passive")
# W&B reads these as it is loaded; it is to be quiet.
os.environ.setdefault("WANDB_SILENT", "true")
os.environ.setdefault("WANDB_ERROR_REPORTING", "false")

# This imports next to nothing: SIGTERM is to be told of from the start.
from experiments.training.stopping import Stopped, listen

if __name__ == "__main__":
    listen("train")

from omegaconf import DictConfig
from rich.console import Console

from experiments.hydra_program import hydra_program, is_sweep
from experiments.padding_configs import store_modes
from experiments.training.cell import run_cell
from experiments.training.run_folder import is_first_process
from experiments.training.sweep import keep_failure

__all__ = ["main"]

store_modes()


@hydra_program("train", again="the same command goes on")
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
    if reason is None:
        return
    if not is_sweep() or not keep_failure(reason):
        raise ValueError(reason)
    print(f"train: {reason}", file=sys.stderr)


if __name__ == "__main__":
    main()
