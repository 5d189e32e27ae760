"""Pictures that are learned from, that judge a search, and that the report is about."""

import numpy as np
import pytest

from suresam.errors import ConfigurationError
from suresam.training.usam.split import split_pictures

PICTURE = np.repeat(np.arange(100, 120), 3)


def pictures(is_there) -> set[int]:
    return set(PICTURE[is_there].tolist())


def test_every_picture_is_for_one_thing_and_a_search_changes_none_that_is_held_out():
    split = split_pictures(PICTURE, 0.2, 7, has_search=True)
    parts = [pictures(is_there) for is_there in (split.is_held_out, split.is_judged_by)]
    parts.append(pictures(split.is_tried_on))
    assert [len(part) for part in parts] == [4, 4, 12]
    assert set().union(*parts) == set(PICTURE.tolist())
    counts = [split.is_held_out, split.is_judged_by, split.is_tried_on]
    assert np.sum(counts, 0).tolist() == [1] * len(PICTURE)
    plain = split_pictures(PICTURE, 0.2, 7, has_search=False)
    assert pictures(plain.is_held_out) == parts[0]
    assert not plain.is_judged_by.any()
    other = split_pictures(PICTURE, 0.2, 8, has_search=True)
    assert pictures(other.is_judged_by) != parts[1]


def test_few_pictures_leave_at_least_one_for_each():
    few = np.arange(3)
    split = split_pictures(few, 0.5, 0, has_search=True)
    assert [m.sum() for m in (split.is_held_out, split.is_judged_by, split.is_tried_on)] == [1] * 3
    with pytest.raises(ConfigurationError, match=r"at least 3 pictures .* search"):
        split_pictures(few[:2], 0.5, 0, has_search=True)
    assert split_pictures(few[:2], 0.5, 0, has_search=False).is_held_out.sum() == 1
    with pytest.raises(ConfigurationError, match="at least 2 pictures"):
        split_pictures(few[:1], 0.5, 0, has_search=False)
