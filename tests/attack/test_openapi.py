"""What the service's own description promises, tried by schemathesis with a key and without."""

import warnings
from random import Random
from typing import Any

import pytest
import schemathesis
from attack.attacked_service import PATIENCE_S, PHOTO, AttackedService
from attack.conftest import Rounds
from attack.examples import try_examples
from attack.tally import Tally
from schemathesis import GenerationMode, checks
from schemathesis.specs.openapi import checks as of_documents

CHECKS = (
    checks.not_a_server_error,
    of_documents.status_code_conformance,
    of_documents.content_type_conformance,
    of_documents.response_headers_conformance,
    of_documents.response_schema_conformance,
    of_documents.negative_data_rejection,
    of_documents.unsupported_method,
)
"""Not whether all that fits the schema is accepted: it cannot say what depends on a picture."""

PROBES = ("/livez", "/readyz")


@pytest.fixture(scope="module")
def operations(service: AttackedService) -> list[Any]:
    """All of the document."""
    answer = service.http.get("/openapi.json")
    schema = schemathesis.openapi.from_dict(answer.json())
    schema.config.update(base_url=service.url)
    return [result.ok() for result in schema.get_all_operations()]


@pytest.mark.parametrize("mode", GenerationMode)
def test_the_document_with_a_key(
    service: AttackedService, tally: Tally, rounds: Rounds, operations: list[Any], mode: Any
):
    made = service.http.post("/v1/sessions", files={"image": PHOTO}).json()["session_id"]

    def ask(case: Any, random: Random) -> None:
        if mode is GenerationMode.POSITIVE:
            # Else it would hardly ever get behind the first check.
            if "session_id" in (case.path_parameters or {}) and case.method != "DELETE":
                case.path_parameters["session_id"] = random.choice((made, "other"))
            if isinstance(case.body, dict) and "image" in case.body:
                case.body["image"] = random.choice((PHOTO, case.body["image"]))
        answer = case.call(headers=service.headers, timeout=PATIENCE_S)
        tally.answered(answer.status_code, f"{case.method} {case.path}")
        case.validate_response(answer, checks=CHECKS)

    for random in rounds(1):
        for operation in operations:
            if mode is GenerationMode.POSITIVE or takes_anything(operation):
                examine(operation, mode, random, ask, count=8)
    service.http.delete(f"/v1/sessions/{made}")


def test_the_document_without_a_key(
    service: AttackedService, tally: Tally, rounds: Rounds, operations: list[Any]
):
    def ask(case: Any, random: Random) -> None:
        headers = random.choice(({}, {"authorization": "Bearer wrong"}, {"authorization": "x"}))
        answer = case.call(headers=headers, timeout=PATIENCE_S)
        tally.answered(answer.status_code, f"{case.method} {case.path}")
        assert (answer.status_code == 200) == (case.path in PROBES), case.path
        if case.path not in PROBES:
            assert answer.status_code == 401
            assert answer.json()["error"]["code"] == "unauthenticated"

    for random in rounds(1):
        for operation in operations:
            examine(operation, GenerationMode.POSITIVE, random, ask, count=3)


def takes_anything(operation: Any) -> bool:
    """Whether there is anything to do wrong."""
    return bool(operation.body) or "{" in operation.path


def examine(operation: Any, mode: Any, random: Random, ask: Any, count: int) -> None:
    """Try so many cases of an operation."""
    strategy = operation.as_strategy(generation_mode=mode)

    with warnings.catch_warnings():  # of schemathesis and what it uses, about itself
        warnings.simplefilter("ignore")
        try_examples(lambda case: ask(case, random), strategy, random, count)
