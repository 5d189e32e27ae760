"""Connections over a wire that is none, on a clock that a test moves."""

import asyncio
import json

import pytest
from uvicorn import Config
from uvicorn.server import ServerState

from suresam.api.rest.connection import Connection, ConnectionLimits
from suresam.api.upload_times import UploadTimes

LIMITS = ConnectionLimits(
    max_connections=2,
    max_head_bytes=100,
    max_head_s=10,
    max_waiting=2,
    max_send_s=50,
    upload=UploadTimes(max_idle_s=5, max_total_s=20),
)
GET = b"GET / HTTP/1.1\r\nHost: x\r\n\r\n"
POST = b"POST / HTTP/1.1\r\nContent-Length: 9\r\n\r\n"


class Wire(asyncio.Transport):
    """Keeps what is written."""

    def __init__(self):
        super().__init__()
        self.written = b""
        self.is_closed = self.is_aborted = False

    def write(self, data):
        self.written += data

    def close(self):
        self.is_closed = True

    def abort(self):
        self.is_closed = self.is_aborted = True

    def is_closing(self):
        return self.is_closed

    def pause_reading(self):
        pass

    def resume_reading(self):
        pass


class Loop:
    """Calls later what is due when the clock is moved; tasks are kept, not run."""

    def __init__(self):
        self.now = 0.0
        self.due = []
        self.tasks = []

    def time(self):
        return self.now

    def call_later(self, delay, callback, *args):
        handle = asyncio.TimerHandle(self.now + delay, callback, args, self)
        self.due.append(handle)
        return handle

    def _timer_handle_cancelled(self, handle):
        if handle in self.due:  # not the one that runs
            self.due.remove(handle)

    def get_debug(self):
        return False

    def create_task(self, coroutine, **_):
        coroutine.close()
        task = asyncio.Future(loop=asyncio.get_running_loop())
        self.tasks.append(task)
        return task

    def move(self, seconds):
        self.now += seconds
        for handle in [handle for handle in self.due if handle.when() <= self.now]:
            self.due.remove(handle)
            handle._run()


class Made:
    def __init__(self, state=None):
        self.loop, self.wire = Loop(), Wire()

        async def app(scope, receive, send):
            raise AssertionError("no task runs here")

        config = Config(app, log_config=None, ws="none", lifespan="off")
        config.load()
        self.connection = Connection(
            LIMITS,
            config=config,
            server_state=state or ServerState(),
            app_state={},
            _loop=self.loop,
        )
        self.connection.connection_made(self.wire)

    def status(self):
        return int(self.wire.written[9:12]) if self.wire.written else None

    def error(self):
        return json.loads(self.wire.written.partition(b"\r\n\r\n")[2])["error"]

    async def answer(self, body=b"ok"):
        send = self.connection.cycle.send
        await send({"type": "http.response.start", "status": 200, "headers": []})
        await send({"type": "http.response.body", "body": body, "more_body": False})


@pytest.fixture
async def made():
    return Made()


async def test_one_that_never_says_a_word_is_closed_without_an_answer(made):
    made.loop.move(9.9)
    assert not made.wire.is_closed
    made.loop.move(0.2)
    assert made.wire.is_closed
    assert made.wire.written == b""


async def test_headers_that_trickle_are_refused_when_their_time_is_over(made):
    for at in range(10):
        assert not made.wire.is_closed
        made.connection.data_received(GET[at : at + 1])
        made.loop.move(1)
    assert made.status() == 408
    assert made.error()["code"] == "request_timeout"
    assert made.error()["message"].endswith("(limit 10 s)")


async def test_a_second_request_has_its_own_time(made):
    made.connection.data_received(GET)
    await made.answer()
    made.loop.move(4)  # keep-alive is 5 s
    made.connection.data_received(GET[:9])
    made.loop.move(9)
    assert not made.wire.is_closed
    made.loop.move(1)
    assert b"HTTP/1.1 408" in made.wire.written


async def test_a_body_that_stands_still_is_refused(made):
    made.connection.data_received(POST)
    made.loop.move(4)
    made.connection.data_received(b"abc")
    made.loop.move(4.9)
    assert not made.wire.is_closed
    made.loop.move(0.2)
    assert made.status() == 504
    assert made.error()["code"] == "deadline_exceeded"
    assert "stood still for 5 s" in made.error()["message"]
    assert made.connection.cycle.disconnected


async def test_a_body_that_trickles_is_refused_when_its_time_is_over(made):
    made.connection.data_received(POST)
    for _ in range(5):
        made.loop.move(4)
        made.connection.data_received(b"a")
    made.loop.move(0.1)
    assert made.status() == 504
    assert "(limit 20 s)" in made.error()["message"]


async def test_what_trickles_after_an_answer_is_cut_off_without_another(made):
    made.connection.data_received(POST)
    await made.answer()
    made.connection.data_received(b"a")
    made.loop.move(5)
    assert made.wire.is_closed
    assert made.wire.written.count(b"HTTP/1.1") == 1


async def test_while_an_answer_is_made_nothing_is_owed(made):
    made.connection.data_received(GET)
    made.loop.move(1000)
    assert not made.wire.is_closed
    assert made.loop.due == []


async def test_an_answer_that_nobody_reads_ends_the_connection(made):
    made.connection.data_received(GET)
    made.connection.pause_writing()
    made.loop.move(49)
    assert not made.wire.is_closed
    made.connection.resume_writing()
    made.connection.pause_writing()
    made.loop.move(49)
    assert not made.wire.is_closed
    made.loop.move(1)
    assert made.wire.is_aborted


async def test_one_that_is_closed_but_not_read_is_cut_off(made):
    made.connection.data_received(GET)
    await made.answer()
    made.loop.move(5)  # keep-alive
    assert made.wire.is_closed
    assert not made.wire.is_aborted
    made.loop.move(50)
    assert made.wire.is_aborted


async def test_one_that_is_lost_leaves_no_timer(made):
    made.connection.data_received(POST)
    made.connection.pause_writing()
    made.connection.connection_lost(None)
    assert made.loop.due == []


@pytest.mark.parametrize(("size", "is_taken"), [(100, True), (101, False)])
async def test_a_head_may_reach_its_limit_and_no_more(made, size, is_taken):
    made.connection.data_received(b"GET / HTTP/1.1\r\nX: ".ljust(size, b"a"))
    made.connection.data_received(b"\r\n\r\n")
    assert (made.status() is None) == is_taken
    if not is_taken:
        assert made.status() == 431
        assert made.error()["code"] == "request_header_fields_too_large"


async def test_more_than_may_wait_end_the_connection(made):
    made.connection.data_received(GET * 3)
    assert not made.wire.is_closed
    made.connection.data_received(GET)
    assert made.wire.is_closed
    assert made.wire.written == b"", "an answer to the last would be taken for that of the first"


async def test_a_connection_over_the_limit_is_cut_off_at_once():
    state = ServerState()
    first, second, third = (Made(state) for _ in range(3))
    assert [made.wire.is_aborted for made in (first, second, third)] == [False, False, True]
    first.connection.connection_lost(None)
    third.connection.connection_lost(None)
    assert not Made(state).wire.is_aborted
