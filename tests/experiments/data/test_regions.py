from itertools import pairwise

import numpy as np
import pytest

from experiments.data.regions import spatial_blocks, split_columns, window_corners


@pytest.mark.parametrize("gap", [0, 1, 7, 8])
def test_the_gap_between_blocks_is_kept_and_the_outer_columns_are_used(gap):
    columns = split_columns([("train", 0, 50), ("test", 50, 80), ("train", 80, 120)], gap)
    assert columns["validation"] == []
    used = sorted(columns["train"] + columns["test"])
    assert (used[0][0], used[-1][1]) == (0, 120)
    for (_, stop), (start, _) in pairwise(used):
        assert gap <= start - stop <= gap + 1


def test_on_a_round_map_the_last_block_keeps_its_distance_to_the_first():
    columns = split_columns([("train", 0, 50), ("test", 50, 120)], 10, cyclic=True)
    assert columns == {"train": [(5, 45)], "validation": [], "test": [(55, 115)]}


def test_blocks_of_the_map_hold_the_centres_of_their_windows():
    corners = np.array([[0, 0], [191, 0], [192 + 64, 0], [0, 225], [600, 900]])
    assert spatial_blocks(corners, 64).tolist() == [0, 0, 2, 1, 3]


def test_a_block_that_the_gap_swallows_is_absent():
    assert split_columns([("train", 0, 50), ("test", 50, 60), ("train", 60, 90)], gap=10)["test"] == []


def test_blocks_with_a_hole_or_another_name_are_refused():
    with pytest.raises(ValueError, match="blocks must follow each other without a hole"):
        split_columns([("train", 0, 50), ("test", 60, 80)], 0)
    with pytest.raises(ValueError, match="a split must be one of train, validation, test, got 'dev'"):
        split_columns([("dev", 0, 50)], 0)


def test_windows_lie_inside_and_are_as_many_as_fit():
    corners = window_corners((10, 31), [(0, 20), (100, 109)], size=8, stride=4)
    # Rows 10, 14, 18, 22; columns 0, 4, 8, 12, and 100.
    assert sorted({int(row) for row, _ in corners}) == [10, 14, 18, 22]
    assert sorted({int(column) for _, column in corners}) == [0, 4, 8, 12, 100]
    assert len(corners) == len(np.unique(corners, axis=0)) == 4 * 5
    assert window_corners((0, 7), [(0, 20)], size=8, stride=4).shape == (0, 2)
