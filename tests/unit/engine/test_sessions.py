import re

import pytest

from suresam.domain import SessionImage
from suresam.engine.cache import CacheLimits
from suresam.engine.sessions import SessionStore, StoredImage
from suresam.errors import (
    ImageNotFound,
    ImageTooLarge,
    InvalidRequest,
    SessionExists,
    SessionNotFound,
)

WALL = 1_700_000_000.0


@pytest.fixture
def make(clock, telemetry):
    def store(session_bytes=300, ttl_s=60.0, max_session_images=3):
        limits = CacheLimits(
            session_bytes=session_bytes, ttl_s=ttl_s, max_session_images=max_session_images
        )
        return SessionStore(limits, clock, lambda: WALL + clock.now, telemetry)

    return store


def image(name="i", size_bytes=100):
    return StoredImage(SessionImage(name, 4, 3), f"key-{name}", bytes(size_bytes))


def test_a_session_keeps_its_images_in_order(make, clock, count):
    store = make()
    session = store.create("t", "s", (image("a"), image("b")))
    assert session.session_id == "s"
    assert [i.image_id for i in session.images] == ["a", "b"]
    assert session.expires_at == WALL + clock.now + 60
    assert store.get("t", "s") == session
    assert store.image("t", "s", None).public.image_id == "a"
    assert store.image("t", "s", "b").key == "key-b"
    assert count("sessions") == 1


def test_an_id_that_the_server_chooses_is_one_that_a_client_could_choose(make):
    ids = {make().create("t", None, (image(),)).session_id for _ in range(20)}
    assert len(ids) == 20
    assert all(re.fullmatch("[A-Za-z0-9_-]{16,64}", i) for i in ids)


@pytest.mark.parametrize("session_id", ["a", "A-b_9", "-", "x" * 64])
def test_an_id_of_letters_digits_dash_and_underscore_is_taken(make, session_id):
    assert make().create("t", session_id, (image(),)).session_id == session_id


@pytest.mark.parametrize("session_id", ["", "x" * 65, "a b", "a/b", "é", "a\n", "a.b", "\0"])
def test_any_other_id_is_refused(make, session_id):
    with pytest.raises(InvalidRequest, match="must be 1 to 64 letters, digits, '-' or '_'"):
        make().create("t", session_id, (image(),))


def test_an_id_that_is_alive_exists(make, clock):
    store = make(ttl_s=60)
    store.create("t", "s", (image(),))
    with pytest.raises(SessionExists, match="session 's' exists already"):
        store.create("t", "s", (image(),))
    clock.now += 60
    assert store.create("t", "s", (image(),)).session_id == "s"


def test_tenants_do_not_see_each_other(make):
    store = make()
    store.create("one", "s", (image("a"),))
    with pytest.raises(SessionNotFound):
        store.get("two", "s")
    with pytest.raises(SessionNotFound):
        store.delete("two", "s")
    store.create("two", "s", (image("b"),))
    assert store.image("one", "s", None).public.image_id == "a"
    assert store.image("two", "s", None).public.image_id == "b"


def test_unknown_expired_deleted_and_foreign_sessions_are_told_alike(make, clock):
    store = make(ttl_s=60)
    messages = set()

    def ask():
        with pytest.raises(SessionNotFound) as caught:
            store.get("t", "s")
        messages.add(caught.value.message)

    ask()
    store.create("other", "s", (image(),))
    ask()
    store.create("t", "s", (image(),))
    store.delete("t", "s")
    ask()
    store.create("t", "s", (image(),))
    clock.now += 60
    ask()
    assert len(messages) == 1
    assert "a session lives 60 s after its last use" in messages.pop()


@pytest.mark.parametrize("use", ["get", "image", "add"])
def test_every_use_moves_the_end_on(make, clock, use):
    store = make(ttl_s=60)
    store.create("t", "s", (image("a"),))
    clock.now += 59
    arguments = {"get": (), "image": (None,), "add": (image("b"),)}[use]
    getattr(store, use)("t", "s", *arguments)
    clock.now += 59
    assert store.get("t", "s").session_id == "s"


def test_a_session_expires_exactly_its_time_after_the_last_use(make, clock, count):
    store = make(ttl_s=60)
    store.create("t", "s", (image(),))
    clock.now += 60
    with pytest.raises(SessionNotFound):
        store.get("t", "s")
    assert count("sessions") == 0
    assert count("cache_evictions_total", reason="session_ttl") == 1


def test_an_image_that_the_session_has_not(make):
    store = make()
    store.create("t", "s", (image("a"),))
    with pytest.raises(ImageNotFound, match="session 's' has no image 'b'"):
        store.image("t", "s", "b")


@pytest.mark.parametrize("count_", [0, 4])
def test_a_session_holds_one_to_three_images(make, count_):
    with pytest.raises(InvalidRequest, match=rf"{count_} images in one session \(.* limit 3\)"):
        make().create("t", "s", tuple(image(str(i), 1) for i in range(count_)))


def test_a_session_may_grow_to_its_limit_and_no_further(make):
    store = make()
    store.create("t", "s", (image("a", 1), image("b", 1)))
    assert store.add("t", "s", image("c", 1)).image_id == "c"
    with pytest.raises(InvalidRequest, match="4 images"):
        store.add("t", "s", image("d", 1))


def test_the_budget_may_be_full_to_the_byte(make):
    store = make(session_bytes=300)
    store.create("t", "one", (image("a", 150),))
    store.create("t", "two", (image("a", 150),))
    assert store.get("t", "one").session_id == "one"


def test_one_byte_over_the_budget_the_least_recently_used_session_goes(make, count):
    store = make(session_bytes=300)
    store.create("t", "one", (image("a", 100),))
    store.create("t", "two", (image("a", 100),))
    store.get("t", "one")
    store.create("t", "three", (image("a", 101),))
    with pytest.raises(SessionNotFound):
        store.get("t", "two")
    assert store.get("t", "one").session_id == "one"
    assert count("sessions") == 2
    assert count("cache_evictions_total", reason="session_bytes") == 1


def test_a_growing_session_never_evicts_itself(make):
    store = make(session_bytes=300)
    store.create("t", "grows", (image("a", 100),))
    store.create("t", "newer", (image("a", 100),))
    store.add("t", "grows", image("b", 200))
    assert len(store.get("t", "grows").images) == 2
    with pytest.raises(SessionNotFound):
        store.get("t", "newer")
    with pytest.raises(ImageTooLarge, match=r"have 301 bytes \(limit .* 300 bytes\)"):
        store.add("t", "grows", image("c", 1))
    assert len(store.get("t", "grows").images) == 2


def test_files_over_the_whole_budget_drive_nobody_out(make):
    store = make(session_bytes=300)
    store.create("t", "one", (image("a", 300),))
    with pytest.raises(ImageTooLarge):
        store.create("t", "two", (image("a", 150), image("b", 151)))
    assert store.get("t", "one").session_id == "one"


def test_a_deleted_session_gives_its_bytes_back(make):
    store = make(session_bytes=300)
    store.create("t", "one", (image("a", 300),))
    store.delete("t", "one")
    store.create("t", "two", (image("a", 150),))
    store.create("t", "three", (image("a", 150),))
    assert store.get("t", "two").session_id == "two"
