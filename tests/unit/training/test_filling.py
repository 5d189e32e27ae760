from dataclasses import dataclass

import numpy as np
import pytest

from suresam.errors import ConfigurationError
from suresam.training import filling
from suresam.training.filling import fill_pool, num_empty
from suresam.training.pool import PoolEntry
from suresam.training.scene_source import SceneSource
from suresam.training.user_data import open_user_data


@dataclass
class Pictures:
    """Sixty small pictures, some of which may be broken; notes which it was asked for."""

    broken: tuple[int, ...] = ()
    empty: tuple[int, ...] = ()
    size: int = 8
    max_targets: int = 1

    def __post_init__(self) -> None:
        self.asked: list[int] = []

    def __len__(self) -> int:
        return 60

    def entry(self, index: int) -> PoolEntry | None:
        self.asked.append(index)
        if index in self.broken:
            raise ConfigurationError(f"picture-{index}.png is damaged")
        if index in self.empty:
            return None
        targets = np.ones((1, 256), np.bool_)
        image = np.full((8, 8, 3), index, np.uint8)
        leaves = np.zeros((8, 8), np.uint8)
        return PoolEntry(image, leaves, np.zeros(256, np.int16), targets, np.ones(1, np.int8))

    def description(self) -> dict[str, str]:
        return {"kind": "pictures"}


class Interrupted(Exception):
    pass


def test_several_processes_stop_soon_go_on_and_make_what_one_makes(
    label_maps, tmp_path, monkeypatch
):
    monkeypatch.setattr(filling, "_CHUNK", 2)
    rng = np.random.default_rng(0)
    maps = {f"p{k:03}": [rng.integers(0, 3, (20, 30)).repeat(8, 0)] for k in range(300)}
    [source] = open_user_data([label_maps(maps)], None, 32, 0.0, 0).sources
    folder = tmp_path / "pool"

    def interrupt(done: int, total: int) -> None:
        if done:
            raise Interrupted

    with pytest.raises(Interrupted):
        fill_pool(folder, [source], 2, interrupt)
    # The chunks under way are finished, the rest never begun.
    assert 2 <= (np.load(folder / "status.npy") == 1).sum() < 300
    pool = fill_pool(folder, [source], 2)
    assert len(pool) == 300
    for index in range(0, 300, 5):
        made, kept = source.entry(index), pool.entry(index)
        assert made is not None
        for name in ("image", "leaves", "leaf_object", "targets", "levels"):
            assert np.array_equal(getattr(made, name), getattr(kept, name)), name


def test_a_pool_of_something_else_is_refused(tiny_pool):
    with pytest.raises(ConfigurationError, match=r"something else .*count 6.*count 7"):
        fill_pool(tiny_pool, [SceneSource(first_seed=0, count=7, size=128)], workers=1)


def test_an_interrupted_pool_is_gone_on_with(tmp_path):
    first, second = Pictures(), Pictures()

    def interrupt(done: int, total: int) -> None:
        if done == 50:
            raise Interrupted

    with pytest.raises(Interrupted):
        fill_pool(tmp_path, [first], 1, interrupt)
    told: list[tuple[int, int]] = []
    pool = fill_pool(tmp_path, [second], 1, lambda *count: told.append(count))
    assert first.asked == list(range(50))
    assert second.asked == list(range(50, 60))
    assert told == [(50, 60), (60, 60)]
    assert [int(pool.entry(i).image[0, 0, 0]) for i in range(60)] == list(range(60))


def test_a_finished_pool_is_not_made_again(tmp_path):
    fill_pool(tmp_path, [Pictures()], 1)
    again = Pictures()
    assert len(fill_pool(tmp_path, [again], 1)) == 60
    assert again.asked == []


def test_pictures_without_usable_masks_are_counted(tmp_path):
    pool = fill_pool(tmp_path, [Pictures(empty=(0, 59))], 1)
    assert (len(pool), num_empty(tmp_path)) == (58, 2)


def test_all_unreadable_pictures_are_told_at_once_and_only_they_are_read_again(tmp_path):
    with pytest.raises(ConfigurationError) as caught:
        fill_pool(tmp_path, [Pictures(broken=(3, 7, 20, 30, 31, 32, 40))], 1)
    told = str(caught.value)
    assert told.startswith("7 of 60 cannot be used: picture-3.png is damaged; picture-7.png")
    assert told.endswith("and 2 more")
    mended = Pictures()
    assert len(fill_pool(tmp_path, [mended], 1)) == 60
    assert mended.asked == [3, 7, 20, 30, 31, 32, 40]


def test_a_pool_of_nothing_usable_is_an_error(tmp_path):
    with pytest.raises(ConfigurationError, match="none of 60 pictures has a mask"):
        fill_pool(tmp_path, [Pictures(empty=tuple(range(60)))], 1)


@pytest.mark.parametrize("count", [0, 1_000_001])
def test_scenes_are_one_to_a_million(count):
    with pytest.raises(ConfigurationError, match=f"{count} scenes asked for"):
        SceneSource(first_seed=0, count=count, size=128)
