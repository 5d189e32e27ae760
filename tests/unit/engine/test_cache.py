import contextlib
from unittest.mock import Mock

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from suresam.engine.arena import Arena
from suresam.engine.cache import CacheLimits, EmbeddingCache
from suresam.errors import ConfigurationError
from suresam.segmentation.backbone import ImageEmbedding
from suresam.telemetry import Telemetry

A, B, C = ("a", "m"), ("b", "m"), ("c", "m")
BYTES = 4 * (4 + 2 + 1)


def embedding_of(value, scale=1):
    image_embed = torch.full((4 * scale,), float(value))
    return ImageEmbedding(image_embed, (image_embed[: 2 * scale] + 1, image_embed[:scale] + 2))


@pytest.fixture
def make(clock, telemetry):
    def cache(embedding_bytes=3 * BYTES, ttl_s=60.0, models=("m",), host_bytes=0):
        limits = CacheLimits(embedding_bytes=embedding_bytes, host_bytes=host_bytes, ttl_s=ttl_s)
        cache = EmbeddingCache(limits, clock, telemetry)
        cache.allocate({model: embedding_of(0) for model in models})
        return cache

    return cache


def value_of(cache, key, user="me"):
    with cache.pinned(key, user) as lease:
        return None if lease is None else lease.embedding.image_embed[0].item()


def test_a_cache_before_its_memory_is_there_keeps_nothing(clock, telemetry):
    cache = EmbeddingCache(CacheLimits(), clock, telemetry)
    assert A not in cache
    assert value_of(cache, A) is None
    assert not cache.put(A, embedding_of(1))
    assert cache.size_bytes("device") == 0


def test_what_was_put_is_found_whole(make, count):
    cache = make()
    assert cache.put(A, embedding_of(7))
    assert A in cache
    with cache.pinned(A, "me") as lease:
        assert lease.embedding.image_embed.tolist() == [7] * 4
        assert [t.tolist() for t in lease.embedding.high_res_feats] == [[8, 8], [9]]
    assert cache.size_bytes("device") == BYTES == count("cache_bytes", tier="device")


def test_bytes_that_have_no_room_for_one_embedding_are_refused_with_those_that_have(make):
    with pytest.raises(
        ConfigurationError, match=f"cache_bytes={BYTES - 1} has no room .* at least {BYTES} bytes"
    ):
        make(embedding_bytes=BYTES - 1)


def test_bytes_must_have_room_for_one_embedding_of_each_form(clock, telemetry):
    examples = {"small": embedding_of(0), "large": embedding_of(0, scale=2)}
    cache = EmbeddingCache(CacheLimits(embedding_bytes=4 * BYTES - 1), clock, telemetry)
    with pytest.raises(
        ConfigurationError, match=f"each of small, large: it needs at least {4 * BYTES} bytes"
    ):
        cache.allocate(examples)
    EmbeddingCache(CacheLimits(embedding_bytes=4 * BYTES), clock, telemetry).allocate(examples)


def test_the_cache_keeps_its_own_copy(make):
    cache, embedding = make(), embedding_of(7)
    cache.put(A, embedding)
    embedding.image_embed.fill_(0)
    assert value_of(cache, A) == 7


def test_one_byte_too_few_is_one_slot_less(make, count):
    cache = make(embedding_bytes=3 * BYTES - 1)
    assert cache.num_slots("m") == 2
    for value, key in enumerate((A, B, C)):
        assert cache.put(key, embedding_of(value))
    assert [value_of(cache, key) for key in (A, B, C)] == [None, 1, 2]
    assert count("cache_evictions_total", reason="bytes") == 1
    assert cache.size_bytes("device") == 2 * BYTES


def test_a_budget_of_nothing_keeps_nothing(make):
    cache = make(embedding_bytes=0)
    assert not cache.put(A, embedding_of(1))
    assert A not in cache


