"""The lines of docs/masks.md run."""

import re

import torch

from experiments.paths import REPOSITORY


def test_the_lines_of_the_page():
    page = (REPOSITORY / "docs/masks.md").read_text(encoding="utf-8")
    found: dict[str, object] = {}
    exec("\n".join(re.findall(r"```python\n(.*?)```", page, re.DOTALL)), found)
    assert found["whole"].isfinite().all()
    assert torch.equal(found["mean"][..., ~found["mask"]], torch.zeros_like(found["mean"][..., ~found["mask"]]))
