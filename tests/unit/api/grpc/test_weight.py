import pytest

from suresam.api.grpc.weight import MOST_VALUES, check_weight
from suresam.errors import InvalidRequest
from suresam.pb import segmentation_pb2 as pb

KIND = pb.SegmentRequest.DESCRIPTOR


def inside_a_prompt(data: bytes) -> bytes:
    """A request with an image over which nothing is counted, and one prompt."""
    size = len(data)
    length = bytes([size & 127 | 128, size >> 7 & 127 | 128, size >> 14 & 127 | 128, size >> 21])
    return (
        pb.SegmentRequest(image=bytes(2 * MOST_VALUES)).SerializeToString()
        + b"\x22"
        + length
        + data
    )


@pytest.mark.parametrize(
    ("heavy", "is_nested"),
    [(b"\x22\x00", False), (b"\x0a\x00", True), (b"\x10\x01", True)],
    ids=["prompts", "points", "labels"],
)
def test_as_many_values_as_may_be_and_one_more(heavy, is_nested):
    for count, is_light in ((MOST_VALUES - 2, True), (MOST_VALUES, False)):
        data = inside_a_prompt(heavy * count if is_nested else b"")
        data += b"" if is_nested else heavy * count
        if is_light:
            check_weight(data, KIND)
            assert pb.SegmentRequest.FromString(data)
        else:
            with pytest.raises(InvalidRequest, match=f"over {MOST_VALUES} values"):
                check_weight(data, KIND)


def test_packed_labels_are_counted_by_their_bytes():
    prompt = pb.Prompt(labels=[1] * (MOST_VALUES + 1))
    data = pb.SegmentRequest(image=bytes(2**20), prompts=[prompt]).SerializeToString()
    with pytest.raises(InvalidRequest, match="over"):
        check_weight(data, KIND)


def test_pictures_and_masks_count_as_one():
    mask = pb.Float16Array(height=1024, width=1024, data=bytes(2 * 1024 * 1024))
    request = pb.SegmentRequest(image=bytes(2**22), prompts=[pb.Prompt(mask_input=mask)] * 2)
    check_weight(request.SerializeToString(), KIND)


@pytest.mark.parametrize("end", [b"\x0b", b"\x0c", b"\xff" * 11, b"\x80"])
def test_what_cannot_be_followed_is_refused(end):
    with pytest.raises(InvalidRequest, match="cannot be read"):
        check_weight(pb.SegmentRequest(image=bytes(2**20)).SerializeToString() + end, KIND)
