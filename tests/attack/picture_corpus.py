"""Good pictures of every accepted kind, and seeded ways to spoil them."""

import io
import struct
import zlib
from collections.abc import Callable
from random import Random

import numpy as np
from attack.picture_bombs import saved, tiff, tiff_start
from PIL import Image


def photograph(width: int = 48, height: int = 32) -> Image.Image:
    """Noise on a slope: every decoder has something to do."""
    x, y = np.meshgrid(np.arange(width), np.arange(height))
    noise = np.random.default_rng(0).integers(0, 40, (height, width, 3))
    slope = np.stack([4 * x, 6 * y, 2 * x + 2 * y], -1)
    return Image.fromarray(np.clip(slope + noise, 0, 255).astype(np.uint8))


def _held(orientation: int = 6) -> Image.Exif:
    exif = Image.Exif()
    exif[0x0112] = orientation
    exif[0x010E] = "a description"
    exif.get_ifd(0x8769)[0x9003] = "2026:01:01 00:00:00"
    return exif


def _interlaced_png(image: Image.Image) -> bytes:
    """Pillow writes none: seven small pictures, one after the other."""
    pixels = np.asarray(image)
    height, width, _ = pixels.shape
    steps = [(0, 0, 8, 8), (0, 4, 8, 8), (4, 0, 8, 4), (0, 2, 4, 4), (2, 0, 4, 2), (0, 1, 2, 2),
             (1, 0, 2, 1)]  # fmt: skip
    rows = b"".join(b"\0" + row.tobytes() for y, x, dy, dx in steps for row in pixels[y::dy, x::dx])
    header = struct.pack(">IIBBBBB", width, height, 8, 2, 0, 0, 1)
    pieces = ((b"IHDR", header), (b"IDAT", zlib.compress(rows)), (b"IEND", b""))
    return b"\x89PNG\r\n\x1a\n" + b"".join(png_chunk(kind, body) for kind, body in pieces)


def _tiled_tiff(image: Image.Image) -> bytes:
    """Pillow writes none: tiles of 16 x 16."""
    pixels = np.asarray(image.convert("L"))
    tiles = [
        zlib.compress(pixels[y : y + 16, x : x + 16].tobytes())
        for y in range(0, image.height, 16) for x in range(0, image.width, 16)
    ]  # fmt: skip
    tags = [
        (256, 4, 1, image.width), (257, 4, 1, image.height), (258, 3, 1, 8), (259, 3, 1, 8),
        (262, 3, 1, 1), (277, 3, 1, 1), (322, 3, 1, 16), (323, 3, 1, 16),
    ]  # fmt: skip
    start = tiff_start(len(tags) + 2)
    data = start + 8 * len(tiles)
    offsets = [data + sum(map(len, tiles[:i])) for i in range(len(tiles))]
    tags += [(324, 4, len(tiles), start), (325, 4, len(tiles), start + 4 * len(tiles))]
    lists = struct.pack(f"<{2 * len(tiles)}I", *offsets, *map(len, tiles))
    return tiff(tags, lists + b"".join(tiles))


def corpus() -> dict[str, bytes]:
    """One file of each kind, by name; the name begins with the format."""
    rgb = photograph()
    grey, palette, bits = rgb.convert("L"), rgb.quantize(200), rgb.convert("1")
    alpha = rgb.copy()
    alpha.putalpha(grey)
    deep = Image.fromarray(np.asarray(grey).astype(np.uint16) * 257)
    turned = rgb.rotate(180)
    several = {"save_all": True, "append_images": [turned, photograph()]}
    files = {
        "jpeg": saved(rgb, "JPEG"),
        "jpeg_exif": saved(rgb, "JPEG", exif=_held()),
        "jpeg_grey": saved(grey, "JPEG"),
        "jpeg_cmyk": saved(rgb.convert("CMYK"), "JPEG"),
        "jpeg_progressive": saved(rgb, "JPEG", progressive=True, subsampling=2),
        "jpeg_restarts": saved(rgb, "JPEG", restart_marker_blocks=2),
        "jpeg_optimised": saved(rgb, "JPEG", optimize=True, icc_profile=bytes(range(200))),
        "jpeg_views": saved(rgb, "MPO", save_all=True, append_images=[turned.copy()]),
        "png": saved(rgb, "PNG"),
        "png_exif": saved(rgb, "PNG", exif=_held(5), icc_profile=b"icc" * 30),
        "png_grey": saved(grey, "PNG"),
        "png_bits": saved(bits, "PNG"),
        "png_palette": saved(palette, "PNG", transparency=3),
        "png_alpha": saved(alpha, "PNG"),
        "png_grey_alpha": saved(alpha.convert("LA"), "PNG"),
        "png_16_bits": saved(deep, "PNG"),
        "png_interlaced": _interlaced_png(rgb),
        "png_animated": saved(rgb, "PNG", **several),
        "webp": saved(rgb, "WEBP"),
        "webp_exif": saved(rgb, "WEBP", exif=_held(8)),
        "webp_lossless": saved(alpha, "WEBP", lossless=True),
        "webp_alpha": saved(alpha, "WEBP"),
        "webp_animated": saved(rgb, "WEBP", **several),
        "gif": saved(palette, "GIF"),
        "gif_grey": saved(grey, "GIF", comment=b"a comment"),
        "gif_animated": saved(rgb, "GIF", **several, transparency=0, disposal=2),
        "bmp": saved(rgb, "BMP"),
        "bmp_bits": saved(bits, "BMP"),
        "bmp_palette": saved(palette, "BMP"),
        "bmp_alpha": saved(alpha, "BMP"),
        "tiff": saved(rgb, "TIFF"),
        "tiff_exif": saved(rgb, "TIFF", exif=_held(7)),
        "tiff_16_bits": saved(deep, "TIFF"),
        "tiff_cmyk": saved(rgb.convert("CMYK"), "TIFF"),
        "tiff_alpha": saved(alpha, "TIFF"),
        "tiff_tiled": _tiled_tiff(rgb),
        "tiff_pages": saved(rgb, "TIFF", **several),
    }
    for name in ("packbits", "tiff_lzw", "tiff_adobe_deflate", "jpeg", "zstd"):
        files[f"tiff_{name}"] = saved(rgb, "TIFF", compression=name)
    for name in ("group3", "group4", "tiff_ccitt"):
        files[f"tiff_{name}"] = saved(bits, "TIFF", compression=name)
    return files


