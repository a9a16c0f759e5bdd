"""The runs of a sweep in processes of their own, some at a time."""

import multiprocessing
import os
import threading
import time
from collections.abc import Iterator, Sequence
from concurrent.futures import Future, ProcessPoolExecutor, as_completed

from rich.console import Console

from experiments.interrupts import ended_on_error, unseen_interrupts
from experiments.training.cell import run_cell
from experiments.training.cells import Cell, composed
from experiments.training.stopping import STATUS, Stopped, listen

__all__ = ["default_jobs", "run_cells"]


def default_jobs() -> int:
    """One run for each core that this process may use."""
    return len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1


def run_cells(cells: Sequence[Cell], jobs: int) -> Iterator[tuple[Cell, str | None, float]]:
    """Run cells, `jobs` at a time, and give each when it ends.

    A process goes on with the next cell, so that importing torch and starting CUDA are paid for once. With more than
    one process each has one thread of torch.

    Args:
        cells: what to run.
        jobs: how many at a time, at least 1.

    Yields:
        The cell, why it failed or None, and its seconds.

    Raises:
        BrokenProcessPool: a process died, of lack of memory for example.
    """
    # A sweep that SIGTERM ends leaves its semaphores to Python's tracker of them, which removes them, and warns.
    ignored = "ignore:resource_tracker"
    os.environ["PYTHONWARNINGS"] = ",".join(filter(None, [os.environ.get("PYTHONWARNINGS"), ignored]))
    # A forked process cannot use CUDA.
    context = multiprocessing.get_context("spawn")
    threads = 1 if jobs > 1 else None
    with ProcessPoolExecutor(jobs, context, initializer=_start, initargs=(os.getpid(),)) as pool, ended_on_error():
        with unseen_interrupts():
            futures: dict[Future[tuple[str | None, float]], Cell] = {pool.submit(_run, c, threads): c for c in cells}
        try:
            for future in as_completed(futures):
                yield futures[future], *future.result()
        except BaseException:
            # Without this, what has not begun would be run to its end before the error is told.
            pool.shutdown(wait=False, cancel_futures=True)
            raise


def _start(parent: int) -> None:
    """Prepare a process; it ends with the one that started it, however that ends."""
    listen()
    os.environ.setdefault("OMP_WAIT_POLICY", "passive")

    def watch() -> None:
        while os.getppid() == parent:
            time.sleep(0.5)
        os._exit(1)

    threading.Thread(target=watch, daemon=True).start()


def _run(cell: Cell, threads: int | None) -> tuple[str | None, float]:
    """Run a cell in this process."""
    start = time.monotonic()
    config = composed(cell)
    config.threads = config.threads or threads
    try:
        return run_cell(config, Console(quiet=True, force_terminal=False)), time.monotonic() - start
    except Stopped:
        # The pool would take this for the result of a run, and give the process another one.
        os._exit(STATUS)
