"""Make the Navier-Stokes snapshots again: `python -m scripts.prepare_navier_stokes` (some minutes)."""

import argparse
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import torch
from rich.console import Console
from rich.progress import Progress
from torch import Tensor

from experiments.data.navier_stokes import SNAPSHOTS, advance, random_vorticity, refine, velocity
from experiments.sentences import in_one_sentence

__all__ = ["main", "simulate"]

SEED = 0
# Where the energy settles. Only viscosity, 1/500, holds the largest eddies back, so that a flow started from
# little energy takes some 350 units of time to gather this much; we start from it.
ENERGY = 6.5
# (samples per axis, time): the start is forgotten on coarse grids, each eight times cheaper than the next,
# and the last stretch lets the finest filaments form.
SPIN_UP = ((64, 150.0), (128, 40.0), (256, 6.0))
SNAPSHOT_COUNT = 11
# Several turnovers of an eddy, each about 1: filaments are new, though the two largest vortices persist.
INTERVAL = 4.0
# The step is adapted to the fastest fluid this often.
STRETCH = 0.5


def simulate() -> Iterator[tuple[float, Tensor, bool]]:
    """Run the flow; yield time, vorticity and whether this is a snapshot, after every stretch of time."""
    time, vorticity = 0.0, random_vorticity(SPIN_UP[0][0], SEED, ENERGY)
    stages = [*SPIN_UP, *[(SPIN_UP[-1][0], INTERVAL)] * (SNAPSHOT_COUNT - 1)]
    for number, (size, duration) in enumerate(stages):
        vorticity = refine(vorticity, size)
        count = round(duration / STRETCH)
        for stretch in range(count):
            vorticity = advance(vorticity, STRETCH)
            time += STRETCH
            yield time, vorticity, number >= len(SPIN_UP) - 1 and stretch == count - 1


@in_one_sentence("scripts.prepare_navier_stokes")
def main() -> None:
    """Run the flow with a progress bar and write the snapshots, in one move, when all are there."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--output", type=Path, default=SNAPSHOTS, help="file to write (default: %(default)s)")
    output = parser.parse_args().output

    # The arrays are small: a second thread costs more in waiting than it earns.
    torch.set_num_threads(1)
    console = Console()
    # A unit of time costs about eight times as much on a grid twice as fine.
    total = sum(d * s**3 for s, d in SPIN_UP) + INTERVAL * (SNAPSHOT_COUNT - 1) * SPIN_UP[-1][0] ** 3
    snapshots = []
    with Progress(console=console) as progress:
        bar = progress.add_task("Navier-Stokes", total=total)
        for time, vorticity, is_snapshot in simulate():
            progress.advance(bar, STRETCH * vorticity.shape[-1] ** 3)
            if is_snapshot:
                snapshots.append(vorticity)
            if is_snapshot or time % 20 == 0:
                u, v = velocity(vorticity)
                energy, enstrophy = (u**2 + v**2).mean() / 2, (vorticity**2).mean() / 2
                label = f"snapshot {len(snapshots)}" if is_snapshot else "spin-up"
                console.print(f"t = {time:5.1f}  energy {energy:.2f}  enstrophy {enstrophy:5.2f}  {label}")

    output.parent.mkdir(parents=True, exist_ok=True)
    partial = output.with_suffix(".partial.npy")
    np.save(partial, torch.stack(snapshots).to(torch.float32).numpy())
    partial.replace(output)
    console.print(f"{output}: {output.stat().st_size:,} bytes")


if __name__ == "__main__":
    main()
