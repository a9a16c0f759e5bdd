"""How often intervals hold the true mean, and tests find a difference, by simulation: `python -m scripts.coverage`.

Differences of two methods that are truly 0 on average: each is the sum of an effect of the seed, of the block of the
test set, and of both together. The blocks are of unequal sizes, as those of a map are. A test at 5 % may call one in
twenty of such differences resolved. It is to resolve 80 % of the differences that are as large as
`scripts/smallest_difference.py` says.
"""

import argparse
import itertools
from pathlib import Path

import numpy as np
import pandas as pd

from experiments.manifest import write_manifest
from experiments.records import write_table
from experiments.sentences import in_one_sentence
from scripts.figures.tables import TABLES
from scripts.intervals import Components, estimate
from scripts.smallest_difference import LEVEL, smallest_difference, uncertainty

__all__ = ["NOISE", "SPREADS", "coverage", "coverage_power", "main", "simulate", "true_components"]

# Standard deviation of the effects of seed, block, and both, of which the mean over 5 seeds and 25 blocks is taken.
SPREADS = {
    "seeds alone": (1.0, 0.0, 0.0),
    "seeds and blocks alike": (1.0, 2.2, 0.0),
    "blocks alone": (0.0, 1.0, 0.0),
    "each block for each seed": (0.0, 0.0, 1.0),
    "all three": (1.0, 2.2, 5.0),
}
# Values of variance 1 and mean 0: normal ones, and skewed ones (exponential).
NOISE = {
    "normal": lambda rng, shape: rng.standard_normal(shape),
    "skewed": lambda rng, shape: rng.standard_exponential(shape) - 1,
}
SEEDS, BLOCKS, LARGEST_BLOCK = (3, 5), 25, 50
# Designs whose power is tried; the second level is that of one comparison among 16.
POWER_SEEDS, POWER_BLOCKS, LEVELS = (5, 12), (25, 100), (LEVEL, LEVEL / 16)


def simulate(
    rng: np.random.Generator, noise: str, spreads: tuple[float, float, float], seeds: int, blocks: int = BLOCKS
) -> tuple[np.ndarray, np.ndarray]:
    """Draw a result for each seed, (S,), and without each block, (S, B); the true mean is 0."""
    draw = NOISE[noise]
    of_seed, of_block, of_both = (
        spread * draw(rng, shape)
        for spread, shape in zip(spreads, ((seeds, 1), (1, blocks), (seeds, blocks)), strict=True)
    )
    items = rng.integers(1, LARGEST_BLOCK, blocks)
    totals = (of_seed + of_block + of_both) * items
    sums = totals.sum(1)
    return sums / items.sum(), (sums[:, None] - totals) / (items.sum() - items)


def coverage(repeats: int, seed: int = 0) -> pd.DataFrame:
    """The share of intervals that hold the true mean, with the blocks and without them.

    Args:
        repeats: simulated differences in each case.
        seed: of the simulation.

    Returns:
        Columns `noise, spread, seeds, interval, coverage, repeats`.
    """
    rows = []
    for noise in NOISE:
        for spread, spreads in SPREADS.items():
            for seeds in SEEDS:
                rng, held = np.random.default_rng(seed), {"seeds": 0, "seeds and blocks": 0}
                for _ in range(repeats):
                    values, without = simulate(rng, noise, spreads, seeds)
                    for interval, blocks in (("seeds", None), ("seeds and blocks", without)):
                        found = estimate(values, blocks)
                        held[interval] += found.low <= 0 <= found.high
                about = {"noise": noise, "spread": spread, "seeds": seeds}
                rows += [
                    {**about, "interval": interval, "coverage": count / repeats, "repeats": repeats}
                    for interval, count in held.items()
                ]
    return pd.DataFrame(rows)


def true_components(spreads: tuple[float, float, float], blocks: int) -> Components:
    """The variances of simulated differences, as those of so many equal blocks: unequal ones count as fewer."""
    items = np.random.default_rng(0).integers(1, LARGEST_BLOCK, (4000, blocks))
    unequal = float((blocks * np.square(items).sum(1) / np.square(items.sum(1))).mean())
    of_seed, of_block, of_both = np.square(spreads)
    return Components(of_seed, unequal * of_block, unequal * of_both)


def coverage_power(repeats: int, seed: int = 0) -> pd.DataFrame:
    """The share of true differences that are resolved, which are as large as is said to be resolved in 80 % of cases.

    Args:
        repeats: simulated differences in each case.
        seed: of the simulation.

    Returns:
        Columns `noise, spread, seeds, blocks, level, difference, resolved, repeats`.
    """
    rows = []
    cases = itertools.product(NOISE, SPREADS, POWER_SEEDS, POWER_BLOCKS)
    for noise, name, seeds, blocks in cases:
        rng, resolved = np.random.default_rng(seed), dict.fromkeys(LEVELS, 0)
        found = uncertainty(true_components(SPREADS[name], blocks), seeds, blocks)
        smallest = {level: smallest_difference(found.variance, found.freedom, level) for level in LEVELS}
        for _ in range(repeats):
            values, without = simulate(rng, noise, SPREADS[name], seeds, blocks)
            for level, difference in smallest.items():
                resolved[level] += estimate(values + difference, without + difference).p < level
        about = {"noise": noise, "spread": name, "seeds": seeds, "blocks": blocks}
        rows += [
            {**about, "level": level, "difference": smallest[level], "resolved": count / repeats, "repeats": repeats}
            for level, count in resolved.items()
        ]
    return pd.DataFrame(rows)


@in_one_sentence("scripts.coverage")
def main() -> None:
    """Write the tables."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument(
        "--repeats", type=int, default=4000, help="simulated differences a case (default: %(default)s)"
    )
    parser.add_argument("--tables", type=Path, default=TABLES, help="folder to write (default: %(default)s)")
    arguments = parser.parse_args()
    table, found = coverage(arguments.repeats), coverage_power(arguments.repeats // 2)
    paths = [arguments.tables / name for name in ("coverage.csv", "coverage_power.csv")]
    for path, content in zip(paths, (table, found), strict=True):
        write_table(path, content)
    write_manifest("coverage", paths, ["scripts.coverage"], {"repeats": arguments.repeats})
    columns = table.pivot_table("coverage", ["noise", "spread"], ["seeds", "interval"], sort=False)
    print(columns.map("{:.3f}".format).to_string())
    columns = found.pivot_table("resolved", ["noise", "spread"], ["level", "seeds", "blocks"], sort=False)
    print(columns.map("{:.3f}".format).to_string())
    print(*paths, sep="\n")


if __name__ == "__main__":
    main()
