"""Bad input over both transports: the same code and the same message, and the service lives on."""

import io
import math
import re
import struct
import zlib
from collections.abc import AsyncIterator
from dataclasses import replace

import numpy as np
import pytest
from PIL import Image

from suresam import errors
from suresam.domain import Box, OutputRequest, Point, Prompt, RouteRequest, UncertaintyRequest

CLICK = Prompt(points=(Point(10, 10),))


@pytest.fixture
async def client(serving, connect, transport) -> AsyncIterator[object]:
    limits = {"max_image_bytes": 200_000, "max_prompts": 8, "max_points": 4, "session_ttl_s": 60}
    async with serving(**limits) as running, connect(running, transport) as client:
        yield client
        answer = await client.segment(small_png(), CLICK)  # whatever was sent, it still answers
        assert len(answer.results[0].masks) == 3


def small_png(size: tuple[int, int] = (64, 48)) -> bytes:
    buffer = io.BytesIO()
    Image.new("RGB", size, (10, 80, 90)).save(buffer, "PNG")
    return buffer.getvalue()


def png_header(width: int, height: int) -> bytes:
    """A PNG that announces a size and has no pixels."""

    def chunk(kind: bytes, data: bytes) -> bytes:
        body = kind + data
        return struct.pack(">I", len(data)) + body + struct.pack(">I", zlib.crc32(body))

    header = struct.pack(">IIBBBBB", width, height, 8, 2, 0, 0, 0)
    return b"\x89PNG\r\n\x1a\n" + chunk(b"IHDR", header) + chunk(b"IDAT", b"") + chunk(b"IEND", b"")


def icon() -> bytes:
    buffer = io.BytesIO()
    Image.new("RGB", (16, 16)).save(buffer, "ICO")
    return buffer.getvalue()


IMAGES = {
    "not an image": (b"hello, I am text", errors.InvalidImage, r"16 bytes are not an image"),
    "empty": (b"", errors.InvalidImage, r"empty \(0 bytes\)"),
    "truncated": (small_png()[:-40], errors.InvalidImage, r"damaged"),
    "bomb": (png_header(40_000, 40_000), errors.ImageTooLarge, r"40000 x 40000 pixels .*20000"),
    "too many bytes": (
        bytes(200_001),
        errors.ImageTooLarge,
        r"200001 bytes \(limit 200000 bytes\)",
    ),
    "unsupported format": (icon(), errors.InvalidImage, r"accepted format \(JPEG, PNG"),
}


@pytest.mark.parametrize("kind", IMAGES)
async def test_bad_image_is_refused(client, kind):
    data, error, message = IMAGES[kind]
    with pytest.raises(error, match=message):
        await client.segment(data, CLICK)
    with pytest.raises(error, match=message):
        await client.create_session([data])


PROMPTS = {
    "outside to the right": (
        Prompt(points=(Point(640, 10),)),
        r"prompts\[0\]: point x=640 lies outside the image \(width 640 px\)",
    ),
    "outside below": (
        Prompt(points=(Point(1, 2), Point(3, 480))),
        r"point y=480 lies outside the image \(height 480 px\)",
    ),
    "negative": (Prompt(points=(Point(-0.5, 0),)), r"point x=-0.5 lies outside"),
    "NaN": (Prompt(points=(Point(math.nan, 1),)), r"point x=nan is not a finite number"),
    "infinite": (Prompt(points=(Point(1, math.inf),)), r"point y=inf is not a finite number"),
    "box swapped": (
        Prompt(box=Box(100, 50, 20, 80)),
        r"box \(100, 50, 20, 80\) px has no area; it needs x1 < x2 and y1 < y2",
    ),
    "box equal": (Prompt(box=Box(10, 10, 10, 80)), r"has no area"),
    "box outside": (Prompt(box=Box(10, 10, 641, 80)), r"box x2=641 lies outside .*width 640 px"),
    "box NaN": (Prompt(box=Box(10, math.nan, 41, 80)), r"box y1=nan is not a finite number"),
    "labels over points": (
        Prompt(points=(Point(1, 1),), labels=(1, 0)),
        r"2 labels for 1 points",
    ),
    "label 7": (
        Prompt(points=(Point(1, 1),), labels=(7,)),
        r"label 7 is not 0 \(background\) or 1 \(foreground\)",
    ),
    "nothing": (Prompt(), r"prompts\[0\] has neither points nor a box"),
    "many points": (Prompt(points=((1, 1),) * 5), r"5 points \(limit 4\)"),
    "mask not square": (
        Prompt(points=(Point(1, 1),), mask_input=np.zeros((16, 8), np.float32)),
        r"mask_input is 16 x 8; it must be square",
    ),
    "mask not finite": (
        Prompt(points=(Point(1, 1),), mask_input=np.full((16, 16), np.inf, np.float32)),
        r"mask_input holds values that are not finite",
    ),
}


@pytest.mark.parametrize("kind", PROMPTS)
async def test_bad_prompt_is_refused(client, kind, photo_640x480):
    prompt, message = PROMPTS[kind]
    with pytest.raises(errors.InvalidPrompt, match=message):
        await client.segment(photo_640x480, prompt)
    session = await client.create_session([photo_640x480])
    with pytest.raises(errors.InvalidPrompt, match=message):
        await client.segment_session(session.session_id, prompt)


