"""What the values of settings may look like."""

import re
from typing import Annotated

from pydantic import AfterValidator, BeforeValidator, Field

_WITH_UNIT = re.compile(r"(\d+)\s*([kKMGT])(i?)B")
_DEVICES = re.compile(r"auto|cpu|cuda|(cpu|cuda:\d+)(,(cpu|cuda:\d+))*")
_COLLECTOR = re.compile(r"https?://([\w.-]+|\[[\da-fA-F:.]+\])(:\d{1,5})?/?")


def _bytes_of(value: object) -> object:
    """The number that "8GB" or "8GiB" means; anything else as it is."""
    found = _WITH_UNIT.fullmatch(value.strip()) if isinstance(value, str) else None
    if found is None:
        return value
    number, prefix, binary = found.groups()
    return int(number) * (1024 if binary else 1000) ** ("KMGT".index(prefix.upper()) + 1)


def _devices(value: str) -> str:
    if not _DEVICES.fullmatch(value):
        raise ValueError("must be 'auto', 'cpu', 'cuda' or a list such as 'cuda:0,cuda:1'")
    return value


def _collector(value: str | None) -> str | None:
    if not value:  # empty where a file of variables names it for those who want it
        return None
    if not _COLLECTOR.fullmatch(value):
        raise ValueError("Input should be http://HOST:PORT or https://HOST:PORT")
    return value


Port = Annotated[int, Field(ge=0, le=65535)]

Bytes = Annotated[int, Field(ge=0), BeforeValidator(_bytes_of)]
"""A whole number, or with a unit such as 8GB (10^9 bytes each) or 8GiB (2^30)."""

Devices = Annotated[str, AfterValidator(_devices)]

Collector = Annotated[str | None, AfterValidator(_collector)]
"""Where OpenTelemetry's traces go."""
