"""What a boundary costs: `python -m experiments.benchmark groups=[cnn] rounds=5`, see configs/benchmark.yaml."""

import os
from collections.abc import Iterable, Iterator
from concurrent.futures import ProcessPoolExecutor
from concurrent.futures.process import BrokenProcessPool
from multiprocessing import get_context
from pathlib import Path

import numpy as np
import pandas as pd
import torch
from omegaconf import DictConfig
from rich.console import Console
from rich.table import Table

from experiments.benchmark.cases import Case, steps
from experiments.benchmark.cuda import MAY_BE_EMPTY
from experiments.benchmark.cuda_processes import measured_on_gpu
from experiments.benchmark.settings import SUITES, Settings
from experiments.benchmark.timing import interleaved, peak_memory, ratios_to
from experiments.hydra_program import hydra_program
from experiments.interrupts import ended_on_error, unseen_interrupts
from experiments.program import run_program
from experiments.progress import progress_bar
from experiments.provenance import processor
from experiments.records import write_table

__all__ = ["main", "measure", "run", "summary"]


def measure(case: Case, settings: Settings) -> pd.DataFrame:
    """Measure a case: a row for each method that it has."""
    torch.set_num_threads(settings.threads)
    # glibc gives large buffers back to the system after every call, and each call then pays for fresh pages, until a
    # larger one has been freed once. That is chance in a program; here it happens before anything is timed.
    torch.empty(2**25 - 2**16, dtype=torch.uint8)
    # Neither TF32 nor the search for the fastest kernel of each size: all methods under equal conditions.
    torch.backends.cudnn.benchmark = False
    functions = steps(case, settings.device)
    if settings.methods is not None:
        functions = {name: f for name, f in functions.items() if name == case.reference or name in settings.methods}
    times = interleaved(functions, settings.rounds, settings.device, settings.warmup, settings.least_seconds)
    table = ratios_to(times, case.reference)
    table["peak_bytes"] = [peak_memory(function, settings.device) for function in functions.values()]
    table.insert(0, "method", table.index)
    table.insert(0, "case", case.name)
    table.insert(0, "group", case.group)
    return table.reset_index(drop=True)


def run(settings: Settings, console: Console) -> list[Path]:
    """Measure all cases and write the table; return its path."""
    cases = SUITES[settings.suite][0].values()
    chosen = [case for case in cases if case.group in settings.groups and case.way in settings.ways]
    on_gpu = settings.device.type == "cuda"
    # Only there are graphs.
    chosen = [case for case in chosen if on_gpu or case.way != "graph"]
    if not chosen:
        raise ValueError(f"groups and ways leave no case, got {settings.groups} and {settings.ways}")
    about = {
        "unit": "seconds",
        "device": torch.cuda.get_device_name(settings.device) if on_gpu else processor(),
        "threads": settings.threads,
        "torch": torch.__version__,
        "rounds": settings.rounds,
        "warmup": settings.warmup,
    }
    path = settings.output_dir / "tables" / f"{settings.name}.csv"
    measured = _each_alone if settings.suite == "cpu" else measured_on_gpu
    table = pd.DataFrame()
    with progress_bar(len(chosen), console) as advance:
        for case, rows in measured(chosen, settings):
            table = pd.concat([table, rows.assign(**about)], ignore_index=True)
            # What has been measured is kept if the rest is not waited for.
            write_table(path, table, MAY_BE_EMPTY if settings.suite == "cuda" else ())
            advance(case.name)
    console.print(summary(table))
    if settings.suite == "cuda":
        failed = table[table["failure"].notna()]
        for row in failed.itertuples():
            console.print(f"{row.case}: {row.method}: {row.failure}", markup=False, highlight=False)
    return [path]


def _each_alone(cases: Iterable[Case], settings: Settings) -> Iterator[tuple[Case, pd.DataFrame]]:
    """Measure each case in a process of its own, whose memory no other case has left in pieces."""
    for case in cases:
        try:
            with ProcessPoolExecutor(1, get_context("spawn")) as process, ended_on_error():
                with unseen_interrupts():
                    future = process.submit(measure, case, settings)
                measured = future.result()
        except BrokenProcessPool:
            raise ValueError(f"the process of {case.name!r} died, perhaps for lack of memory") from None
        yield case, measured


def summary(table: pd.DataFrame) -> Table:
    """Lay out the ratios for a terminal: a row for each method, a column for each group of cases."""
    ratios = table.pivot_table("ratio", "method", ["group", "case"], sort=False)
    mean = np.exp(np.log(ratios).T.groupby(level="group", sort=False).mean().T)
    largest = ratios.T.groupby(level="group", sort=False).max().T
    printed = Table(title="Time relative to zero padding, or to SciPy: geometric mean of the medians (largest)")
    printed.add_column("method")
    for group in mean:
        printed.add_column(str(group), justify="right")
    for method in mean.index:
        cells = (
            "" if np.isnan(mean.loc[method, g]) else f"{mean.loc[method, g]:.2f} ({largest.loc[method, g]:.2f})"
            for g in mean
        )
        printed.add_row(str(method), *cells)
    return printed


@hydra_program("benchmark")
def main(config: DictConfig) -> None:
    """Check the configuration, then run."""
    # torch's profiler tells on the terminal when it starts, and of memory that was there before. It is used in the
    # processes of the cases, which read this.
    os.environ.setdefault("KINETO_LOG_LEVEL", "99")
    os.environ.setdefault("TORCH_CPP_LOG_LEVEL", "ERROR")
    run_program("benchmark", config, Settings, run)
