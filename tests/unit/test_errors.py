"""Wire codes and the classes they stand for."""

import pytest

from suresam import errors


def all_classes(root=errors.ServiceError):
    yield root
    for child in root.__subclasses__():
        yield from all_classes(child)


@pytest.mark.parametrize("kind", list(all_classes()))
def test_a_code_gives_back_its_class(kind):
    error = errors.from_code(kind.code, "why")
    # RequestError and InvalidRequest share a code: the one that is raised answers to it.
    assert type(error) is (errors.InvalidRequest if kind is errors.RequestError else kind)
    assert (error.code, error.message, str(error)) == (kind.code, "why", "why")


def test_an_unknown_code_is_kept():
    error = errors.from_code("from_the_future", "why")
    assert type(error) is errors.ServiceError
    assert error.code == "from_the_future"
    assert errors.ServiceError.code == "internal"


def test_retry_after_is_kept_where_trying_again_helps():
    assert errors.from_code("overloaded", "", 3.0).retry_after_s == 3.0
    assert errors.from_code("not_ready", "", 2.0).retry_after_s == 2.0
    assert errors.from_code("not_ready", "").retry_after_s is None
    assert errors.NotReady.retry_after_s is None
    assert not hasattr(errors.from_code("invalid_prompt", "", 3.0), "retry_after_s")
