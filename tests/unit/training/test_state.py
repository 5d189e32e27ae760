import pytest
import torch

from suresam.errors import CheckpointError
from suresam.training import state as state_module
from suresam.training.state import MARKER, has_state, load_state, save_state

CPU = torch.device("cpu")


@pytest.fixture
def saved(tmp_path, monkeypatch):
    monkeypatch.setattr(state_module, "PART_BYTES", 1000)
    save_state(tmp_path, {"step": 7, "weights": {"a": torch.arange(2000.0)}}, 7)
    return tmp_path


def test_a_state_in_many_parts_comes_back_whole(saved):
    assert has_state(saved)
    parts = list(saved.glob("*.part"))
    assert len(parts) > 8
    assert max(part.stat().st_size for part in parts) == 1000
    state = load_state(saved, CPU)
    assert state["step"] == 7
    assert torch.equal(state["weights"]["a"], torch.arange(2000.0))


def test_a_new_state_replaces_the_old_one_and_its_parts(saved):
    before = {part.name for part in saved.glob("*.part")}
    save_state(saved, {"step": 8}, 8)
    assert load_state(saved, CPU) == {"step": 8}
    assert before.isdisjoint(part.name for part in saved.glob("*.part"))


def test_a_crash_before_the_marker_leaves_the_old_state(saved):
    (saved / "state-0000009-deadbeef-000.part").write_bytes(b"half written")
    assert load_state(saved, CPU)["step"] == 7


def test_a_damaged_or_missing_part_is_refused(saved):
    part = min(saved.glob("*.part"))
    content = part.read_bytes()
    part.write_bytes(content[:-1] + b"?")
    with pytest.raises(CheckpointError, match="is damaged"):
        load_state(saved, CPU)
    part.unlink()
    with pytest.raises(CheckpointError, match="no training state to resume"):
        load_state(saved, CPU)


def test_no_state_is_told_with_its_folder(tmp_path):
    assert not has_state(tmp_path)
    with pytest.raises(CheckpointError, match=str(tmp_path)):
        load_state(tmp_path, CPU)
    (tmp_path / MARKER).write_text("{}")
    with pytest.raises(CheckpointError, match="parts"):
        load_state(tmp_path, CPU)
