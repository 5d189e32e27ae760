import pickle

import numpy as np
import pytest

from suresam.datasets.dataset import Example
from suresam.datasets.frames import Frames
from suresam.datasets.origins import origins
from suresam.datasets.procedural import Scenes


def read(image_id: str) -> Example:
    return Example(image_id, np.zeros((1, 1, 3), np.uint8), [])


def frames_of(**lengths: int) -> Frames:
    ids = [f"{video}/{frame}" for video, count in lengths.items() for frame in range(count)]
    return Frames("set/val", tuple(ids), read)


@pytest.mark.parametrize(
    ("most", "kept"),
    [
        (1, ["a/3", "b/1"]),
        (2, ["a/1", "a/5", "b/0", "b/1"]),
        (3, ["a/1", "a/3", "a/5", "b/0", "b/1"]),
        (7, [*(f"a/{k}" for k in range(7)), "b/0", "b/1"]),
        (100, [*(f"a/{k}" for k in range(7)), "b/0", "b/1"]),
    ],
)
def test_fewer_frames_are_spread_evenly_over_every_video(most, kept):
    thinned = frames_of(a=7, b=2).thinned(most)
    assert list(thinned.image_ids) == kept
    assert thinned.name == f"set/val:{most}"
    assert thinned[0].image_id == kept[0]


def test_the_video_of_every_frame_is_known():
    assert list(frames_of(a=2, b=1).videos) == ["a", "a", "b"]


def test_frames_of_a_video_have_one_origin_and_other_pictures_their_own():
    assert origins(frames_of(a=2, b=1)) == {"a/0": "a", "a/1": "a", "b/0": "b"}
    assert origins(Scenes(2, 64, range(10, 12))) == {"10": "10", "11": "11"}


def test_an_index_beyond_the_last_frame_is_an_index_error():
    frames = frames_of(a=2)
    assert [example.image_id for example in frames] == ["a/0", "a/1"]
    with pytest.raises(IndexError):
        frames[2]


def test_frames_can_be_handed_to_other_processes(tmp_path, write_frame, write_map):
    from suresam.datasets import open_dataset

    write_frame("valid/JPEGImages/v/00000.jpg", 9)
    write_map("valid/Annotations/v/00000.png", [[1] * 4] * 3)
    there = pickle.loads(pickle.dumps(open_dataset(str(tmp_path / "valid"))))
    assert there[0].masks[0].all()
