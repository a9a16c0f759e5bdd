import time

import numpy as np
import pandas as pd
import pytest
import torch

from experiments.benchmark.timing import (
    Periodic,
    interleaved,
    launches,
    median_interval,
    peak_memory,
    ratios_to,
)

CPU = torch.device("cpu")


def test_every_function_is_called_in_every_round_and_in_turns():
    calls = []
    steps = {name: lambda name=name: (calls.append(name), time.sleep(1e-4)) for name in "abc"}
    times = interleaved(steps, 3, CPU, warmup=1, least_seconds=1e-6)
    assert times.shape == (3, 3)
    assert list(times) == list("abc")
    assert (times > 0).all(None)
    # Two calls of each, then three rounds of an untimed and a timed call, each of which starts one later.
    assert "".join(calls) == "aabbcc" + "aabbcc" + "bbccaa" + "ccaabb"


def test_short_functions_are_repeated():
    calls = []
    interleaved({"short": lambda: calls.append(0)}, 1, CPU, warmup=1, least_seconds=1e-3)
    assert len(calls) > 50


def test_ratios_are_taken_round_by_round():
    times = pd.DataFrame({"zeros": [1.0, 2.0, 4.0], "other": [2.0, 2.0, 12.0]})
    ratios = ratios_to(times, "zeros").loc["other"]
    assert ratios["seconds"] == 2
    # Ratios 2, 1, 3: not the ratio of the medians, which is 1.
    assert ratios["ratio"] == 2
    assert ratios[["ratio_low", "ratio_high"]].tolist() == [1.5, 2.5]


def test_peak_memory_is_what_is_held_at_once():
    def one_after_the_other():
        for _ in range(4):
            torch.zeros(2**18)

    def together():
        return [torch.zeros(2**18) for _ in range(4)]

    assert peak_memory(one_after_the_other, CPU) == pytest.approx(2**20, rel=0.01)
    assert peak_memory(together, CPU) == pytest.approx(4 * 2**20, rel=0.01)


def test_a_slow_function_is_timed_twice_and_its_ratios_are_of_those_rounds():
    calls = []
    steps = {"zeros": lambda: time.sleep(0.001), "slow": lambda: (calls.append(0), time.sleep(0.21))}
    times = interleaved(steps, 4, CPU, warmup=2, least_seconds=1e-3)
    assert len(calls) == 1 + 2
    assert times["slow"].notna().tolist() == [True, True, False, False]
    assert 50 < ratios_to(times, "zeros").loc["slow", "ratio"] < 250


def test_an_order_may_be_drawn_for_each_round():
    calls = []
    steps = {name: lambda name=name: (calls.append(name), time.sleep(1e-4)) for name in "abc"}
    interleaved(steps, 20, CPU, warmup=1, least_seconds=1e-6, order=np.random.default_rng(0))
    rounds = ["".join(calls[6 + 6 * turn : 12 + 6 * turn : 2]) for turn in range(20)]
    assert {"".join(sorted(one)) for one in rounds} == {"abc"}
    assert len(set(rounds)) > 3


def test_the_interval_of_a_median_holds_it_as_often_as_it_says():
    generator = np.random.default_rng(0)
    # Skewed: its median is log 2.
    intervals = [median_interval(pd.Series(generator.exponential(size=11))) for _ in range(2000)]
    held = np.mean([low <= np.log(2) <= high for low, high in intervals])
    # By the binomial distribution 0.988; the next narrower interval has 0.935.
    assert held == pytest.approx(0.988, abs=0.01)
    assert median_interval(pd.Series([3.0, 1.0, np.nan, 2.0])) == (1.0, 3.0)


def test_ratios_may_have_the_interval_of_their_median():
    times = pd.DataFrame({"zeros": np.ones(11), "other": np.arange(11.0)})
    ratios = ratios_to(times, "zeros", median_interval).loc["other"]
    assert ratios[["ratio", "ratio_low", "ratio_high"]].tolist() == [5, 1, 9]


def test_launches_are_a_mean_over_the_period():
    calls = []

    def step():
        calls.append(torch.ones(2))
        if len(calls) % 4 == 0:
            torch.ones(2).add_(1)

    assert launches(step, CPU) == 1
    calls.clear()
    assert launches(Periodic(step, 4), CPU) == 1.5
