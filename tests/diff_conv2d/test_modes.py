import pytest
import torch
from mode_cases import CASES

import diff_conv2d
from diff_conv2d.geometry import Geometry
from diff_conv2d.modes import boundary


def test_every_mode_has_its_entry_in_the_tests():
    # The pole is a mode of one axis beside another one: tests/diff_conv2d/test_sides.py.
    assert set(CASES) == set(diff_conv2d.MODES) - {"pole"}


def test_modes_compare_and_print_by_their_options():
    assert boundary("diff", degree=2) == boundary("diff", degree=2) != boundary("diff", degree=1)
    assert repr(boundary("diff", degree=2)) == "Diff(degree=2)"


@pytest.mark.parametrize("mode", diff_conv2d.MODES)
def test_a_mode_says_whether_it_has_edge_kernels(mode):
    geometry = Geometry((3, 3), (1, 1), (1, 1), (1, 1), (1, 1))
    shape = boundary(mode).edge_weight_shape((4, 2, 3, 3), geometry)
    assert boundary(mode).has_edge_kernels == (shape is not None)


def test_degrees_in_a_list_are_those_in_a_tuple():
    image = torch.rand(1, 1, 6, 6)
    expected = diff_conv2d.pad(image, (1, 1, 2, 2), mode="extrapolate", degree=(1, 3))
    assert torch.equal(diff_conv2d.pad(image, (1, 1, 2, 2), mode="extrapolate", degree=[1, 3]), expected)


def test_an_option_that_is_none_is_left_out():
    assert boundary("zeros", degree=None) == boundary("zeros")


@pytest.mark.parametrize("mode", ["Zero", "wrap", ""])
def test_unknown_mode_lists_the_vocabulary(mode):
    with pytest.raises(ValueError, match=f"one of zeros, reflect, .*; got '{mode}'"):
        boundary(mode)


@pytest.mark.parametrize("mode", [name for name, case in CASES.items() if not case.extends])
def test_pad_sends_modes_that_need_the_kernel_to_conv(mode):
    with pytest.raises(ValueError, match=f"mode='{mode}' needs the kernel"):
        diff_conv2d.pad(torch.zeros(1, 1, 3, 3), (1, 1, 1, 1), mode=mode)
