import numpy as np
import pytest

from suresam.training.arrangement import MAX_LEAVES, UNLABELLED, arrange


def columns(start: int, stop: int, size: int = 8) -> np.ndarray:
    mask = np.zeros((size, size), np.bool_)
    mask[:, start:stop] = True
    return mask


def masks_of(arrangement) -> list[np.ndarray]:
    return [target[arrangement.leaves] for target in arrangement.targets]


def test_two_overlapping_masks_make_three_leaves_and_one_that_nobody_labelled():
    left, right = columns(0, 5), columns(3, 7)
    found = arrange([right, left], 8)
    assert len(np.unique(found.leaves)) == 4
    # Each of the columns 0-2, 3-4, 5-6 and 7 is one leaf.
    for inside in (slice(0, 3), slice(3, 5), slice(5, 7), slice(7, 8)):
        assert len(np.unique(found.leaves[:, inside])) == 1
    owner = found.leaf_object[found.leaves[0]]
    assert owner[0] != owner[5]
    assert owner.tolist() == [0, 0, 0, 1, 1, 1, 1, UNLABELLED]  # the smaller one owns 3 and 4
    assert found.levels.tolist() == [1, 1]


def test_masks_come_out_as_they_went_in_the_largest_first():
    left, right = columns(0, 5), columns(3, 7)
    found = masks_of(arrange([right, left], 8))
    assert np.array_equal(found[0], left)
    assert np.array_equal(found[1], right)


def test_a_mask_inside_another_is_its_part_and_of_the_same_object():
    whole, part = columns(0, 6), columns(1, 3)
    found = arrange([part, whole], 8)
    assert found.levels.tolist() == [1, 0]
    assert found.leaf_object[found.leaves[0]].tolist() == [0, 0, 0, 0, 0, 0, -1, -1]


def test_what_the_parts_leave_over_of_their_whole_is_a_leaf_of_the_whole():
    whole = columns(0, 6)
    found = arrange([whole, columns(0, 3), columns(3, 6)], 8)
    assert len(found.targets) == 3
    assert found.targets[0].sum() == 2  # no leaf of its own is left
    assert np.array_equal(masks_of(found)[0], whole)


def test_the_same_mask_twice_is_one_target():
    assert len(arrange([columns(0, 4), columns(0, 4)], 8).targets) == 1


def test_a_mask_over_everything_leaves_nothing_unlabelled():
    found = arrange([np.ones((8, 8), np.bool_)], 8)
    assert (found.leaf_object[found.leaves] == 0).all()


@pytest.mark.parametrize("masks", [[], [np.zeros((8, 8), np.bool_)]])
def test_without_masks_there_is_no_target(masks):
    found = arrange(masks, 8)
    assert found.targets.shape == (0, 256)
    assert (found.leaf_object[found.leaves] == UNLABELLED).all()


def test_a_sliver_between_two_outlines_goes_to_its_neighbours():
    # 128 px: pieces of fewer than 5 pixels are slivers. Rows 60-63 overlap in one column only.
    left, right = columns(0, 64, 128), columns(64, 128, 128)
    right[60:64, 63] = True
    left[100, 62:64] = False
    found = arrange([left, right], 128)
    assert len(np.unique(found.leaves)) == 2
    assert (found.leaf_object[found.leaves] >= 0).all()
    assert (found.leaves[:, :62] == found.leaves[0, 0]).all()
    assert (found.leaves[:, 64:] == found.leaves[0, 127]).all()


def test_masks_that_partition_a_picture_still_do_at_another_size():
    rng = np.random.default_rng(0)
    labels = np.kron(rng.integers(0, 5, (9, 7)), np.ones((11, 13), np.int64))
    found = arrange([labels == k for k in range(5)], 32)
    assert found.leaves.shape == (32, 32)
    assert (found.leaf_object[found.leaves] >= 0).all()
    assert (found.targets.sum(axis=0) <= 1).all()


def test_a_mask_too_small_to_ask_for_is_a_leaf_of_its_whole():
    whole, speck = columns(0, 128, 128), columns(0, 0, 128)
    speck[10:13, 10:14] = True  # 12 of 16384 pixels: under 0.1 %, over 0.03 %
    found = arrange([whole, speck], 128)
    assert len(found.targets) == 1
    assert found.leaves[11, 11] != found.leaves[50, 50]
    assert found.leaf_object[found.leaves[11, 11]] == 0


def test_of_more_masks_than_there_are_leaves_the_largest_stay_exact():
    cells = []
    for row in range(20):
        for column in range(20):
            mask = np.zeros((64, 64), np.bool_)
            mask[3 * row : 3 * row + 3, 3 * column : 3 * column + 3] = True
            if (row, column) == (19, 19):
                mask[60:64, 57:64] = True
            cells.append(mask)
    found = arrange(cells, 64)
    assert len(found.targets) == MAX_LEAVES - 1
    assert len(np.unique(found.leaves)) == MAX_LEAVES
    assert np.array_equal(masks_of(found)[0], cells[-1])
    assert np.array_equal(masks_of(found)[1], cells[0])
    assert found.leaf_object[found.leaves[56, 56]] == UNLABELLED


def test_of_more_pieces_than_there_are_leaves_the_smallest_are_merged_away():
    # 17 bars across 17 bars: 17 * 17 crossings beside the bars themselves.
    bars = [columns(3 * k, 3 * k + 2, 64) for k in range(17)]
    found = arrange([*bars, *(bar.T for bar in bars)], 64)
    assert len(np.unique(found.leaves)) <= MAX_LEAVES
    assert len(found.targets) == 34
