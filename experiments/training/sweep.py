"""The end of a sweep: which of its runs failed."""

import json
import os
import sys
import tempfile
from pathlib import Path
from typing import Any

from hydra.experimental.callback import Callback
from omegaconf import DictConfig

__all__ = ["ReportFailures", "keep_failure"]

# Names the file in which the runs of a sweep, perhaps in other processes, keep their failures.
FAILURES = "DIFF_CONV2D_FAILURES"


def keep_failure(reason: str) -> bool:
    """Keep the reason of a run's failure for the end of its sweep, if it belongs to one.

    Raises:
        OSError: it cannot be kept.
    """
    if not (path := os.environ.get(FAILURES)):
        return False
    # A short line is appended as a whole, also when several processes write.
    with Path(path).open("a", encoding="utf-8") as file:
        file.write(json.dumps(reason) + "\n")
    return True


class ReportFailures(Callback):
    """After a sweep, list the runs that failed and exit with status 1 if there are any."""

    def on_multirun_start(self, config: DictConfig, **_: Any) -> None:
        """Make the file of failures, which the processes of the runs find by its name in the environment."""
        handle, os.environ[FAILURES] = tempfile.mkstemp(prefix="failures_", suffix=".jsonl")
        os.close(handle)

    def on_multirun_end(self, config: DictConfig, **_: Any) -> None:
        """List what has failed."""
        path = Path(os.environ.pop(FAILURES))
        failed = [json.loads(line) for line in path.read_text(encoding="utf-8").splitlines()]
        path.unlink()
        for reason in failed:
            print(f"failed: {reason}", file=sys.stderr)
        if failed:
            print(f"{len(failed)} of the sweep's runs failed; the same command runs them again", file=sys.stderr)
            sys.exit(1)
