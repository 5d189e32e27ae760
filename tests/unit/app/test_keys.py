import pytest

from suresam.access.door import KeyedDoor, OpenDoor
from suresam.access.key import digest_of
from suresam.app.keys import open_door, watch_keys
from suresam.errors import ConfigurationError, Unauthenticated
from suresam.settings import read_settings
from suresam.telemetry import Telemetry

LINE = f"a infer sha256:{digest_of('k').hex()}"


def door_of(**settings):
    return open_door(read_settings(settings), Telemetry())


def test_without_keys_the_door_is_open():
    assert isinstance(door_of(), OpenDoor)


@pytest.mark.parametrize("keys", [LINE, f"# ours\n{LINE}\n", f";{LINE};"])
def test_keys_may_stand_in_the_environment(keys):
    assert door_of(api_keys=keys).admit(["Bearer k"], "infer").tenant == "a"


@pytest.mark.parametrize("keys", ["", " ", "# nobody", ";;"])
def test_a_list_without_keys_is_an_error_and_no_open_door(keys, tmp_path):
    with pytest.raises(ConfigurationError, match="api_keys holds no key"):
        door_of(api_keys=keys)
    (tmp_path / "keys").write_text(keys.replace(";", "\n"))
    with pytest.raises(ConfigurationError, match="keys holds no key"):
        door_of(api_keys_file=str(tmp_path / "keys"))


def test_permission_to_be_anonymous_opens_nothing_where_there_are_keys():
    with pytest.raises(Unauthenticated):
        door_of(api_keys=LINE, allow_anonymous=True).admit([], "infer")


@pytest.mark.parametrize(
    ("settings", "is_told"),
    [
        ({"host": "0.0.0.0"}, True),
        ({"host": "0.0.0.0", "tls_cert": "c", "tls_key": "k"}, False),
        ({}, False),
    ],
)
def test_keys_that_anybody_on_the_line_could_read_are_told(caplog, settings, is_told):
    door_of(api_keys=LINE, **settings)
    assert ("API keys cross the network as they are" in caplog.text) is is_told


def test_a_file_is_taken_up_when_it_changes_and_only_then(tmp_path):
    file = tmp_path / "keys"
    file.write_text(LINE)
    settings = read_settings({"api_keys_file": str(file)})
    door = open_door(settings, Telemetry())
    assert isinstance(door, KeyedDoor)
    watch = watch_keys(settings, door)
    watch.look()
    caller = door.admit(["Bearer k"], "infer")
    watch.look()
    assert not caller.is_revoked
    other = tmp_path / "other"
    other.write_text(LINE.replace("a infer", "b infer"))
    other.replace(file)
    watch.look()
    assert (caller.is_revoked, door.admit(["Bearer k"], "infer").tenant) == (True, "b")


def test_without_a_file_nothing_is_watched():
    settings = read_settings({"api_keys": LINE})
    assert watch_keys(settings, open_door(settings, Telemetry())) is None
