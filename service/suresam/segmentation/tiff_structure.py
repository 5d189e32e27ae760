"""What a TIFF's directory may ask for, checked before anybody allocates by it."""

import struct

from suresam.errors import InvalidImage

_ORDERS = {b"II*\0": "<", b"MM\0*": ">"}

COMPRESSIONS = (
    "raw", "packbits", "tiff_lzw", "tiff_adobe_deflate", "tiff_deflate", "zstd", "jpeg",
)  # fmt: skip
"""What is decoded, as Pillow names it. Facsimiles are not: libtiff goes on at damage and writes a
line about each row to standard error.
"""

_MOST_ENTRIES = 4096
_MOST_VALUES = 300_000
"""Of one entry that is no text and no bytes: strips or tiles are the most there are."""

_MOST_TILE_PIXELS = 4_000_000
_BYTES_OR_TEXT = (1, 2, 6, 7)
_TILE_WIDTH, _TILE_HEIGHT = 322, 323
_SHORT, _LONG = 3, 4


def check_tiff(data: bytes) -> None:
    """Check the first directory of a TIFF. What is damaged in it is the decoder's to say.

    Raises:
        InvalidImage: too many entries or values, tiles that are larger than any reader needs, or a
            kind of TIFF that readers do not agree about.
    """
    order = _ORDERS.get(data[:4])
    if order is None:
        raise InvalidImage("the TIFF is not a classic one; BigTIFF is not read")
    tile = {_TILE_WIDTH: 0, _TILE_HEIGHT: 0}
    try:
        (start,) = struct.unpack_from(order + "I", data, 4)
        (count,) = struct.unpack_from(order + "H", data, start)
        if count > _MOST_ENTRIES:
            raise InvalidImage(f"the TIFF's directory has {count} entries (limit {_MOST_ENTRIES})")
        for at in range(start + 2, start + 2 + 12 * count, 12):
            tag, kind, num = struct.unpack_from(order + "HHI", data, at)
            if kind not in _BYTES_OR_TEXT and num > _MOST_VALUES:
                raise InvalidImage(
                    f"the TIFF's entry {tag} has {num} values (limit {_MOST_VALUES})"
                )
            if tag in tile and kind in (_SHORT, _LONG):
                form = order + ("H" if kind == _SHORT else "I")
                (tile[tag],) = struct.unpack_from(form, data, at + 8)
    except struct.error:
        return
    num_pixels = tile[_TILE_WIDTH] * tile[_TILE_HEIGHT]
    if num_pixels > _MOST_TILE_PIXELS:
        raise InvalidImage(
            f"the TIFF has tiles of {num_pixels} pixels (limit {_MOST_TILE_PIXELS} pixels)"
        )
