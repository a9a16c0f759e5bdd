"""Processes in which cases are measured on a GPU: one for many cases, and a new one where a method has spoilt it."""

import time
from collections.abc import Callable, Iterable, Iterator
from concurrent.futures import ProcessPoolExecutor
from concurrent.futures.process import BrokenProcessPool
from multiprocessing import get_context
from typing import Any

import pandas as pd

from experiments.benchmark.cases import Case
from experiments.benchmark.cuda import NO_TIME, DeviceFailure, chosen_methods, left_out, measure_on_gpu
from experiments.benchmark.settings import Settings
from experiments.benchmark.ways import WAYS
from experiments.interrupts import ended_on_error, unseen_interrupts
from experiments.sentences import sentence

__all__ = ["measured_on_gpu"]


class _Process:
    """A process that is started when it is first needed, and again after its end."""

    def __init__(self) -> None:
        self._pool: ProcessPoolExecutor | None = None

    def call(self, function: Callable[..., Any], *arguments: Any) -> Any:
        """Call a function there."""
        with unseen_interrupts():
            self._pool = self._pool or ProcessPoolExecutor(1, get_context("spawn"))
            future = self._pool.submit(function, *arguments)
        return future.result()

    def end(self) -> None:
        """End it."""
        if self._pool is not None:
            self._pool.shutdown()
        self._pool = None


def measured_on_gpu(cases: Iterable[Case], settings: Settings) -> Iterator[tuple[Case, pd.DataFrame]]:
    """Measure cases until the time is up, and yield each with its rows, those of what was left out among them.

    To start a process and its device takes seconds, so that the cases share one.
    """
    deadline = time.time() + (float("inf") if settings.seconds is None else settings.seconds)
    process, spoilers = _Process(), {way: dict[str, str]() for way in WAYS}
    with ended_on_error():
        for case in cases:
            yield case, _measured(case, settings, deadline, process, spoilers[case.way])
        process.end()


def _measured(
    case: Case, settings: Settings, deadline: float, process: _Process, excluded: dict[str, str]
) -> pd.DataFrame:
    """Measure a case; again in a new process, without the method that has cost the old one its device.

    Such methods are added to those that are excluded, for later cases too.
    """
    methods = chosen_methods(case, settings)
    while True:
        if time.time() > deadline:
            return left_out(case, {name: excluded.get(name, NO_TIME) for name in methods})
        try:
            rows: pd.DataFrame = process.call(measure_on_gpu, case, settings, excluded, deadline)
        except DeviceFailure as failure:
            excluded[failure.method] = failure.why
            process.end()
        # torch's own errors while methods are timed in turns, which belong to no method.
        except (BrokenProcessPool, RuntimeError) as error:
            process.end()
            return left_out(case, {name: excluded.get(name, sentence(error)) for name in methods})
        else:
            return rows
