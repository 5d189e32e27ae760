import pytest

from suresam.access.caller import ANONYMOUS
from suresam.access.door import KeyedDoor, OpenDoor
from suresam.access.key import digest_of
from suresam.access.key_list import KeyEntry
from suresam.access.limits import KeyLimits
from suresam.errors import PermissionDenied, RateLimited, Unauthenticated
from suresam.telemetry import Telemetry

UNLIMITED = KeyLimits()


def entry(name, key, *scopes, limits=UNLIMITED):
    return KeyEntry(name, frozenset(scopes or ("infer",)), digest_of(key), limits)


@pytest.fixture
def telemetry():
    return Telemetry()


def admit(door, key, scope="infer"):
    return door.admit([f"Bearer {key}"], scope)


def test_without_keys_everybody_is_the_same_tenant_and_may_do_everything(telemetry):
    door = OpenDoor(telemetry)
    assert not door.needs_key
    for scope in ("infer", "metrics", "admin"):
        assert door.admit([], scope).tenant == ANONYMOUS
    door.charge(ANONYMOUS, 1e9)
    with admit(door, "any").account.request():
        pass


def test_a_key_tells_its_tenant(telemetry):
    door = KeyedDoor([entry("a", "k1"), entry("b", "k2")], telemetry)
    assert door.needs_key
    assert (admit(door, "k1").tenant, admit(door, "k2").tenant) == ("a", "b")


@pytest.mark.parametrize(
    ("authorizations", "message"),
    [
        ([], r"an API key is needed: send Authorization: Bearer KEY"),
        (["Bearer k3"], r"the API key is not known here"),
        (["Basic k1"], r"must be one `Bearer KEY`"),
        (["Bearer k1", "Bearer k1"], r"must be one `Bearer KEY`"),
        (["k1"], r"must be one `Bearer KEY`"),
    ],
)
def test_without_one_valid_key_nobody_comes_in(telemetry, authorizations, message):
    door = KeyedDoor([entry("a", "k1")], telemetry)
    with pytest.raises(Unauthenticated, match=message):
        door.admit(authorizations, "infer")
    reason = {"reason": "unauthenticated"}
    assert telemetry.registry.get_sample_value("suresam_rejected_total", reason) == 1


def test_a_key_of_the_same_first_bytes_is_another_key(telemetry):
    real = digest_of("k1")
    near = KeyEntry("a", frozenset({"infer"}), real[:8] + bytes(24), UNLIMITED)
    with pytest.raises(Unauthenticated):
        admit(KeyedDoor([near], telemetry), "k1")


def test_no_keys_at_all_open_nothing(telemetry):
    door = KeyedDoor([], telemetry)
    assert door.needs_key
    for authorizations in ([], ["Bearer "], ["Bearer x"]):
        with pytest.raises(Unauthenticated):
            door.admit(authorizations, None)


@pytest.mark.parametrize(
    ("has", "may"),
    [
        ("infer", {"infer"}),
        ("metrics", {"metrics"}),
        ("admin", {"infer", "metrics", "admin"}),
    ],
)
def test_a_scope_allows_itself_and_admin_everything(telemetry, has, may):
    door = KeyedDoor([entry("a", "k", has)], telemetry)
    admit(door, "k", None)
    for scope in ("infer", "metrics", "admin"):
        if scope in may:
            admit(door, "k", scope)
        else:
            with pytest.raises(PermissionDenied, match=f"has the scopes {has}; this needs {scope}"):
                admit(door, "k", scope)


def test_a_key_that_is_taken_away_is_refused_and_a_stream_of_it_ends(telemetry):
    door = KeyedDoor([entry("a", "old")], telemetry)
    caller = admit(door, "old")
    door.replace([entry("a", "old"), entry("a", "new")])
    caller.check_alive()
    assert admit(door, "old") is caller
    door.replace([entry("a", "new")])
    with pytest.raises(Unauthenticated):
        admit(door, "old")
    with pytest.raises(Unauthenticated, match="taken away"):
        caller.check_alive()
    admit(door, "new").check_alive()


def test_a_key_that_changes_its_name_changes_its_tenant(telemetry):
    door = KeyedDoor([entry("a", "k")], telemetry)
    before = admit(door, "k")
    door.replace([entry("b", "k")])
    assert (before.tenant, before.is_revoked, admit(door, "k").tenant) == ("a", True, "b")


def test_scopes_and_limits_change_at_once_and_debts_stay(telemetry):
    limits = KeyLimits(device_ms_per_s=100.0)
    door = KeyedDoor([entry("a", "k", limits=limits)], telemetry, clock=lambda: 0.0)
    door.charge("a", 400.0)
    door.replace([entry("a", "k", "infer", "metrics", limits=limits)])
    caller = admit(door, "k", "metrics")
    with pytest.raises(RateLimited) as caught, caller.account.request():
        pass
    assert caught.value.retry_after_s == 3


def test_the_keys_of_a_name_share_its_limits(telemetry):
    limits = KeyLimits(concurrent=1)
    keys = [entry("a", "k1", limits=limits), entry("a", "k2", limits=limits), entry("b", "k3")]
    door = KeyedDoor(keys, telemetry)
    with admit(door, "k1").account.request():
        with pytest.raises(RateLimited), admit(door, "k2").account.request():
            pass
        with admit(door, "k3").account.request():
            pass


def test_what_nobody_here_has_spent_is_nobodys_debt(telemetry):
    KeyedDoor([entry("a", "k")], telemetry).charge("someone", 5.0)
