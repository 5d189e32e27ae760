import io
import struct
import tracemalloc
import zlib

import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from PIL import Image, ImageOps

from suresam.domain import ImageSize
from suresam.errors import ImageTooLarge, InvalidImage
from suresam.segmentation.images import ImageLimits, pixels_of, read_header, read_pixels

LIMITS = ImageLimits()
ORIENTATION = 0x0112


def saved(image, fmt="PNG", **options):
    buffer = io.BytesIO()
    image.save(buffer, fmt, **options)
    return buffer.getvalue()


def picture(width=6, height=4):
    """Every pixel differs from its neighbours."""
    x, y = np.meshgrid(np.arange(width), np.arange(height))
    return Image.fromarray(np.stack([40 * x, 60 * y, 10 * x + 20 * y], -1).astype(np.uint8))


def with_orientation(value):
    exif = Image.Exif()
    exif[ORIENTATION] = value
    return exif


def first_pixel(data):
    pixels = read_pixels(data, LIMITS)
    assert pixels.dtype == np.uint8
    assert pixels.ndim == 3
    assert pixels.flags.c_contiguous
    return pixels[0, 0].tolist()


def palette(colour, **options):
    image = Image.new("P", (2, 2), 1)
    image.putpalette([0, 0, 0, *colour])
    return saved(image, **options)


MODES = {
    "grey": (saved(Image.new("L", (2, 2), 77)), [77, 77, 77]),
    "grey_half_transparent": (saved(Image.new("LA", (2, 2), (0, 128))), [127, 127, 127]),
    "grey_opaque": (saved(Image.new("LA", (2, 2), (9, 255))), [9, 9, 9]),
    "palette": (palette((10, 20, 30)), [10, 20, 30]),
    "palette_transparent": (palette((10, 20, 30), transparency=1), [255, 255, 255]),
    "palette_other_entry_transparent": (palette((10, 20, 30), transparency=0), [10, 20, 30]),
    "palette_half_transparent": (palette((0, 0, 0), transparency=b"\xff\x80"), [127, 127, 127]),
    "rgb": (saved(Image.new("RGB", (2, 2), (1, 2, 3))), [1, 2, 3]),
    "rgb_with_transparent_colour": (
        saved(Image.new("RGB", (2, 2), (1, 2, 3)), transparency=(1, 2, 3)),
        [255, 255, 255],
    ),
    # 255 - 128 = 127 of white shows through black at opacity 128.
    "rgba_half_transparent": (saved(Image.new("RGBA", (2, 2), (0, 0, 0, 128))), [127, 127, 127]),
    "rgba_invisible": (saved(Image.new("RGBA", (2, 2), (9, 9, 9, 0))), [255, 255, 255]),
    "rgba_opaque": (saved(Image.new("RGBA", (2, 2), (9, 8, 7, 255))), [9, 8, 7]),
    "bit_white": (saved(Image.new("1", (2, 2), 1)), [255, 255, 255]),
    "bit_black": (saved(Image.new("1", (2, 2), 0)), [0, 0, 0]),
    "bmp": (saved(Image.new("RGB", (2, 2), (1, 2, 3)), "BMP"), [1, 2, 3]),
    "gif": (saved(Image.new("RGB", (2, 2), (1, 2, 3)), "GIF"), [1, 2, 3]),
    "webp": (saved(Image.new("RGB", (2, 2), (1, 2, 3)), "WEBP", lossless=True), [1, 2, 3]),
    "tiff": (saved(Image.new("RGB", (2, 2), (1, 2, 3)), "TIFF"), [1, 2, 3]),
    "tiff_cmyk_black": (saved(Image.new("CMYK", (2, 2), (0, 0, 0, 255)), "TIFF"), [0, 0, 0]),
}


@pytest.mark.parametrize(("data", "expected"), MODES.values(), ids=MODES)
def test_every_mode_becomes_rgb(data, expected):
    assert first_pixel(data) == expected
    assert read_header(data, LIMITS).size == ImageSize(2, 2)


