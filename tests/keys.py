"""Keys of tenants, and what becomes of who has none that fits."""

from collections.abc import Awaitable

import pytest

from suresam.access.key import digest_of
from suresam.access.key_list import KeyEntry
from suresam.access.limits import KeyLimits
from suresam.errors import ServiceError

NO_LIMITS = KeyLimits()


def key_line(name: str, key: str, scope: str = "infer", limits: KeyLimits = NO_LIMITS) -> str:
    """The line of a tenant with one key in a file of keys."""
    return KeyEntry(name, frozenset(scope.split(",")), digest_of(key), limits).line()


async def refusal(work: Awaitable[object]) -> ServiceError:
    """The error that an answer ends with."""
    with pytest.raises(ServiceError) as caught:
        await work
    return caught.value
