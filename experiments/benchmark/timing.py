"""Times that can be compared: warmed up, taken in turns, given as ratios of one round."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from math import comb
from time import perf_counter

import numpy as np
import pandas as pd
import torch
from torch.autograd import DeviceType

from experiments.launches.counting import counted

__all__ = [
    "Periodic",
    "interleaved",
    "launches",
    "median_interval",
    "peak_memory",
    "quartiles",
    "ratios_to",
    "synchronise",
]

# How many times as long as the fastest function so far counts as slow, from how many seconds on, and how often such
# a function is timed.
SLOW, SLOW_SECONDS, SLOW_ROUNDS = 5, 0.2, 2


@dataclass(frozen=True)
class Periodic:
    """A function that does more at one call of every `period`: it is measured over whole periods."""

    step: Callable[[], object]
    period: int

    def __call__(self) -> object:
        """Call it once."""
        return self.step()


def _period(step: Callable[[], object]) -> int:
    return step.period if isinstance(step, Periodic) else 1


def synchronise(device: torch.device) -> None:
    """Wait until a device has done what it was given; a CPU has."""
    if device.type == "cuda":
        torch.cuda.synchronize(device)


def interleaved(
    steps: Mapping[str, Callable[[], object]],
    rounds: int,
    device: torch.device,
    warmup: int = 3,
    least_seconds: float = 0.02,
    order: np.random.Generator | None = None,
) -> pd.DataFrame:
    """Time several functions in turns, so that what disturbs the machine disturbs all of them.

    Each round times each function once, after an untimed call, which takes caches and memory back from the function
    before. The order moves on by one from round to round, or is drawn anew for each. A function that takes less than
    ``least_seconds`` is called several times in a row, and the mean is its time. One whose first call takes ``SLOW``
    times as long as the fastest before it, and ``SLOW_SECONDS`` at least, is timed in the first ``SLOW_ROUNDS``
    rounds only, and without that untimed call.

    Args:
        steps: The functions by name.
        rounds: How often each is timed.
        device: Where they work; it is waited for at both ends of each time.
        warmup: Calls before the first time.
        least_seconds: How long a time lasts at least, roughly.
        order: Draws the order of each round.

    Returns:
        Seconds of a call: a row for each round, a column for each function; NaN where a slow one was left out.

    Example:
        >>> times = interleaved({"nothing": lambda: None}, 5, torch.device("cpu"), least_seconds=1e-4)
        >>> times.shape
        (5, 1)

    """
    repeats, slow, shortest = {}, set(), np.inf
    for name, step in steps.items():
        seconds = _time(step, 1, device)
        # A first call of a short one is no measure of it.
        if seconds > max(SLOW * shortest, SLOW_SECONDS):
            slow.add(name)
        else:
            for _ in range(warmup - 1):
                step()
            seconds = _time(step, 1, device)
            shortest = min(shortest, seconds)
        period = _period(step)
        repeats[name] = period * max(1, round(least_seconds / period / max(seconds, 1e-7)))
    names = list(steps)
    times = np.full((rounds, len(names)), np.nan)
    for turn in range(rounds):
        places = [(turn + place) % len(names) for place in range(len(names))]
        for index in places if order is None else order.permutation(len(names)):
            if names[index] in slow and turn >= SLOW_ROUNDS:
                continue
            step = steps[names[index]]
            if names[index] not in slow:
                step()
            times[turn, index] = _time(step, repeats[names[index]], device)
    return pd.DataFrame(times, columns=names)


def _time(step: Callable[[], object], repeats: int, device: torch.device) -> float:
    synchronise(device)
    if device.type == "cuda":
        # The device's own clock.
        begin, end = (torch.cuda.Event(enable_timing=True) for _ in range(2))
        begin.record()
        for _ in range(repeats):
            step()
        end.record()
        synchronise(device)
        return begin.elapsed_time(end) / 1e3 / repeats
    start = perf_counter()
    for _ in range(repeats):
        step()
    synchronise(device)
    return (perf_counter() - start) / repeats


def quartiles(values: pd.Series) -> tuple[float, float]:
    """Return the two quartiles: where half of the values lie."""
    return values.quantile(0.25), values.quantile(0.75)


def median_interval(values: pd.Series) -> tuple[float, float]:
    """Return an interval that holds the median of what values are drawn from, in 95 of 100 cases or more.

    The median lies below the r-th of n ordered values with the probability that a fair coin shows fewer than r heads
    in n throws. r is the largest rank with at most 0.025. Fewer than six values have no such rank, and give all.

    Example:
        >>> median_interval(pd.Series(range(1, 12)))
        (2.0, 10.0)

    """
    ordered = np.sort(values.dropna().to_numpy(float))
    count, rank, chance = len(ordered), 0, 0.5 ** len(ordered)
    while chance <= 0.025:
        rank += 1
        chance += comb(count, rank) * 0.5**count
    skipped = max(rank - 1, 0)
    return float(ordered[skipped]), float(ordered[count - 1 - skipped])


def ratios_to(
    times: pd.DataFrame,
    reference: str,
    interval: Callable[[pd.Series], tuple[float, float]] = quartiles,
) -> pd.DataFrame:
    """Return the median time, and the median and the quartiles of the ratio to a reference of the same round.

    Args:
        times: As :func:`interleaved` gives them.
        reference: The column to divide by.
        interval: What to give in place of the quartiles.

    Returns:
        Columns ``seconds, ratio, ratio_low, ratio_high``; a row for each function.

    """
    ratios = times.div(times[reference], axis=0)
    ends = pd.DataFrame({name: interval(ratios[name]) for name in ratios}).T
    parts = {"seconds": times.median(), "ratio": ratios.median(), "ratio_low": ends[0], "ratio_high": ends[1]}
    return pd.DataFrame(parts)


def launches(step: Callable[[], object], device: torch.device) -> float:
    """Return how many kernels, copies and fills a call starts on a GPU, by torch's profiler; a mean over its period.

    On a CPU they are the operators that it calls.

    Example:
        >>> launches(lambda: torch.zeros(3).add_(1), torch.device("cpu"))
        2.0

    Raises:
        RuntimeError: The profiler has no access to the GPU.

    """
    period = _period(step)
    if device.type != "cuda":
        return sum(counted(step)[0].total() for _ in range(period)) / period
    torch.cuda.synchronize(device)
    activities = [torch.profiler.ProfilerActivity.CPU, torch.profiler.ProfilerActivity.CUDA]
    with torch.profiler.profile(activities=activities) as profiler:
        for _ in range(period):
            step()
        torch.cuda.synchronize(device)
    on_device = (event for event in profiler.events() if event.device_type == DeviceType.CUDA)
    count = sum(not event.is_user_annotation for event in on_device)
    if not count:
        raise RuntimeError("torch's profiler saw nothing on the GPU, which some machines forbid")
    return count / period


def peak_memory(step: Callable[[], object], device: torch.device) -> int:
    """Return how many bytes of tensors a function holds at most, above what there was before.

    On a CPU the allocations are those that torch's profiler records.

    Example:
        >>> peak_memory(lambda: torch.zeros(1000).sum(), torch.device("cpu")) >= 4000
        True

    """
    if device.type == "cuda":
        torch.cuda.synchronize(device)
        torch.cuda.reset_peak_memory_stats(device)
        before = torch.cuda.memory_allocated(device)
        for _ in range(_period(step)):
            step()
        torch.cuda.synchronize(device)
        return torch.cuda.max_memory_allocated(device) - before
    with torch.profiler.profile(activities=[torch.profiler.ProfilerActivity.CPU], profile_memory=True) as profiler:
        for _ in range(_period(step)):
            step()
    events = [event for event in profiler.profiler.kineto_results.events() if event.name() == "[memory]"]
    held = np.cumsum([event.nbytes() for event in sorted(events, key=lambda event: event.start_ns())])
    return int(max(held.max(initial=0), 0))
