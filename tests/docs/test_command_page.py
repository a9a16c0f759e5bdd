"""docs/command.md shows what its commands print."""

import re

import pytest

from diff_conv2d.command import _SUBCOMMANDS
from experiments.paths import REPOSITORY
from scripts.command_page import PAGE, output_of, with_outputs

TEXT = PAGE.read_text(encoding="utf-8")


def words_alone(text):
    """The page without what differs between machines: versions and devices, and the last digits of numbers."""
    start = text.index("$ diff-conv2d info")
    info = text[start : text.index("```", start)]
    names = "\n".join(re.sub(r"  .*", "", line.strip()) for line in info.splitlines())
    return text.replace(info, re.sub(r"(cuda:\d+|mps)\n", "", names))


def test_it_shows_what_the_commands_print():
    shown, printed = (words_alone(text) for text in (TEXT, with_outputs(TEXT)))
    numbers = r"\b\d+(?:\.\d+)?(?:e-?\d+)?\b"
    assert re.sub(numbers, "0", shown) == re.sub(numbers, "0", printed), "`make pages` brings it up to date"
    pairs = zip(re.findall(numbers, shown), re.findall(numbers, printed), strict=True)
    assert all(float(old) == pytest.approx(float(new), rel=0.02) for old, new in pairs)


def test_every_subcommand_is_shown():
    assert {*re.findall(r"^\$ diff-conv2d (\w+)", TEXT, re.MULTILINE)} == {*_SUBCOMMANDS}


@pytest.mark.parametrize("line", ["diff-conv2d show none.png", "rm photo.jpg"])
def test_what_fails_is_not_shown(line):
    with pytest.raises(ValueError, match="status 0"):
        output_of(line)


def test_the_readme_links_the_page():
    assert "(docs/command.md)" in (REPOSITORY / "README.md").read_text(encoding="utf-8")
