"""The JSON of answers, sessions, models and errors against the contract, and back."""

import json
import math
from dataclasses import replace

import numpy as np
import pytest
from pydantic import ValidationError

from suresam import errors
from suresam.domain import Rle
from suresam.wire.rest import (
    ErrorBody,
    ModelsBody,
    SegmentResponseBody,
    SessionBody,
    SessionImageBody,
    json_bytes,
)


def test_a_full_answer_survives(full_response):
    body = SegmentResponseBody.from_domain(full_response).model_dump_json()
    assert repr(SegmentResponseBody.model_validate_json(body).to_domain()) == repr(full_response)


def test_the_length_of_an_answer_is_known_before_it_is_written(full_response):
    result = full_response.results[0]
    mask = replace(
        result.masks[0],
        rle=Rle((3, 4), "0" * 5000),
        low_res_logits=np.zeros((50, 50), np.float16),
        uncertainty=replace(result.masks[0].uncertainty, maps=None),
    )
    response = replace(full_response, results=(replace(result, masks=(mask, mask)),))
    written = len(SegmentResponseBody.from_domain(response).model_dump_json())
    assert json_bytes(response) == pytest.approx(written, rel=0.1)
    assert json_bytes(replace(response, results=())) == 0


def test_maps_and_polygons_make_an_answer_long(full_response):
    [*_, mask] = full_response.results[0].masks
    for long in (
        replace(mask, polygons=()),
        replace(mask, uncertainty=replace(mask.uncertainty, maps={})),
    ):
        result = replace(full_response.results[0], masks=(long,))
        assert json_bytes(replace(full_response, results=(result,))) == math.inf


def test_an_answer_has_the_contract_s_fields(full_response):
    body = json.loads(SegmentResponseBody.from_domain(full_response).model_dump_json())
    assert set(body) == {"image", "session_id", "results", "warnings", "timings_ms"}
    assert body["image"] == {"width": 4, "height": 3}
    result = body["results"][0]
    fields = {"prompt_id", "masks", "best", "advice", "route", "error", "provisional"}
    assert set(result) == fields
    mask = result["masks"][0]
    assert mask["rle"] == {"size": [3, 4], "counts": "06o0"}
    assert (mask["png"], mask["polygons"]) == (None, None)
    assert mask["low_res_logits"]["shape"] == [2, 2]
    assert mask["bbox"] == [0, 0, 2, 3]
    assert mask["uncertainty"]["expected_iou_interval"] == [0.5, 1.0]
    assert mask["uncertainty"]["source"] == {"method": "usam", "calibration": "demo-2026a"}
    assert mask["uncertainty"]["maps"]["entropy"]["shape"] == [1, 2]
    assert result["advice"] == {
        "action": "add_point",
        "point": [1.0, 2.0],
        "label": 0,
        "reason": "edge",
    }
    assert result["masks"][1]["png"] == "iVBORwA="
    assert result["masks"][2]["polygons"][0] == [[[0, 0], [2, 0], [2, 3], [0, 3]]]


def test_what_was_not_computed_is_null(full_response):
    body = json.loads(SegmentResponseBody.from_domain(full_response).model_dump_json())
    uncertainty = body["results"][0]["masks"][1]["uncertainty"]
    assert set(uncertainty.values()) == {None}
    assert "source" in uncertainty


def test_a_failed_result_has_an_error_instead_of_masks(full_response):
    body = json.loads(SegmentResponseBody.from_domain(full_response).model_dump_json())
    told = {"code": "out_of_memory", "message": "again", "retry_after_ms": None}
    assert body["results"][2]["error"] == told
    assert body["results"][2]["masks"] == []
    assert body["results"][2]["advice"] is None


def test_a_client_passes_over_fields_of_a_newer_server(full_response):
    body = json.loads(SegmentResponseBody.from_domain(full_response).model_dump_json())
    body["later"] = body["results"][0]["later"] = 1
    assert SegmentResponseBody.model_validate_json(json.dumps(body)).to_domain().session_id == "s-1"


def test_an_answer_of_an_older_server_says_no_time_to_come_back(full_response):
    body = json.loads(SegmentResponseBody.from_domain(full_response).model_dump_json())
    del body["results"][2]["error"]["retry_after_ms"]
    read = SegmentResponseBody.model_validate_json(json.dumps(body)).to_domain()
    assert read.results[2].error.retry_after_ms is None


def test_an_answer_of_other_types_is_refused(full_response):
    body = json.loads(SegmentResponseBody.from_domain(full_response).model_dump_json())
    body["image"]["width"] = "4"
    with pytest.raises(ValidationError):
        SegmentResponseBody.model_validate_json(json.dumps(body))


@pytest.mark.parametrize("png", ["*", "AA\n=="])
def test_damaged_base64_in_an_answer_is_a_value_error(full_response, png):
    body = json.loads(SegmentResponseBody.from_domain(full_response).model_dump_json())
    body["results"][0]["masks"][1]["png"] = png
    with pytest.raises(ValueError, match=r"base64|padding|[Nn]on-base64"):
        SegmentResponseBody.model_validate_json(json.dumps(body)).to_domain()


def test_a_session_s_expiry_is_iso_8601_in_utc(session):
    body = json.loads(SessionBody.from_domain(session).model_dump_json())
    assert body["expires_at"] == "2026-11-21T08:40:00.125Z"
    assert body["images"][1] == {"image_id": "i-2", "width": 1, "height": 1, "warnings": []}
    assert SessionBody.model_validate_json(json.dumps(body)).to_domain() == session


def test_a_session_image_survives(session):
    for image in session.images:
        body = SessionImageBody.from_domain(image).model_dump_json()
        assert SessionImageBody.model_validate_json(body).to_domain() == image


def test_the_models_survive_and_whole_limits_stay_whole(service_info):
    body = ModelsBody.from_domain(service_info).model_dump_json()
    assert json.loads(body)["limits"] == {"max_prompts": 256, "ratio": 0.5}
    assert '"max_prompts":256,' in body
    assert ModelsBody.model_validate_json(body).to_domain() == service_info


def test_an_error_carries_code_message_and_request_id():
    error = errors.InvalidPrompt("point x=700 lies outside the image (width 640 px)")
    body = ErrorBody.from_domain(error, "r-1")
    assert json.loads(body.model_dump_json()) == {
        "error": {"code": "invalid_prompt", "message": error.message, "request_id": "r-1"}
    }
    again = body.to_domain()
    assert type(again) is errors.InvalidPrompt
    assert again.message == error.message


def test_retry_after_reaches_the_error():
    error = ErrorBody.from_domain(errors.Overloaded("full"), None).to_domain(retry_after_s=2.5)
    assert type(error) is errors.Overloaded
    assert error.retry_after_s == 2.5
    assert math.isclose(errors.Overloaded("full").retry_after_s, 1.0)
