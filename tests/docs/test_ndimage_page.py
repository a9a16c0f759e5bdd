"""The lines of docs/ndimage.md run, and its tables are complete."""

import re

import numpy as np
import pytest

from diff_conv2d import ndimage
from diff_conv2d.ndimage.scipy_modes import SCIPY_MODES
from experiments.paths import REPOSITORY

PAGE = (REPOSITORY / "docs/ndimage.md").read_text(encoding="utf-8")
ROWS = [[cell.strip() for cell in row.replace("\\|", "!").strip("|").split("|")] for row in PAGE.splitlines()]
DRAWN = [row for row in ROWS if len(row) == 3 and "!" in row[1]]


def test_its_lines():
    exec("\n".join(re.findall(r"```python\n(.*?)```", PAGE, re.DOTALL)), {})


def test_every_function_is_named():
    assert set(ndimage.__all__) == {name for name in re.findall(r"`(\w+)`", PAGE.split("## ")[0]) if name != "mode"}


@pytest.mark.parametrize("row", DRAWN, ids=lambda row: row[0])
def test_what_is_drawn(row):
    values = {"a": 1.0, "b": 2.0, "c": 4.0, "d": 7.0, "v": 5.0}
    expected = [values[letter] for letter in row[1].strip("`").replace("!", "").split()]
    line = np.array([values[letter] for letter in "abcd"])
    words = re.findall(r"`([\w-]+)`", row[0].split(", with")[0])
    assert words
    for word in words:
        moved = [ndimage.correlate1d(line, np.eye(5)[place], mode=word, cval=5) for place in range(5)]
        assert [*moved[0][:2], *line, *moved[4][-2:]] == expected


def test_every_word_of_scipy_is_drawn():
    assert {word for row in DRAWN for word in re.findall(r"`([\w-]+)`", row[0])} - {"cval"} == set(SCIPY_MODES)
