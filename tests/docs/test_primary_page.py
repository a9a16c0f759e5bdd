"""The page of primary comparisons has a row for each sweep, which says what the configuration says."""

import pytest

from experiments.paths import REPOSITORY
from scripts.claims import SEEN
from scripts.sweeps import PAPER, SWEEPS

PAGE = (REPOSITORY / "docs" / "primary.md").read_text(encoding="utf-8")
TASKS = [name for name in SWEEPS if not name.startswith(PAPER)]


def rows(page):
    """The cells of the table's rows by task."""
    lines = [line[1:-1].split("|") for line in page.splitlines() if line.startswith("| `")]
    return {cells[0].strip(" `"): [cell.strip() for cell in cells[1:]] for cells in lines}


@pytest.mark.parametrize("task", TASKS)
def test_the_primary_comparison_is_the_one_of_the_page(task):
    """A sweep without a primary comparison has a row that says so."""
    compared, place, *_ = rows(PAGE)[task]
    primary = SWEEPS[task].primary
    if primary is None:
        assert compared == "none"
        return
    assert compared == f"`{primary.method}` − `zeros`"
    assert place == f"{primary.metric}, {primary.region}"


def test_every_task_with_a_primary_comparison_says_when_it_was_named_and_what_had_been_seen():
    for compared, _, seeds, named, looks in rows(PAGE).values():
        if compared != "none":
            assert seeds
            assert named.startswith("2026-")
            assert looks


@pytest.mark.parametrize("task", SEEN)
def test_seeds_that_had_been_seen_are_not_among_those_of_the_test(task):
    """The first seeds had been seen, and the test begins with the next one."""
    first, last = map(int, rows(PAGE)[task][2].split(" to "))
    assert SEEN[task] == tuple(range(first))
    assert first < last