async def test_one_bad_prompt_fails_the_whole_request(client, photo_640x480):
    bad = Prompt(points=(Point(640, 10),))
    with pytest.raises(errors.InvalidPrompt, match=r"prompts\[1\]: point x=640"):
        await client.segment(photo_640x480, [CLICK, bad])


async def test_prompts_of_one_request_that_share_an_id_are_refused(client, photo_640x480):
    a, b = (replace(CLICK, prompt_id=name) for name in "ab")
    message = r"prompts\[2\] has the same prompt_id 'a' as prompts\[0\]"
    with pytest.raises(errors.InvalidPrompt, match=message):
        await client.segment(photo_640x480, [a, b, a])
    session = await client.create_session([photo_640x480])
    with pytest.raises(errors.InvalidPrompt, match=message):
        await client.segment_session(session.session_id, [a, b, a])
    answer = await client.segment_session(session.session_id, [a, b, CLICK, CLICK])
    assert [result.prompt_id for result in answer.results] == ["a", "b", None, None]


async def test_no_prompt_and_too_many_are_refused(client, photo_640x480):
    with pytest.raises(errors.InvalidPrompt, match="prompts is empty"):
        await client.segment(photo_640x480, [])
    with pytest.raises(errors.InvalidPrompt, match=r"4096 prompts in one request \(limit 8\)"):
        await client.segment(photo_640x480, [CLICK] * 4096)


async def test_unknown_names_are_refused(client, photo_640x480):
    with pytest.raises(errors.UnknownModel, match=r"'huge' is not one of auto, small, large, fake"):
        await client.segment(photo_640x480, CLICK, route=RouteRequest(mode="huge"))
    methods = UncertaintyRequest(methods=("magic",))
    with pytest.raises(errors.UnknownMethod, match=r"'magic' is not one of usam, entropy"):
        await client.segment(photo_640x480, CLICK, uncertainty=methods)


@pytest.mark.parametrize(
    ("keywords", "message"),
    [
        ({"route": RouteRequest(min_gain=1.5)}, r"min_gain=1.5 lies outside \[0, 1\]"),
        ({"route": RouteRequest(min_gain=math.nan)}, r"min_gain=nan lies outside"),
        ({"route": RouteRequest(max_cost=-1.0)}, r"max_cost=-1.0 is not"),
        ({"deadline_ms": 300_001.0}, r"deadline_ms=300001 ms is over the limit of 300000 ms"),
        ({"output": OutputRequest(min_region_area=2**31)}, r"min_region_area=2147483648 pixels"),
    ],
)
async def test_options_out_of_range_are_refused(client, photo_640x480, keywords, message):
    with pytest.raises(errors.InvalidRequest, match=message):
        await client.segment(photo_640x480, CLICK, **keywords)


async def test_unknown_session_and_image_are_refused(client, photo_640x480):
    told = r"'nowhere' is unknown or expired \(a session lives 60 s"
    for ask in (client.get_session, client.delete_session):
        with pytest.raises(errors.SessionNotFound, match=told):
            await ask("nowhere")
    with pytest.raises(errors.SessionNotFound, match=told):
        await client.segment_session("nowhere", CLICK)
    session = await client.create_session([photo_640x480])
    with pytest.raises(errors.ImageNotFound, match="has no image 'other'"):
        await client.segment_session(session.session_id, CLICK, image_id="other")


async def test_a_session_id_is_checked_and_taken_once(client, photo_640x480):
    with pytest.raises(errors.InvalidRequest, match="'a b' must be 1 to 64 letters"):
        await client.create_session([photo_640x480], session_id="a b")
    await client.create_session([photo_640x480], session_id="mine")
    with pytest.raises(errors.SessionExists, match="'mine' exists already"):
        await client.create_session([photo_640x480], session_id="mine")
    with pytest.raises(errors.InvalidRequest, match=r"17 images in one session .*limit 16"):
        await client.create_session([photo_640x480] * 17)


async def test_expired_session_is_refused_like_an_unknown_one(
    serving, connect, transport, photo_640x480
):
    async with (
        serving(session_ttl_s=0.2) as running,
        connect(running, transport) as client,
    ):
        session = await client.create_session([photo_640x480])
        sessions = running.composition.engine._sessions
        sessions._clock = lambda clock=sessions._clock: clock() + 10  # the time passes
        with pytest.raises(errors.SessionNotFound, match="unknown or expired"):
            await client.segment_session(session.session_id, CLICK)


@pytest.mark.parametrize(
    ("make", "note"),
    [
        ("GIF", r"the GIF image has several frames; the first was used"),
        ("TIFF", r"the TIFF image has several frames; the first was used"),
    ],
)
async def test_first_frame_is_used_and_said_so(client, make, note):
    frames = [Image.new("RGB", (64, 48), (red, 0, 0)) for red in (10, 100, 200)]
    buffer = io.BytesIO()
    frames[0].save(buffer, make, save_all=True, append_images=frames[1:])
    answer = await client.segment(buffer.getvalue(), CLICK)
    assert [w for w in answer.warnings if re.fullmatch(note, w)]
    session = await client.create_session([buffer.getvalue()])
    assert [w for w in session.images[0].warnings if re.fullmatch(note, w)]