@pytest.mark.parametrize("fmt", ["PNG", "TIFF"])
@pytest.mark.parametrize(
    ("sample", "expected"),
    [(0, 0), (256, 0), (257, 1), (32896, 128), (65534, 254), (65535, 255)],
)
def test_sixteen_bit_grey_is_divided_by_257(fmt, sample, expected):
    data = saved(Image.fromarray(np.full((2, 3), sample, np.uint16)), fmt)
    assert first_pixel(data) == [expected] * 3


def test_sixteen_bit_grey_of_big_endian_files_is_read_alike():
    data = saved(Image.frombytes("I;16B", (1, 1), b"\x80\x80"), "TIFF")
    assert first_pixel(data) == [128, 128, 128]


@pytest.mark.parametrize(("sample", "expected"), [(-5, 0), (65535, 255), (10**6, 255)])
def test_wider_samples_are_cut_to_sixteen_bits(sample, expected):
    data = saved(Image.fromarray(np.full((1, 1), sample, np.int32)), "TIFF")
    assert first_pixel(data) == [expected] * 3


def test_the_transparent_grey_of_a_sixteen_bit_png_becomes_white():
    image = Image.fromarray(np.array([[1000, 2570]], np.uint16))
    data = saved(image, transparency=1000)
    assert read_header(data, LIMITS).warnings == ("transparent pixels were placed on white",)
    assert read_pixels(data, LIMITS)[0].tolist() == [[255, 255, 255], [10, 10, 10]]


@pytest.mark.parametrize(
    ("inks", "expected"),
    [((0, 0, 0, 0), (255, 255, 255)), ((0, 255, 255, 0), (255, 0, 0)), ((0, 0, 0, 255), (0, 0, 0))],
)
def test_a_pure_colour_of_a_cmyk_jpeg_comes_out_close(inks, expected):
    data = saved(Image.new("CMYK", (16, 16), inks), "JPEG", quality=95)
    assert first_pixel(data) == pytest.approx(expected, abs=3)


@pytest.mark.parametrize("fmt", ["PNG", "TIFF", "WEBP", "JPEG"])
@pytest.mark.parametrize("orientation", range(1, 9))
def test_orientation_is_applied_to_size_and_pixels(fmt, orientation):
    options = {"lossless": True} if fmt == "WEBP" else {}
    data = saved(picture(), fmt, exif=with_orientation(orientation), **options)
    shown = ImageOps.exif_transpose(Image.open(io.BytesIO(data))).convert("RGB")
    expected_size = ImageSize(6, 4) if orientation < 5 else ImageSize(4, 6)
    assert read_header(data, LIMITS).size == expected_size
    assert (shown.width, shown.height) == (expected_size.width, expected_size.height)
    np.testing.assert_array_equal(read_pixels(data, LIMITS), np.asarray(shown))


@pytest.mark.parametrize("orientation", [0, 9, 65535])
def test_an_orientation_that_does_not_exist_is_ignored(orientation):
    data = saved(picture(), exif=with_orientation(orientation))
    assert read_header(data, LIMITS).size == ImageSize(6, 4)
    np.testing.assert_array_equal(read_pixels(data, LIMITS), np.asarray(picture()))


def chunk(kind, body):
    return struct.pack(">I", len(body)) + kind + body + struct.pack(">I", zlib.crc32(kind + body))


def test_exif_behind_the_pixels_of_a_png_turns_header_and_pixels_alike():
    plain = saved(picture())
    exif = with_orientation(6).tobytes().removeprefix(b"Exif\0\0")
    data = plain[:-12] + chunk(b"eXIf", exif) + plain[-12:]
    assert read_header(data, LIMITS).size == ImageSize(4, 6)
    assert read_pixels(data, LIMITS).shape == (6, 4, 3)


def test_the_header_of_a_png_is_read_without_its_pixels():
    plain = saved(picture())
    broken = plain[: plain.index(b"IDAT") + 6]
    assert read_header(broken, LIMITS).size == ImageSize(6, 4)
    with pytest.raises(InvalidImage, match="the PNG image is damaged"):
        read_pixels(broken, LIMITS)


