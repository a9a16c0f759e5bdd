"""What docs/speed.md says of the code is so, and what it says of times is from the table or has a date."""

import re

import pytest

from diff_conv2d.algorithms import blocks, frame
from diff_conv2d.extension import by_table
from experiments.paths import REPOSITORY
from scripts.benchmark_page import COSTS_END, COSTS_START, END, START
from scripts.pages import filled

PAGE = (REPOSITORY / "docs" / "speed.md").read_text(encoding="utf-8")
# Whole numbers without a unit are sizes and settings.
MEASURED = re.compile(r"\d\.\d|\d (%|(ms|MB|microseconds|times)\b)")
DATED = re.compile(r"by hand, 20\d\d-\d\d-\d\d")


def parts(page):
    """Paragraphs, items and tables, with the heading above each, without what programs write."""
    page = filled(filled(page, START, END, ""), COSTS_START, COSTS_END, "")
    heading = ""
    for part in re.split(r"\n\n+|\n(?=- |#|\d\. )|(?<=#)\n|\n(?=\|)", page):
        if part.startswith("#"):
            heading, _, part = part.partition("\n")
        yield heading, re.sub(r"<!--=.*?<!--/-->", "…", part, flags=re.DOTALL)


def undated(page):
    return [part for heading, part in parts(page) if MEASURED.search(part) and not DATED.search(heading + part)]


def test_what_was_measured_by_hand_has_its_date():
    assert undated(PAGE) == []


@pytest.mark.parametrize("text", ["It is 1.3 times faster.", "It takes 5 microseconds.", "A gain of 8 %."])
def test_a_number_without_a_date_is_found(text):
    assert undated(f"{PAGE}\n\n## More\n{text}\n") == [text + "\n"]
    assert undated(f"{PAGE}\n\n## More (by hand, 2026-11-23)\n{text}\n") == []


def says(text):
    assert " ".join(text.split()) in " ".join(PAGE.split()), text


def test_choices_are_those_of_the_code():
    forwards, backwards = by_table._FEW_TERMS
    says(f"up to 2^{forwards.bit_length() - 1} forwards")
    says(f"up to 2^{backwards.bit_length() - 1} backwards")
    assert frame._LEAST_INSIDE == 0.75
    says("more than a quarter of the outputs lie in the frame")
    says(f"blocks of {blocks.BLOCK} pixels")
