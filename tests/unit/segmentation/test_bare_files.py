"""Metadata is taken away before a decoder sees the file, and bombs made of it are refused."""

import io
import struct
import zlib

import numpy as np
import pytest
from attack.picture_bombs import chunk, jpeg_scans, png, rows, saved, segment, small_jpeg
from PIL import Image

from suresam.errors import InvalidImage
from suresam.segmentation.bare_jpeg import bare_jpeg
from suresam.segmentation.bare_png import bare_png
from suresam.segmentation.images import ImageLimits, read_header, read_pixels

LIMITS = ImageLimits()


def exif(value, order="<", kind=3, tag=0x0112):
    head = b"II*\0" if order == "<" else b"MM\0*"
    short = struct.pack(order + "H", value) + b"\0\0"
    return head + struct.pack(order + "IHHHI", 8, 1, tag, kind, 1) + short + bytes(4)


def xmp(value):
    return f'<x tiff:Orientation="{value}"/>'.encode()


def in_jpeg(*segments):
    plain = small_jpeg()
    return plain[:2] + b"".join(segments) + plain[2:]


def in_png(before=b"", after=b""):
    return png(8, 4, rows(8, 4, 3), before=before, after=after)


def test_a_jpeg_loses_all_but_what_its_pixels_need():
    plain = small_jpeg()
    dressed = in_jpeg(
        segment(0xE1, b"Exif\0\0" + exif(6)),
        segment(0xE2, b"ICC_PROFILE\0\1\1" + bytes(500)),
        segment(0xED, b"Photoshop 3.0\0" + bytes(99)),
        segment(0xFE, b"a comment"),
        b"\xff" * 9,
    )
    bare = bare_jpeg(dressed)
    assert bare.data == plain
    assert bare.orientation == 6
    assert bare_jpeg(plain).orientation is None


@pytest.mark.parametrize("order", ["<", ">"])
@pytest.mark.parametrize("value", range(1, 9))
def test_the_orientation_of_a_jpeg_is_found(order, value):
    block = segment(0xE1, b"Exif\0\0" + exif(value, order))
    assert bare_jpeg(in_jpeg(block)).orientation == value


@pytest.mark.parametrize(
    "block",
    [
        exif(0),
        exif(9),
        exif(6, kind=4),
        exif(6, tag=0x0111),
        exif(6)[:17],
        b"II*\0" + b"\xff" * 4,
        b"XX*\0",
        b"",
    ],
)
def test_exif_that_tells_no_orientation_is_passed_over(block):
    assert bare_jpeg(in_jpeg(segment(0xE1, b"Exif\0\0" + block))).orientation is None


def test_exif_counts_before_xmp():
    packet = segment(0xE1, b"http://ns.adobe.com/xap/1.0/\0" + xmp(3))
    assert bare_jpeg(in_jpeg(packet)).orientation == 3
    block = segment(0xE1, b"Exif\0\0" + exif(8))
    assert bare_jpeg(in_jpeg(packet, block)).orientation == 8


def test_a_png_loses_all_but_what_its_pixels_need():
    before = chunk(b"iCCP", b"a\0\0" + zlib.compress(bytes(99))) + chunk(b"gAMA", bytes(4))
    after = chunk(b"tEXt", b"a\0b") + chunk(b"eXIf", exif(5))
    bare = bare_png(in_png(before, after) + b"what comes behind the end")
    assert bare.data == in_png()
    assert bare.orientation == 5
    assert not bare.is_animated


def profile(block):
    return b"\nexif\n%8d\n%s\n" % (len(block), block.hex().encode())


RAW = b"Raw profile type exif\0"
XMP = b"XML:com.adobe.xmp\0"


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        (chunk(b"tEXt", RAW + profile(exif(6))), 6),
        (chunk(b"zTXt", RAW + b"\0" + zlib.compress(profile(exif(7)))), 7),
        (chunk(b"iTXt", XMP + b"\0\0\0\0" + xmp(8)), 8),
        (chunk(b"iTXt", XMP + b"\1\0en\0\0" + zlib.compress(xmp(2))), 2),
        (chunk(b"tEXt", RAW + b"\nexif\n 3\nno hex\n"), None),
        (chunk(b"zTXt", RAW + b"\0no zlib"), None),
        (chunk(b"iTXt", XMP + b"\1"), None),
        (chunk(b"tEXt", b"Author\0" + xmp(2)), None),
    ],
)
def test_the_orientation_in_a_text_of_a_png_is_found(text, expected):
    assert bare_png(in_png(text)).orientation == expected
    assert bare_png(in_png(after=text)).orientation == expected


