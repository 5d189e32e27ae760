"""Which member answers: the decision, pure."""

from collections.abc import Sequence
from dataclasses import dataclass

from suresam.domain import AUTO, LARGE, SMALL, RouteRequest
from suresam.errors import UnknownModel


@dataclass(frozen=True, slots=True)
class Choice:
    """A decision with its reason, as the answer's receipt states it."""

    model: str
    role: str | None
    reason: str


def choose_member(route: RouteRequest, members: Sequence[str]) -> Choice:
    """The member that a request gets.

    Auto stays with the small member as long as nothing estimates the large one's gain.

    Args:
        route: what the caller wants.
        members: names, cheapest first; the first is small, the last large.

    Raises:
        UnknownModel: the mode is neither a role nor a member.
    """
    small, large = members[0], members[-1]
    if route.mode == AUTO:
        return Choice(small, SMALL, "no_gain_estimate")
    by_mode = {**{name: name for name in members}, SMALL: small, LARGE: large}
    if route.mode not in by_mode:
        known = ", ".join((AUTO, SMALL, LARGE, *members))
        raise UnknownModel(f"route.mode {route.mode[:64]!r} is not one of {known}")
    model = by_mode[route.mode]
    return Choice(model, role_of(model, members), "requested")


def role_of(model: str, members: Sequence[str]) -> str | None:
    """A member's role; None for those between small and large."""
    return SMALL if model == members[0] else LARGE if model == members[-1] else None
