"""When certificates expire, which the standard library tells of none but a peer's."""

import re
import ssl
from collections.abc import Iterator
from datetime import datetime, timezone

_PEM = re.compile(r"-----BEGIN CERTIFICATE-----.+?-----END CERTIFICATE-----", re.S)

_VERSION, _UTC_TIME = 0xA0, 0x17
"""Tags of DER: the first part of a certificate, which may be missing, and times before 2050."""


def expires_at(pem: str) -> float | None:
    """When the first of the certificates in a file expires.

    Args:
        pem: text of the file, of which all but certificates is left out.

    Returns:
        Unix seconds; None if there is none that can be read.
    """
    try:
        ends = [_not_after(ssl.PEM_cert_to_DER_cert(found)) for found in _PEM.findall(pem)]
    except (ValueError, IndexError, StopIteration):
        return None
    return min(ends, default=None)


def _not_after(der: bytes) -> float:
    """Source: RFC 5280, section 4.1: serial number, algorithm, issuer, then the validity."""
    [(_, certificate)] = _values(der)
    _, signed = next(_values(certificate))
    parts = [part for part in _values(signed) if part[0] != _VERSION]
    _, (tag, text) = _values(parts[3][1])
    form = "%y%m%d%H%M%SZ" if tag == _UTC_TIME else "%Y%m%d%H%M%SZ"
    moment = datetime.strptime(text.decode("ascii"), form)
    return moment.replace(tzinfo=timezone.utc).timestamp()


def _values(der: bytes) -> Iterator[tuple[int, bytes]]:
    """The values that stand one behind the other, each with its tag."""
    at = 0
    while at < len(der):
        tag, length, start = der[at], der[at + 1], at + 2
        if length & 0x80:  # then it says how many bytes tell the length
            start += length & 0x7F
            length = int.from_bytes(der[at + 2 : start], "big")
        at = start + length
        yield tag, der[start:at]
