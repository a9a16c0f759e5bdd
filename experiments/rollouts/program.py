"""The study of long rollouts: `python -m experiments.rollouts`, see configs/rollouts.yaml."""

import multiprocessing
from collections.abc import Iterator
from concurrent.futures import ProcessPoolExecutor, as_completed
from itertools import product
from pathlib import Path

import numpy as np
import pandas as pd
import torch
from omegaconf import DictConfig
from rich.console import Console
from torch import Tensor

from experiments.hydra_program import hydra_program
from experiments.interrupts import ended_on_error, unseen_interrupts
from experiments.methods import compared, degree_name
from experiments.program import run_program
from experiments.progress import progress_bar
from experiments.random_numbers import random_source
from experiments.records import write_together
from experiments.rollouts.settings import Settings
from experiments.rollouts.summary import stability_table
from experiments.rollouts.time_stepping import CROP, Rollout, roll_out, spectral_radius
from experiments.rollouts.transport import solution, step_kernel, world

__all__ = ["Case", "main", "recorded_steps", "run", "run_case", "truth"]

# Problem, kernel size, method.
Case = tuple[str, int, str]

# Methods whose step is no linear map of the image: the noise is drawn anew, the weights are fitted.
NOT_LINEAR = ("random", "linear_prediction", "adaptive")


def recorded_steps(settings: Settings) -> list[int]:
    """Return the steps at which the error is kept; the last one is among them."""
    return np.unique(np.geomspace(1, settings.steps, settings.records).round().astype(int)).tolist()


def kernel_of(settings: Settings, problem: str, size: int) -> Tensor:
    """Return the kernel of one step."""
    found = settings.problems[problem]
    return step_kernel(size, found.diffusion, found.velocity)


def truth(settings: Settings, problem: str, size: int) -> Tensor:
    """Return the windows as they are in the world, at step 0 and at each that is recorded: (steps, windows, H, W)."""
    initial = world(settings.world, settings.blur, random_source("world", settings.seed))
    # Windows as far apart as the world allows, along its diagonal.
    starts = [index * settings.world // settings.windows for index in range(settings.windows)]
    fields = solution(initial, kernel_of(settings, problem, size), [0, *recorded_steps(settings)])
    return torch.stack([torch.stack([_window(field, start, settings.size) for start in starts]) for field in fields])


def _window(field: Tensor, start: int, size: int) -> Tensor:
    """Cut a square whose corner is on the diagonal; the field is periodic."""
    return field.roll((-start, -start), (0, 1))[:size, :size]


def run_case(settings: Settings, case: Case, windows: Tensor) -> tuple[Rollout, float | None]:
    """Roll one method out on one problem; its spectral radius too, if it is linear."""
    problem, size, name = case
    # Two processes with two threads each would be in each other's way.
    torch.set_num_threads(1)
    kernel = kernel_of(settings, problem, size)
    method = compared(settings.methods, settings.degrees, random_source("noise", settings.seed, *case))[name]
    found = roll_out(method, kernel, windows, recorded_steps(settings), settings.limit)
    return found, None if name in NOT_LINEAR else spectral_radius(method, kernel, settings.spectrum)


def run_cases(settings: Settings, cases: list[Case]) -> Iterator[tuple[Case, tuple[Rollout, float | None]]]:
    """Compute all rollouts, several at a time; each ends when it ends."""
    windows = {key: truth(settings, *key) for key in dict.fromkeys(case[:2] for case in cases)}
    if settings.processes == 1:
        for case in cases:
            yield case, run_case(settings, case, windows[case[:2]])
        return
    # A process that is forked from one with threads may hang.
    context = multiprocessing.get_context("spawn")
    with ProcessPoolExecutor(settings.processes, context) as pool, ended_on_error():
        with unseen_interrupts():
            # Plain arrays: tensors would be shared through files.
            futures = {pool.submit(_run_case, settings, case, windows[case[:2]].numpy()): case for case in cases}
        try:
            for future in as_completed(futures):
                yield futures[future], future.result()
        finally:
            pool.shutdown(cancel_futures=True)


def _run_case(settings: Settings, case: Case, windows: np.ndarray) -> tuple[Rollout, float | None]:
    """Run a case in a process of its own; what it returns holds no tensors."""
    found, radius = run_case(settings, case, torch.from_numpy(windows))
    image, inside = ([errors.numpy() for errors in region] for region in (found.image, found.inside))
    return Rollout(image, inside, found.blow_up), radius


def run(settings: Settings, console: Console) -> list[Path]:
    """Compute all rollouts, then write the tables; return their paths."""
    methods = [*settings.methods, *map(degree_name, settings.degrees)]
    cases: list[Case] = list(product(settings.problems, settings.kernel_sizes, methods))
    # The fitted methods take longest: they begin, so that no process waits for them at the end.
    order = sorted(cases, key=lambda case: case[2] not in ("adaptive", "linear_prediction"))
    found = {}
    with progress_bar(len(cases), console) as advance:
        for case, result in run_cases(settings, order):
            found[case] = result
            advance(" ".join(map(str, case)))
    errors, stability = [], []
    for case in cases:
        key = dict(zip(("problem", "kernel_size", "method"), case, strict=True))
        rollout, radius = found[case]
        for region, series in (("image", rollout.image), (f"crop_{CROP}", rollout.inside)):
            for step, of_windows in zip(recorded_steps(settings), series, strict=False):
                # Windows are equally large: the root mean square over all of them.
                errors.append({**key, "region": region, "step": step, "error": float((of_windows**2).mean() ** 0.5)})
        numbers = {"blow_up_step": rollout.blow_up, "spectral_radius": radius}
        if rollout.blow_up is None:
            numbers |= {f"final_error_{i}": float(error) for i, error in enumerate(rollout.image[-1])}
        stability += [{**key, "quantity": q, "value": float(v)} for q, v in numbers.items() if v is not None]
    console.print(stability_table(pd.DataFrame(stability)))
    folder, tables = settings.output_dir / "tables", {"rollouts": errors, "rollouts_stability": stability}
    return write_together({folder / f"{name}.csv": pd.DataFrame(table) for name, table in tables.items()})


@hydra_program("rollouts")
def main(config: DictConfig) -> None:
    """Check the configuration, then run."""
    run_program("rollouts", config, Settings, run)
