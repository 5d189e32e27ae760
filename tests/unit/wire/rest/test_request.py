"""The JSON of a request: defaults, round trip, and every message of a refusal."""

import base64
import contextlib
import json
import math

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from suresam.domain import Prompt, SegmentOptions, SegmentRequest
from suresam.errors import InvalidPrompt, InvalidRequest, RequestError
from suresam.wire.rest import SegmentRequestBody, parse_segment_request


def in_prompt(fields):
    return '{"prompts": [{"points": [[1, 2]]}, {' + fields + "}]}"


def beside_prompts(fields):
    return '{"prompts": [], ' + fields + "}"


def test_only_prompts_are_required_and_defaults_are_the_domain_s():
    request = parse_segment_request('{"prompts": [{"points": [[1, 2]]}]}', image=b"png")
    assert request.options == SegmentOptions()
    assert request.prompts[0].points == ((1.0, 2.0),)
    assert request.prompts[0].point_labels == (1,)
    assert (request.image, request.session_id, request.image_id) == (b"png", None, None)
    assert request.deadline_ms is None


def test_a_full_request_survives(full_request):
    body = SegmentRequestBody.from_domain(full_request).model_dump_json()
    assert repr(parse_segment_request(body, session_id="s-1")) == repr(full_request)


def test_the_contract_s_example_is_read():
    request = parse_segment_request(
        """{"prompts": [{"points": [[10, 20]], "labels": [1], "box": [1, 2, 3, 4],
                         "mask_input": null, "prompt_id": "a"}],
            "multimask": true,
            "route": {"mode": "auto", "min_gain": 0.02, "max_cost": null},
            "uncertainty": {"methods": ["usam", "entropy"], "maps": false},
            "output": {"masks": "rle", "low_res_logits": false, "min_region_area": 0},
            "deadline_ms": 10000}"""
    )
    assert request.options == SegmentOptions()
    assert request.prompts[0].box == (1, 2, 3, 4)


def test_null_points_and_labels_mean_none_of_them():
    text = '{"prompts": [{"points": null, "labels": null, "box": [0, 0, 1, 1]}]}'
    [prompt] = parse_segment_request(text).prompts
    assert prompt.points == ()
    assert prompt.labels is None


def test_an_empty_list_of_prompts_is_left_to_the_shared_validation():
    assert parse_segment_request('{"prompts": []}').prompts == ()


def test_nan_and_infinity_are_left_to_the_shared_validation():
    text = '{"prompts": [{"points": [[NaN, 1e999]], "box": [-Infinity, 0, 0, 0]}]}'
    [prompt] = parse_segment_request(text).prompts
    assert math.isnan(prompt.points[0].x)
    assert prompt.points[0].y == math.inf
    assert prompt.box.x1 == -math.inf


def test_a_client_s_nan_reaches_the_server_s_validation():
    request = SegmentRequest((Prompt([(math.nan, math.inf)]),))
    body = SegmentRequestBody.from_domain(request).model_dump_json()
    assert '"points":[[NaN,Infinity]]' in body


