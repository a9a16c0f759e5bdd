"""Outputs and gradients against the authors' own code (tests/reference, float64)."""

from pathlib import Path

import numpy as np
import pytest
import torch

import diff_conv2d
from diff_conv2d.functional import DiffConv2d

VALUES = np.load(Path(__file__).parents[1] / "reference" / "authors_conv2d.npz")
CASES = sorted({name.split("/")[0] for name in VALUES})


def value(case, name):
    return torch.from_numpy(VALUES[f"{case}/{name}"])


def assert_close(actual, expected):
    torch.testing.assert_close(actual, expected, rtol=1e-10, atol=1e-10 * expected.abs().max().item())


@pytest.mark.parametrize("optimized_for", ["memory", "speed"])
@pytest.mark.parametrize("edge", [0, 1])
@pytest.mark.parametrize("keep", [0, 1])
@pytest.mark.parametrize("case", CASES)
def test_output_and_gradients_equal_the_authors(case, keep, edge, optimized_for):
    tensors = {name: value(case, name).requires_grad_() for name in ("input", "weight", "edge_kernel")}
    output = DiffConv2d(tensors["weight"].shape[-1]).conv2d(
        tensors["input"],
        tensors["weight"],
        groups=int(VALUES[f"{case}/groups"]),
        keep_img_grad_at_invalid=bool(keep),
        edge_kernel=tensors["edge_kernel"] if edge else None,
        optimized_for=optimized_for,
    )
    output.backward(value(case, "cotangent"))
    key = f"keep{keep}_edge{edge}"
    assert_close(output.detach(), value(case, f"{key}_output"))
    for name in ("input", "weight", "edge_kernel")[: 3 if edge else 2]:
        assert_close(tensors[name].grad, value(case, f"{key}_grad_{name}"))


@pytest.mark.parametrize(("name", "mode"), [("part", "partial"), ("extr", "extrapolate")])
@pytest.mark.parametrize("case", CASES)
def test_compared_methods_equal_the_authors(case, name, mode):
    output = diff_conv2d.conv2d(
        value(case, "input"),
        value(case, "weight"),
        padding="same",
        groups=int(VALUES[f"{case}/groups"]),
        padding_mode=mode,
    )
    assert_close(output, value(case, f"{name}_output"))
