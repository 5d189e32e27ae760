"""Whoever stands behind a request."""

from collections.abc import Set as AbstractSet
from contextvars import ContextVar
from dataclasses import dataclass
from typing import Literal, get_args

from suresam.access.account import Account
from suresam.errors import Unauthenticated

Scope = Literal["infer", "metrics", "admin"]
"""What a key may be for: masks and sessions, Prometheus' metrics, or everything."""

SCOPES: tuple[Scope, ...] = get_args(Scope)

ANONYMOUS = "anonymous"
"""The one tenant of a service without keys."""

TENANT: ContextVar[str | None] = ContextVar("tenant", default=None)
"""Whose key came with the request of the current task, whatever became of it, for the log; None as
long as no key is known, and without keys."""


@dataclass(slots=True, eq=False)
class Caller:
    """One key, or nobody in particular where there are none.

    Attributes:
        tenant: whose sessions and cached images may be seen; the key's name.
        scopes: what it may ask for.
        account: what it may ask for at a time; all keys of a name share it.
        is_revoked: whether it was taken away since it was looked up.
    """

    tenant: str
    scopes: AbstractSet[Scope]
    account: Account
    is_revoked: bool = False

    def may(self, scope: Scope) -> bool:
        """Whether it has a scope."""
        return scope in self.scopes or "admin" in self.scopes

    def check_alive(self) -> None:
        """Of a stream that was open when the key was taken away.

        Raises:
            Unauthenticated
        """
        if self.is_revoked:
            raise Unauthenticated("the key was taken away")
