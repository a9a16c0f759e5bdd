"""Generated cases against torch and against an independent oracle: ``python -m tests.fuzz --cases 10000``.

Each case is made from the seed and its number alone; a failure is shown with the command that repeats it.
"""

from __future__ import annotations

import argparse
import signal
import sys
import time
from collections.abc import Iterator
from concurrent.futures import ProcessPoolExecutor
from functools import partial
from itertools import chain
from types import FrameType

import torch

from tests.fuzz.kinds import try_case

# Of the processor's time, which others on the machine do not take; no case needs a tenth of it.
SECONDS_OF_A_CASE = 10


def try_in_time(seed: int, number: int, only: str = "") -> str | None:
    """Try a case; one that does not end is a failure."""

    def stop(signum: int, frame: FrameType | None) -> None:
        raise TimeoutError(f"takes more than {SECONDS_OF_A_CASE} s")

    before = signal.signal(signal.SIGPROF, stop)
    signal.setitimer(signal.ITIMER_PROF, SECONDS_OF_A_CASE)
    try:
        found: str | None = try_case(seed, number, only)
        return found
    finally:
        signal.setitimer(signal.ITIMER_PROF, 0)
        signal.signal(signal.SIGPROF, before)


def try_cases(seed: int, only: str, numbers: range) -> list[tuple[int, str | None]]:
    """Try some cases on one thread."""
    torch.set_num_threads(1)
    return [(number, try_in_time(seed, number, only)) for number in numbers]


def tried(seed: int, numbers: range, jobs: int, only: str = "") -> Iterator[tuple[int, str | None]]:
    """Each number with its failure, or None."""
    parts = [numbers[start : start + 50] for start in range(0, len(numbers), 50)]
    if jobs == 1:
        return chain.from_iterable(map(partial(try_cases, seed, only), parts))
    pool = ProcessPoolExecutor(jobs)
    return chain.from_iterable(pool.map(partial(try_cases, seed, only), parts))


def main() -> int:
    """Try the cases that the command line asks for."""
    parser = argparse.ArgumentParser(prog="python -m tests.fuzz", description=__doc__)
    parser.add_argument("--cases", type=int, default=1000, help="how many (default: %(default)s)")
    parser.add_argument("--seed", type=int, default=0, help="of all cases (default: %(default)s)")
    parser.add_argument("--first", type=int, default=0, help="number of the first case (default: %(default)s)")
    parser.add_argument("--case", type=int, help="try this one alone")
    parser.add_argument("--only", default="", help="kinds whose name holds this, such as pad or wrong")
    parser.add_argument("--jobs", type=int, default=1, help="processes (default: %(default)s)")
    arguments = parser.parse_args()
    numbers = range(arguments.first, arguments.first + arguments.cases)
    if arguments.case is not None:
        numbers = range(arguments.case, arguments.case + 1)
    start, failures, done = time.monotonic(), 0, 0
    for number, found in tried(arguments.seed, numbers, arguments.jobs, arguments.only):
        done += 1
        if found is not None:
            failures += 1
            print(f"\r\n{found}\n  again: python -m tests.fuzz --seed {arguments.seed} --case {number}", flush=True)
        if sys.stderr.isatty() and (done % 20 == 0 or done == len(numbers)):
            print(f"\r{done} of {len(numbers)} cases, {failures} failures", end="", file=sys.stderr, flush=True)
    seconds = time.monotonic() - start
    print(f"\r{done} cases of seed {arguments.seed}, {failures} failures, {seconds:.0f} s")
    return 1 if failures else 0


if __name__ == "__main__":
    sys.exit(main())
