import numpy as np
import pytest
from unit.evaluation.conftest import Examples, rectangle

from suresam.datasets import Example
from suresam.datasets.procedural import Scenes
from suresam.errors import ConfigurationError
from suresam.evaluation.targets import TargetChoice, chosen_pictures, usual_choice


def example(image_id: str, *masks: np.ndarray) -> Example:
    return Example(image_id, np.zeros((20, 20, 3), np.uint8), masks)


def places(dataset: Examples, **choice: object) -> list[tuple[str, int, int]]:
    pictures = chosen_pictures(dataset, TargetChoice(**choice))
    return [(p.image_id, t.example, t.index) for p in pictures for t in p.targets]


MANY = Examples(
    [example(f"{i:02}", *(rectangle(k, 0, k + 4, 10) for k in range(6))) for i in range(10)]
)


def test_only_targets_of_the_wanted_size_are_asked_for():
    tiny, whole, good = rectangle(0, 0, 1, 3), rectangle(0, 0, 20, 20), rectangle(0, 0, 2, 2)
    data = Examples([example("a", tiny, whole, good), example("b", tiny)])
    assert places(data) == [("a", 0, 2)]
    assert set(places(data, min_share=0.005, max_share=1.0)) == {
        ("a", 0, 0), ("a", 0, 1), ("a", 0, 2), ("b", 1, 0),
    }  # fmt: skip


def test_annotators_of_one_picture_share_its_number_of_targets():
    mask = rectangle(0, 0, 10, 10)
    data = Examples([example("a", mask, mask), example("b", mask), example("a", mask, mask)])
    chosen = places(data, per_image=3)
    assert sum(image_id == "a" for image_id, *_ in chosen) == 3
    assert {number for image_id, number, _ in chosen if image_id == "a"} == {0, 2}


def test_the_seed_alone_decides_and_no_target_comes_twice():
    first = places(MANY, per_image=3, seed=4)
    assert first == places(MANY, per_image=3, seed=4)
    assert first != places(MANY, per_image=3, seed=5)
    assert len(set(first)) == len(first) == 30


def test_a_pictures_targets_do_not_depend_on_how_many_pictures_there_are():
    few = places(MANY, per_image=3, num_images=4)
    assert len(few) == 12
    assert few == places(MANY, per_image=3)[:12]


def test_it_stops_at_the_wanted_number():
    assert len(places(MANY, per_image=3, num_targets=7)) == 7
    assert len({image_id for image_id, *_ in places(MANY, per_image=3, num_targets=7)}) == 3


def test_large_targets_may_be_preferred():
    data = Examples(
        [example(str(i), rectangle(0, 0, 4, 1), rectangle(0, 0, 20, 18)) for i in range(200)]
    )
    drawn = places(data, per_image=1, prefers_large=True, num_targets=None)
    # Areas 4 and 360: by their roots 2 and 19, nine of ten are the large one.
    assert 165 <= sum(index == 1 for *_, index in drawn) <= 195
    alike = places(data, per_image=1, num_targets=None)
    assert 75 <= sum(index == 1 for *_, index in alike) <= 125


def test_a_picture_without_masks_is_passed_over():
    data = Examples([example("a"), example("b", rectangle(0, 0, 9, 9))])
    assert places(data) == [("b", 1, 0)]


def test_no_target_at_all_is_told():
    with pytest.raises(ConfigurationError, match=r"made: no mask covers 1\.00% to 95%"):
        places(Examples([example("a", rectangle(0, 0, 1, 1))]))


@pytest.mark.parametrize(
    "wrong", [{"per_image": 0}, {"num_targets": 0}, {"num_images": -1}, {"min_share": 0.95}]
)
def test_choices_out_of_range_are_refused(wrong):
    with pytest.raises(ConfigurationError):
        TargetChoice(**wrong)


def test_scenes_are_asked_as_published():
    scenes, other = usual_choice(Scenes(2)), usual_choice(MANY, seed=3)
    assert (scenes.per_image, scenes.min_share, scenes.prefers_large) == (2, 0.01, True)
    assert (other.per_image, other.min_share, other.prefers_large) == (5, 0.01, False)
    assert other.seed == 3
    assert usual_choice(MANY, per_image=1, min_share=0.2).min_share == 0.2
