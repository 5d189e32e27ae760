"""A PNG with what its pixels need alone: no profiles, texts, EXIF or animation."""

import contextlib
import struct
import zlib

from suresam.errors import InvalidImage
from suresam.segmentation import orientation
from suresam.segmentation.bare import BareFile

MAGIC = b"\x89PNG\r\n\x1a\n"

_MOST_CHUNKS = 20_000
"""A file of 32 MiB in the usual chunks of 8 KiB has 4,096."""

_MOST_TEXT_BYTES = 2**20
"""Of a text that may tell the orientation, unpacked."""

_KEPT = (b"IHDR", b"PLTE", b"tRNS", b"IDAT", b"IEND")
_TEXTS = (b"tEXt", b"zTXt", b"iTXt")
_XMP = b"XML:com.adobe.xmp"
_RAW_EXIF = b"Raw profile type exif"


def bare_png(data: bytes) -> BareFile:
    """What of a PNG, or of the beginning of one, its pixels need.

    Raises:
        InvalidImage: too many chunks.
    """
    kept = [MAGIC]
    held = by_text = None
    is_animated = False
    at = len(MAGIC)
    for _ in range(_MOST_CHUNKS):
        begin = at
        if begin + 8 > len(data):
            kept.append(data[begin:])
            break
        length, kind = struct.unpack_from(">I4s", data, begin)
        at = begin + 12 + length
        if kind in _KEPT:
            kept.append(data[begin:at])
        elif kind == b"eXIf":
            held = held or orientation.from_exif(data[begin + 8 : at - 4])
        elif kind == b"acTL":
            (num_frames,) = struct.unpack(">I", data[begin + 8 : begin + 12].ljust(4, b"\0"))
            is_animated = is_animated or num_frames > 1
        elif kind in _TEXTS:
            by_text = by_text or _told_by_text(kind, data[begin + 8 : at - 4])
        elif not kind.isalpha():  # no chunk: the decoder will say so
            kept.append(data[begin : begin + 8])
            break
        if kind == b"IEND" or at > len(data):
            break
    else:
        raise InvalidImage(f"the PNG has over {_MOST_CHUNKS} chunks (limit {_MOST_CHUNKS})")
    return BareFile(b"".join(kept), held or by_text, is_animated)


def _told_by_text(kind: bytes, body: bytes) -> int | None:
    key, _, rest = body.partition(b"\0")
    if key not in (_XMP, _RAW_EXIF):
        return None
    is_packed = kind == b"zTXt"
    if kind == b"iTXt":
        is_packed = rest[:1] == b"\1"
        rest = b"\0" + [*rest[2:].split(b"\0", 2), b"", b""][2]
    elif kind == b"tEXt":
        rest = b"\0" + rest
    text = rest[1:]
    if is_packed:
        try:
            text = zlib.decompressobj().decompress(text, _MOST_TEXT_BYTES)
        except zlib.error:
            return None
    if key == _XMP:
        return orientation.from_xmp(text)
    with contextlib.suppress(ValueError):  # not hexadecimal after three lines
        return orientation.from_exif(bytes.fromhex(b"".join(text.split(b"\n")[3:]).decode("ascii")))
    return None
