"""Work spread over processes: order, preparation, a death, and leaving early."""

import os
import signal
import time
from contextlib import closing
from pathlib import Path

import pytest

from suresam.errors import ConfigurationError
from suresam.processes import map_in_processes

_offset = 0


def prepare(offset: int) -> None:
    global _offset
    _offset = offset


def add(value: int) -> tuple[int, int]:
    return value + _offset, os.getpid()


def die(value: int) -> int:
    if value == 1:
        os.kill(os.getpid(), signal.SIGKILL)
    return value


@pytest.mark.parametrize("workers", [1, 2])
def test_results_come_in_order_from_prepared_processes(workers):
    made = list(map_in_processes(add, range(8), workers, prepare, (100,)))
    assert [value for value, _ in made] == list(range(100, 108))
    here = {pid for _, pid in made} == {os.getpid()}
    assert here is (workers == 1)


def test_a_process_that_was_killed_is_told_as_such():
    with pytest.raises(ConfigurationError, match="ended from outside"):
        list(map_in_processes(die, range(4), 2))


def note(path: str) -> None:
    Path(path).touch()
    time.sleep(0.05)


def test_leaving_early_gives_up_what_has_not_begun(tmp_path):
    items = [str(tmp_path / str(number)) for number in range(2000)]
    with closing(map_in_processes(note, items, 2)) as made:
        next(made)
    assert 1 <= len(list(tmp_path.iterdir())) < 1000


def test_nothing_to_do_needs_no_process():
    assert list(map_in_processes(add, [], 4)) == []
