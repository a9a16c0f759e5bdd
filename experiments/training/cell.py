"""One cell of a sweep: a run from its settings to its record, or the reason why there is none."""

import contextlib
import json
import os
from collections.abc import Callable

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
from experiments.training.stopping import Stopped, asked, telling

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

    Raises:
        Stopped: SIGTERM has come; the message says what the run goes on from.
    """
    # Imported late: --help and a slip in an override should answer at once.
    from experiments.training.settings import check_settings

    try:
        check_settings(config)
    except ValueError as error:
        return str(error)
    folder, title = cell_folder(config), cell_title(config)

    def stopped() -> str:
        return f"{title}: stopped by SIGTERM; {_goes_on(folder)}"

    try:
        with telling(stopped), folder.locked():
            return _run_locked(config, folder, title, console, stopped)
    except RunInUseError as error:
        reason = _failed(folder, title, f"{error}")
        # Unless it has ended well since.
        if folder.finished():
            folder.failure.unlink(missing_ok=True)
        return reason
    except OSError as error:
        return _failed(folder, title, sentence(error, folder.path))


def _run_locked(
    config: DictConfig, folder: RunFolder, title: str, console: Console, stopped: Callable[[], str]
) -> str | None:
    """Run what is not done yet, in a folder that is this process's own."""
    # Imported late: --help and a slip in an override should answer at once.
    from lightning.pytorch.utilities.exceptions import SIGTERMException

    from experiments.tasks.task import TrainingDivergedError
    from experiments.training.train import train

    try:
        folder.failure.unlink(missing_ok=True)
        if folder.finished() and not config.force:
            # An experiment of another name may have made this run: the last experiment that asks for it finds it.
            folder.write_config(config)
            console.print(f"{title}: done already, see {folder.record}; force=true runs it again", soft_wrap=True)
            return None
        if is_first_process():
            console.print(f"{title}: {folder.path}", highlight=False, soft_wrap=True)
            if folder.record.exists():
                console.print(f"{folder.record} is damaged, and made again", highlight=False, soft_wrap=True)
        record = train(config, folder, console)
    except (Stopped, SIGTERMException) as error:
        raise Stopped(stopped()) from error
    except TrainingDivergedError as error:
        return _failed(folder, title, str(error))
    except Exception as error:
        if asked():
            # The signal may have gone to the processes that load data, too, whose end is an error here.
            raise Stopped(stopped()) from error
        if os.environ.get(FULL_ERROR):
            raise
        why = sentence(error, folder.path) if expected(error) else unexpected(error, folder.path)
        return _failed(folder, title, why)
    if is_first_process():
        # Another process may have left one, which found this one at work.
        folder.failure.unlink(missing_ok=True)
        shown = {metric: round(regions["whole"], 4) for metric, regions in record["results"].items()}
        console.print(f"{title}: test {json.dumps(shown)}", highlight=False, soft_wrap=True)
        console.print(f"{folder.record}", highlight=False, soft_wrap=True)
    if asked():
        raise Stopped(stopped())
    return None


def _goes_on(folder: RunFolder) -> str:
    """What becomes of a run that is stopped now."""
    if folder.finished():
        return f"it is done, see {folder.record}"
    checkpoints = sorted(folder.checkpoints.glob("*.ckpt"))
    if not checkpoints:
        return "there is no checkpoint yet, and the same command begins it again"
    return f"the same command goes on from {checkpoints[-1]}"


def _failed(folder: RunFolder, title: str, reason: str) -> str:
    """Keep the reason in the run's folder, if anything can be written there."""
    if is_first_process():
        with contextlib.suppress(OSError):
            folder.path.mkdir(parents=True, exist_ok=True)
            folder.write_json(folder.failure, {"run": title, "reason": reason})
    return f"{title}: {reason}"
