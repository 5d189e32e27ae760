"""Prompts that make no sense, by Hypothesis over both transports."""

import base64
import json
import math
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any

import grpc
import httpx
import pytest
from attack.attacked_service import PATIENCE_S, PHOTO, AttackedService
from attack.conftest import Rounds
from attack.examples import try_examples
from attack.tally import Tally
from hypothesis import strategies as st

from suresam.pb import segmentation_pb2 as pb
from suresam.pb.segmentation_pb2_grpc import SegmentationStub

CODES = {
    400: {"invalid_request", "invalid_prompt", "invalid_image"},
    404: {"unknown_model", "unknown_method", "image_not_found"},
    409: {"superseded"},
    429: {"overloaded"},
    504: {"deadline_exceeded"},
}
"""What a request on a session that exists may be told."""

GRPC_CODES = {
    grpc.StatusCode.INVALID_ARGUMENT: CODES[400],
    grpc.StatusCode.NOT_FOUND: CODES[404],
    grpc.StatusCode.ABORTED: CODES[409],
    grpc.StatusCode.RESOURCE_EXHAUSTED: CODES[429],
    grpc.StatusCode.DEADLINE_EXCEEDED: CODES[504],
}

WIDTH, HEIGHT = 600, 400

odd_floats = st.sampled_from(
    (math.nan, math.inf, -math.inf, -0.0, 5e-324, 1e308, -1e308, -1.0, 600.0, 599.999999, 1e16)
)
floats = st.one_of(st.floats(), odd_floats, st.floats(0, HEIGHT - 1), st.integers(-(2**70), 2**70))
inside = st.tuples(st.floats(0, WIDTH - 1), st.floats(0, HEIGHT - 1)).map(list)
anything = st.recursive(
    st.none() | st.booleans() | floats | st.text(max_size=5),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=3), inner),
    max_leaves=5,
)


def field(right: st.SearchStrategy[Any], *odd: st.SearchStrategy[Any]) -> st.SearchStrategy[Any]:
    """Mostly of the right type."""
    return st.one_of(right, right, *odd, anything)


sides = st.integers(-2, 300) | st.sampled_from((256, 1024, 1025, 2**31, 2**63, -(2**63)))
base64_text = st.binary(max_size=64).map(lambda data: base64.b64encode(data).decode())
full_mask = st.sampled_from((b"\0\0", b"\0\x7c", b"\0\xfe", b"\xff\x7b")).map(
    lambda value: {"shape": [64, 64], "data": base64.b64encode(value * 64 * 64).decode()}
)
masks = field(
    st.fixed_dictionaries(
        {"shape": field(st.lists(sides, min_size=1, max_size=3)), "data": field(base64_text)}
    ),
    full_mask,
)
points = field(st.lists(inside, max_size=4), st.lists(st.lists(floats, max_size=3), max_size=80))
prompts = st.fixed_dictionaries(
    {},
    optional={
        "points": points,
        "labels": field(st.lists(st.integers(0, 1), max_size=4), st.lists(st.integers(-9, 2**40))),
        "box": field(
            st.just([10, 10, 300, 200]), st.lists(floats, min_size=4, max_size=4), st.lists(floats)
        ),
        "mask_input": masks,
        "prompt_id": field(st.text(max_size=5), st.just("\ud800")),
    },
)
requests = st.fixed_dictionaries(
    {"prompts": field(st.lists(prompts, max_size=4), st.just([]), st.just([{"points": [[1, 1]]}]))},
    optional={
        "multimask": field(st.booleans()),
        "route": field(
            st.fixed_dictionaries(
                {},
                optional={
                    "mode": field(st.sampled_from(("auto", "small", "large", "demo-large"))),
                    "min_gain": field(floats),
                    "max_cost": field(floats),
                    "progressive": field(st.booleans()),
                },
            )
        ),
        "uncertainty": field(
            st.fixed_dictionaries(
                {},
                optional={
                    "methods": field(st.lists(st.sampled_from(("usam", "entropy", "other")))),
                    "maps": field(st.booleans()),
                },
            )
        ),
        "output": field(
            st.fixed_dictionaries(
                {},
                optional={
                    "masks": field(st.sampled_from(("rle", "png", "polygon", "none", "bmp"))),
                    "low_res_logits": field(st.booleans()),
                    "min_region_area": field(st.integers(-1, 2**33)),
                },
            )
        ),
        "deadline_ms": field(st.sampled_from((0, -1, 1, 1e-300, 60_000, 1e300))),
        "image_id": field(st.text(max_size=4)),
        "else": anything,
    },
)

