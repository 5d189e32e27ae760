import pytest

from suresam.domain import RouteRequest
from suresam.errors import UnknownModel
from suresam.routing.policy import Choice, choose_member, role_of

THREE = ("tiny", "base", "huge")


@pytest.mark.parametrize(
    ("mode", "choice"),
    [
        ("auto", Choice("tiny", "small", "no_gain_estimate")),
        ("small", Choice("tiny", "small", "requested")),
        ("large", Choice("huge", "large", "requested")),
        ("tiny", Choice("tiny", "small", "requested")),
        ("base", Choice("base", None, "requested")),
        ("huge", Choice("huge", "large", "requested")),
    ],
)
def test_a_mode_is_a_role_or_a_name(mode, choice):
    assert choose_member(RouteRequest(mode), THREE) == choice


@pytest.mark.parametrize("mode", ["auto", "small", "large", "only"])
def test_a_single_member_answers_for_every_role(mode):
    assert choose_member(RouteRequest(mode), ("only",)).model == "only"
    assert role_of("only", ("only",)) == "small"


@pytest.mark.parametrize("mode", ["", "Small", "medium", "x" * 1000])
def test_an_unknown_mode_is_refused_with_those_that_are_known(mode):
    with pytest.raises(UnknownModel, match="auto, small, large, tiny, base, huge") as caught:
        choose_member(RouteRequest(mode), THREE)
    assert len(caught.value.message) < 200
