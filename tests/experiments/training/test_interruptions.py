"""A short version of `make interruptions`."""

import signal
from pathlib import Path

import pytest
from interruptions import Trial


@pytest.fixture(scope="module")
def trial(tmp_path_factory: pytest.TempPathFactory) -> Trial:
    return Trial(Path(tmp_path_factory.mktemp("interruptions")))


@pytest.mark.slow
@pytest.mark.parametrize("number", [signal.SIGKILL, signal.SIGTERM])
def test_a_run_that_is_interrupted_ends_bit_identical(trial, number):
    trial.signals(number, 2)


@pytest.mark.slow
def test_a_run_goes_on_before_what_is_damaged(trial):
    trial.damages(["a flipped byte", "an empty mapping"])


@pytest.mark.slow
def test_a_full_disk_loses_nothing(trial):
    if not trial.full_disk():
        pytest.skip("this user cannot mount a small disk")


@pytest.mark.slow
def test_a_folder_that_becomes_read_only_loses_nothing(trial):
    if not trial.read_only():
        pytest.skip("this user cannot mount a small disk")


@pytest.mark.slow
def test_a_sweep_that_is_stopped_ends_bit_identical(trial):
    trial.sweep(everyone=True)
