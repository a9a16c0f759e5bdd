"""The lines of the how-to pages and of the page of mathematics run, one after the other."""

import re

import pytest

from experiments.paths import REPOSITORY

QUICK = ["how_to/from_torch", "how_to/sides", "how_to/calibrate", "mathematics"]


def run(page):
    text = (REPOSITORY / "docs" / f"{page}.md").read_text(encoding="utf-8")
    blocks = re.findall(r"```python\n(.*?)```", text, re.DOTALL)
    assert "assert" in "".join(blocks)
    names = {}
    for block in blocks:
        exec(compile(block, f"{page}.md", "exec"), names)


@pytest.mark.parametrize("page", QUICK)
def test_its_lines_run(page):
    run(page)


@pytest.mark.slow
def test_the_lines_on_export_run():
    pytest.importorskip("onnxscript")
    run("how_to/export")


def test_every_how_to_page_is_run():
    pages = {f"how_to/{path.stem}" for path in (REPOSITORY / "docs/how_to").glob("*.md")}
    assert pages == {page for page in [*QUICK, "how_to/export"] if page.startswith("how_to/")}
