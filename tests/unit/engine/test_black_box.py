import pytest

from suresam.engine.black_box import BLACK_BOX_BYTES, BlackBox
from suresam.engine.quarantine import Quarantine


@pytest.fixture
def memory():
    return bytearray(BLACK_BOX_BYTES)


def test_an_empty_one_suspects_nobody(memory):
    assert not BlackBox(memory).read().is_suspect("a")


def test_who_was_on_the_device_is_suspect_and_who_was_so_alone_already_guilty(memory):
    quarantine = Quarantine()
    quarantine.blame(["a"])
    BlackBox(memory).write(quarantine, ["a"])
    assert BlackBox(memory).read().is_guilty("a")
    BlackBox(memory).write(quarantine, ["a", "b"])
    found = BlackBox(memory).read()
    assert found.is_suspect("a")
    assert found.is_suspect("b")
    assert not found.is_guilty("a")


def test_nobody_new_is_suspect_after_a_death_in_idleness(memory):
    quarantine = Quarantine()
    quarantine.blame(["a"])
    box = BlackBox(memory)
    box.write(quarantine, ["a"])
    box.write(quarantine, [])
    found = box.read()
    assert found.is_suspect("a")
    assert not found.is_guilty("a")


def test_what_is_too_large_is_left_out(memory):
    box = BlackBox(memory)
    box.write(Quarantine(), ["a"])
    box.write(Quarantine(), ["b" * BLACK_BOX_BYTES])
    found = box.read()
    assert not found.is_suspect("a")
    assert len(memory) == BLACK_BOX_BYTES
