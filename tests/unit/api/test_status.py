import re
from http import HTTPStatus

import pytest
from grpc import StatusCode
from programs import ROOT

from suresam import errors
from suresam.api import status


def tree(root=errors.ServiceError):
    """Every class of `errors`, and no class that some test made."""
    yield root
    for child in root.__subclasses__():
        if child.__module__ == errors.__name__:
            yield from tree(child)


@pytest.mark.parametrize("kind", list(tree()))
def test_every_error_has_a_status_in_both_transports(kind):
    error = kind("why")
    assert (status.http_status(error) < 500) == issubclass(
        kind, errors.RequestError | errors.Overloaded
    )
    assert isinstance(status.grpc_code(error), StatusCode)


def test_the_table_has_a_row_for_every_class_and_no_other():
    assert set(status._TABLE) == set(tree())


def test_a_class_without_a_row_is_noticed():
    class Forgotten(errors.RequestError):
        code = "forgotten"

    with pytest.raises(KeyError):
        status.http_status(Forgotten("why"))
    with pytest.raises(KeyError):
        status.grpc_code(Forgotten("why"))


@pytest.mark.parametrize(
    ("kind", "http", "grpc"),
    [
        (errors.InvalidPrompt, 400, "INVALID_ARGUMENT"),
        (errors.ImageTooLarge, 413, "INVALID_ARGUMENT"),
        (errors.SessionNotFound, 404, "NOT_FOUND"),
        (errors.SessionExists, 409, "ALREADY_EXISTS"),
        (errors.Superseded, 409, "ABORTED"),
        (errors.Overloaded, 429, "RESOURCE_EXHAUSTED"),
        (errors.DeadlineExceeded, 504, "DEADLINE_EXCEEDED"),
        (errors.WorkerFailed, 503, "UNAVAILABLE"),
        (errors.OutOfMemory, 500, "INTERNAL"),
    ],
)
def test_the_documented_rows(kind, http, grpc):
    assert status.http_status(kind()) == HTTPStatus(http)
    assert status.grpc_code(kind()).name == grpc


def test_when_to_come_back_is_told_where_that_helps():
    assert status.retry_after_s(errors.Overloaded("", retry_after_s=2.5)) == 2.5
    assert status.retry_after_s(errors.NotReady()) == 1.0
    assert status.retry_after_s(errors.InvalidImage()) is None
    assert status.retry_after_s(errors.DeadlineExceeded()) is None
    assert status.retry_after_s(errors.OutOfMemory()) is None


@pytest.mark.parametrize("kind", [k for k in tree() if issubclass(k, errors.InferenceError)])
def test_our_own_failures_tell_the_request_id_only(kind):
    message = status.public_message(kind("the secret /path"), "id-7")
    assert "id-7" in message
    assert "secret" not in message


def test_a_mistake_of_the_caller_is_told_as_it_is():
    assert status.public_message(errors.InvalidPrompt("point x=9"), "id-7") == "point x=9"


def test_the_readme_lists_every_code_with_its_statuses():
    """And those of unknown routes and methods, which no error has; REST's own have no other."""
    text = (ROOT / "README.md").read_text()
    rows = re.findall(r"^\| (`[a-z_]+`.*?) \| (\d{3})[^|]*\|([^|]*)\|$", text, re.M)
    listed = {
        code: (int(http), grpc.strip())
        for codes, http, grpc in rows
        for code in re.findall(r"`([a-z_]+)`", codes)
    }
    answered = {
        kind.code: (status.http_status(kind()), status.grpc_code(kind()).name) for kind in tree()
    }
    rest_only = {
        "not_acceptable": (406, ""),
        "not_found": (404, "UNIMPLEMENTED, without a code"),
        "method_not_allowed": (405, ""),
        "request_timeout": (408, ""),
        "request_header_fields_too_large": (431, ""),
    }
    assert listed == answered | rest_only
