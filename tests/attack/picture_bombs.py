"""Small files that would like to become much work: one maker for each, by name."""

import io
import struct
import zlib
from collections.abc import Callable

from PIL import Image


def chunk(kind: bytes, body: bytes) -> bytes:
    """A PNG chunk with its checksum."""
    return struct.pack(">I", len(body)) + kind + body + struct.pack(">I", zlib.crc32(kind + body))


def png(
    width: int,
    height: int,
    data: bytes,
    *,
    bits: int = 8,
    colour: int = 2,
    before: bytes = b"",
    after: bytes = b"",
) -> bytes:
    """A PNG of compressed rows, with whatever chunks around them."""
    header = struct.pack(">IIBBBBB", width, height, bits, colour, 0, 0, 0)
    return (
        b"\x89PNG\r\n\x1a\n" + chunk(b"IHDR", header) + before + chunk(b"IDAT", data) + after
        + chunk(b"IEND", b"")
    )  # fmt: skip


def rows(width: int, height: int, bytes_per_pixel: float) -> bytes:
    """The compressed rows of a black PNG."""
    packer = zlib.compressobj(9)
    row = bytes(1 + int(width * bytes_per_pixel))
    return b"".join([*(packer.compress(row) for _ in range(height)), packer.flush()])


def segment(marker: int, body: bytes) -> bytes:
    """A JPEG segment."""
    return struct.pack(">BBH", 0xFF, marker, len(body) + 2) + body


def saved(image: Image.Image, fmt: str, **options: object) -> bytes:
    """An image as a file."""
    buffer = io.BytesIO()
    image.save(buffer, fmt, **options)
    return buffer.getvalue()


def small_jpeg(size: tuple[int, int] = (16, 16)) -> bytes:
    return saved(Image.new("RGB", size, (9, 80, 90)), "JPEG")


