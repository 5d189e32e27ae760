"""A JPEG with what its pixels need alone: no EXIF, profiles, thumbnails or comments."""

import re

from suresam.errors import InvalidImage
from suresam.segmentation import orientation
from suresam.segmentation.bare import BareFile

MAGIC = b"\xff\xd8\xff"

_MOST_SEGMENTS = 2000
"""Before the first scan. A colour profile of 1 MiB is 17 of them."""

_MOST_SCANS = 100
"""An ordinary progressive JPEG has 10. Each goes over all pixels, however few bytes it has."""

_MOST_TABLES = 1000
"""Segments behind the first scan, with those of the scans."""

_MARKER = re.compile(rb"\xff([^\x00\x01\xff\xd0-\xd8])", re.DOTALL)
"""The markers behind which a segment begins, and the end."""

_EOI, _SOS, _DHT, _DQT, _DRI, _APP0, _APP1, _APP14 = 0xD9, 0xDA, 0xC4, 0xDB, 0xDD, 0xE0, 0xE1, 0xEE
_FRAMES = (0xC0, 0xC1, 0xC2)
"""Baseline, extended and progressive, with Huffman codes."""

_OTHER_FRAMES = (0xC3, *range(0xC5, 0xC8), *range(0xC9, 0xCC), *range(0xCD, 0xD0))
_KEPT = (*_FRAMES, _SOS, _DHT, _DQT, _DRI, _APP0, _APP14)
_XMP = b"http://ns.adobe.com/xap/1.0/\0"


def bare_jpeg(data: bytes) -> BareFile:
    """What of a JPEG, or of the beginning of one, its pixels need.

    Raises:
        InvalidImage: arithmetic coding or another rare kind, or too many segments or scans.
    """
    kept: list[bytes | memoryview] = [b"\xff\xd8"]
    held = by_xmp = None
    at = 2
    for _ in range(_MOST_SEGMENTS):
        found = _MARKER.search(data, at)
        if found is None:
            return BareFile(b"".join(kept), held or by_xmp)
        marker = found[1][0]
        begin, at = found.span()
        if marker == _EOI:
            break
        if marker in _OTHER_FRAMES:
            raise InvalidImage(
                "the JPEG is neither baseline nor progressive with Huffman codes "
                f"(its frame is 0xFF{marker:02X})"
            )
        length = int.from_bytes(data[at : at + 2], "big")
        body = data[at + 2 : at + length]
        at += length
        if marker == _SOS:
            _check_scans(data, at)
            kept.append(memoryview(data)[begin:])
            break
        if marker in _KEPT:
            kept.append(data[begin:at])
        elif marker == _APP1 and body.startswith(b"Exif\0\0"):
            held = held or orientation.from_exif(body)
        elif marker == _APP1 and body.startswith(_XMP):
            by_xmp = by_xmp or orientation.from_xmp(body)
    else:
        raise InvalidImage(f"the JPEG has over {_MOST_SEGMENTS} segments before its pixels")
    return BareFile(b"".join(kept), held or by_xmp)


def _check_scans(data: bytes, at: int) -> None:
    """Refuse a picture that is gone over again and again. The first scan begins at `at`."""
    num_scans = 1
    for _ in range(_MOST_TABLES):
        found = _MARKER.search(data, at)
        if found is None or found[1][0] == _EOI:
            return
        num_scans += found[1][0] == _SOS
        if num_scans > _MOST_SCANS:
            raise InvalidImage(f"the JPEG has over {_MOST_SCANS} scans (limit {_MOST_SCANS})")
        at = found.end() + int.from_bytes(data[found.end() : found.end() + 2], "big")
    raise InvalidImage(f"the JPEG has over {_MOST_TABLES} segments between its scans")
