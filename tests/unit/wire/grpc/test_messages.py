"""The messages of requests, answers, sessions and models, there and back."""

import math
from dataclasses import replace

import numpy as np
import pytest

from suresam.domain import (
    InteractHeader,
    OutputRequest,
    Prompt,
    Route,
    SegmentOptions,
    SegmentRequest,
)
from suresam.errors import InvalidPrompt, InvalidRequest
from suresam.pb import segmentation_pb2 as pb
from suresam.wire.grpc import (
    interact_header_from_proto,
    interact_header_to_proto,
    interact_response_from_proto,
    interact_response_to_proto,
    options_from_proto,
    options_to_proto,
    prompt_from_proto,
    prompt_to_proto,
    segment_request_from_proto,
    segment_request_to_proto,
    segment_response_from_proto,
    segment_response_to_proto,
    service_info_from_proto,
    service_info_to_proto,
    session_from_proto,
    session_to_proto,
)
from suresam.wire.rest import parse_segment_request


def over_the_wire(message):
    return type(message).FromString(message.SerializeToString())


def test_a_full_request_survives(full_request):
    message = over_the_wire(segment_request_to_proto(full_request))
    assert repr(segment_request_from_proto(message)) == repr(full_request)


def test_an_uploaded_image_travels_even_if_it_is_empty():
    for image in (b"", b"png"):
        message = over_the_wire(segment_request_to_proto(SegmentRequest((), image=image)))
        request = segment_request_from_proto(message)
        assert (request.image, request.session_id) == (image, None)


def test_an_empty_request_has_the_defaults_of_rest():
    request = segment_request_from_proto(pb.SegmentRequest(prompts=[pb.Prompt()]))
    assert repr(request) == repr(parse_segment_request('{"prompts": [{}]}'))
    assert request.options == SegmentOptions()


@pytest.mark.parametrize("masks", ["rle", "png", "polygon", "none"])
def test_every_mask_format_survives(masks):
    options = SegmentOptions(output=OutputRequest(masks=masks))
    assert options_from_proto(over_the_wire(options_to_proto(options))) == options


def test_an_unknown_mask_format_is_refused():
    message = over_the_wire(pb.SegmentOptions(output=pb.OutputRequest(masks=9)))
    with pytest.raises(InvalidRequest, match=r"output.masks=9 is not one of MASK_FORMAT_RLE, "):
        options_from_proto(message)


def test_nan_and_infinity_are_left_to_the_shared_validation():
    message = pb.Prompt(points=[pb.Point(x=math.nan, y=math.inf)])
    [point] = prompt_from_proto(over_the_wire(message)).points
    assert math.isnan(point.x)
    assert point.y == math.inf


def test_a_mask_input_of_another_length_is_refused_as_in_rest():
    array = pb.Float16Array(height=2, width=2, data=b"123")
    request = pb.SegmentRequest(prompts=[pb.Prompt(), pb.Prompt(mask_input=array)])
    with pytest.raises(InvalidPrompt) as caught:
        segment_request_from_proto(request)
    assert caught.value.message == (
        "prompts[1].mask_input has 3 bytes; shape [2, 2] of float16 takes 8 bytes"
    )


def test_numpy_s_numbers_are_written_as_numbers():
    prompt = Prompt(np.array([[1, 2]], np.float32), np.array([0]), np.array([1, 2, 3, 4]))
    read = prompt_from_proto(prompt_to_proto(prompt))
    assert (read.points, read.labels, read.box) == (((1, 2),), (0,), (1, 2, 3, 4))


@pytest.mark.parametrize(
    "prompt",
    [
        Prompt([("a", 1)]),
        Prompt([(1, 1)], ["1"]),
        Prompt([(1, 1)], [0.5]),
        Prompt([(1, 1)], [2**40]),
        Prompt([(1, 1)], prompt_id=5),
        Prompt([(1, 1)], mask_input=np.zeros(4, np.float32)),
    ],
)
def test_a_prompt_that_fits_no_message_is_refused_before_it_is_sent(prompt):
    with pytest.raises(InvalidPrompt):
        prompt_to_proto(prompt)


@pytest.mark.parametrize(
    "options",
    [
        SegmentOptions(output=OutputRequest(min_region_area=-1)),
        SegmentOptions(output=OutputRequest(masks="gif")),
        SegmentOptions(multimask="yes"),
    ],
)
def test_options_that_fit_no_message_are_refused_before_they_are_sent(options):
    with pytest.raises(InvalidRequest):
        options_to_proto(options)


def test_a_full_answer_survives(full_response):
    message = over_the_wire(segment_response_to_proto(full_response))
    assert repr(segment_response_from_proto(message)) == repr(full_response)


def test_a_cost_that_is_not_known_is_absent(full_response):
    route = Route("m", "small", False, "r", None, {"m": 1.0, "n": None})
    result = replace(full_response.results[0], route=route)
    message = segment_response_to_proto(replace(full_response, results=(result,)))
    [read] = segment_response_from_proto(over_the_wire(message)).results
    assert read.route.cost == {"m": 1.0}


def test_a_header_of_a_stream_survives(full_request):
    header = InteractHeader("s-1", "i-1", full_request.options, 250.0)
    assert interact_header_from_proto(over_the_wire(interact_header_to_proto(header))) == header
    least = InteractHeader("s-1")
    assert interact_header_from_proto(over_the_wire(interact_header_to_proto(least))) == least


def test_a_header_that_fits_no_message_is_refused_before_it_is_sent():
    with pytest.raises(InvalidRequest, match="the header does not fit its message"):
        interact_header_to_proto(InteractHeader(5))


def test_the_answers_of_a_stream_survive(answers):
    for answer in answers:
        message = over_the_wire(interact_response_to_proto(answer))
        assert repr(interact_response_from_proto(message)) == repr(answer)


@pytest.mark.parametrize("count", [0, 2])
def test_an_answer_without_exactly_one_result_is_a_value_error(count):
    response = pb.SegmentResponse(results=[pb.Result()] * count)
    message = pb.InteractResponse(index=7, response=response)
    with pytest.raises(ValueError, match=f"prompt 7 has {count} results, not 1"):
        interact_response_from_proto(message)


def test_a_session_survives(session):
    assert session_from_proto(over_the_wire(session_to_proto(session))) == session


def test_the_models_survive_and_whole_limits_stay_whole(service_info):
    info = service_info_from_proto(over_the_wire(service_info_to_proto(service_info)))
    assert info == service_info
    assert isinstance(info.limits["max_prompts"], int)
