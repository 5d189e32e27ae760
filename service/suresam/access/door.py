"""The door: which key a request comes with, and whether it may do what it asks for."""

import hmac
import time
from collections.abc import Callable, Mapping, Sequence
from typing import Protocol

from suresam.access.account import Account
from suresam.access.caller import ANONYMOUS, SCOPES, TENANT, Caller, Scope
from suresam.access.key import bearer_key, digest_of
from suresam.access.key_list import KeyEntry
from suresam.access.limits import KeyLimits
from suresam.errors import PermissionDenied, Unauthenticated
from suresam.telemetry import Telemetry

_PREFIX_BYTES = 8
"""Of a digest: what keys are looked up by, so that the rest can be compared in constant time."""

_NOBODY = bytes(32)


class Door(Protocol):
    """Lets requests in, or not."""

    needs_key: bool
    """Whether nobody comes in without a key."""

    def admit(self, authorizations: Sequence[str], scope: Scope | None) -> Caller:
        """Whoever asks, if that is allowed.

        Args:
            authorizations: every `Authorization` value that came with the request.
            scope: that the request needs; None where any key will do.

        Raises:
            Unauthenticated: no valid key.
            PermissionDenied: it has not got that scope.
        """

    def charge(self, tenant: str, device_ms: float) -> None:
        """Count device time that a tenant's request took, milliseconds."""

    def large_share(self, tenant: str) -> float | None:
        """Part of a tenant's requests that may go to a larger member, 0 to 1; None is no cap."""


class OpenDoor:
    """Everybody is one and the same tenant, without limits."""

    needs_key = False

    def __init__(self, telemetry: Telemetry) -> None:
        self._anybody = Caller(ANONYMOUS, frozenset(SCOPES), Account(KeyLimits(), telemetry))

    def admit(self, authorizations: Sequence[str], scope: Scope | None) -> Caller:
        """Nobody in particular, whatever key may have come along."""
        return self._anybody

    def charge(self, tenant: str, device_ms: float) -> None:
        """There are no limits to hold it to."""

    def large_share(self, tenant: str) -> None:
        """Nobody is capped."""


class KeyedDoor:
    """Only keys open it; without any it stays shut. Used by the event loop alone.

    Args:
        entries: the keys.
        telemetry: counts refusals.
        clock: monotonic seconds, of the limits.
    """

    needs_key = True

    def __init__(
        self,
        entries: Sequence[KeyEntry],
        telemetry: Telemetry,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self._telemetry = telemetry
        self._clock = clock
        self._callers: Mapping[bytes, tuple[bytes, Caller]] = {}
        self._accounts: dict[str, Account] = {}
        self.replace(entries)

    def replace(self, entries: Sequence[KeyEntry]) -> None:
        """Other keys from now on. What tenants that stay have in progress, or owe, stays, too."""
        before, callers = self._callers, {}
        for entry in entries:
            account = self._accounts.get(entry.name)
            if account is None:
                account = Account(entry.limits, self._telemetry, self._clock)
                self._accounts[entry.name] = account
            account.change(entry.limits)
            _, caller = before.get(entry.digest[:_PREFIX_BYTES], (b"", None))
            if caller is None or caller.tenant != entry.name:
                caller = Caller(entry.name, entry.scopes, account)
            caller.scopes = entry.scopes
            callers[entry.digest[:_PREFIX_BYTES]] = (entry.digest, caller)
        kept = [caller for _, caller in callers.values()]
        for _, caller in before.values():
            caller.is_revoked = caller not in kept
        # A name that went keeps its account: whoever takes a key away and gives it back must not
        # forget what is in progress and owed.
        self._callers = callers

    def admit(self, authorizations: Sequence[str], scope: Scope | None) -> Caller:
        """Whoever has the key, if it is for that."""
        caller = self._caller(authorizations)
        TENANT.set(caller.tenant)
        if scope is not None and not caller.may(scope):
            self._telemetry.rejected.labels("permission_denied").inc()
            raise PermissionDenied(
                f"the key has the scopes {', '.join(sorted(caller.scopes))}; this needs {scope}"
            )
        return caller

    def charge(self, tenant: str, device_ms: float) -> None:
        """Count device time that a tenant's request took, milliseconds."""
        account = self._accounts.get(tenant)
        if account is not None:
            account.charge(device_ms)

    def large_share(self, tenant: str) -> float | None:
        """Part of a tenant's requests that may go to a larger member, 0 to 1; None is no cap."""
        account = self._accounts.get(tenant)
        return None if account is None else account.limits.large_share

    def _caller(self, authorizations: Sequence[str]) -> Caller:
        if not authorizations:
            raise self._unauthenticated("an API key is needed: send Authorization: Bearer KEY")
        key = bearer_key(authorizations[0])
        if len(authorizations) > 1 or key is None:
            raise self._unauthenticated("the authorization must be one `Bearer KEY`")
        digest = digest_of(key)
        known, caller = self._callers.get(digest[:_PREFIX_BYTES], (_NOBODY, None))
        if not hmac.compare_digest(known, digest) or caller is None:
            raise self._unauthenticated("the API key is not known here")
        return caller

    def _unauthenticated(self, message: str) -> Unauthenticated:
        self._telemetry.rejected.labels("unauthenticated").inc()
        return Unauthenticated(message)
