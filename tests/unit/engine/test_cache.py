import pytest

from suresam.engine.cache import CacheLimits, EmbeddingCache

A, B, C = ("a", "m"), ("b", "m"), ("c", "m")


@pytest.fixture
def make(clock, telemetry):
    def cache(embedding_bytes=300, ttl_s=60.0):
        limits = CacheLimits(embedding_bytes=embedding_bytes, ttl_s=ttl_s)
        return EmbeddingCache(limits, clock, telemetry)

    return cache


def test_an_empty_cache_has_nothing(make, count):
    cache = make()
    assert cache.get(A) is None
    assert A not in cache
    assert cache.size_bytes == 0
    assert count("cache_requests_total", result="miss", tier="device", model="m") == 1


def test_what_was_put_is_got(make, embedding_of, count):
    cache, embedding = make(), embedding_of(100)
    cache.put(A, embedding)
    assert A in cache
    assert cache.get(A) is embedding
    assert cache.size_bytes == 100 == count("cache_bytes", tier="device")
    assert count("cache_requests_total", result="hit", tier="device", model="m") == 1


def test_one_image_of_two_models_has_two_entries(make, embedding_of):
    cache = make()
    small, large = embedding_of(10), embedding_of(20)
    cache.put(("a", "small"), small)
    cache.put(("a", "large"), large)
    assert (cache.get(("a", "small")), cache.get(("a", "large"))) == (small, large)


def test_the_budget_may_be_full_to_the_byte(make, embedding_of):
    cache = make(embedding_bytes=300)
    for key in (A, B, C):
        cache.put(key, embedding_of(100))
    assert all(key in cache for key in (A, B, C))
    assert cache.size_bytes == 300


def test_one_byte_over_the_budget_the_least_recently_used_goes(make, embedding_of, count):
    cache = make(embedding_bytes=299)
    cache.put(A, embedding_of(100))
    cache.put(B, embedding_of(100))
    cache.get(A)
    cache.put(C, embedding_of(100))
    assert [key in cache for key in (A, B, C)] == [True, False, True]
    assert cache.size_bytes == 200
    assert count("cache_evictions_total", reason="bytes") == 1


def test_several_go_where_a_large_one_needs_room(make, embedding_of):
    cache = make(embedding_bytes=300)
    for key in (A, B):
        cache.put(key, embedding_of(150))
    cache.put(C, embedding_of(300))
    assert [key in cache for key in (A, B, C)] == [False, False, True]


def test_an_embedding_over_the_whole_budget_is_not_kept_and_drives_nobody_out(make, embedding_of):
    cache = make(embedding_bytes=300)
    cache.put(A, embedding_of(100))
    cache.put(B, embedding_of(301))
    assert B not in cache
    assert A in cache
    assert cache.size_bytes == 100


def test_a_budget_of_nothing_keeps_nothing(make, embedding_of):
    cache = make(embedding_bytes=0)
    cache.put(A, embedding_of(8))
    assert cache.get(A) is None
    assert cache.size_bytes == 0


def test_putting_again_replaces(make, embedding_of):
    cache = make()
    cache.put(A, embedding_of(100))
    second = embedding_of(50)
    cache.put(A, second)
    assert cache.get(A) is second
    assert cache.size_bytes == 50


def test_an_entry_lives_for_its_time_after_the_last_use(make, embedding_of, clock, count):
    cache = make(ttl_s=60)
    cache.put(A, embedding_of(100))
    clock.now += 59
    assert cache.get(A) is not None
    clock.now += 59
    assert A in cache
    assert cache.get(A) is not None
    clock.now += 60
    assert A not in cache
    assert cache.get(A) is None
    assert cache.size_bytes == 0 == count("cache_bytes", tier="device")
    assert count("cache_evictions_total", reason="ttl") == 1


def test_only_the_old_expire(make, embedding_of, clock):
    cache = make(ttl_s=60)
    cache.put(A, embedding_of(10))
    clock.now += 30
    cache.put(B, embedding_of(10))
    clock.now += 30
    assert cache.get(A) is None
    assert cache.get(B) is not None