def test_corrupted_exif_is_no_reason_to_refuse_a_photograph():
    data = bytearray(saved(picture(), "JPEG", exif=with_orientation(6)))
    start = data.index(b"Exif\0\0") + 6
    data[start : start + 4] = b"XXXX"  # no byte order: the block cannot be read
    assert read_header(bytes(data), LIMITS).size == ImageSize(6, 4)
    assert read_pixels(bytes(data), LIMITS).shape == (4, 6, 3)


@pytest.mark.parametrize("fmt", ["GIF", "WEBP", "TIFF"])
@pytest.mark.parametrize("num_frames", [1, 2, 3])
def test_the_first_frame_is_used_and_said_so(fmt, num_frames):
    frames = [Image.new("RGB", (5, 3), (red, 0, 0)) for red in (200, 100, 50)][:num_frames]
    options = {"lossless": True} if fmt == "WEBP" else {}
    data = saved(frames[0], fmt, save_all=True, append_images=frames[1:], **options)
    expected = (f"the {fmt} image has several frames; the first was used",)
    assert read_header(data, LIMITS).warnings == (expected if num_frames > 1 else ())
    assert first_pixel(data) == [200, 0, 0]


def test_further_views_of_a_camera_are_no_warning():
    second = Image.new("RGB", (16, 16), (0, 0, 255))
    first = Image.new("RGB", (16, 16), (255, 0, 0))
    data = saved(first, "MPO", save_all=True, append_images=[second])
    assert read_header(data, LIMITS).warnings == ()
    assert first_pixel(data) == pytest.approx([254, 0, 0], abs=2)


def test_an_opaque_image_has_no_warnings():
    assert read_header(saved(picture()), LIMITS).warnings == ()


@pytest.mark.parametrize(
    ("data", "message"),
    [
        (b"", r"the image is empty \(0 bytes\)"),
        (b"\x89", "the 1 bytes are not an image of an accepted format"),
        (b"hello, this is text", "JPEG, PNG, WEBP, BMP, TIFF, GIF"),
        (saved(Image.new("RGB", (16, 16)), "ICO"), "not an image of an accepted format"),
        (saved(picture(), "PPM"), "not an image of an accepted format"),
        (b"%!PS-Adobe-3.0 EPSF-3.0\n", "not an image of an accepted format"),
    ],
)
def test_what_is_no_accepted_image_is_refused(data, message):
    for read in (read_header, read_pixels):
        with pytest.raises(InvalidImage, match=message):
            read(data, LIMITS)


