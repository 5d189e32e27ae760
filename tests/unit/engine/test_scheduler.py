from scheduling import NOW, decode, drain, encode, idle, scheduler_with


def test_nobody_waiting_gives_an_empty_launch():
    scheduler = scheduler_with()
    assert scheduler.take(NOW) == []
    assert scheduler.take_all() == []
    assert scheduler.waiting() == {}


def test_one_job_is_taken_once():
    job = decode()
    scheduler = scheduler_with(job)
    assert scheduler.waiting() == {("decode", "a"): 1}
    assert drain(scheduler) == [[job]]
    assert scheduler.waiting() == {}


def test_a_full_batch_is_taken_at_once_and_one_more_waits():
    jobs = [decode() for _ in range(4)]
    assert drain(scheduler_with(*jobs, max_decode=3)) == [jobs[:3], jobs[3:]]


def test_a_batch_has_one_model_and_one_prompt_length():
    jobs = [decode(), decode(model="b"), decode(length=2), decode()]
    assert drain(scheduler_with(*jobs)) == [[jobs[0], jobs[3]], [jobs[1]], [jobs[2]]]


def test_clicks_go_before_uploads():
    upload, click = encode(), decode()
    assert drain(scheduler_with(upload, click)) == [[click], [upload]]


def test_uploads_in_one_launch_are_bounded_by_number_and_by_time():
    jobs = [encode() for _ in range(6)]
    assert list(map(len, drain(scheduler_with(*jobs, max_encode=4)))) == [4, 2]
    # 4 + 3 rows take 7 ms, one more would be over the limit.
    assert list(map(len, drain(scheduler_with(*jobs, max_encode_ms=7.5)))) == [3, 3]
    # One image is launched however long it takes.
    assert list(map(len, drain(scheduler_with(*jobs[:2], max_encode_ms=0.1)))) == [1, 1]


def test_an_upload_is_owed_its_share_of_what_clicks_take():
    """Clicks take 5 ms a launch: at a share of a quarter an upload of 5 ms waits for three."""
    jobs = [encode(), encode(), *[decode() for _ in range(9)]]
    scheduler = scheduler_with(*jobs, max_decode=1, max_encode=1, encode_share=0.25)
    stages = "".join(batch[0].stage[0] for batch in drain(scheduler))
    assert stages == "dddedddeddd"


def test_clicks_before_an_upload_came_do_not_count_against_them():
    scheduler = scheduler_with(*[decode() for _ in range(9)], max_decode=1, encode_share=0.25)
    for _ in range(5):
        scheduler.take(NOW)
    scheduler.add(encode())
    assert "".join(batch[0].stage[0] for batch in drain(scheduler)) == "ddded"


def test_who_can_no_longer_be_in_time_lets_the_others_pass():
    hopeless, upload, click = decode(deadline=NOW + 0.004), encode(), decode()
    scheduler = scheduler_with(hopeless, upload, click, max_decode=1)
    assert drain(scheduler) == [[click], [upload], [hopeless]]


def test_when_all_are_late_the_device_is_not_left_idle():
    jobs = [decode(deadline=NOW) for _ in range(3)]
    scheduler = scheduler_with(*jobs, encode(deadline=NOW))
    assert list(map(len, drain(scheduler))) == [3, 1]


def test_a_mate_that_would_make_another_late_waits():
    """Two rows take 6 ms, three 7 ms."""
    urgent = [decode(deadline=NOW + 0.0065) for _ in range(2)]
    patient = decode(deadline=NOW + 1)
    scheduler = scheduler_with(*urgent, patient)
    assert drain(scheduler) == [urgent, [patient]]


def test_a_removed_job_is_gone_wherever_it_waits():
    kept, gone, late = decode(), decode(), decode(deadline=NOW)
    scheduler = scheduler_with(late, kept, gone, max_decode=1)
    scheduler.remove(gone)
    assert scheduler.take(NOW) == [kept]
    assert scheduler.waiting() == {("decode", "a"): 1}
    assert scheduler.remove(late)
    assert not scheduler.remove(late)
    assert scheduler.waiting() == {}
    assert scheduler.take(NOW) == []


