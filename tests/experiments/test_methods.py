import numpy as np
import pytest
import torch
import torch.nn.functional as F

import diff_conv2d
from experiments.methods import METHODS, seeded

IMAGE = torch.randn(2, 3, 9, 11, dtype=torch.float64, generator=torch.Generator().manual_seed(0))
KERNEL = torch.randn(4, 3, 5, 5, dtype=torch.float64, generator=torch.Generator().manual_seed(1))

# The modes of torch and numpy, by their own code; what is compared with the authors' is in test_filtering.py.
PADDED = {
    "zeros": lambda image, p: F.pad(image, p),
    "reflect": lambda image, p: F.pad(image, p, mode="reflect"),
    "replicate": lambda image, p: F.pad(image, p, mode="replicate"),
    "circular": lambda image, p: F.pad(image, p, mode="circular"),
    "symmetric": lambda image, p: torch.from_numpy(np.pad(image, ((0, 0), (0, 0), p[:2], p[2:]), mode="symmetric")),
}


def test_names_are_those_of_the_library():
    assert METHODS.keys() <= diff_conv2d.MODES.keys()
    assert list(METHODS)[:4] == ["zeros", "reflect", "replicate", "circular"]


@pytest.mark.parametrize("name", METHODS)
def test_output_has_the_size_of_the_image_and_the_right_interior(name):
    output = METHODS[name](IMAGE, KERNEL)
    assert output.shape == (2, 4, 9, 11)
    torch.testing.assert_close(output[..., 2:-2, 2:-2], F.conv2d(IMAGE, KERNEL))


@pytest.mark.parametrize("name", PADDED)
def test_padding_is_that_of_torch_and_numpy(name):
    expected = F.conv2d(PADDED[name](IMAGE, (2, 2, 2, 2)), KERNEL)
    torch.testing.assert_close(METHODS[name](IMAGE, KERNEL), expected)


def test_diff_is_exact_on_polynomials_up_to_the_corners():
    h, w = torch.meshgrid(*(torch.arange(-3.0, 10.0, dtype=torch.float64),) * 2, indexing="ij")
    image = (h**4 * w**3 - 2 * h * w**4 + 7)[None]
    truth = F.conv2d(image, KERNEL[:, :1])
    torch.testing.assert_close(METHODS["diff"](image[:, 2:-2, 2:-2], KERNEL[:, :1]), truth)


def test_partial_convolution_keeps_a_constant():
    kernel = torch.ones(1, 1, 3, 3)
    assert METHODS["partial"](torch.ones(1, 6, 6), kernel).unique().item() == pytest.approx(9)


def test_seeded_noise_comes_again_and_moves_on():
    def draw_twice(seed):
        method = seeded(torch.Generator().manual_seed(seed))["random"]
        return method(IMAGE, KERNEL), method(IMAGE, KERNEL)

    first, second = draw_twice(0)
    torch.testing.assert_close(draw_twice(0), (first, second), rtol=0, atol=0)
    assert not torch.equal(first, second)
    assert not torch.equal(draw_twice(1)[0], first)


def test_seeding_changes_no_other_method():
    methods = seeded(torch.Generator())
    assert list(methods) == list(METHODS)
    assert all(methods[name] is METHODS[name] for name in METHODS if name != "random")
