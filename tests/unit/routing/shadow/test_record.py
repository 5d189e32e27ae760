import json
from dataclasses import replace

import pytest

from suresam.errors import ConfigurationError
from suresam.routing.shadow.comparison import Comparison
from suresam.routing.shadow.record import ComparedModels, RecordFile, read_record

MODELS = ComparedModels("tiny", "huge", "0" * 64, "1" * 64, "2" * 64, "fitted", "3" * 64)
TOLD = Comparison("box", False, True, 0.05, 0.5, 0.6, 0.8, 0.9, 0.1, 10.0, 90.0)


@pytest.fixture
def path(tmp_path):
    return tmp_path / "record.jsonl"


def test_what_was_written_is_read(path):
    record = RecordFile(path, 10_000)
    other = replace(TOLD, gain=-0.02)
    assert record.append(MODELS, TOLD)
    assert RecordFile(path, 10_000).append(MODELS, other)  # after a restart
    found = read_record([path, path])
    assert found.comparisons == [TOLD, other, TOLD, other]
    assert found.models == {MODELS: f"{path}, line 1"}
    assert found.num_torn == 0
    line = json.loads(path.read_text().splitlines()[0])
    assert line["version"] == 1
    assert line["comparison"]["gain"] == 0.1


def test_of_other_models_it_is_told_where_they_begin(path):
    record = RecordFile(path, 10_000)
    other = replace(MODELS, calibration="another")
    for models in (MODELS, MODELS, other, other):
        record.append(models, TOLD)
    assert read_record([path]).models == {MODELS: f"{path}, line 1", other: f"{path}, line 3"}


def test_a_line_that_a_crash_tore_is_passed_over_and_the_next_stands_by_itself(path):
    RecordFile(path, 10_000).append(MODELS, TOLD)
    whole = path.read_bytes()
    path.write_bytes(whole + whole[:100])
    assert read_record([path]).comparisons == [TOLD]
    RecordFile(path, 10_000).append(MODELS, TOLD)
    found = read_record([path])
    assert found.comparisons == [TOLD, TOLD]
    assert found.num_torn == 1


def test_the_file_stays_within_its_bound(path):
    RecordFile(path, 10_000).append(MODELS, TOLD)
    size = path.stat().st_size
    assert not RecordFile(path, 2 * size - 1).append(MODELS, TOLD)
    assert path.stat().st_size == size
    assert RecordFile(path, 2 * size).append(MODELS, TOLD)
    assert path.stat().st_size == 2 * size


def test_a_file_that_cannot_be_written_is_a_wrong_setting(tmp_path):
    with pytest.raises(ConfigurationError, match=r"shadow_file=.*nowhere.*cannot be written"):
        RecordFile(tmp_path / "nowhere" / "record.jsonl", 1000)


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (lambda line: line | {"version": 2}, r"line 2 .*version: Input should be 1 \(2\)"),
        (lambda line: line | {"comparison": {}}, "line 2 .*comparison.prompt: Field required"),
        (lambda line: {"other": "file"}, "line 2 .*version: Field required"),
        (lambda line: 5, "line 2 is no line of a shadow record"),
        (
            lambda line: line | {"comparison": line["comparison"] | {"gain": 1.5}},
            r"comparison.gain: .*less than or equal to 1 \(1.5\)",
        ),
    ],
)
def test_what_is_whole_but_something_else_is_refused_by_its_line(path, change, message):
    RecordFile(path, 10_000).append(MODELS, TOLD)
    line = json.loads(path.read_text())
    with path.open("a") as file:
        file.write(json.dumps(change(line)) + "\n")
    with pytest.raises(ConfigurationError, match=message):
        read_record([path])


def test_a_file_that_is_not_there_is_told(path):
    with pytest.raises(ConfigurationError, match=r"cannot read .*No such file"):
        read_record([path])