_ODD_NUMBERS = (
    0,
    1,
    2,
    7,
    8,
    0x7F,
    0x80,
    0xFF,
    0x7FFF,
    0x8000,
    0xFFFF,
    2**31 - 1,
    2**31,
    2**32 - 1,
)


def flip(data: bytes, random: Random, others: list[bytes]) -> bytes:
    """Some bytes become others."""
    out = bytearray(data)
    for _ in range(random.choice((1, 1, 2, 4, 16))):
        out[random.randrange(len(out))] = random.randrange(256)
    return bytes(out)


def flip_in_front(data: bytes, random: Random, others: list[bytes]) -> bytes:
    """The same among the first bytes, where the sizes stand."""
    out = bytearray(data)
    for _ in range(random.choice((1, 2, 4))):
        out[random.randrange(min(len(out), 64))] = random.randrange(256)
    return bytes(out)


def put_number(data: bytes, random: Random, others: list[bytes]) -> bytes:
    """Somewhere stands a number at the edge of what fits."""
    width = random.choice((1, 2, 4))
    value = random.choice(_ODD_NUMBERS) % 256**width
    at = random.randrange(max(1, len(data) - width))
    piece = value.to_bytes(width, random.choice(("big", "little")))
    return data[:at] + piece + data[at + width :]


def truncate(data: bytes, random: Random, others: list[bytes]) -> bytes:
    """The end is missing."""
    return data[: random.randrange(len(data))]


def cut_out(data: bytes, random: Random, others: list[bytes]) -> bytes:
    """A piece in the middle is missing, or is there more than once."""
    begin, end = sorted(random.choices(range(len(data)), k=2))
    return data[:begin] + data[begin:end] * random.choice((0, 2, 5)) + data[end:]


def splice(data: bytes, random: Random, others: list[bytes]) -> bytes:
    """The beginning of one file and the end of another."""
    other = random.choice(others)
    return data[: random.randrange(len(data))] + other[random.randrange(len(other)) :]


def operate(data: bytes, random: Random, others: list[bytes]) -> bytes:
    """Change the format's own pieces so that all else fits and the change reaches the decoder."""
    for magic, surgery in _SURGERIES.items():
        if data.startswith(magic):
            return surgery(data, random)
    return flip(data, random, others)


MUTATIONS = (flip, flip_in_front, put_number, truncate, cut_out, splice, operate, operate, operate)


def spoilt(files: list[bytes], random: Random) -> bytes:
    """A file with one to three things wrong with it."""
    data = random.choice(files)
    for _ in range(random.choice((1, 1, 1, 2, 3))):
        data = random.choice(MUTATIONS)(data, random, files) or b"\0"
    return data


def png_chunk(kind: bytes, body: bytes) -> bytes:
    return struct.pack(">I", len(body)) + kind + body + struct.pack(">I", zlib.crc32(kind + body))


def _rearranged(pieces: list[bytes], random: Random, change: Callable[[bytes], bytes]) -> list:
    """Change one piece; and perhaps drop, double or exchange pieces."""
    out = list(pieces)
    if not out:
        return out
    at = random.randrange(len(out))
    out[at] = change(out[at])
    deed = random.randrange(5)
    other = random.randrange(len(out))
    if deed == 0:
        del out[other]
    elif deed == 1:
        out.insert(random.randrange(len(out) + 1), out[other])
    elif deed == 2:
        out[at], out[other] = out[other], out[at]
    return out


