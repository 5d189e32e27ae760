from dataclasses import replace

import numpy as np
import pytest
from evaluation_fakes import rectangle_in

from suresam.datasets import Example
from suresam.datasets.procedural import Scenes
from suresam.errors import ConfigurationError
from suresam.evaluation.calibration.shared_pictures import refuse_shared_pictures
from suresam.evaluation.targets import TargetChoice

CHOICE = TargetChoice(num_targets=None)
MASK = rectangle_in((12, 16), 2, 2, 12, 10)


class Made:
    """Pictures of one colour each."""

    def __init__(self, name: str, reds: list[int], prefix: str = "p") -> None:
        self.name, self._reds, self._prefix = name, reds, prefix
        self.image_ids = [f"{prefix}{i}" for i in range(len(reds))]

    def __len__(self) -> int:
        return len(self._reds)

    def __getitem__(self, index: int) -> Example:
        image = np.full((12, 16, 3), self._reds[index], np.uint8)
        return Example(self.image_ids[index], image, [MASK])


def refuse(fitted, judged, **limits) -> None:
    refuse_shared_pictures(fitted, CHOICE, judged, replace(CHOICE, **limits))


def test_one_name_for_two_pictures_is_no_picture_in_both():
    refuse(Made("train", [1, 2, 3]), Made("val", [4, 5]))


def test_a_picture_under_two_names_is():
    train, val = Made("train", [1, 2, 3]), Made("val", [4, 3], prefix="q")
    with pytest.raises(ConfigurationError, match=r"train and val share pictures \(p2 is q1\)"):
        refuse(train, val)


def test_the_same_data_set_is_refused_unread():
    class Unreadable(Made):
        def __getitem__(self, index: int) -> Example:
            raise AssertionError

    one = Unreadable("photos", [1])
    with pytest.raises(ConfigurationError, match="photos is also the data set that is judged"):
        refuse(one, one)


def test_pictures_that_nobody_asks_about_do_not_count():
    train, val = Made("train", [1]), Made("val", [4, 5, 6, 1])
    with pytest.raises(ConfigurationError):
        refuse(train, val)
    refuse(train, val, num_images=1)  # its draw is another one


def test_scenes_are_told_apart_by_their_seeds(monkeypatch):
    monkeypatch.setattr(Scenes, "__getitem__", lambda *_: pytest.fail("a scene was drawn"))
    refuse(Scenes(5, seeds=range(100, 200)), Scenes(5, seeds=range(200, 300)))
    with pytest.raises(ConfigurationError, match=r"share pictures \(scene 102\)"):
        refuse(Scenes(5, seeds=range(100, 200)), Scenes(5, seeds=range(102, 300)))
