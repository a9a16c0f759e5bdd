"""The end of a sweep: which of its runs failed."""

import json
import sys
from pathlib import Path
from typing import Any

from hydra.experimental.callback import Callback
from omegaconf import DictConfig

from experiments.paths import REPOSITORY

__all__ = ["ReportFailures"]


class ReportFailures(Callback):
    """After a sweep, list the runs that failed and exit with status 1 if there are any."""

    def __init__(self) -> None:
        self._before: dict[str, float] = {}

    def _failures(self, config: DictConfig) -> dict[str, float]:
        runs = REPOSITORY.joinpath(config.runs_dir)
        return {str(path): path.stat().st_mtime for path in runs.glob("**/failure.json")}

    def on_multirun_start(self, config: DictConfig, **_: Any) -> None:
        """Remember what failed before."""
        self._before = self._failures(config)

    def on_multirun_end(self, config: DictConfig, **_: Any) -> None:
        """List what has failed since."""
        failed = [path for path, time in self._failures(config).items() if self._before.get(path) != time]
        for path in failed:
            failure = json.loads(Path(path).read_text())
            print(f"failed: {failure['run']}: {failure['reason']}", file=sys.stderr)
        if failed:
            print(f"{len(failed)} of the sweep's runs failed; the same command runs them again", file=sys.stderr)
            sys.exit(1)