@pytest.mark.parametrize("fmt", ["JPEG", "PNG"])
def test_a_truncated_image_is_refused_when_its_pixels_are_read(fmt):
    noise = np.random.default_rng(0).integers(0, 256, (64, 64, 3), np.uint8)
    data = saved(Image.fromarray(noise), fmt)
    with pytest.raises(InvalidImage, match=f"the {fmt} image is damaged"):
        read_pixels(data[: len(data) // 2], LIMITS)


def test_float_samples_are_refused():
    data = saved(Image.fromarray(np.zeros((2, 2), np.float32)), "TIFF")
    for read in (read_header, read_pixels):
        with pytest.raises(InvalidImage, match="floating-point samples"):
            read(data, LIMITS)


def png_header(width, height):
    size = struct.pack(">IIBBBBB", width, height, 8, 2, 0, 0, 0)
    return b"\x89PNG\r\n\x1a\n" + chunk(b"IHDR", size) + chunk(b"IDAT", zlib.compress(b"\0" * 99))


def test_a_header_of_40000_by_40000_is_refused_without_memory_for_it():
    data = png_header(40_000, 40_000)
    tracemalloc.start()
    try:
        for read in (read_header, read_pixels):
            with pytest.raises(ImageTooLarge, match=r"40000 x 40000 pixels .* 20000 pixels"):
                read(data, LIMITS)
        assert tracemalloc.get_traced_memory()[1] < 2**20
    finally:
        tracemalloc.stop()


@pytest.mark.parametrize("size", [(0, 5), (5, 0)])
def test_an_image_without_pixels_is_refused(size):
    with pytest.raises(InvalidImage):
        read_pixels(png_header(*size), LIMITS)


@pytest.mark.parametrize(
    ("limits", "is_accepted"),
    [
        (ImageLimits(max_pixels=24), True),
        (ImageLimits(max_pixels=23), False),
        (ImageLimits(max_side=6), True),
        (ImageLimits(max_side=5), False),
    ],
)
def test_pixels_and_sides_may_reach_their_limit_and_no_more(limits, is_accepted):
    data = saved(picture(6, 4))
    if is_accepted:
        assert read_pixels(data, limits).shape == (4, 6, 3)
    else:
        with pytest.raises(ImageTooLarge, match="6 x 4 pixels"):
            read_pixels(data, limits)


def test_bytes_may_reach_their_limit_and_no_more():
    data = saved(picture())
    assert read_pixels(data, ImageLimits(max_bytes=len(data))).shape == (4, 6, 3)
    with pytest.raises(ImageTooLarge, match=rf"{len(data)} bytes \(limit {len(data) - 1} bytes\)"):
        read_header(data, ImageLimits(max_bytes=len(data) - 1))


def test_one_pixel_is_an_image():
    assert first_pixel(saved(Image.new("RGB", (1, 1), (4, 5, 6)))) == [4, 5, 6]


@pytest.mark.parametrize(
    "mode", ["RGB", "L", "LA", "P", "1", "RGBA", "CMYK", "YCbCr", "HSV", "I;16"]
)
def test_an_image_made_by_pillow_is_read_in_any_mode(mode):
    pixels = pixels_of(Image.new(mode, (3, 2)))
    assert pixels.shape == (2, 3, 3)
    assert pixels.dtype == np.uint8


@pytest.mark.parametrize(
    ("image", "message"),
    [
        (Image.new("F", (2, 2)), "floating-point"),
        (Image.new("RGB", (0, 2)), "no pixels"),
    ],
)
def test_an_image_made_by_pillow_may_be_refused(image, message):
    with pytest.raises(InvalidImage, match=message):
        pixels_of(image)


VALID = {
    "jpeg": saved(picture(16, 12), "JPEG", exif=with_orientation(6)),
    "jpeg_progressive": saved(picture(16, 12), "JPEG", progressive=True),
    "png": saved(picture(), exif=with_orientation(6)),
    "png_palette": palette((1, 2, 3), transparency=1),
    "gif": saved(picture(), "GIF", save_all=True, append_images=[picture().rotate(180)]),
    "tiff": saved(picture(), "TIFF", exif=with_orientation(6)),
    "tiff_lzw": saved(picture(), "TIFF", compression="tiff_lzw"),
    "tiff_pages": saved(picture(), "TIFF", save_all=True, append_images=[picture()]),
    "webp": saved(picture(), "WEBP", exif=with_orientation(6)),
    "webp_animated": saved(picture(), "WEBP", save_all=True, append_images=[picture().rotate(180)]),
    "bmp": saved(picture(), "BMP"),
    "mpo": saved(picture(16, 12), "MPO", save_all=True, append_images=[picture(16, 12)]),
}


@st.composite
def damaged(draw):
    data = bytearray(draw(st.sampled_from(list(VALID.values()))))
    for _ in range(draw(st.integers(0, 4))):
        data[draw(st.integers(0, len(data) - 1))] = draw(st.integers(0, 255))
    return bytes(data[: draw(st.one_of(st.just(len(data)), st.integers(0, len(data))))])


def check_damaged(data):
    limits = ImageLimits(max_pixels=100_000, max_side=1000)
    try:
        header = read_header(data, limits)
        pixels = read_pixels(data, limits)
    except (InvalidImage, ImageTooLarge):
        return
    assert pixels.shape == (header.size.height, header.size.width, 3)


FUZZ = settings(deadline=None, max_examples=300, suppress_health_check=list(HealthCheck))


@FUZZ
@given(damaged())
def test_damaged_files_never_raise_anything_else(data):
    check_damaged(data)


@pytest.mark.filterwarnings("ignore")
@FUZZ
@given(damaged())
def test_damaged_files_never_raise_anything_else_where_warnings_are_off(data):
    check_damaged(data)


@FUZZ
@given(st.binary(max_size=64))
def test_random_bytes_never_raise_anything_else(data):
    check_damaged(data)
