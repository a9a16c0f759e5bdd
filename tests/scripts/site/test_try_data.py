"""The numbers of the interactive figure are the library's."""

import base64

import numpy as np
import pytest
import torch

import diff_conv2d
from experiments.operators import laplacian_kernel, operator_kernels
from scripts.site.try_data import DECADES, SIZE, WIDTH, error_of, extension_of, fields, try_data


@pytest.fixture(scope="module")
def data():
    return try_data()


def test_an_error_of_a_mode_and_its_map(data):
    whole = fields()["navier_stokes"]
    kernel = laplacian_kernel(5)[None, None]
    truth = torch.nn.functional.conv2d(whole, kernel)[0, 0, WIDTH - 2 : 2 - WIDTH, WIDTH - 2 : 2 - WIDTH]
    inner = whole[..., WIDTH:-WIDTH, WIDTH:-WIDTH]
    made = diff_conv2d.conv2d(inner, kernel, padding="same", padding_mode="diff")[0, 0]
    error = ((made - truth).abs() / truth.std()).numpy()
    frame = np.ones((SIZE, SIZE), bool)
    frame[2:-2, 2:-2] = False
    # The kernels of size 3 come first, then the smoothing, the gradient and the Laplacian of size 5.
    mean, levels = data["fields"]["navier_stokes"]["errors"]["diff"][5]
    assert data["kernels"][5] == "laplacian, 5 x 5"
    assert mean == pytest.approx(error[frame].mean(), rel=6e-3)
    shown = np.frombuffer(base64.b64decode(levels), np.uint8) / 255 * (DECADES[1] - DECADES[0]) + DECADES[0]
    np.testing.assert_allclose(shown, np.log10(error[frame]), atol=0.03)


def test_the_interior_has_no_error():
    whole = fields()["terrain"]
    _, error = error_of(whole, operator_kernels(7)[2:3], "zeros")
    assert error[3:-3, 3:-3].max() < 1e-10 < error[0].min()


def test_an_extension_holds_the_image_and_has_the_degree_of_the_kernel():
    whole = fields()["chebyshev"]
    inner = whole[..., WIDTH:-WIDTH, WIDTH:-WIDTH]
    made = extension_of(inner, "diff", 5)
    assert torch.equal(made[..., WIDTH:-WIDTH, WIDTH:-WIDTH], inner)
    assert torch.equal(made, diff_conv2d.pad(inner, (WIDTH,) * 4, "diff", degree=4))
    assert extension_of(inner, "partial", 5) is None


def test_every_combination_is_there(data):
    for field in data["fields"].values():
        assert set(field["errors"]) == set(field["images"]) == set(data["modes"])
        assert all(len(errors) == len(data["kernels"]) for errors in field["errors"].values())
    assert len(data["fields"]["terrain"]["images"]["diff"]) == 3
    assert not data["fields"]["terrain"]["images"]["partial"]