def _spoil_body(body: bytes, random: Random) -> bytes:
    if not body:
        return bytes(random.randrange(40))
    return random.choice((flip, put_number, truncate, cut_out))(body, random, [body])


def _png(data: bytes, random: Random) -> bytes:
    chunks, at = [], 8
    while at + 8 <= len(data):
        length, kind = struct.unpack_from(">I4s", data, at)
        chunks.append(kind + data[at + 8 : at + 8 + length])
        at += 12 + length

    def change(piece: bytes) -> bytes:
        kind, body = piece[:4], piece[4:]
        if kind == b"IDAT" and random.random() < 0.7:  # what was packed, not its packing
            try:
                body = zlib.compress(_spoil_body(zlib.decompress(body), random))
            except zlib.error:
                body = _spoil_body(body, random)
        elif random.random() < 0.1:
            kind = random.choice((b"tRNS", b"PLTE", b"eXIf", b"iCCP", b"zTXt", b"fcTL", b"acTL"))
        else:
            body = _spoil_body(body, random)
        return kind + body

    pieces = _rearranged(chunks, random, change)
    return data[:8] + b"".join(png_chunk(piece[:4], piece[4:]) for piece in pieces)


def _jpeg(data: bytes, random: Random) -> bytes:
    segments, at = [], 2
    while at + 4 <= len(data) and data[at] == 0xFF and data[at + 1] != 0xDA:
        length = struct.unpack_from(">H", data, at + 2)[0]
        segments.append(data[at + 1 : at + 2] + data[at + 4 : at + 2 + length])
        at += 2 + length

    def change(piece: bytes) -> bytes:
        marker = piece[:1]
        if random.random() < 0.15:
            marker = random.choice((b"\xc0", b"\xc2", b"\xc4", b"\xdb", b"\xdd", b"\xee", b"\xe1"))
        return marker + _spoil_body(piece[1:], random)

    pieces = _rearranged(segments, random, change)
    head = b"".join(
        b"\xff" + piece[:1] + struct.pack(">H", min(65535, len(piece) + 1)) + piece[1:]
        for piece in pieces
    )
    return data[:2] + head + data[at:]


def _webp(data: bytes, random: Random) -> bytes:
    chunks, at = [], 12
    while at + 8 <= len(data):
        length = struct.unpack_from("<I", data, at + 4)[0]
        chunks.append(data[at : at + 4] + data[at + 8 : at + 8 + length])
        at += 8 + length + length % 2
    pieces = _rearranged(chunks, random, lambda p: p[:4] + _spoil_body(p[4:], random))
    body = b"WEBP" + b"".join(
        p[:4] + struct.pack("<I", len(p) - 4) + p[4:] + bytes(len(p) % 2) for p in pieces
    )
    return b"RIFF" + struct.pack("<I", len(body)) + body


def _tiff(data: bytes, random: Random) -> bytes:
    order = "<" if data[:2] == b"II" else ">"
    out = bytearray(data)
    try:
        start = struct.unpack_from(order + "I", data, 4)[0]
        count = struct.unpack_from(order + "H", data, start)[0]
        at = start + 2 + 12 * random.randrange(max(1, count))
        tag, kind, num, value = struct.unpack_from(order + "HHII", data, at)
        if random.random() < 0.2:  # a loop of directories
            struct.pack_into(order + "I", out, start + 2 + 12 * count, start)
        field = random.randrange(4)
        if field == 0:
            tag = random.choice((256, 257, 258, 259, 262, 273, 277, 278, 279, 284, 317, 322, 339))
        elif field == 1:
            kind = random.randrange(20)
        elif field == 2:
            num = random.choice((*_ODD_NUMBERS, num + 1, max(0, num - 1)))
        else:
            value = random.choice((*_ODD_NUMBERS, value + 1, random.randrange(len(data))))
        struct.pack_into(order + "HHII", out, at, tag, kind, num & 0xFFFFFFFF, value & 0xFFFFFFFF)
    except struct.error:
        return flip(data, random, [])
    return bytes(out)


def _gif(data: bytes, random: Random) -> bytes:
    size = 13 + (3 << ((data[10] & 7) + 1) if data[10] & 0x80 else 0)
    blocks = data[size:].split(b"\0")
    pieces = _rearranged(blocks, random, lambda piece: _spoil_body(piece, random))
    head = bytearray(data[:size])
    if random.random() < 0.3:
        head[random.randrange(6, 13)] = random.randrange(256)
    return bytes(head) + b"\0".join(pieces)


_SURGERIES: dict[bytes, Callable[[bytes, Random], bytes]] = {
    b"\x89PNG\r\n\x1a\n": _png,
    b"\xff\xd8": _jpeg,
    b"RIFF": _webp,
    b"II*\0": _tiff,
    b"MM\0*": _tiff,
    b"GIF8": _gif,
}


def size_of(data: bytes) -> tuple[int, int]:
    """Of a good file, as stored."""
    with Image.open(io.BytesIO(data)) as image:
        return image.size