def test_what_is_pinned_is_not_overwritten(make):
    cache = make(embedding_bytes=BYTES)
    cache.put(A, embedding_of(1))
    with cache.pinned(A, "me") as lease:
        assert not cache.put(B, embedding_of(2))
        assert lease.embedding.image_embed[0].item() == 1
        assert cache.num_pins == 1
    assert cache.num_pins == 0
    assert cache.put(B, embedding_of(2))
    with pytest.raises(LookupError, match="somebody waited"), cache.on_device([lease]):
        pass


def test_a_pin_is_given_back_when_its_user_fails(make):
    cache = make()
    cache.put(A, embedding_of(1))
    with pytest.raises(ValueError, match="mine"), cache.pinned(A, "me"):
        raise ValueError("mine")
    assert cache.num_pins == 0


def test_putting_again_changes_nothing(make):
    cache = make()
    cache.put(A, embedding_of(1))
    assert cache.put(A, embedding_of(1))
    assert cache.size_bytes("device") == BYTES


def test_models_of_one_form_share_their_slots(make):
    cache = make(embedding_bytes=4 * BYTES, models=("m", "n"))
    assert cache.num_slots("m") == cache.num_slots("n") == 4
    cache.put(("a", "m"), embedding_of(1))
    cache.put(("a", "n"), embedding_of(2))
    assert (value_of(cache, ("a", "m")), value_of(cache, ("a", "n"))) == (1, 2)
    assert cache.size_bytes("device") == 2 * BYTES


def test_models_of_other_forms_have_their_own_and_divide_the_budget(clock, telemetry):
    cache = EmbeddingCache(CacheLimits(embedding_bytes=20 * BYTES), clock, telemetry)
    cache.allocate({"small": embedding_of(0), "large": embedding_of(0, scale=2)})
    assert cache.num_slots("small") == 10
    assert cache.num_slots("large") == 5


def test_an_entry_expires(make, clock, count):
    cache = make(ttl_s=60)
    cache.put(A, embedding_of(1))
    clock.now += 59
    assert value_of(cache, A) == 1
    clock.now += 60
    assert value_of(cache, A) is None
    assert cache.size_bytes("device") == 0 == count("cache_bytes", tier="device")
    assert count("cache_evictions_total", reason="ttl") == 1


def one_and_behind_it(make, num_host_slots=1, ttl_s=60.0):
    return make(embedding_bytes=BYTES, host_bytes=num_host_slots * BYTES, ttl_s=ttl_s)


def tier_of(cache, key):
    with cache.pinned(key, "me") as lease:
        return None if lease is None else lease.tier.name


def launch(cache, *keys):
    """What a launch reads for these keys."""
    with contextlib.ExitStack() as stack:
        leases = [stack.enter_context(cache.pinned(key, "me")) for key in keys]
        embeddings = stack.enter_context(cache.on_device(leases))
        return [embeddings[lease].image_embed[0].item() for lease in leases]


def test_on_a_cpu_nothing_stands_behind_the_device_unless_somebody_says_so(clock, telemetry):
    cache = EmbeddingCache(CacheLimits(embedding_bytes=BYTES), clock, telemetry)
    cache.allocate({"m": embedding_of(0)})
    assert cache.num_slots("m", "host") == 0
    assert cache.last_tier("m") == "device"


def test_who_has_to_leave_the_device_is_found_whole_on_the_host(make, count):
    cache = one_and_behind_it(make)
    cache.put(A, embedding_of(7))
    cache.put(B, embedding_of(8))
    assert (tier_of(cache, A), tier_of(cache, B)) == ("host", "device")
    with cache.pinned(A, "me") as lease:
        assert lease.embedding.image_embed.tolist() == [7] * 4
        assert [t.tolist() for t in lease.embedding.high_res_feats] == [[8, 8], [9]]
    for tier in ("device", "host"):
        assert cache.size_bytes(tier) == BYTES == count("cache_bytes", tier=tier)
    assert count("cache_evictions_total", reason="demoted") == 1
    assert count("cache_evictions_total", reason="bytes") == 0
    assert cache.last_tier("m") == "host"


