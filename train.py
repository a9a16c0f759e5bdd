"""Train a network with a boundary mode of choice: `python train.py padding=diff model=resnet18`, see --help."""

import json
import os
import sys
import traceback

# Idle threads that spin make torch many times slower when anything else runs; OpenMP reads this as it is loaded.
os.environ.setdefault("OMP_WAIT_POLICY", "passive")
# W&B reads these as it is loaded; it is to be quiet.
os.environ.setdefault("WANDB_SILENT", "true")
os.environ.setdefault("WANDB_ERROR_REPORTING", "false")

import hydra
from hydra.core.hydra_config import HydraConfig
from hydra.types import RunMode
from omegaconf import DictConfig
from rich.console import Console

from experiments.paths import CONFIGS, REPOSITORY
from experiments.training.run_folder import RunFolder, RunInUseError, data_name, is_first_process, run_name

__all__ = ["main"]


@hydra.main(version_base="1.3", config_path=str(CONFIGS), config_name="train")
def main(config: DictConfig) -> None:
    """Run one cell; in a sweep a failure is kept for the end, where all of them are listed."""
    # Imported late: --help and a slip in an override should answer at once.
    from experiments.tasks.task import TrainingDivergedError
    from experiments.training.train import train

    console = Console()
    sweep = HydraConfig.get().mode == RunMode.MULTIRUN
    folder = RunFolder(REPOSITORY.joinpath(config.runs_dir) / run_name(config))
    title = f"{data_name(config)} {config.model.name} {config.padding.mode} seed {config.seed}"
    try:
        with folder.locked():
            if config.force and is_first_process():
                folder.clear()
            if folder.record.exists():
                console.print(f"{title}: done already, see {folder.record}; force=true runs it again", soft_wrap=True)
                return
            folder.failure.unlink(missing_ok=True)
            if is_first_process():
                console.print(f"{title}: {folder.path}", highlight=False, soft_wrap=True)
            record = train(config, folder, console)
    except (ValueError, TypeError, OSError, RunInUseError, TrainingDivergedError) as error:
        _fail(folder, title, f"{error}", sweep)
    except Exception as error:
        traceback.print_exc()
        _fail(folder, title, f"{type(error).__name__}: {error}", sweep)
    else:
        if is_first_process():
            shown = {metric: round(regions["whole"], 4) for metric, regions in record["results"].items()}
            console.print(f"{title}: test {json.dumps(shown)}", highlight=False, soft_wrap=True)
            console.print(f"{folder.record}", highlight=False, soft_wrap=True)


def _fail(folder: RunFolder, title: str, reason: str, sweep: bool) -> None:
    """Say what went wrong in one sentence; a sweep goes on with its other cells."""
    if is_first_process():
        folder.path.mkdir(parents=True, exist_ok=True)
        folder.write_json(folder.failure, {"run": title, "reason": reason})
    print(f"train: {title}: {reason}", file=sys.stderr)
    if not sweep:
        sys.exit(1)


if __name__ == "__main__":
    main()
