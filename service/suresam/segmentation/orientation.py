"""How a photograph is held: the one tag of EXIF that is read, or what XMP says of it."""

import re
import struct

TAG = 0x0112
UPRIGHT = 1
TURNED_BY_A_QUARTER = (5, 6, 7, 8)

_ORDERS = {b"II": "<", b"MM": ">"}
_MARK = b"Exif\0\0"
_SHORT = 3
_MOST_ENTRIES = 4096
_IN_XMP = re.compile(rb"tiff:Orientation(?:=\"|>)([0-9])")


def from_exif(block: bytes) -> int | None:
    """The orientation in the first directory of an EXIF block; None if it tells none.

    Nothing else of it is read, so that what else is in it does not matter.

    Args:
        block: with its mark in front, which some write twice, or without.
    """
    block = block.removeprefix(_MARK).removeprefix(_MARK)
    order = _ORDERS.get(block[:2])
    if order is None:
        return None
    try:
        (start,) = struct.unpack_from(order + "I", block, 4)
        (count,) = struct.unpack_from(order + "H", block, start)
        for number in range(min(count, _MOST_ENTRIES)):
            at = start + 2 + 12 * number
            tag, kind, _, value = struct.unpack_from(order + "HHIH", block, at)
            if tag == TAG:
                return int(value) if kind == _SHORT and 1 <= value <= 8 else None
    except struct.error:
        return None
    return None


def from_xmp(text: bytes) -> int | None:
    """The orientation that an XMP packet tells; None if it tells none."""
    found = _IN_XMP.search(text)
    value = 0 if found is None else int(found[1])
    return value if 1 <= value <= 8 else None