@pytest.mark.parametrize(
    ("text", "message"),
    [
        (in_prompt('"points": [["5", 1]]'), "prompts[1].points[0][0]='5' is not a number"),
        (in_prompt('"points": [[1, true]]'), "prompts[1].points[0][1]=true is not a number"),
        (in_prompt('"points": [[1, null]]'), "prompts[1].points[0][1]=null is not a number"),
        (
            in_prompt('"points": [["5", "6"]], "colour": 1'),
            "prompts[1].points[0][0]='5' is not a number (and 2 more)",
        ),
        (in_prompt('"points": [[1]]'), "prompts[1].points[0]=[1] does not have 2 values (x, y)"),
        (
            in_prompt('"points": [[1, 2, 3]]'),
            "prompts[1].points[0]=[1, 2, 3] does not have 2 values (x, y)",
        ),
        (in_prompt('"points": [1, 2]'), "prompts[1].points[0]=1 is not a list"),
        (in_prompt('"labels": [1.0]'), "prompts[1].labels[0]=1.0 is not a whole number"),
        (in_prompt('"labels": [true]'), "prompts[1].labels[0]=true is not a whole number"),
        (
            in_prompt('"box": [1, 2]'),
            "prompts[1].box=[1, 2] does not have 4 values (x1, y1, x2, y2)",
        ),
        (in_prompt('"box": {"x1": 1}'), "prompts[1].box={'x1': 1} is not a list"),
        (in_prompt('"prompt_id": 5'), "prompts[1].prompt_id=5 is not a string"),
        (in_prompt('"colour": "red"'), "unknown field 'colour' in prompts[1]"),
        ('{"prompts": [5]}', "prompts[0]=5 is not an object"),
        (
            in_prompt('"mask_input": {"shape": [2], "data": ""}'),
            "prompts[1].mask_input.shape=[2] does not have 2 values (h, w)",
        ),
        (
            in_prompt('"mask_input": {"shape": [2, 2]}'),
            "prompts[1].mask_input.data is missing",
        ),
        (
            in_prompt('"mask_input": {"shape": [2, 2], "data": "AAAA"}'),
            "prompts[1].mask_input has 3 bytes; shape [2, 2] of float16 takes 8 bytes",
        ),
        (
            in_prompt('"mask_input": {"shape": [2, 2], "data": "AA AA"}'),
            "prompts[1].mask_input has data that is not base64 (standard alphabet, with padding)",
        ),
        (
            in_prompt('"mask_input": {"shape": [0, 2], "data": ""}'),
            "prompts[1].mask_input has shape [0, 2]; sides must be at least 1 "
            "and h*w at most 1048576 values",
        ),
    ],
)
def test_a_malformed_prompt_is_an_invalid_prompt(text, message):
    with pytest.raises(InvalidPrompt) as caught:
        parse_segment_request(text)
    assert caught.value.message == message


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("{}", "prompts is missing"),
        ('{"prompt": []}', "prompts is missing (and 1 more)"),
        ('{"prompts": 1}', "prompts=1 is not a list"),
        ("[]", "request=[] is not an object"),
        (beside_prompts('"colour": 1'), "unknown field 'colour' in request"),
        (beside_prompts('"multimask": 1'), "multimask=1 is not true or false"),
        (beside_prompts('"deadline_ms": "5"'), "deadline_ms='5' is not a number"),
        (beside_prompts('"route": null'), "route=null is not an object"),
        (beside_prompts('"route": {"mode": 1}'), "route.mode=1 is not a string"),
        (beside_prompts('"route": {"speed": 1}'), "unknown field 'speed' in route"),
        (
            beside_prompts('"uncertainty": {"methods": ["usam", 2]}'),
            "uncertainty.methods[1]=2 is not a string",
        ),
        (
            beside_prompts('"output": {"masks": "gif"}'),
            "output.masks='gif' is not 'rle', 'png', 'polygon' or 'none'",
        ),
        (
            beside_prompts('"output": {"min_region_area": 1.5}'),
            "output.min_region_area=1.5 is not a whole number",
        ),
        (
            "{",
            "the request is not valid JSON: EOF while parsing an object at line 1 column 1",
        ),
        (b"\xff", "the request is not valid JSON: expected value at line 1 column 1"),
    ],
)
def test_a_malformed_request_is_an_invalid_request(text, message):
    with pytest.raises(InvalidRequest) as caught:
        parse_segment_request(text)
    assert caught.value.message == message


@pytest.mark.parametrize(
    "text",
    [
        beside_prompts(f'"{"x" * 5000}": 1'),
        in_prompt(f'"prompt_id": ["{"x" * 5000}"]'),
        in_prompt(f'"prompt_id": {"9" * 4000}'),
        in_prompt('"points": ' + "[" * 50 + "]" * 50),
        beside_prompts(f'"output": {{"masks": "{"x" * 5000}"}}'),
    ],
)
def test_long_values_are_cut_to_80_characters(text):
    with pytest.raises(RequestError) as caught:
        parse_segment_request(text)
    assert len(caught.value.message) < 80 + 60