def test_who_has_to_leave_the_host_is_gone(make, count):
    cache = one_and_behind_it(make)
    for value, key in enumerate((A, B, C)):
        cache.put(key, embedding_of(value))
    assert A not in cache
    assert B in cache
    assert count("cache_evictions_total", reason="bytes") == 1


def test_a_launch_brings_an_embedding_back_in_exchange_for_another(make):
    cache = one_and_behind_it(make, num_host_slots=2)
    cache.put(A, embedding_of(7))
    cache.put(B, embedding_of(8))
    assert launch(cache, A) == [7]
    assert (tier_of(cache, A), tier_of(cache, B)) == ("device", "host")
    assert cache.size_bytes("host") == BYTES
    assert launch(cache, B) == [8]
    assert (tier_of(cache, A), tier_of(cache, B)) == ("host", "device")
    assert cache.num_pins == 0


def test_a_launch_brings_an_embedding_back_once_for_all_its_rows(make, count):
    cache = one_and_behind_it(make, num_host_slots=2)
    for value, key in enumerate((A, B)):
        cache.put(key, embedding_of(value))
    before = count("cache_evictions_total", reason="demoted")
    assert launch(cache, A, A, A) == [0, 0, 0]
    assert count("cache_evictions_total", reason="demoted") == before + 1


def test_a_launch_whose_images_do_not_all_fit_reads_each_its_own(make):
    """One slot: what one row brings back must not stand where another row reads."""
    cache = one_and_behind_it(make, num_host_slots=3)
    for value, key in enumerate((A, B, C)):
        cache.put(key, embedding_of(value))
    for keys in ((A, B, C), (C, B, A), (B, A), (A, C, A, B)):
        assert launch(cache, *keys) == [(A, B, C).index(key) for key in keys]
    assert cache.size_bytes("device") == BYTES


def test_what_somebody_holds_on_the_host_stays_there_and_goes_with_the_last_of_them(make):
    cache = one_and_behind_it(make)
    cache.put(A, embedding_of(7))
    cache.put(B, embedding_of(8))
    with cache.pinned(A, "me"), cache.pinned(A, "you") as lease:
        assert launch(cache, A) == [7]
        assert tier_of(cache, A) == "device"
        # B had to go: its place is A's as long as we hold it.
        assert B not in cache
        assert lease.embedding.image_embed[0].item() == 7
        assert cache.size_bytes("host") == BYTES
    assert cache.size_bytes("host") == 0
    assert cache.num_pins == 0


def test_who_leaves_the_device_while_somebody_holds_it_on_the_host_is_not_copied_again(make):
    cache = one_and_behind_it(make)
    cache.put(A, embedding_of(7))
    cache.put(B, embedding_of(8))
    with cache.pinned(A, "me"):
        assert launch(cache, A) == [7]
        cache.put(C, embedding_of(9))
        assert tier_of(cache, A) == "host"
    assert launch(cache, A) == [7]


def test_what_was_encoded_again_meanwhile_does_not_stand_in_both(make):
    cache = one_and_behind_it(make)
    cache.put(A, embedding_of(7))
    cache.put(B, embedding_of(8))
    cache.put(A, embedding_of(7))
    assert (tier_of(cache, A), tier_of(cache, B)) == ("device", "host")


def test_who_expired_on_the_device_does_not_live_on_on_the_host(make, clock, count):
    cache = one_and_behind_it(make, ttl_s=60)
    cache.put(A, embedding_of(7))
    clock.now += 60
    cache.put(B, embedding_of(8))
    assert A not in cache
    assert cache.size_bytes("host") == 0
    assert count("cache_evictions_total", reason="ttl") == 1
    assert count("cache_evictions_total", reason="demoted") == 0


def test_the_time_on_the_device_counts_on_the_host(make, clock):
    cache = one_and_behind_it(make, ttl_s=60)
    cache.put(A, embedding_of(7))
    clock.now += 30
    cache.put(B, embedding_of(8))
    clock.now += 29
    assert A in cache
    clock.now += 1
    assert A not in cache
    assert B in cache


class Unwritable(Exception):
    """The memory refuses."""


