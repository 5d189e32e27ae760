import struct

import pytest
from attack.picture_bombs import plain_tags, saved, tiff, tiff_start, tiff_tile
from PIL import Image

from suresam.errors import InvalidImage
from suresam.segmentation.images import ImageLimits, read_header, read_pixels
from suresam.segmentation.tiff_structure import check_tiff

LIMITS = ImageLimits()


@pytest.mark.parametrize(
    "compression", [None, "packbits", "tiff_lzw", "tiff_adobe_deflate", "jpeg", "zstd"]
)
def test_ordinary_compressions_are_read(compression):
    data = saved(Image.new("RGB", (32, 16), (9, 80, 90)), "TIFF", compression=compression)
    assert read_pixels(data, LIMITS).shape == (16, 32, 3)


@pytest.mark.parametrize("compression", ["lzma", "group3", "group4", "tiff_ccitt"])
def test_rare_compressions_are_refused(compression):
    data = saved(Image.new("1", (32, 16)), "TIFF", compression=compression)
    for read in (read_header, read_pixels):
        with pytest.raises(InvalidImage, match=f"compressed by {compression}"):
            read(data, LIMITS)


def with_values(count):
    tags = plain_tags(8, 8)
    start = tiff_start(len(tags) + 3)
    tags += [(273, 4, count, start), (278, 4, 1, 1), (279, 4, count, start)]
    return tiff(tags, bytes(64))


def test_an_entry_may_have_many_values_and_no_more():
    check_tiff(with_values(300_000))
    with pytest.raises(InvalidImage, match=r"entry 273 has 300001 values \(limit 300000\)"):
        read_header(with_values(300_001), LIMITS)


def test_bytes_may_be_as_many_as_the_file_has():
    check_tiff(tiff([(37724, 7, 2**31, 0)], b""))


def test_a_directory_may_have_many_entries_and_no_more():
    check_tiff(tiff([(40_000 + i, 3, 1, 0) for i in range(4096)], b""))
    with pytest.raises(InvalidImage, match=r"4097 entries \(limit 4096\)"):
        check_tiff(tiff([(40_000 + i, 3, 1, 0) for i in range(4097)], b""))


def test_a_tile_may_be_large_and_no_larger():
    assert read_pixels(tiff_tile(1024), LIMITS).shape == (8, 8, 3)
    with pytest.raises(InvalidImage, match=r"tiles of 4064256 pixels \(limit 4000000 pixels\)"):
        read_pixels(tiff_tile(2016), LIMITS)


def test_sizes_of_tiles_are_read_in_both_orders_and_widths():
    entry = struct.pack(">HHIHH", 322, 3, 1, 60_000, 0) + struct.pack(">HHII", 323, 4, 1, 70)
    with pytest.raises(InvalidImage, match="tiles of 4200000 pixels"):
        check_tiff(b"MM\0*" + struct.pack(">IH", 8, 2) + entry)


@pytest.mark.parametrize("head", [b"II+\0", b"MM\0+", b"MM*\0", b"II\0*"])
def test_only_the_classic_kind_is_read(head):
    data = saved(Image.new("RGB", (4, 4)), "TIFF")
    with pytest.raises(InvalidImage, match="not a classic one; BigTIFF is not read"):
        read_header(head + data[4:], LIMITS)


@pytest.mark.parametrize("cut", [4, 7, 9, 30])
def test_a_directory_that_is_cut_off_is_the_decoders_to_tell(cut):
    data = tiff(plain_tags(8, 8), b"")[:cut]
    check_tiff(data)
    with pytest.raises(InvalidImage):
        read_header(data, LIMITS)
