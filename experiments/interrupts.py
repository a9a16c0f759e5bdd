"""Ctrl-C where Python itself would print a traceback: while a program is being loaded, and in its processes."""

import os
import signal
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from multiprocessing import active_children
from pathlib import Path
from types import TracebackType

__all__ = ["INTERRUPTED", "ended_on_error", "quiet_while_loading", "unseen_interrupts"]

# As a shell reports a program that Ctrl-C ended.
INTERRUPTED = 130


def quiet_while_loading() -> None:
    """Tell Ctrl-C in one line from now on, whatever is being imported; importing torch takes seconds."""

    def tell(kind: type[BaseException], error: BaseException, trace: TracebackType | None) -> None:
        if not issubclass(kind, KeyboardInterrupt):
            sys.__excepthook__(kind, error, trace)
            return
        program = Path(sys.argv[0])
        name = program.parent.name if program.stem == "__main__" else program.stem
        print(f"{name}: stopped", file=sys.stderr, flush=True)
        # Nothing has begun that would have to be ended.
        os._exit(INTERRUPTED)

    sys.excepthook = tell


@contextmanager
def unseen_interrupts() -> Iterator[None]:
    """Keep Ctrl-C, which a terminal sends to all processes, from those that are started inside."""
    if not hasattr(signal, "pthread_sigmask"):
        yield
        return
    before = signal.pthread_sigmask(signal.SIG_BLOCK, {signal.SIGINT})
    try:
        yield
    finally:
        signal.pthread_sigmask(signal.SIG_SETMASK, before)


@contextmanager
def ended_on_error() -> Iterator[None]:
    """End the processes that this one has started if an error leaves the block, so that nobody waits for them."""
    try:
        yield
    except BaseException:
        for process in active_children():
            process.terminate()
        raise