def test_who_could_not_be_written_is_nowhere_and_nor_is_whose_place_it_took(make, monkeypatch):
    cache = one_and_behind_it(make)
    cache.put(A, embedding_of(7))
    with monkeypatch.context() as patched:
        patched.setattr(Arena, "write", Mock(side_effect=Unwritable))
        with pytest.raises(Unwritable):
            cache.put(B, embedding_of(8))
    assert A not in cache
    assert B not in cache
    assert cache.put(C, embedding_of(9))
    assert value_of(cache, C) == 9


KEYS = "abcdef"
STEPS = st.lists(
    st.one_of(
        st.tuples(st.just("put"), st.sampled_from(KEYS)),
        st.tuples(st.just("pin"), st.sampled_from(KEYS)),
        st.tuples(st.just("unpin"), st.integers(0, 9)),
        st.tuples(st.just("launch"), st.lists(st.integers(0, 9), max_size=5)),
        st.tuples(st.just("wait"), st.floats(0, 20)),
    ),
    max_size=60,
)


@settings(deadline=None, max_examples=200)
@given(STEPS, st.integers(0, 3), st.integers(0, 3))
def test_two_tiers_never_hold_too_much_nor_lose_what_is_held_nor_answer_wrongly(
    steps, num_device_slots, num_host_slots
):
    now = 1000.0
    limits = CacheLimits(num_device_slots * BYTES, num_host_slots * BYTES, ttl_s=30.0)
    cache = EmbeddingCache(limits, lambda: now, Telemetry())
    cache.allocate({"m": embedding_of(0)})
    device, host = cache._tiers
    held = []  # leases and what gives them back, as the event loop has them

    def is_in(tier, key):
        return tier.table.has((key, "m"), now)

    for step, what in steps:
        if step == "put":
            cache.put((what, "m"), embedding_of(KEYS.index(what)))
        elif step == "pin":
            stack = contextlib.ExitStack()
            lease = stack.enter_context(cache.pinned((what, "m"), object()))
            if lease is not None:
                held.append((lease, stack))
        elif step == "unpin" and held:
            held.pop(what % len(held))[1].close()
        elif step == "launch" and held:
            leases = [held[i % len(held)][0] for i in what]
            with cache.on_device(leases) as embeddings:
                read = [int(embeddings[lease].image_embed[0]) for lease in leases]
                assert read == [KEYS.index(lease.key[0]) for lease in leases]
        elif step == "wait":
            now += what
        assert cache.size_bytes("device") <= num_device_slots * BYTES
        assert cache.size_bytes("host") <= num_host_slots * BYTES
        assert cache.num_pins == len(held)
        for lease, _ in held:
            assert lease.tier.table.is_current(lease.ref)
            assert lease.embedding.image_embed[0] == KEYS.index(lease.key[0])
        on_host = {lease.key[0] for lease, _ in held if lease.tier is host}
        for key in KEYS:
            assert ((key, "m") in cache) == (is_in(device, key) or is_in(host, key))
            assert not (is_in(device, key) and is_in(host, key)) or key in on_host
    for _, stack in held:
        stack.close()
    assert cache.num_pins == 0


@settings(deadline=None, max_examples=50)
@given(
    st.lists(st.sampled_from(KEYS), max_size=30),
    st.integers(1, 3),
    st.integers(0, 3),
)
def test_what_nobody_holds_fills_both_tiers_before_anything_is_lost(keys, on_device, on_host):
    """All but one slot: an embedding on its way back has two."""
    limits = CacheLimits(on_device * BYTES, on_host * BYTES)
    cache = EmbeddingCache(limits, lambda: 1000.0, Telemetry())
    cache.allocate({"m": embedding_of(0)})
    for key in keys:
        if (key, "m") in cache:
            assert launch(cache, (key, "m")) == [KEYS.index(key)]
        else:
            cache.put((key, "m"), embedding_of(KEYS.index(key)))
    found = [key for key in KEYS if (key, "m") in cache]
    assert len(found) >= min(len(set(keys)), on_device + max(0, on_host - 1))
