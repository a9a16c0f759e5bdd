"""The lines of docs/asked.md and docs/names.md run, and what the tables of names say is so."""

import re

import numpy as np
import pytest
import torch
from scipy import ndimage

import diff_conv2d
from experiments.paths import REPOSITORY

ASKED = (REPOSITORY / "docs/asked.md").read_text(encoding="utf-8")
NAMES = (REPOSITORY / "docs/names.md").read_text(encoding="utf-8")
START, *PARTS = re.split(r"\n(?=\*\*\[)", ASKED)


def code(text):
    return "\n".join(re.findall(r"```python\n(.*?)```", text, re.DOTALL))


@pytest.fixture(scope="module")
def names():
    torch.manual_seed(0)
    return {}


@pytest.mark.parametrize("part", PARTS, ids=[re.match(r"\*\*\[([^]]*)", part).group(1) for part in PARTS])
def test_the_lines_answer_the_request(part, names):
    assert "assert" in code(part)
    if not names:
        # What several answers use.
        exec(code(START) + "\n" + code(PARTS[0]), names)
    exec(code(part), names)


def test_there_are_twenty_and_each_has_its_thread():
    assert len(PARTS) >= 20
    assert all(re.match(r"\*\*\[[^]]*\]\(https://github.com/[^)]*/(issues|pull)/\d+\)", part) for part in PARTS)


def test_the_lines_of_the_page_of_names():
    exec(code(NAMES), {})


ROWS = [[cell.strip() for cell in line.replace("\\|", "!").strip("|").split("|")] for line in NAMES.splitlines()]
ROWS = [row for row in ROWS if len(row) == 7 and row[1].startswith("`")]
LINE = np.array([1.0, 4.0, 2.0, 7.0])


def drawn(drawing):
    """The samples of a drawing such as `c b | a b c d | c b`."""
    values = dict(zip("abcd", LINE, strict=True)) | {"v": 5.0}
    terms = drawing.strip("`").replace("!", "").split()
    return [eval(re.sub(r"(\d)([a-d])", r"\1*\2", term), values) for term in terms]


@pytest.mark.parametrize("row", [row for row in ROWS if "!" in row[0]], ids=lambda row: row[1])
def test_what_is_drawn_is_what_each_library_does(row):
    expected = drawn(row[0])
    mode = re.match(r"`(\w+)`", row[1]).group(1)
    options = {"value": 5.0} if mode == "constant" else {}
    ours = diff_conv2d.pad(torch.from_numpy(LINE)[None, None], (2, 2), mode, **options)[0, 0]
    np.testing.assert_allclose(ours, expected)
    if row[2]:
        name = re.match(r"`(\w+)`", row[2]).group(1)
        odd = {"reflect_type": "odd"} if "odd" in row[2] else {}
        value = {"constant_values": 5.0} if "constant_values" in row[2] else {}
        np.testing.assert_allclose(np.pad(LINE, 2, name, **odd, **value), expected)
    for name in re.findall(r"`([\w-]+)`", row[3]):
        if name == "cval":
            continue
        # A kernel with one tap shifts the line by two samples.
        for taps, part in (([1, 0, 0, 0, 0], slice(0, 4)), ([0, 0, 0, 0, 1], slice(4, 8))):
            shifted = ndimage.correlate1d(LINE, taps, mode=name, cval=5.0 if mode == "constant" else 0.0)
            np.testing.assert_allclose(shifted, expected[part])
    if row[5]:
        name = re.match(r"`(\w+)`", row[5]).group(1)
        value = {"value": 5.0} if mode == "constant" else {}
        name = "constant" if name == "zeros" else name
        padded = torch.nn.functional.pad(torch.from_numpy(LINE)[None, None], (2, 2), name, **value)
        np.testing.assert_allclose(padded[0, 0], expected)