def test_a_job_that_more_and_more_callers_wait_for_keeps_its_place():
    joined, other = encode(deadline=NOW + 1), encode(deadline=NOW + 2)
    scheduler = scheduler_with(joined, other, max_encode=1)
    scheduler.postpone(joined, NOW + 10)
    assert scheduler.take(NOW) == [joined]


def test_a_late_job_that_somebody_joins_is_late_no_more():
    late, others = encode(deadline=NOW), [encode() for _ in range(2)]
    scheduler = scheduler_with(late, *others, max_encode=1)
    assert scheduler.take(NOW) == others[:1]
    scheduler.postpone(late, NOW + 10)
    scheduler.add(encode())
    assert scheduler.take(NOW) == others[1:]
    assert scheduler.take(NOW) == [late]  # who came after it would pass it if it were late
    scheduler.postpone(late, NOW + 20)  # it is on the device
    assert scheduler.waiting() == {("encode", "a"): 1}


def test_take_all_empties_everything():
    late, click, upload = decode(deadline=NOW), decode(), encode()
    scheduler = scheduler_with(late, upload, click, max_decode=1)
    assert scheduler.take(NOW) == [click]
    assert set(scheduler.take_all()) == {late, upload}
    assert scheduler.waiting() == {}
    assert scheduler.take(NOW) == []


def test_work_is_priced_in_as_few_launches_as_possible():
    scheduler = scheduler_with(max_decode=4)
    assert scheduler.work_ms({}) == 0
    assert scheduler.work_ms({("decode", "a"): 9}) == 2 * (4 + 4) + (4 + 1)
    assert scheduler.work_ms({("decode", "a"): 1, ("encode", "a"): 1}) == 5 + 5


def test_the_background_has_its_turn_alone_when_nobody_waits():
    late, first, second = decode(deadline=NOW), idle(), idle()
    scheduler = scheduler_with(first, second, encode(), late)
    assert scheduler.waiting() == {("encode", "a"): 1, ("decode", "a"): 1}
    *others, one, other = drain(scheduler)
    assert [job.is_background for batch in others for job in batch] == [False, False]
    assert (one, other) == ([first], [second])


def test_a_background_job_that_somebody_waits_for_is_one_like_the_others():
    joined, other, click = idle(), encode(deadline=NOW + 1), decode()
    scheduler = scheduler_with(joined, other, click, max_encode=1)
    scheduler.promote(joined, NOW + 0.5)
    assert (joined.is_background, joined.deadline) == (False, NOW + 0.5)
    assert scheduler.waiting() == {("encode", "a"): 2, ("decode", "a"): 1}
    assert drain(scheduler) == [[click], [joined], [other]]
    scheduler.promote(joined, NOW + 9)  # it is on the device
    assert drain(scheduler) == []
    assert joined.deadline == NOW + 0.5


def test_the_background_is_given_up_when_too_much_waits():
    """Two launches of 16 clicks take 40 ms."""
    waiting = idle()
    scheduler = scheduler_with(waiting, *[decode() for _ in range(31)], idle_below_ms=39.5)
    assert scheduler.given_up() == []
    scheduler.add(decode())
    assert scheduler.given_up() == [waiting]
    assert scheduler.given_up() == []
    late_comer = idle()
    scheduler.add(late_comer)
    assert scheduler.given_up() == [late_comer]
    assert sum(map(len, drain(scheduler))) == 32


def test_a_background_job_is_removed_and_taken_like_any():
    gone, left = idle(), idle()
    scheduler = scheduler_with(gone, left)
    assert scheduler.remove(gone)
    assert not scheduler.remove(gone)
    assert scheduler.take_all() == [left]
    assert scheduler.take(NOW) == []