def test_a_megabyte_of_mistakes_is_read_up_to_the_first():
    points = ",".join(['["1","2"]'] * 100_000)
    with pytest.raises(InvalidPrompt, match=r"\[0\]\[0\]='1' is not a number \(and 1 more\)"):
        parse_segment_request('{"prompts": [{"points": [' + points + "]}]}")


@settings(deadline=None)
@given(
    st.recursive(
        st.none() | st.booleans() | st.floats() | st.integers() | st.text(max_size=5),
        lambda inner: (
            st.lists(inner, max_size=3)
            | st.dictionaries(st.sampled_from(["points", "labels", "box", "mask_input"]), inner)
        ),
    )
)
def test_any_json_in_place_of_a_prompt_is_read_or_refused(value):
    with contextlib.suppress(RequestError):
        parse_segment_request(json.dumps({"prompts": [value]}))


def test_numpy_s_numbers_are_written_as_numbers():
    points, labels = np.array([[1, 2]], np.float32), np.array([0])
    request = SegmentRequest((Prompt(points, labels, np.array([1, 2, 3, 4])),))
    [prompt] = parse_segment_request(
        SegmentRequestBody.from_domain(request).model_dump_json()
    ).prompts
    assert (prompt.points, prompt.labels, prompt.box) == (((1, 2),), (0,), (1, 2, 3, 4))


@pytest.mark.parametrize(
    "prompt",
    [
        Prompt([("a", 1)]),
        Prompt([(1, 1)], ["1"]),
        Prompt([(1, 1)], [0.5]),
        Prompt([(1, 1)], prompt_id=5),
        Prompt([(1, 1)], mask_input=np.zeros(4, np.float32)),
    ],
)
def test_a_prompt_that_fits_no_json_is_refused_before_it_is_sent(prompt):
    with pytest.raises(InvalidPrompt):
        SegmentRequestBody.from_domain(SegmentRequest((prompt,)))


def test_options_that_fit_no_json_are_refused_before_they_are_sent():
    request = SegmentRequest((), SegmentOptions(multimask="yes"))
    with pytest.raises(InvalidRequest, match="multimask='yes' is not true or false"):
        SegmentRequestBody.from_domain(request)


def test_mask_input_is_little_endian_float16_in_base64():
    data = base64.b64encode(np.array([1.0, -2.0], "<f2").tobytes()).decode()
    text = in_prompt(f'"mask_input": {{"shape": [1, 2], "data": "{data}"}}')
    mask_input = parse_segment_request(text).prompts[1].mask_input
    assert mask_input.dtype == np.float32
    assert mask_input.tolist() == [[1.0, -2.0]]


@pytest.mark.parametrize(
    ("text", "kind", "message"),
    [
        (
            '{"prompts": [' + "{}," * 4096 + "{}]}",
            InvalidPrompt,
            "4097 prompts in one request (limit 4096)",
        ),
        (
            "{" + "".join(f'"a{i}": 1,' for i in range(1001)) + '"prompts": []}',
            InvalidRequest,
            "the request has 1001 mistakes",
        ),
        (
            b'{"prompts": [{"labels": [' + b"1," * 200_000 + b"1]}]}",
            InvalidRequest,
            "the request has 200001 values (limit 200000 values)",
        ),
    ],
)
def test_what_would_take_long_to_read_is_refused_unread(text, kind, message):
    with pytest.raises(RequestError) as caught:
        parse_segment_request(text)
    assert type(caught.value) is kind
    assert caught.value.message == message


def test_as_many_values_as_may_be_are_read():
    text = '{"prompts": [{"labels": [' + "1," * 199_999 + "1]}]}"
    assert len(parse_segment_request(text).prompts[0].labels) == 200_000
