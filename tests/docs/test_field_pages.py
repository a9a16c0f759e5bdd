"""The lines of the pages on fields run, one after the other."""

import re

import pytest

from experiments.paths import REPOSITORY

PAGES = ["terrain"]


@pytest.mark.parametrize("page", PAGES)
def test_its_lines_run(page):
    text = (REPOSITORY / "docs" / f"{page}.md").read_text(encoding="utf-8")
    blocks = re.findall(r"```python\n(.*?)```", text, re.DOTALL)
    assert blocks
    names = {}
    for block in blocks:
        exec(compile(block, f"{page}.md", "exec"), names)
