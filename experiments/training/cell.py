"""One cell of a sweep: a run from its settings to its record, or the reason why there is none."""

import contextlib
import json
import os

from omegaconf import DictConfig
from rich.console import Console

from experiments.paths import REPOSITORY
from experiments.sentences import FULL_ERROR, expected, sentence, unexpected
from experiments.training.run_folder import (
    RunFolder,
    RunInUseError,
    data_name,
    is_first_process,
    method_name,
    run_name,
)

__all__ = ["cell_folder", "cell_title", "run_cell"]


def cell_folder(config: DictConfig) -> RunFolder:
    """The folder of a run with these settings."""
    return RunFolder(REPOSITORY.joinpath(config.runs_dir) / run_name(config))


def cell_title(config: DictConfig) -> str:
    """A run in a few words: data, network, method, seed."""
    return f"{data_name(config)} {config.model.name} {method_name(config)} seed {config.seed}"


def run_cell(config: DictConfig, console: Console) -> str | None:
    """Run what is not done yet.

    Args:
        config: the settings, as composed.
        console: where to say what happens.

    Returns:
        None when the run's record is there; else in one sentence what went wrong, which is kept in the run's folder
        if there is one: there is none for settings that cannot be used, or where nothing can be written.
    """
    # Imported late: --help and a slip in an override should answer at once.
    from experiments.tasks.task import TrainingDivergedError
    from experiments.training.settings import check_settings
    from experiments.training.train import train

    try:
        check_settings(config)
    except ValueError as error:
        return str(error)
    folder, title = cell_folder(config), cell_title(config)
    try:
        with folder.locked():
            if config.force and is_first_process():
                folder.clear()
            if folder.record.exists():
                console.print(f"{title}: done already, see {folder.record}; force=true runs it again", soft_wrap=True)
                return None
            folder.failure.unlink(missing_ok=True)
            if is_first_process():
                console.print(f"{title}: {folder.path}", highlight=False, soft_wrap=True)
            record = train(config, folder, console)
    except (RunInUseError, TrainingDivergedError) as error:
        return _failed(folder, title, str(error))
    except Exception as error:
        if os.environ.get(FULL_ERROR):
            raise
        return _failed(folder, title, sentence(error) if expected(error) else unexpected(error, folder.path))
    if is_first_process():
        shown = {metric: round(regions["whole"], 4) for metric, regions in record["results"].items()}
        console.print(f"{title}: test {json.dumps(shown)}", highlight=False, soft_wrap=True)
        console.print(f"{folder.record}", highlight=False, soft_wrap=True)
    return None


def _failed(folder: RunFolder, title: str, reason: str) -> str:
    """Keep the reason in the run's folder, if anything can be written there."""
    if is_first_process():
        with contextlib.suppress(OSError):
            folder.path.mkdir(parents=True, exist_ok=True)
            folder.write_json(folder.failure, {"run": title, "reason": reason})
    return f"{title}: {reason}"
