"""How often intervals hold the true mean, by simulation: `python -m scripts.coverage`.

Differences of two methods that are truly 0 on average: each is the sum of an effect of the seed, of the block of the
test set, and of both together. The blocks are of unequal sizes, as those of a map are. A test at 5 % may call one in
twenty of such differences resolved.
"""

import argparse
from pathlib import Path

import numpy as np
import pandas as pd

from experiments.manifest import write_manifest
from experiments.records import write_table
from experiments.sentences import in_one_sentence
from scripts.figures.tables import TABLES
from scripts.intervals import estimate

__all__ = ["NOISE", "SPREADS", "coverage", "main", "simulate"]

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
SEEDS, BLOCKS = (3, 5), 25


def simulate(
    rng: np.random.Generator, noise: str, spreads: tuple[float, float, float], seeds: int
) -> tuple[np.ndarray, np.ndarray]:
    """Draw a result for each seed, (S,), and without each block, (S, B); the true mean is 0."""
    draw = NOISE[noise]
    of_seed, of_block, of_both = (
        spread * draw(rng, shape)
        for spread, shape in zip(spreads, ((seeds, 1), (1, BLOCKS), (seeds, BLOCKS)), strict=True)
    )
    items = rng.integers(1, 50, BLOCKS)
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


@in_one_sentence("scripts.coverage")
def main() -> None:
    """Write the table."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument(
        "--repeats", type=int, default=4000, help="simulated differences a case (default: %(default)s)"
    )
    parser.add_argument("--tables", type=Path, default=TABLES, help="folder to write (default: %(default)s)")
    arguments = parser.parse_args()
    table = coverage(arguments.repeats)
    path = arguments.tables / "coverage.csv"
    write_table(path, table)
    write_manifest("coverage", [path], ["scripts.coverage"], {"repeats": arguments.repeats})
    columns = table.pivot_table("coverage", ["noise", "spread"], ["seeds", "interval"], sort=False)
    print(columns.map("{:.3f}".format).to_string())
    print(path)


if __name__ == "__main__":
    main()
