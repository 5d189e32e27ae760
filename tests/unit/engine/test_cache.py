import pytest
import torch

from suresam.engine.cache import CacheLimits, EmbeddingCache
from suresam.segmentation.backbone import ImageEmbedding

A, B, C = ("a", "m"), ("b", "m"), ("c", "m")
BYTES = 4 * (4 + 2 + 1)


def embedding_of(value, scale=1):
    image_embed = torch.full((4 * scale,), float(value))
    return ImageEmbedding(image_embed, (image_embed[: 2 * scale] + 1, image_embed[:scale] + 2))


@pytest.fixture
def make(clock, telemetry):
    def cache(embedding_bytes=3 * BYTES, ttl_s=60.0, models=("m",)):
        limits = CacheLimits(embedding_bytes=embedding_bytes, ttl_s=ttl_s)
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
    assert cache.size_bytes == 0


def test_what_was_put_is_found_whole(make, count):
    cache = make()
    assert cache.put(A, embedding_of(7))
    assert A in cache
    with cache.pinned(A, "me") as lease:
        assert lease.embedding.image_embed.tolist() == [7] * 4
        assert [t.tolist() for t in lease.embedding.high_res_feats] == [[8, 8], [9]]
    assert cache.size_bytes == BYTES == count("cache_bytes", tier="device")


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
    assert cache.size_bytes == 2 * BYTES


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
    assert not cache.is_current("m", lease.ref)


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
    assert cache.size_bytes == BYTES


def test_models_of_one_form_share_their_slots(make):
    cache = make(embedding_bytes=4 * BYTES, models=("m", "n"))
    assert cache.num_slots("m") == cache.num_slots("n") == 4
    cache.put(("a", "m"), embedding_of(1))
    cache.put(("a", "n"), embedding_of(2))
    assert (value_of(cache, ("a", "m")), value_of(cache, ("a", "n"))) == (1, 2)
    assert cache.size_bytes == 2 * BYTES


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
    assert cache.size_bytes == 0 == count("cache_bytes", tier="device")
    assert count("cache_evictions_total", reason="ttl") == 1