def filled(piece: bytes, size: int) -> bytes:
    """One piece over and over."""
    return piece * (size // len(piece))


def png_chunks(size: int) -> bytes:
    return png(8, 8, rows(8, 8, 3), before=filled(chunk(b"prVt", b""), size))


def png_chunks_behind(size: int) -> bytes:
    return png(8, 8, rows(8, 8, 3), after=filled(chunk(b"prVt", b""), size))


def png_profiles(size: int) -> bytes:
    profile = chunk(b"iCCP", b"a\0\0" + zlib.compress(bytes(2**20 - 1), 9))
    return png(8, 8, rows(8, 8, 3), before=filled(profile, size))


def png_texts(size: int) -> bytes:
    text = chunk(b"zTXt", b"\0\0" + zlib.compress(bytes(2**20 - 1), 9))
    return png(8, 8, rows(8, 8, 3), before=filled(text, size))


def png_empty_data(size: int) -> bytes:
    data = rows(8, 8, 3)
    pieces = b"".join(chunk(b"IDAT", data[i : i + 1]) for i in range(len(data) - 1))
    header = struct.pack(">IIBBBBB", 8, 8, 8, 2, 0, 0, 0)
    empty = filled(chunk(b"IDAT", b""), size)
    return b"\x89PNG\r\n\x1a\n" + chunk(b"IHDR", header) + pieces + empty


def png_stored_blocks(size: int) -> bytes:
    empty = filled(b"\0\0\0\xff\xff", size)
    return png(8, 8, b"\x78\x01" + empty)


class Bits:
    """Deflate's order: the lowest bit first."""

    def __init__(self) -> None:
        self.value, self.count = 0, 0

    def put(self, value: int, width: int) -> None:
        self.value |= value << self.count
        self.count += width


def png_tables(size: int) -> bytes:
    """Deflate blocks that consist of Huffman tables alone."""
    bits = Bits()
    for _ in range(8):  # eight blocks end at a byte's border
        bits.put(0, 1)
        bits.put(2, 2)
        bits.put(0, 5)  # 257 literal codes
        bits.put(0, 5)  # 1 distance code
        bits.put(14, 4)  # 18 code lengths: up to that of 1
        # 16 17 18 0 8 7 9 6 10 5 11 4 12 3 13 2 14 1
        for symbol in (16, 17, 18, 0, 8, 7, 9, 6, 10, 5, 11, 4, 12, 3, 13, 2, 14, 1):
            bits.put({18: 1, 1: 1}.get(symbol, 0), 3)
        # Codes of one bit: 1 is "0", 18 is "1" (138 zeros at most).
        bits.put(0, 1)  # literal 0: length 1
        bits.put(1, 1), bits.put(138 - 11, 7)
        bits.put(1, 1), bits.put(117 - 11, 7)
        bits.put(0, 1)  # 256, the end: length 1
        bits.put(0, 1)  # the distance code: length 1
        bits.put(1, 1)  # the end of the block
    piece = bits.value.to_bytes((bits.count + 7) // 8, "little")
    assert bits.count % 8 == 0
    return png(8, 8, b"\x78\x01" + filled(piece, size))


def png_pixels(megapixels: int, *, bits: int = 8, colour: int = 2) -> bytes:
    samples = {0: 1, 2: 3, 3: 1, 4: 2, 6: 4}[colour]
    width, height = 10_000, megapixels * 100
    palette = chunk(b"PLTE", bytes(768)) + chunk(b"tRNS", bytes(256)) if colour == 3 else b""
    data = rows(width, height, samples * bits / 8)
    return png(width, height, data, bits=bits, colour=colour, before=palette)


def jpeg_with(insert: bytes) -> bytes:
    plain = small_jpeg()
    return plain[:2] + insert + plain[2:]


def jpeg_segments(size: int) -> bytes:
    return jpeg_with(filled(segment(0xFE, b""), size))


def jpeg_padding(size: int) -> bytes:
    return jpeg_with(filled(b"\xff", size))


def jpeg_junk(size: int) -> bytes:
    return jpeg_with(filled(b"\x01", size))


def jpeg_exif(size: int) -> bytes:
    return jpeg_with(filled(segment(0xE1, b"Exif\0\0x"), size))


def jpeg_scans(num_scans: int, megapixels: float) -> bytes:
    """A grey progressive JPEG of empty scans: runs of blocks in which nothing changes."""
    width = 5000
    height = int(megapixels * 200)
    num_blocks = -(-width // 8) * -(-height // 8)
    frame = segment(0xC2, struct.pack(">BHHBBBB", 8, height, width, 1, 1, 0x11, 0))
    quantisation = segment(0xDB, b"\0" + b"\1" * 64)
    # DC: one code for "no difference". AC: one code for a run of 2^14 blocks.
    dc = segment(0xC4, b"\x00" + bytes([1] + [0] * 15) + b"\0")
    ac = segment(0xC4, b"\x10" + bytes([1] + [0] * 15) + b"\xe0")
    first = segment(0xDA, bytes([1, 1, 0x00, 0, 0, 0]))
    data = bytes(-(-num_blocks // 8))
    out = [b"\xff\xd8", quantisation, frame, dc, ac, first, data]
    bits = ("0" + "1" * 14) * (num_blocks // 2**15) + ("0" + "1" * 14)
    bits += "1" * (-len(bits) % 8)
    run = int(bits, 2).to_bytes(len(bits) // 8, "big").replace(b"\xff", b"\xff\0")
    for _ in range(num_scans):
        begin = segment(0xDA, bytes([1, 1, 0x00, 1, 63, 0x00]))
        out += [begin, run]
    return b"".join([*out, b"\xff\xd9"])


def gif_of(middle: bytes, data: bytes | None = None, size: tuple[int, int] = (8, 8)) -> bytes:
    """A GIF with something between its screen and its picture."""
    plain = saved(Image.new("L", size), "GIF")
    at = plain.index(b"\x2c", 13 + 3 * 2 ** ((plain[10] & 7) + 1))
    image = plain[at:] if data is None else plain[at : at + 11] + data
    return plain[:at] + middle + image


def gif_comments(size: int) -> bytes:
    return gif_of(b"!\xfe" + filled(b"\1x", size) + b"\0")


def gif_extensions(size: int) -> bytes:
    return gif_of(filled(b"!\xff\1x\0", size))


def gif_blocks(size: int) -> bytes:
    # Clear codes of 9 bits, a byte in each block.
    return gif_of(b"", filled(b"\1\0", size) + b"\0;")


def gif_frames(size: int) -> bytes:
    plain = saved(Image.new("L", (8, 8)), "GIF")
    at = 13 + 3 * 2 ** ((plain[10] & 7) + 1)
    return plain[:at] + filled(plain[plain.index(b"\x2c", at) : -1], size) + b";"


def webp_canvas(side: int) -> bytes:
    size = struct.pack("<I", side - 1)[:3]
    inner = saved(Image.new("RGB", (8, 8)), "WEBP")[12:]
    body = b"WEBP" + b"VP8X" + struct.pack("<I", 10) + b"\x02\0\0\0" + size + size
    body += b"ANIM" + struct.pack("<IIH", 6, 0, 0)
    frame = bytes(6) + struct.pack("<I", 7)[:3] * 2 + bytes(4) + inner
    body += b"ANMF" + struct.pack("<I", len(frame)) + frame
    return b"RIFF" + struct.pack("<I", len(body)) + body


def webp_frames(size: int) -> bytes:
    one = webp_canvas(8)
    at = one.index(b"ANMF")
    body = one[8:] + filled(one[at:], size)
    return b"RIFF" + struct.pack("<I", len(body)) + body


def tiff(entries: list[tuple[int, int, int, int]], rest: bytes, following: int = 0) -> bytes:
    """A little-endian TIFF: the directory first, then the rest."""
    packed = b"".join(struct.pack("<HHII", *entry) for entry in sorted(entries))
    return (
        b"II*\0" + struct.pack("<IH", 8, len(entries)) + packed + struct.pack("<I", following)
        + rest
    )  # fmt: skip


def tiff_start(num_entries: int) -> int:
    """Where `rest` begins."""
    return 14 + 12 * num_entries


def plain_tags(width: int, height: int, compression: int = 1, bits: int = 8) -> list:
    return [
        (256, 4, 1, width), (257, 4, 1, height), (258, 3, 1, bits), (259, 3, 1, compression),
        (262, 3, 1, 1), (277, 3, 1, 1),
    ]  # fmt: skip


def tiff_strips(size: int) -> bytes:
    tags = plain_tags(8, 8)
    start = tiff_start(len(tags) + 3)
    count = size // 8
    tags += [(273, 4, count, start), (278, 4, 1, 1), (279, 4, count, start + 4 * count)]
    return tiff(tags, filled(struct.pack("<I", start), 4 * count) + filled(b"\1\0\0\0", 4 * count))


def tiff_tile(side: int) -> bytes:
    """A picture of 8 x 8 in a tile that is much larger."""
    data = zlib.compress(bytes(side * side), 9)
    tags = plain_tags(8, 8, compression=8)
    start = tiff_start(len(tags) + 4)
    tags += [(322, 4, 1, side), (323, 4, 1, side), (324, 4, 1, start), (325, 4, 1, len(data))]
    return tiff(tags, data)


def tiff_values(size: int) -> bytes:
    """Many entries that all mean the same bytes."""
    tags = [(40_000 + i, 7, size, 8) for i in range(5000)]
    data = bytes(64)
    start = tiff_start(len(tags) + 9)
    tags += [*plain_tags(8, 8), (273, 4, 1, start), (278, 4, 1, 8), (279, 4, 1, 64)]
    return tiff(tags, data + bytes(size))


def tiff_pixels(megapixels: int, compression: str, mode: str = "RGB", **options: object) -> bytes:
    return saved(
        Image.new(mode, (10_000, megapixels * 100)), "TIFF", compression=compression, **options
    )


def bmp_runs(size: int) -> bytes:
    width, height = 10_000, size // 2 // 10_000
    head = struct.pack("<IiiHHIIiiII", 40, width, height, 1, 8, 1, size, 0, 0, 256, 0)
    offset = 14 + 40 + 1024
    data = filled(b"\1\0", size)
    return b"BM" + struct.pack("<IHHI", offset + size, 0, 0, offset) + head + bytes(1024) + data


_MB = 10**6

BOMBS: dict[str, Callable[[], bytes]] = {
    "png_chunks": lambda: png_chunks(30 * _MB),
    "png_chunks_behind": lambda: png_chunks_behind(30 * _MB),
    "png_profiles": lambda: png_profiles(30 * _MB),
    "png_texts": lambda: png_texts(30 * _MB),
    "png_empty_data": lambda: png_empty_data(30 * _MB),
    "png_stored_blocks": lambda: png_stored_blocks(30 * _MB),
    "png_tables": lambda: png_tables(30 * _MB),
    "png_rgb_50": lambda: png_pixels(50),
    "png_rgba_50": lambda: png_pixels(50, colour=6),
    "png_grey16_50": lambda: png_pixels(50, bits=16, colour=0),
    "png_rgba16_50": lambda: png_pixels(50, bits=16, colour=6),
    "png_palette_50": lambda: png_pixels(50, colour=3),
    "jpeg_segments": lambda: jpeg_segments(30 * _MB),
    "jpeg_padding": lambda: jpeg_padding(30 * _MB),
    "jpeg_junk": lambda: jpeg_junk(30 * _MB),
    "jpeg_exif_1MB": lambda: jpeg_exif(1 * _MB),
    "jpeg_scans_10_50": lambda: jpeg_scans(10, 50),
    "jpeg_scans_100_50": lambda: jpeg_scans(100, 50),
    "gif_comments": lambda: gif_comments(30 * _MB),
    "gif_extensions": lambda: gif_extensions(30 * _MB),
    "gif_blocks": lambda: gif_blocks(30 * _MB),
    "gif_frames": lambda: gif_frames(30 * _MB),
    "webp_canvas_16383": lambda: webp_canvas(16383),
    "webp_canvas_7000": lambda: webp_canvas(7000),
    "webp_frames": lambda: webp_frames(30 * _MB),
    "webp_lossy_50": lambda: saved(Image.new("RGB", (10_000, 5_000)), "WEBP", method=0),
    "webp_alpha_50": lambda: saved(Image.new("RGBA", (10_000, 5_000)), "WEBP", method=0),
    "tiff_strips": lambda: tiff_strips(30 * _MB),
    "tiff_tile_30000": lambda: tiff_tile(30_000),
    "tiff_values": lambda: tiff_values(_MB),
    "tiff_lzw_50": lambda: tiff_pixels(50, "tiff_lzw"),
    "tiff_deflate_50": lambda: tiff_pixels(50, "tiff_adobe_deflate"),
    "tiff_jpeg_50": lambda: tiff_pixels(50, "jpeg"),
    "tiff_g4_50": lambda: tiff_pixels(50, "group4", "1"),
    "tiff_lzma_50": lambda: tiff_pixels(50, "lzma"),
    "bmp_runs": lambda: bmp_runs(30 * _MB),
}
