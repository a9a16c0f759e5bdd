"""Some hundred generated cases; `make fuzz CASES=10000` tries as many as wanted."""

import inspect

import numpy as np
import pytest
import torch

from diff_conv2d import functional
from diff_conv2d.extension import by_axis
from diff_conv2d.modes import adaptive, polynomial
from tests.fuzz import cases, check, fitted, kinds, oracle
from tests.fuzz.__main__ import main, try_in_time

CASES = 400
PART = 50


@pytest.mark.parametrize("first", range(0, CASES, PART))
def test_generated_cases(first):
    failures = []
    for number in range(first, first + PART):
        found = try_in_time(0, number)
        if found:
            failures.append(f"{found}\n  again: python -m tests.fuzz --seed 0 --case {number}")
    assert not failures, "\n\n".join(["", *failures])


def test_a_case_is_its_seed_and_its_number(monkeypatch):
    """Whatever was tried before it."""

    def draw(case):
        case.note((cases.problem(case.rng, cases.LINEAR), torch.rand(1).item()))
        raise check.Failure("shown")

    monkeypatch.setattr(kinds, "KINDS", {draw: 1.0})
    first, second = (kinds.try_case(3, number) for number in (7, 8))
    assert first != second
    assert [kinds.try_case(3, number) for number in (8, 7)] == [second, first]


def test_the_oracle_imports_nothing_of_the_library():
    for module in (oracle, fitted):
        assert "diff_conv2d" not in inspect.getsource(module).replace("docs/adaptive.md", "")


def test_lagrange_continues_polynomials():
    for degree in range(5):
        nodes = tuple(range(degree + 1))
        assert np.dot(oracle.lagrange(-2, nodes), np.array(nodes, float) ** degree) == (-2.0) ** degree


def off_by_a_bit(function):
    """What a function returns, a little larger."""

    def off(*arguments, **options):
        result = function(*arguments, **options)
        return [piece * (1 + 1e-3) for piece in result] if isinstance(result, list) else result * (1 + 1e-3)

    return off


@pytest.mark.parametrize(
    ("place", "name", "kind"),
    [
        (by_axis, "mirrored", "against_oracle"),
        (by_axis, "mirrored", "pad"),
        (polynomial, "extended_in_place", "pad"),
        (polynomial, "extended_in_place", "against_oracle"),
        (adaptive, "blend", "fitted"),
        (functional, "convolve", "against_torch"),
    ],
)
def test_a_defect_is_found(place, name, kind, monkeypatch):
    monkeypatch.setattr(place, name, off_by_a_bit(getattr(place, name)))
    assert any(kinds.try_case(1, number, only=kind) for number in range(500))


def test_a_failure_is_shown_with_what_repeats_it(monkeypatch, capsys):
    def fail(case):
        case.note("what was tried")
        raise check.Failure("what came out")

    monkeypatch.setattr(kinds, "KINDS", {fail: 1.0})
    monkeypatch.setattr("sys.argv", ["fuzz", "--seed", "5", "--first", "2", "--cases", "1"])
    assert main() == 1
    shown = capsys.readouterr().out
    assert "what was tried" in shown
    assert "what came out" in shown
    assert "python -m tests.fuzz --seed 5 --case 2" in shown


def test_no_failure_is_status_0(monkeypatch, capsys):
    monkeypatch.setattr(kinds, "KINDS", {lambda case: None: 1.0})
    monkeypatch.setattr("sys.argv", ["fuzz", "--cases", "3"])
    assert main() == 0
    assert "3 cases of seed 0, 0 failures" in capsys.readouterr().out


def test_a_case_that_does_not_end_is_a_failure(monkeypatch):
    def hang(case):
        while True:
            pass

    monkeypatch.setattr(kinds, "KINDS", {hang: 1.0})
    monkeypatch.setattr("tests.fuzz.__main__.SECONDS_OF_A_CASE", 1)
    assert "TimeoutError: takes more than 1 s" in try_in_time(0, 0)
