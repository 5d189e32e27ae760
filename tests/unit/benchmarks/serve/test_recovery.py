from suresam.benchmarks.serve.exchange import Exchange
from suresam.benchmarks.serve.recovery import seconds_until_normal


def clicks(*by_half_second: str) -> list[Exchange]:
    """Three clicks a half second: g good (50 ms), s slow (900 ms), e an error."""
    made = []
    for place, letters in enumerate(by_half_second):
        for letter in letters:
            start = place * 0.5 + 0.1
            code = "overloaded" if letter == "e" else "ok"
            took = 0.9 if letter == "s" else 0.05
            made.append(Exchange("click", start, start, start + took, code))
    return made


def recovered(*by_half_second: str) -> float | None:
    return seconds_until_normal(clicks(*by_half_second), len(by_half_second) / 2, normal_ms=100)


def test_always_normal_is_no_time():
    assert recovered("ggg", "ggg") == 0.0
    assert recovered("ggs", "gge") == 0.0  # half of the clicks is what counts


def test_the_end_of_the_last_abnormal_half_second_counts():
    assert recovered("sss", "gss", "ggg", "ggg") == 1.0
    assert recovered("sss", "ggg", "eee", "ggg") == 1.5


def test_half_seconds_without_clicks_say_nothing():
    assert recovered("sss", "", "ggg", "") == 0.5
    assert recovered("", "") == 0.0


def test_never_normal_again_is_none():
    assert recovered("ggg", "sss") is None
    assert recovered("ggg", "eee", "") is None


def test_only_clicks_count():
    upload = Exchange("upload", 0.1, 0.1, 9.0, "ok")
    assert seconds_until_normal([upload, *clicks("ggg")], 0.5, 100) == 0.0
