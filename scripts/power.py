"""Which differences to zero padding the training experiments can resolve: `python -m scripts.power`.

For each comparison of the findings with zero padding: the smallest true difference that is resolved with a chance of
80 %, by five and by twelve seeds, by the present blocks of the test set and by larger test sets; and how much of the
variance is the test set's own noise. It is made of the tables of runs alone. scripts/coverage.py tries the formula by
simulation.
"""

import argparse
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pandas as pd

from experiments.manifest import digest, write_manifest
from experiments.records import write_table
from experiments.sentences import in_one_sentence
from scripts.claims import COLUMNS, TASKS, Contrast, Paired, claims, paired, task_tables, tested
from scripts.figures.tables import TABLES
from scripts.intervals import Components, components
from scripts.smallest_difference import LEVEL, blocks_for_share, smallest_difference, uncertainty
from scripts.sweeps import REFERENCE

__all__ = ["BLOCKS", "MAY_BE_EMPTY", "SEEDS", "main", "power", "sources"]

# Designs: seeds before and after, and test sets so many times as large as the present ones.
SEEDS, BLOCKS = (5, 12), (1, 2, 4)
# Empty where a task has no blocks, and `blocks_needed` where no number of blocks is enough.
MAY_BE_EMPTY = ("of_test_set", "blocks_needed")


def power(tables: Path, task: str) -> pd.DataFrame:
    """The smallest differences that a task resolves.

    Args:
        tables: folder of the tables.
        task: of `scripts.claims.TASKS`.

    Returns:
        A row for each comparison with zero padding and each design; `present` is that of the table. `variance_seed`,
        `variance_block` and `variance_both` are those of `scripts.intervals.components`, in the squared unit of the
        findings: points for shares, % of the mean of zeros for errors. With `seeds` and `blocks` the difference has a
        standard error of `error`, estimated with `freedom` degrees of freedom, and the test set makes the share
        `of_test_set` of its square. `resolves` is the smallest difference at the level of 5 %, `resolves_corrected`
        at that level divided by the number of `comparisons` that share it, Holm's at its strictest (the primary
        comparison shares it with none). From `blocks_needed` blocks on the test set makes less than half of the
        variance; empty where the seeds make no noise that could be told from 0.
    """
    table = claims(tables, task)
    found = task_tables(tables, task)
    if found is None:
        return pd.DataFrame()
    secondary = int((~table["primary"].astype(bool) & table["p"].notna()).sum())
    rows = []
    for row in table[(table["other"] == REFERENCE) & table["p"].notna()].to_dict("records"):
        contrast = Contrast(row["method"], row["other"], row["metric"], row["region"])
        pair = paired(contrast, *tested(task, contrast, *found))
        if pair is None:
            continue
        about = {key: row[key] for key in ("task", "model", "method", "metric", "region", "primary")}
        about["comparisons"] = 1 if row["primary"] else secondary
        rows += [about | design for design in _designs(pair, about["comparisons"])]
    return pd.DataFrame(rows)


def sources(tables: Path) -> dict[str, str]:
    """A digest of each table of runs and of blocks that there is, by its name."""
    names = [f"{task}_{kind}.csv" for task in TASKS for kind in ("runs", "blocks")]
    return {name: digest(tables / name) for name in names if (tables / name).is_file()}


@in_one_sentence("scripts.power")
def main() -> None:
    """Write the table."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--tables", type=Path, default=TABLES, help="folder to read and write (default: %(default)s)")
    folder = parser.parse_args().tables
    table = pd.concat([power(folder, task) for task in TASKS], ignore_index=True)
    if table.empty:
        raise ValueError(f"{folder} has no table of runs with two seeds or more of {', '.join(COLUMNS)}")
    write_table(folder / "power.csv", table, MAY_BE_EMPTY)
    # What the programs of the training import decides nothing here; the check of tables makes this one again.
    modules, made = ["scripts.smallest_difference"], {"made_by": "scripts.power", "inputs": sources(folder)}
    write_manifest("power", [folder / "power.csv"], modules, {}, **made)
    print(folder / "power.csv")


def _designs(pair: Paired, comparisons: int) -> Iterator[dict[str, object]]:
    """What the present design and the planned ones resolve."""
    seeds = len(pair.values)
    if pair.without is None:
        blocks, of = None, Components(float(pair.values.var(ddof=1)), 0.0, 0.0)
    else:
        blocks, of = pair.without.shape[1], components(pair.values, pair.without)
    of = Components(*(variance * pair.factor**2 for variance in of))
    for count in sorted({seeds, *SEEDS}):
        for times in BLOCKS if blocks else (1,):
            found = uncertainty(of, count, blocks and times * blocks)
            needed = blocks_for_share(of, count) if blocks else np.nan
            yield {
                **{f"variance_{name}": variance for name, variance in of._asdict().items()},
                "seeds": count,
                "blocks": times * (blocks or 0),
                "present": count == seeds and times == 1,
                "error": np.sqrt(found.variance),
                "freedom": found.freedom,
                "of_test_set": found.of_test_set,
                "blocks_needed": np.ceil(needed) if np.isfinite(needed) else np.nan,
                "resolves": smallest_difference(found.variance, found.freedom),
                "resolves_corrected": smallest_difference(found.variance, found.freedom, LEVEL / comparisons),
            }


if __name__ == "__main__":
    main()
