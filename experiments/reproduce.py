"""All runs of one of the paper's experiments: `python -m experiments.reproduce sweep=segmentation jobs=2`."""

import sys

# This imports next to nothing: SIGTERM is to be told of from the start.
from experiments.training.stopping import listen

if __name__ == "__main__":
    listen("reproduce")

from collections.abc import Sequence
from concurrent.futures.process import BrokenProcessPool
from pathlib import Path
from time import monotonic

from omegaconf import DictConfig
from rich.console import Console

from experiments.checks import Reader, writable
from experiments.hydra_program import hydra_program
from experiments.paths import REPOSITORY
from experiments.training.cell import cell_folder
from experiments.training.cells import Cell, composed, read_sweep, sweep_cells, sweep_names
from experiments.training.pool import default_jobs, run_cells
from experiments.training.run_folder import RunFolder

__all__ = ["main", "run", "seconds_left", "told"]

AGAIN = "the same command goes on"


def run(config: DictConfig, console: Console) -> list[str]:
    """Run the cells that are not done.

    Args:
        config: as in configs/reproduce.yaml.
        console: where to say how far it is.

    Returns:
        Why cells failed, a sentence each.

    Raises:
        ValueError: the settings do not fit.
        HydraException: a setting does not fit.
        BrokenProcessPool: a process died.
    """
    read = Reader(config)
    read_sweep(read)
    read.end()
    cells = _checked(sweep_cells(config))
    jobs = config.jobs or (1 if config.scale == "paper" else default_jobs())
    writable("runs_dir", REPOSITORY / config.runs_dir)
    # The seconds of runs that are done tell how long the others will take, until there is something better.
    waiting, seconds = [], {}
    for path, cell in cells.items():
        record = RunFolder(path).finished()
        if record is None:
            waiting.append(cell)
        elif "fit_seconds" in record:
            seconds.setdefault(_kind(cell), []).append(record["fit_seconds"])
    done = len(cells) - len(waiting)
    title = f"{', '.join(sweep_names(config))}: {len(cells)} runs, {done} done"
    console.print(f"{title}, {min(jobs, len(waiting))} at a time" if waiting else title, highlight=False)
    if not waiting:
        return []
    failures, start, measured = [], monotonic(), {}
    for cell, reason, took in run_cells(waiting, min(jobs, len(waiting))):
        waiting.remove(cell)
        done += 1
        if reason is None:
            measured.setdefault(_kind(cell), []).append(took)
        else:
            failures.append(reason)
        result = f"{took:.0f} s" if reason is None else "FAILED"
        line = f"[{done}/{len(cells)}] {cell.name}: {result}; {told(monotonic() - start)} gone"
        if waiting:
            line += f", about {told(seconds_left(waiting, seconds | measured, jobs))} left"
        console.print(line, highlight=False, soft_wrap=True, markup=False)
    return failures


def _checked(cells: Sequence[Cell]) -> dict[Path, Cell]:
    """The cells by the folders of their runs, if all their settings can be used; sweeps may share runs."""
    # The imports of the training take seconds, and --help should answer at once.
    from experiments.training.settings import check_settings

    found: dict[Path, Cell] = {}
    wrong: dict[str, None] = {}
    checked = set()
    for cell in cells:
        config = composed(cell)
        # Nothing but the seed differs between the cells of some overrides.
        if cell.overrides not in checked:
            checked.add(cell.overrides)
            try:
                check_settings(config)
            except ValueError as error:
                wrong[str(error)] = None
        if not wrong:
            found.setdefault(cell_folder(config).path, cell)
    if wrong:
        raise ValueError("; ".join(wrong))
    return found


def _kind(cell: Cell) -> tuple[str, str, str]:
    return cell.sweep, cell.variant, cell.method


def seconds_left(waiting: Sequence[Cell], seconds: dict[tuple[str, str, str], list[float]], jobs: int) -> float:
    """Estimate how long cells will take together.

    A cell takes the mean of those of its sweep, variant and method; where there are none, the mean over all. The
    longest cell is the least.

    Args:
        waiting: cells that have not ended.
        seconds: of cells that have, by sweep, variant and method.
        jobs: cells at a time.

    Example:
        >>> cells = [Cell("globe", "", method, 1, ()) for method in ("zeros", "diff", "halo")]
        >>> seconds_left(cells, {("globe", "", "zeros"): [10.0], ("globe", "", "diff"): [20.0, 40.0]}, jobs=2)
        30.0
    """
    means = {key: sum(values) / len(values) for key, values in seconds.items()}
    if not means or not waiting:
        return 0.0
    typical = sum(means.values()) / len(means)
    expected = [means.get(_kind(cell), typical) for cell in waiting]
    return max(sum(expected) / jobs, *expected) if len(expected) > 1 else expected[0]


def told(seconds: float) -> str:
    """A time in words.

    Example:
        >>> told(42), told(600), told(9000)
        ('42 s', '10 min', '2.5 h')
    """
    if seconds < 100:
        return f"{seconds:.0f} s"
    return f"{seconds / 60:.0f} min" if seconds < 6000 else f"{seconds / 3600:.1f} h"


@hydra_program("reproduce", again=AGAIN)
def main(config: DictConfig) -> None:
    """Run the sweep; say at the end what failed."""
    try:
        failures = run(config, Console())
    except BrokenProcessPool:
        sys.exit(f"reproduce: a process died, perhaps for lack of memory; {AGAIN}, with fewer at a time: jobs=1")
    for failure in failures:
        print(f"failed: {failure}", file=sys.stderr)
    if failures:
        sys.exit(f"reproduce: {len(failures)} of the runs failed; {AGAIN} with them")


if __name__ == "__main__":
    main()