doubles = st.one_of(st.floats(), odd_floats, st.floats(0, HEIGHT - 1))
pb_prompts = st.builds(
    pb.Prompt,
    points=st.lists(st.builds(pb.Point, x=doubles, y=doubles), max_size=70),
    labels=st.lists(st.sampled_from((0, 1, 1, 1, -1, 2, 2**31 - 1, -(2**31))), max_size=5),
    box=st.none() | st.builds(pb.Box, x1=doubles, y1=doubles, x2=doubles, y2=doubles),
    mask_input=st.none()
    | st.builds(
        pb.Float16Array,
        height=st.sampled_from((0, 1, 64, 65, 1024, 2**32 - 1)),
        width=st.sampled_from((0, 1, 64, 2**31)),
        data=st.binary(max_size=8) | st.sampled_from((bytes(2 * 64 * 64), b"\xff" * 2 * 64 * 64)),
    ),
    prompt_id=st.none() | st.text(st.characters(exclude_categories=("Cs",)), max_size=5),
)
right_prompts = st.builds(
    pb.Prompt,
    points=st.lists(inside.map(lambda at: pb.Point(x=at[0], y=at[1])), min_size=1, max_size=3),
)
pb_requests = st.builds(
    pb.SegmentRequest,
    prompts=st.lists(pb_prompts | right_prompts, max_size=4),
    image_id=st.none() | st.none() | st.text(st.characters(exclude_categories=("Cs",)), max_size=5),
    options=st.none()
    | st.builds(
        pb.SegmentOptions,
        multimask=st.none() | st.booleans(),
        route=st.none()
        | st.builds(
            pb.RouteRequest,
            mode=st.none() | st.sampled_from(("auto", "small", "large", "other", "")),
            min_gain=st.none() | doubles,
            max_cost=st.none() | doubles,
            progressive=st.booleans(),
        ),
        uncertainty=st.none()
        | st.builds(
            pb.UncertaintyRequest,
            methods=st.lists(st.sampled_from(("usam", "entropy", "other"))),
            maps=st.booleans(),
        ),
        output=st.none()
        | st.builds(
            pb.OutputRequest,
            masks=st.integers(0, 9),
            low_res_logits=st.booleans(),
            min_region_area=st.sampled_from((0, 1, 10**6, 2**31, 2**32 - 1)),
        ),
    ),
    deadline_ms=st.none() | doubles | st.just(60_000.0),
)


@pytest.fixture
def session(service: AttackedService) -> Iterator[str]:
    """One with the photograph."""
    with rest(service) as http:
        made = http.post("/v1/sessions", files={"image": PHOTO})
        assert made.status_code == 201, made.text
        session_id = made.json()["session_id"]
        yield session_id
        assert http.delete(f"/v1/sessions/{session_id}").status_code == 204


def test_prompts_over_rest(service: AttackedService, tally: Tally, rounds: Rounds, session: str):
    with rest(service) as http:

        def ask(request: dict[str, Any]) -> None:
            text = json.dumps(request)
            answer = http.post(f"/v1/sessions/{session}/segment", content=text)
            tally.answered(answer.status_code, text)
            body = answer.json()
            if answer.status_code != 200:
                assert body["error"]["code"] in CODES[answer.status_code], body
                assert len(body["error"]["message"]) < 2000, "a message repeats no whole request"
            else:
                assert_no_failed_result(body["results"], len(request["prompts"]))

        examine(ask, requests, rounds)
    assert tally.answers["2xx"], "nothing made sense: the attack does not reach the models"


def test_prompts_beside_an_upload(service: AttackedService, tally: Tally, rounds: Rounds):
    with rest(service) as http:

        def ask(text: str) -> None:
            answer = http.post("/v1/segment", files={"image": PHOTO}, data={"request": text})
            tally.answered(answer.status_code, text)
            if answer.status_code != 200:
                assert answer.json()["error"]["code"] in CODES[answer.status_code]

        texts = requests.map(json.dumps) | st.text(max_size=20)
        examine(ask, texts, rounds, count=15)


def test_prompts_over_grpc(service: AttackedService, tally: Tally, rounds: Rounds, session: str):
    metadata = (("authorization", f"Bearer {service.key}"),)
    with grpc.insecure_channel(service.address) as channel:
        stub = SegmentationStub(channel)

        def ask(request: pb.SegmentRequest) -> None:
            request.session_id = session
            answer = told(lambda: stub.Segment(request, metadata=metadata, timeout=PATIENCE_S))
            if isinstance(answer, grpc.RpcError):
                trailing = dict(answer.trailing_metadata())
                assert trailing["suresam-error-code"] in GRPC_CODES[answer.code()]
            else:
                assert len(answer.results) == len(request.prompts)
                assert not [result for result in answer.results if result.HasField("error")]

        def interact(request: pb.SegmentRequest) -> None:
            header = pb.InteractHeader(session_id=session, options=request.options)
            messages = [pb.InteractRequest(header=header)]
            messages += [pb.InteractRequest(prompt=prompt) for prompt in request.prompts]
            stream = iter(messages)
            answers = told(
                lambda: list(stub.Interact(stream, metadata=metadata, timeout=PATIENCE_S))
            )
            if isinstance(answers, grpc.RpcError):
                assert answers.code() in GRPC_CODES
            else:
                codes = {answer.response.results[0].error.code for answer in answers}
                assert codes <= {"", *CODES[400], *CODES[404], *CODES[409]}

        def told(call: Callable[[], Any]) -> Any:
            try:
                answer = call()
            except grpc.RpcError as error:
                tally.answered(error.code(), error.details())
                return error
            tally.answered(grpc.StatusCode.OK)
            return answer

        examine(ask, pb_requests, rounds)
        examine(interact, pb_requests, rounds, count=10)
    assert tally.answers["2xx"]


def assert_no_failed_result(results: list[dict[str, Any]], count: int) -> None:
    assert len(results) == count
    assert not [result["error"] for result in results if result.get("error")]


def examine(
    check: Callable[[Any], None], inputs: st.SearchStrategy[Any], rounds: Rounds, count: int = 30
) -> None:
    """Try so many inputs a round; one that fails is made small by Hypothesis."""
    for random in rounds(1):
        try_examples(check, inputs, random, count)


@contextmanager
def rest(service: AttackedService) -> Iterator[httpx.Client]:
    """A client with a key."""
    with httpx.Client(base_url=service.url, headers=service.headers, timeout=PATIENCE_S) as client:
        yield client
