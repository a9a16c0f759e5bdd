"""Runs into tables: `python -m scripts.collect segmentation`, see --help.

It reads the records below results/runs/train, and writes three tables: EXPERIMENT_runs.csv, a row per run, metric and
region; EXPERIMENT_blocks.csv, the same without each block of the test set, where blocks are known; and from these
files EXPERIMENT.csv, a row per method, metric and region, with means over seeds, 95 % intervals and paired
differences to zero padding. A run that is missing is an error that names the command to run.
"""

import argparse
from pathlib import Path
from tempfile import TemporaryDirectory

import pandas as pd
import yaml

from experiments.checks import writable
from experiments.paths import REPOSITORY
from experiments.records import write_table
from experiments.sentences import in_one_sentence
from experiments.training.finished_runs import read_runs
from scripts.cells import cells_of, rows_of, rows_without_blocks
from scripts.figures.tables import TABLES, read_table
from scripts.manifests import write_sweep_manifest
from scripts.summary import BLOCK_COLUMNS, INTERVALS, RUN_COLUMNS, summarise
from scripts.sweeps import REFERENCE, SCALES, SWEEPS, full_name

__all__ = ["collect", "main", "recompute"]

RUNS = REPOSITORY / "results" / "runs" / "train"


def collect(
    name: str,
    runs_dir: Path,
    tables: Path,
    methods: list[str],
    seeds: list[int],
    where: dict[str, object],
    more: dict[str, list[int]] | None = None,
) -> list[Path]:
    """Write the tables of an experiment and return their paths.

    Args:
        name: of `scripts.sweeps.SWEEPS`.
        runs_dir: folder of the runs.
        tables: folder to write.
        methods: that must be there, zeros among them.
        seeds: that must be there for each of them.
        where: settings that tell the runs that are meant from others of the same experiment.
        more: further seeds of some methods, zeros among them. A method is compared on the seeds that it shares with
            the other.

    Raises:
        ValueError: a run is missing or twice there, runs differ in their settings, or a value is not finite.
    """
    if REFERENCE not in methods:
        raise ValueError(
            f"methods must hold {REFERENCE}, with which the others are compared; got {', '.join(methods)}"
        )
    sweep = SWEEPS[name]
    cells = cells_of(name, sweep, read_runs(runs_dir, [sweep.config]), methods, seeds, where, more)
    tables.mkdir(parents=True, exist_ok=True)
    # Beside the tables, so that all of them can be moved there when the last has been made.
    with TemporaryDirectory(dir=tables, prefix=".collect_") as folder:
        made = [Path(folder) / f"{name}_runs.csv"]
        write_table(made[0], pd.DataFrame(rows_of(cells), columns=RUN_COLUMNS))
        if left_out := rows_without_blocks(cells):
            made.append(Path(folder) / f"{name}_blocks.csv")
            write_table(made[1], pd.DataFrame(left_out, columns=BLOCK_COLUMNS))
        made.append(recompute(name, Path(folder)))
        paths = [path.replace(tables / path.name) for path in made]
    if not left_out:
        (tables / f"{name}_blocks.csv").unlink(missing_ok=True)
    write_sweep_manifest(name, paths, cells.values())
    return paths


def recompute(name: str, tables: Path) -> Path:
    """Write the table of means from the other tables *as they are on disk*, so that it is the same every time."""
    command = f"python -m scripts.collect {name}"
    runs = read_table(tables / f"{name}_runs.csv", RUN_COLUMNS, command)
    path = tables / f"{name}.csv"
    blocks = tables / f"{name}_blocks.csv"
    left_out = read_table(blocks, BLOCK_COLUMNS, command) if blocks.is_file() else None
    write_table(path, summarise(runs, left_out), may_be_empty=INTERVALS)
    return path


@in_one_sentence("scripts.collect")
def main() -> None:
    """Collect, or only recompute."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter, allow_abbrev=False
    )
    parser.add_argument("experiment", help="classification, segmentation, super_resolution or normalization")
    parser.add_argument(
        "--scale", choices=SCALES, default=SCALES[0], help="the data and settings (default: %(default)s)"
    )
    parser.add_argument("--seeds", default="0,1,2,3,4", help="seeds that must be there (default: %(default)s)")
    parser.add_argument(
        "--more-seeds",
        action="append",
        default=[],
        metavar="METHODS=SEEDS",
        help="further seeds of some methods, such as zeros,adaptive=5,6; may be repeated; methods are compared on "
        "the seeds that both have",
    )
    parser.add_argument("--methods", help="methods that must be there (default: every mode, and halo)")
    parser.add_argument(
        "--where",
        action="append",
        default=[],
        metavar="SETTING=VALUE",
        help="take only runs with this setting, such as trainer.max_epochs=5; may be repeated",
    )
    parser.add_argument("--runs", type=Path, default=RUNS, help="folder of runs (default: %(default)s)")
    parser.add_argument("--tables", type=Path, default=TABLES, help="folder to write (default: %(default)s)")
    parser.add_argument(
        "--from-runs-csv", action="store_true", help="read no runs: EXPERIMENT.csv again from EXPERIMENT_runs.csv"
    )
    arguments = parser.parse_args()
    name = full_name(arguments.experiment, arguments.scale)
    if arguments.from_runs_csv:
        paths = [recompute(name, arguments.tables)]
    else:
        methods = arguments.methods.split(",") if arguments.methods else list(SWEEPS[name].methods)
        seeds = [_seed(seed) for seed in arguments.seeds.split(",")]
        where = dict(_setting(text) for text in arguments.where)
        writable("--tables", arguments.tables)
        more = _more(arguments.more_seeds)
        paths = collect(name, arguments.runs, arguments.tables, methods, seeds, where, more)
    for path in paths:
        print(path)


def _seed(text: str) -> int:
    if not text.strip().isdigit():
        raise ValueError(f"seeds must be whole numbers from 0 on with commas between; got {text!r}")
    return int(text)


def _more(texts: list[str]) -> dict[str, list[int]]:
    """Further seeds by method."""
    found: dict[str, list[int]] = {}
    for text in texts:
        methods, equals, seeds = text.partition("=")
        if not equals:
            raise ValueError(f"more_seeds must be METHODS=SEEDS, such as zeros,adaptive=5,6; got {text!r}")
        for method in methods.split(","):
            found.setdefault(method, []).extend(_seed(seed) for seed in seeds.split(","))
    return found


def _setting(text: str) -> tuple[str, object]:
    name, equals, value = text.partition("=")
    if not equals:
        raise ValueError(f"where must be SETTING=VALUE; got {text!r}")
    return name, yaml.safe_load(value)


if __name__ == "__main__":
    main()
