import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from suresam.engine.slots import SlotTable

NOW = 1000.0


def table_with(*keys, num_slots=5, ttl_s=60.0):
    table = SlotTable(num_slots, ttl_s)
    for key in keys:
        table.put(key, NOW)
    return table


def use(table, key, user, now=NOW):
    ref = table.pin(key, user, now)
    table.unpin(key, ref)
    return ref


def keys_of(table, keys):
    return "".join(key for key in keys if table.has(key, NOW))


def test_an_empty_table_has_nothing():
    table = table_with()
    assert len(table) == 0
    assert not table.has("a", NOW)
    assert table.pin("a", "me", NOW) is None
    assert table.num_pins == 0


def test_a_table_without_slots_takes_nothing():
    assert table_with(num_slots=0).put("a", NOW) is None


def test_every_entry_has_a_slot_of_its_own():
    table = table_with()
    refs = [table.put(key, NOW) for key in "abcde"]
    assert sorted(ref.slot for ref in refs) == [0, 1, 2, 3, 4]
    assert keys_of(table, "abcde") == "abcde"


def test_one_more_than_there_are_slots_drives_out_the_least_recently_used():
    table = table_with(*"abcde")
    use(table, "a", "me")
    table.put("f", NOW)
    assert keys_of(table, "abcdef") == "acdef"


def test_an_image_that_was_used_again_outlives_any_number_of_uploads_that_are_used_once():
    table = table_with("a")
    use(table, "a", "first request")
    use(table, "a", "second request")
    for i in range(100):
        upload = f"upload-{i}"
        table.put(upload, NOW)
        use(table, upload, upload)
        use(table, upload, upload)  # several prompts of one request are one use
    assert table.has("a", NOW)
    assert len(table) == 5


def test_the_protected_leave_room_for_newcomers():
    """Four of five at most: the one that was used longest ago is on probation again."""
    table = table_with(*"abcde")
    for user in "12":
        for key in "abcde":
            use(table, key, user)
    table.put("f", NOW)
    assert keys_of(table, "abcdef") == "bcdef"
    table.put("g", NOW)
    assert keys_of(table, "abcdefg") == "bcdeg"


def test_the_pinned_stay_and_when_all_are_nobody_comes_in():
    table = table_with(*"abc", num_slots=3)
    refs = {key: table.pin(key, "me", NOW) for key in "abc"}
    assert table.num_pins == 3
    assert table.put("d", NOW) is None
    table.unpin("b", refs["b"])
    assert table.put("d", NOW) is not None
    assert keys_of(table, "abcd") == "acd"


def test_two_pins_need_two_unpins():
    table = table_with("a", num_slots=1)
    [ref, same] = [table.pin("a", "me", NOW) for _ in range(2)]
    assert ref == same
    table.unpin("a", ref)
    assert table.put("b", NOW) is None
    table.unpin("a", ref)
    with pytest.raises(AssertionError, match="balanced"):
        table.unpin("a", ref)
    assert table.put("b", NOW) is not None


def test_an_entry_that_could_not_be_written_goes_although_somebody_pinned_it():
    table = table_with("a", num_slots=1)
    ref = table.pin("a", "me", NOW)
    table.discard("a")
    assert not table.has("a", NOW)
    assert not table.is_current(ref)
    again = table.put("a", NOW)
    table.unpin("a", ref)  # of the entry that is gone
    table.unpin("a", table.pin("a", "me", NOW))
    assert table.is_current(again)


def test_a_slot_that_holds_something_else_has_another_generation():
    table = table_with(num_slots=1)
    first = table.put("a", NOW)
    assert table.is_current(first)
    second = table.put("b", NOW)
    assert second.slot == first.slot
    assert not table.is_current(first)
    assert table.is_current(second)


def test_an_entry_lives_for_its_time_after_the_last_use():
    table = table_with("a", ttl_s=60)
    use(table, "a", "me", NOW + 59)
    assert table.has("a", NOW + 118.9)
    assert not table.has("a", NOW + 119)
    assert len(table) == 0


def test_the_old_expire_and_the_pinned_do_not():
    table = table_with(*"abc", ttl_s=60)
    pinned = table.pin("b", "me", NOW)
    use(table, "c", "me", NOW + 30)
    assert table.expire(NOW + 60) == 1
    assert keys_of(table, "abc") == "bc"
    table.unpin("b", pinned)
    assert table.expire(NOW + 60) == 1
    assert table.expire(NOW + 60) == 0
    assert keys_of(table, "abc") == "c"


STEPS = st.lists(
    st.tuples(
        st.sampled_from(["put", "pin", "unpin", "expire"]),
        st.sampled_from("abcdefgh"),
        st.sampled_from("xy"),
        st.floats(0, 10),
    ),
    max_size=80,
)


@settings(deadline=None, max_examples=300)
@given(STEPS, st.integers(0, 5))
def test_no_slot_is_lost_or_shared_and_no_pinned_entry_moves(steps, num_slots):
    table, now, pins = SlotTable(num_slots, ttl_s=30.0), NOW, {}
    for step, key, user, seconds in steps:
        now += seconds
        if step == "put" and not table.has(key, now):
            ref = table.put(key, now)
            assert (ref is None) == (sum(map(bool, pins.values())) >= num_slots)
        elif step == "pin" and (ref := table.pin(key, user, now)) is not None:
            pins.setdefault(key, []).append(ref)
        elif step == "unpin" and pins.get(key):
            table.unpin(key, pins[key].pop())
        elif step == "expire":
            table.expire(now)
        assert len(table) <= num_slots
        assert table.num_pins == sum(map(len, pins.values()))
        held = {key: set(refs) for key, refs in pins.items() if refs}
        assert all(len(refs) == 1 for refs in held.values())
        assert all(table.is_current(ref) for refs in held.values() for ref in refs)
        slots = [ref.slot for refs in held.values() for ref in refs]
        assert len(set(slots)) == len(slots)
    for key, refs in pins.items():
        for ref in refs:
            table.unpin(key, ref)
    fresh = []
    for i in range(num_slots):
        fresh.append(table.put(f"fresh-{i}", now))
        table.pin(f"fresh-{i}", "me", now)
    assert sorted(ref.slot for ref in fresh) == list(range(num_slots))
