"""Measure a case on a GPU: times, launches, memory and bits, and why a method could not be measured."""

import gc
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager

import numpy as np
import pandas as pd
import torch

from experiments.benchmark.cases import Case
from experiments.benchmark.cuda_cases import image_of, methods_of, network_with, small
from experiments.benchmark.settings import Settings
from experiments.benchmark.timing import interleaved, launches, median_interval, peak_memory, ratios_to, synchronise
from experiments.benchmark.ways import same_bits, work
from experiments.sentences import sentence

__all__ = ["MAY_BE_EMPTY", "NO_TIME", "NUMBERS", "DeviceFailure", "chosen_methods", "left_out", "measure_on_gpu"]

#: Columns that are empty where a method could not be measured, or where there is nothing to measure.
NUMBERS = ("seconds", "ratio", "ratio_low", "ratio_high", "peak_bytes", "launches", "same_bits")
MAY_BE_EMPTY = (*NUMBERS, "failure")
NO_TIME = "no time was left"
# What torch says of an error after which a process can do nothing more on the device.
FATAL = ("CUDA error", "device-side assert")
# Seconds that compiling a network may take: nothing is begun that might end too late.
COMPILING = 90
# Of a reason, whose message may be a whole log of a compiler.
MOST_WORDS = 300


class DeviceFailure(Exception):
    """A method after which the process has lost its device: the others need a new one."""

    def __init__(self, method: str, why: str) -> None:
        super().__init__(method, why)
        self.method, self.why = method, why


def chosen_methods(case: Case, settings: Settings) -> list[str]:
    """Return the methods that a case is measured with: the reference, and those that the settings ask for."""
    asked = settings.methods
    return [name for name in methods_of(case) if asked is None or name == case.reference or name in asked]


def left_out(case: Case, failures: Mapping[str, str]) -> pd.DataFrame:
    """Return rows of methods that could not be measured, with the reasons."""
    table = pd.DataFrame({"method": list(failures), "failure": list(failures.values())})
    return table.assign(group=case.group, case=case.name, **dict.fromkeys(NUMBERS, np.nan))


def measure_on_gpu(case: Case, settings: Settings, excluded: Mapping[str, str], deadline: float) -> pd.DataFrame:
    """Measure a case: a row for each method, with the reason of its failure where it fails.

    Args:
        case: of `CUDA_CASES`.
        settings: of the program.
        excluded: methods that are known to fail, with the reasons.
        deadline: seconds since the epoch after which no method is begun.

    Raises:
        DeviceFailure: the process has lost its device.

    """
    device, methods = settings.device, chosen_methods(case, settings)
    failures = {name: why for name, why in excluded.items() if name in methods}
    deadline -= COMPILING if case.way == "compiled" else 0
    torch.set_num_threads(settings.threads)
    # No search for the fastest kernel of each size: all methods under equal conditions.
    torch.backends.cudnn.benchmark = False
    done = small(case) if settings.small else case
    _free(done, device)
    steps: dict[str, Callable[[], object]] = {}
    for method in methods:
        if method not in failures and time.time() > deadline:
            failures[method] = NO_TIME
        if method not in failures:
            with _told(method, failures):
                image = image_of(done, device)
                step = work(done, network_with(done, method, image), image)
                for _ in range(settings.warmup):
                    step()
                synchronise(device)
                steps[method] = step
    if case.reference not in steps:
        failures |= dict.fromkeys(steps, f"{case.reference} could not be measured")
        return left_out(case, failures)
    times = interleaved(
        steps, settings.rounds, device, warmup=1, least_seconds=settings.least_seconds, order=np.random.default_rng(0)
    )
    table = ratios_to(times, case.reference, median_interval)
    incomplete: dict[str, str] = {}
    for method, step in steps.items():
        with _told(method, incomplete):
            for name, value in _extras(done, method, step, device).items():
                table.loc[method, name] = value
    table["failure"] = pd.Series(incomplete, index=table.index, dtype=object)
    table = table.rename_axis("method").reset_index().assign(group=case.group, case=case.name)
    return pd.concat([table, left_out(case, failures)], ignore_index=True) if failures else table


def _free(case: Case, device: torch.device) -> None:
    """Give back what the case before has left."""
    gc.collect()
    if device.type == "cuda":
        torch.cuda.empty_cache()
    if case.way == "compiled":
        torch.compiler.reset()


@contextmanager
def _told(method: str, failures: dict[str, str]) -> Iterator[None]:
    """Keep the reason if a method fails: on a device that it was never tried on, that must not stop the others.

    Raises:
        DeviceFailure: the process has lost its device.

    """
    try:
        yield
    except Exception as error:
        why = sentence(error)[:MOST_WORDS]
        if any(words in str(error) for words in FATAL):
            raise DeviceFailure(method, why) from None
        failures[method] = why


def _extras(case: Case, method: str, step: Callable[[], object], device: torch.device) -> dict[str, float]:
    """Measure what is no time: memory, launches, and whether the bits are the same."""
    found = {}
    # A graph has its memory from before. A compiled step does what the eager one does, and so does a graph.
    if case.way != "graph":
        found["peak_bytes"] = float(peak_memory(step, device))
    if case.way == "eager" or device.type == "cuda":
        found["launches"] = launches(step, device)
    if case.way == "eager":
        image = image_of(case, device)
        found["same_bits"] = float(same_bits(case, network_with(case, method, image), image))
    return found
