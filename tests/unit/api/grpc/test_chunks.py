import io

import pytest
from PIL import Image

from suresam.api.grpc.chunks import MAX_CHUNK_BYTES, ChunkedImage
from suresam.errors import ImageTooLarge, InvalidRequest
from suresam.segmentation.images import ImageLimits


async def collect(*chunks, limit=10, expected=None):
    image = ChunkedImage(ImageLimits(max_bytes=limit), expected)
    for chunk in chunks:
        await image.add(chunk)
    return image.finish()


@pytest.mark.parametrize("chunks", [(), (b"",), (b"abc",), (b"a", b"", b"bc"), (b"x" * 10,)])
@pytest.mark.parametrize("announced", [False, True])
async def test_chunks_make_the_image(chunks, announced):
    whole = b"".join(chunks)
    assert await collect(*chunks, expected=len(whole) if announced else None) == whole


async def test_one_byte_over_the_limit_is_refused_as_it_arrives():
    image = ChunkedImage(ImageLimits(max_bytes=10), None)
    await image.add(b"x" * 10)
    with pytest.raises(ImageTooLarge, match=r"11 bytes \(limit 10 bytes\)"):
        await image.add(b"x")


def test_an_announcement_over_the_limit_is_refused_at_once():
    with pytest.raises(ImageTooLarge, match=r"11 bytes \(limit 10 bytes\)"):
        ChunkedImage(ImageLimits(max_bytes=10), 11)


@pytest.mark.parametrize("expected", [2, 4])
async def test_fewer_or_more_bytes_than_announced_are_refused(expected):
    with pytest.raises(InvalidRequest, match=f"after 3 of {expected} announced image bytes"):
        await collect(b"abc", expected=expected)


async def test_a_chunk_has_its_own_limit():
    assert len(await collect(bytes(MAX_CHUNK_BYTES), limit=2**30)) == 2**20
    with pytest.raises(InvalidRequest, match=r"1048577 bytes \(limit 1048576 bytes\)"):
        await collect(bytes(MAX_CHUNK_BYTES + 1), limit=2**30)


async def test_too_many_pixels_are_refused_by_the_chunk_that_tells_them(photo):
    data = photo(641, 480)
    limits = ImageLimits(max_pixels=640 * 480)
    image = ChunkedImage(limits, len(data))
    for byte in data[:16]:
        await image.add(bytes([byte]))
    with pytest.raises(ImageTooLarge, match=r"641 x 480 pixels .* 307200 pixels in all"):
        await image.add(data[16:64])
    fits = ChunkedImage(limits, None)
    await fits.add(photo(640, 480))
    assert fits.finish() == photo(640, 480)


async def test_a_header_behind_long_metadata_is_found_when_it_arrives():
    # A JPEG may hold any number of comments before it tells its size.
    buffer = io.BytesIO()
    Image.new("RGB", (300, 10)).save(buffer, "JPEG", comment=b"x" * 60_000)
    data = buffer.getvalue()
    image = ChunkedImage(ImageLimits(max_side=200), None)
    await image.add(data[:40_000])
    await image.add(data[40_000:60_000])
    with pytest.raises(ImageTooLarge, match="300 x 10 pixels"):
        await image.add(data[60_000:] + bytes(20_000))
