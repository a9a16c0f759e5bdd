import pytest
import torch
from mode_cases import CASES

import diff_conv2d
from diff_conv2d.modes import boundary


def test_every_mode_has_its_entry_in_the_tests():
    assert set(CASES) == set(diff_conv2d.MODES)


def test_modes_compare_and_print_by_their_options():
    assert boundary("diff", degree=2) == boundary("diff", degree=2) != boundary("diff", degree=1)
    assert repr(boundary("diff", degree=2)) == "Diff(degree=2)"


def test_an_option_that_is_none_is_left_out():
    assert boundary("zeros", degree=None) == boundary("zeros")


@pytest.mark.parametrize("mode", ["Zero", "constant", ""])
def test_unknown_mode_lists_the_vocabulary(mode):
    with pytest.raises(ValueError, match=f"one of zeros, reflect, .*; got '{mode}'"):
        boundary(mode)


@pytest.mark.parametrize("mode", [name for name, case in CASES.items() if not case.extends])
def test_pad_sends_modes_that_need_the_kernel_to_conv(mode):
    with pytest.raises(ValueError, match=f"mode='{mode}' needs the kernel"):
        diff_conv2d.pad(torch.zeros(1, 1, 3, 3), (1, 1, 1, 1), mode=mode)
