"""SIGTERM, which a scheduler sends before it kills: a run stops after its batch, with a checkpoint and status 143."""

import multiprocessing
import os
import signal
import sys
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from typing import Any

__all__ = ["Stopped", "asked", "deferred", "ignore", "listen", "listen_again", "telling"]

# As a shell reports a program that SIGTERM ended.
STATUS = 128 + signal.SIGTERM


class Stopped(SystemExit):
    """SIGTERM has stopped a run; the message says what becomes of it. Unless it is caught it ends the program."""

    def __init__(self, message: str) -> None:
        super().__init__(message)
        self.code = STATUS


@dataclass
class _Process:
    """What this process does about SIGTERM."""

    program: str | None = None
    outcome: Callable[[], str] = lambda: "stopped by SIGTERM; the same command goes on"
    listening: bool = False
    deferring: bool = False
    asked: bool = False


_process = _Process()


def listen(program: str | None = None) -> None:
    """Let SIGTERM end this process with status 143 from now on: at once, or in its own time within `deferred`.

    The processes that it has started through `multiprocessing` are stopped first.

    Args:
        program: the name that the printed sentence begins with; None prints nothing.
    """
    # Python lets no other thread do this.
    if threading.current_thread() is threading.main_thread():
        # Of the processes of one distributed run the first one speaks.
        _process.program = program if os.environ.get("LOCAL_RANK", "0") == "0" else None
        _process.listening = True
        signal.signal(signal.SIGTERM, _end)


def listen_again() -> None:
    """Take SIGTERM back from a library that has put its own handler in place of that of `listen`."""
    if _process.listening and threading.current_thread() is threading.main_thread():
        signal.signal(signal.SIGTERM, _end)


def ignore(*_: Any) -> None:
    """Leave SIGTERM to the process that this one works for, and ends with."""
    signal.signal(signal.SIGTERM, signal.SIG_IGN)


def asked() -> bool:
    """Whether SIGTERM has come."""
    return _process.asked


@contextmanager
def deferred() -> Iterator[None]:
    """Within the block, only note SIGTERM: the caller looks at `asked` and raises `Stopped`."""
    _process.deferring = True
    try:
        yield
    finally:
        _process.deferring = False


@contextmanager
def telling(outcome: Callable[[], str]) -> Iterator[None]:
    """Within the block, let `outcome` give the words that are printed if SIGTERM ends the process at once."""
    before, _process.outcome = _process.outcome, outcome
    try:
        yield
    finally:
        _process.outcome = before


def _end(*_: Any) -> None:
    """End the process, or note that it is to end.

    Nothing is unwound. An exception that a signal raises can come up anywhere, and be lost there; and nothing has to
    be unwound, since files are replaced in one move and locks end with their process.
    """
    _process.asked = True
    if _process.deferring:
        return
    children = multiprocessing.active_children()
    for child in children:
        child.terminate()
    for child in children:
        child.join()
    # The signal may have come in the middle of a print.
    with suppress(RuntimeError, ValueError, OSError, AttributeError):
        sys.stdout.flush()
    if _process.program is not None:
        with suppress(OSError):
            os.write(2, f"{_process.program}: {_process.outcome()}\n".encode())
    os._exit(STATUS)
