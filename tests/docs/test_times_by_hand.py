"""Times that no table has say on which day they were measured by hand."""

import re

import pytest

from experiments.paths import REPOSITORY

TIME = re.compile(r"\b(\d+ s|\d+ min|minutes?|seconds? or two|\d seconds)\b")
DATED = re.compile(r"by hand, 20\d\d-\d\d-\d\d")


def undated(text):
    """Paragraphs, items and tables with a time and no date; code is not prose."""
    text = re.sub(r"```.*?```", "", text, flags=re.DOTALL)
    parts = re.split(r"\n\n+|\n(?=- )", text)
    return [part for part in parts if TIME.search(part) and not DATED.search(part)]


@pytest.mark.parametrize("page", ["experiments/README.md", "data/README.md"])
def test_every_time_has_its_date(page):
    assert undated((REPOSITORY / page).read_text(encoding="utf-8")) == []


@pytest.mark.parametrize("text", ["| time | about 14 min |", "It takes three minutes.", "- 10 s a network"])
def test_a_time_without_a_date_is_found(text):
    assert undated(f"Before.\n\n{text}") == [text]
