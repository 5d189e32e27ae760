import pytest

from suresam.api.grpc.chunks import MAX_CHUNK_BYTES, ChunkedImage
from suresam.errors import ImageTooLarge, InvalidRequest


def collect(*chunks, limit=10, expected=None):
    image = ChunkedImage(limit, expected)
    for chunk in chunks:
        image.add(chunk)
    return image.finish()


@pytest.mark.parametrize("chunks", [(), (b"",), (b"abc",), (b"a", b"", b"bc"), (b"x" * 10,)])
@pytest.mark.parametrize("announced", [False, True])
def test_chunks_make_the_image(chunks, announced):
    whole = b"".join(chunks)
    assert collect(*chunks, expected=len(whole) if announced else None) == whole


def test_one_byte_over_the_limit_is_refused_as_it_arrives():
    image = ChunkedImage(10, None)
    image.add(b"x" * 10)
    with pytest.raises(ImageTooLarge, match=r"11 bytes \(limit 10 bytes\)"):
        image.add(b"x")


def test_an_announcement_over_the_limit_is_refused_at_once():
    with pytest.raises(ImageTooLarge, match=r"11 bytes \(limit 10 bytes\)"):
        ChunkedImage(10, 11)


@pytest.mark.parametrize("expected", [2, 4])
def test_fewer_or_more_bytes_than_announced_are_refused(expected):
    with pytest.raises(InvalidRequest, match=f"after 3 of {expected} announced image bytes"):
        collect(b"abc", expected=expected)


def test_a_chunk_has_its_own_limit():
    assert len(collect(bytes(MAX_CHUNK_BYTES), limit=2**30)) == 2**20
    with pytest.raises(InvalidRequest, match=r"1048577 bytes \(limit 1048576 bytes\)"):
        collect(bytes(MAX_CHUNK_BYTES + 1), limit=2**30)