def test_a_palette_that_is_missing_is_damage():
    for read in (read_header, read_pixels):
        with pytest.raises(InvalidImage, match="its palette is missing"):
            read(png(8, 4, rows(8, 4, 1), colour=3), LIMITS)


def test_an_animated_png_is_said_to_have_several_frames():
    frames = [Image.new("RGB", (5, 3), (red, 0, 0)) for red in (200, 100)]
    data = saved(frames[0], "PNG", save_all=True, append_images=frames[1:])
    said = ("the PNG image has several frames; the first was used",)
    assert read_header(data, LIMITS).warnings == said
    assert read_pixels(data, LIMITS)[0, 0].tolist() == [200, 0, 0]


def test_a_png_may_reach_the_limit_of_chunks_and_no_more():
    # Beside them stand IHDR, IDAT and IEND.
    most = in_png(chunk(b"prVt", b"") * 19_997)
    assert read_pixels(most, LIMITS).shape == (4, 8, 3)
    for read in (read_header, read_pixels):
        with pytest.raises(InvalidImage, match=r"over 20000 chunks \(limit 20000\)"):
            read(in_png(chunk(b"prVt", b"") * 19_998), LIMITS)


def test_chunks_behind_one_that_is_none_are_not_looked_at():
    broken = in_png(chunk(b"ab1d", b"") + chunk(b"iCCP", b"a\0\0" + bytes(99)))
    assert b"iCCP" not in bare_png(broken).data
    with pytest.raises(InvalidImage):
        read_header(broken, LIMITS)


def test_a_jpeg_may_have_many_segments_and_no_more():
    comment = segment(0xFE, b"")
    assert read_pixels(in_jpeg(comment * 1900), LIMITS).shape == (16, 16, 3)
    with pytest.raises(InvalidImage, match="over 2000 segments before its pixels"):
        read_header(in_jpeg(comment * 2000), LIMITS)


def test_a_jpeg_may_reach_the_limit_of_scans_and_no_more():
    # One scan more than the number: that of the lowest frequencies.
    assert read_pixels(jpeg_scans(99, 0.01), LIMITS).shape == (2, 5000, 3)
    with pytest.raises(InvalidImage, match=r"over 100 scans \(limit 100\)"):
        read_header(jpeg_scans(100, 0.01), LIMITS)


def test_tables_between_scans_have_a_limit():
    plain = jpeg_scans(2, 0.01)
    at = plain.rindex(b"\xff\xda")
    with pytest.raises(InvalidImage, match="over 1000 segments between its scans"):
        read_header(plain[:at] + segment(0xDD, b"\0\0") * 1000 + plain[at:], LIMITS)


@pytest.mark.parametrize("frame", [0xC3, 0xC5, 0xC9, 0xCF])
def test_a_jpeg_of_a_rare_kind_is_refused(frame):
    data = small_jpeg().replace(b"\xff\xc0", bytes([0xFF, frame]))
    with pytest.raises(InvalidImage, match=f"its frame is 0xFF{frame:02X}"):
        read_header(data, LIMITS)


def test_what_follows_the_end_of_a_jpeg_is_no_scan():
    assert read_header(small_jpeg() + b"\xff\xda\0\2" * 500, LIMITS).size.width == 16


@pytest.mark.parametrize("orientation", range(1, 9))
@pytest.mark.parametrize("mode", ["RGB", "RGBA"])
def test_a_picture_of_several_bands_is_put_together_upright(orientation, mode):
    noise = np.random.default_rng(orientation).integers(0, 256, (601, 907, len(mode)), np.uint8)
    tag = Image.Exif()
    tag[0x0112] = orientation
    data = saved(Image.fromarray(noise), "PNG", exif=tag, compress_level=0)
    whole = Image.open(io.BytesIO(data))
    layer = whole.convert("RGBA")
    ground = Image.new("RGBA", layer.size, (255, 255, 255, 255))
    flat = np.asarray(Image.alpha_composite(ground, layer).convert("RGB"))
    turned = {
        1: flat, 2: flat[:, ::-1], 3: flat[::-1, ::-1], 4: flat[::-1],
        5: flat.swapaxes(0, 1), 6: flat[::-1].swapaxes(0, 1),
        7: flat[::-1, ::-1].swapaxes(0, 1), 8: flat[:, ::-1].swapaxes(0, 1),
    }[orientation]  # fmt: skip
    np.testing.assert_array_equal(read_pixels(data, LIMITS), turned)
