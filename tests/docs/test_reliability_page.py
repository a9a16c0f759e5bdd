"""Every promise of docs/reliability.md names the tests that keep it, and these exist."""

import re

import pytest

from experiments.paths import REPOSITORY
from tests.fuzz import kinds

TEXT = (REPOSITORY / "docs" / "reliability.md").read_text(encoding="utf-8")
PROMISES = TEXT[: TEXT.index("## What is not promised")]
ROWS = [row for row in PROMISES.splitlines() if row.startswith("| ") and not row.startswith("| promise ")]
NAMED = sorted(set(re.findall(r"`(tests/[\w/]+\.py)::(\w+)`", TEXT)))


def test_every_promise_names_a_test():
    assert len(ROWS) > 30
    for row in ROWS:
        promise, tests = row.strip("| ").split(" | ")
        assert "::test_" in tests or "fuzzer, `check_" in tests, promise


@pytest.mark.parametrize(("file", "test"), NAMED)
def test_it_exists(file, test):
    assert re.search(rf"^def {test}\(", (REPOSITORY / file).read_text(encoding="utf-8"), re.MULTILINE)


def test_kinds_of_the_fuzzer_exist():
    drawn = {kind.__name__ for kind in kinds.KINDS}
    named = set(re.findall(r"`(check_\w+)`", TEXT))
    assert named == named & drawn
    assert drawn - named <= {"check_paper"}


def test_the_readme_links_the_page():
    assert "(docs/reliability.md)" in (REPOSITORY / "README.md").read_text(encoding="utf-8")
