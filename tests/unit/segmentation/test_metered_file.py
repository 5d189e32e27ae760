import pytest
from attack.picture_bombs import bmp_runs, gif_comments, png_tables, saved
from PIL import Image

from suresam.errors import InvalidImage
from suresam.segmentation.images import ImageLimits, read_header, read_pixels
from suresam.segmentation.metered_file import MeteredFile, TooMuchWork


def read_over_and_over(file, times):
    for _ in range(times):
        file.seek(0)
        file.read()


def test_a_file_may_be_read_a_few_times():
    data = bytes(2**20)
    read_over_and_over(MeteredFile(data, 60), 5)  # four times, and a spare MiB
    with pytest.raises(TooMuchWork, match="the same bytes over and over"):
        read_over_and_over(MeteredFile(data, 60), 6)


def test_a_file_may_be_read_in_so_many_pieces():
    file = MeteredFile(bytes(10_000), 60)
    for _ in range(50_100):
        file.read(0)
    with pytest.raises(TooMuchWork, match="too many tiny pieces"):
        file.read(0)


def test_reading_ends_with_its_time():
    with pytest.raises(TooMuchWork, match="over -1 s"):
        MeteredFile(b"a", -1).read()


def test_a_gif_of_tiny_comments_is_refused():
    with pytest.raises(InvalidImage, match="too many tiny pieces"):
        read_header(gif_comments(120_000), ImageLimits())


def test_a_bitmap_of_tiny_runs_is_refused():
    with pytest.raises(InvalidImage, match="too many tiny pieces"):
        read_pixels(bmp_runs(120_000), ImageLimits())


@pytest.mark.parametrize("fmt", ["JPEG", "PNG", "GIF", "BMP"])
def test_decoding_block_by_block_ends_with_its_time(fmt):
    data = saved(Image.new("RGB", (64, 64)), fmt)
    with pytest.raises(InvalidImage, match="takes over -1 s"):
        read_pixels(data, ImageLimits(max_cpu_s=-1))


def test_tables_without_pixels_end_as_damage():
    with pytest.raises(InvalidImage, match="truncated"):
        read_pixels(png_tables(100_000), ImageLimits())
