import asyncio
from types import SimpleNamespace

import pytest

from suresam.benchmarks.serve.exchange import Reply
from suresam.benchmarks.serve.phase_log import PhaseLog
from suresam.benchmarks.serve.pictures import Picture
from suresam.benchmarks.serve.visitor import SLOW_UPLOAD_S, Visitor
from suresam.benchmarks.serve.visits import Visit


@pytest.mark.parametrize(
    ("kind", "answered_after_s", "answer_ms"),
    [
        ("staller", SLOW_UPLOAD_S + 0.004, 4.0),  # its sending is its own
        ("staller", 1.0, 0.0),  # nobody waited for the rest
        ("annotator", 0.004, 4.0),
    ],
)
async def test_an_answer_is_timed_from_the_last_byte(kind, answered_after_s, answer_ms):
    log = PhaseLog(0.0, 10.0, lambda: None)
    now = log.origin_s = asyncio.get_running_loop().time()
    log._now = lambda: now

    async def upload(picture, takes_s):
        return Reply("overloaded", now + answered_after_s)

    target = SimpleNamespace(rest=SimpleNamespace(upload=upload))
    pictures = SimpleNamespace(another=lambda: Picture(8, 6, b""))
    await Visitor(Visit(kind, 0.0, ()), target, pictures).act(log)
    [exchange] = log.exchanges
    assert exchange.answer_ms == pytest.approx(answer_ms)
