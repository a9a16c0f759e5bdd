"""Two versions of the library in turns: `python -m scripts.compare_versions main~20`, see --help.

Both versions do the cases of the benchmark in one process, old and new by turns, so that what disturbs the machine
disturbs both. For each case and method stands the median of the ratios new to old of a round.
"""

import argparse
import io
import subprocess
import sys
import tarfile
from collections.abc import Callable
from concurrent.futures import ProcessPoolExecutor
from importlib import import_module
from multiprocessing import get_context
from pathlib import Path
from tempfile import TemporaryDirectory

import numpy as np
import pandas as pd
import torch

from experiments.paths import REPOSITORY
from experiments.records import write_table
from experiments.sentences import in_one_sentence

__all__ = ["compared", "main", "steps_of", "summary"]

PACKAGE = "diff_conv2d"
# They hold on to the library that they were imported with.
USERS = ("experiments.benchmark.cases", "experiments.models", "experiments.padding_configs")


def steps_of(folder: Path, case: str) -> dict[str, Callable[[], object]]:
    """What the benchmark does for a case, by method, with the library that is in a folder.

    Args:
        folder: that holds the package.
        case: of `experiments.benchmark.cases`, which are always those of this repository.
    """
    for name in [name for name in sys.modules if name.startswith((PACKAGE, *USERS))]:
        del sys.modules[name]
    sys.path.insert(0, str(folder))
    try:
        library, cases = import_module(PACKAGE), import_module(USERS[0])
    finally:
        sys.path.remove(str(folder))
    if Path(library.__file__).parent != folder / PACKAGE:
        raise ValueError(f"OLD must hold the package {PACKAGE}; {library.__file__} was imported instead")
    steps: dict[str, Callable[[], object]] = cases.steps(cases.CASES[case], torch.device("cpu"))
    return steps


def compared(old: Path, case: str, methods: list[str], rounds: int, threads: int) -> pd.DataFrame:
    """Measure a case: a row for each method, with the seconds of both versions and the ratio new to old."""
    from experiments.benchmark.timing import interleaved, ratios_to

    torch.set_num_threads(threads)
    # As in experiments.benchmark: what glibc does with large buffers is not to be chance.
    torch.empty(2**25 - 2**16, dtype=torch.uint8)
    both = {"old": steps_of(old, case), "new": steps_of(REPOSITORY, case)}
    rows = []
    for method in both["old"].keys() & both["new"].keys():
        if methods and method not in methods:
            continue
        times = interleaved({name: steps[method] for name, steps in both.items()}, rounds, torch.device("cpu"))
        found = ratios_to(times, "old")
        row = {"case": case, "method": method, "old": found.loc["old", "seconds"], "new": found.loc["new", "seconds"]}
        rows.append(row | {"ratio": found.loc["new", "ratio"]})
    return pd.DataFrame(rows)


def summary(table: pd.DataFrame) -> str:
    """Geometric means of the ratios: by method, and of all; and the largest one."""
    means = np.exp(np.log(table["ratio"]).groupby(table["method"]).mean())
    lines = [f"{method:20} {mean:.3f}" for method, mean in means.items()]
    worst = table.loc[table["ratio"].idxmax()]
    lines.append(f"{'all':20} {np.exp(np.log(table['ratio']).mean()):.3f}")
    lines.append(f"largest: {worst['ratio']:.3f}, {worst['method']} in {worst['case']}")
    return "\n".join(lines)


@in_one_sentence("scripts.compare_versions")
def main() -> None:
    """Measure, print, and keep the table if asked to."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter, allow_abbrev=False
    )
    parser.add_argument("old", help="revision of this repository that holds the old library")
    parser.add_argument("--groups", default="", help="of experiments/benchmark/cases.py, with commas (default: all)")
    parser.add_argument("--methods", default="", help="with commas (default: all)")
    parser.add_argument("--rounds", type=int, default=11, help="times of each (default: %(default)s)")
    parser.add_argument("--threads", type=int, default=1, help="of torch (default: %(default)s)")
    parser.add_argument("--output", type=Path, help="CSV file to write")
    arguments = parser.parse_args()
    groups, methods = (text.split(",") if text else [] for text in (arguments.groups, arguments.methods))
    cases = import_module(USERS[0]).CASES
    if unknown := set(groups) - {case.group for case in cases.values()}:
        raise ValueError(f"--groups must be of {', '.join({c.group for c in cases.values()})}; got {min(unknown)!r}")
    table = pd.DataFrame()
    with TemporaryDirectory() as folder:
        archive = subprocess.run(
            ["git", "archive", arguments.old, PACKAGE], cwd=REPOSITORY, capture_output=True, check=False
        )
        if archive.returncode:
            raise ValueError(f"old must be a revision of this repository; {archive.stderr.decode().strip()}")
        with tarfile.open(fileobj=io.BytesIO(archive.stdout)) as files:
            files.extractall(folder, filter="data")
        for case in cases.values():
            if groups and case.group not in groups:
                continue
            # In a process of its own, whose memory no other case has left in pieces.
            with ProcessPoolExecutor(1, get_context("spawn")) as process:
                wanted = (Path(folder), case.name, methods, arguments.rounds, arguments.threads)
                measured = process.submit(compared, *wanted).result()
            table = pd.concat([table, measured], ignore_index=True)
            print(
                measured.sort_values("method").to_string(index=False, header=len(table) == len(measured)), flush=True
            )
            if arguments.output:
                write_table(arguments.output, table)
    print(summary(table))


if __name__ == "__main__":
    main()
