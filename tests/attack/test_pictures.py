"""Attacks by pictures: spoilt files and bombs of every format, over both transports."""

import json
from collections.abc import Iterator

import grpc
import httpx
import pytest
from attack.attacked_service import PATIENCE_S, AttackedService
from attack.conftest import Rounds
from attack.picture_bombs import (
    bmp_runs,
    gif_blocks,
    gif_comments,
    gif_extensions,
    gif_frames,
    jpeg_exif,
    jpeg_junk,
    jpeg_padding,
    jpeg_scans,
    jpeg_segments,
    png,
    png_chunks,
    png_chunks_behind,
    png_empty_data,
    png_pixels,
    png_profiles,
    png_stored_blocks,
    png_tables,
    png_texts,
    rows,
    tiff_strips,
    tiff_tile,
    tiff_values,
    webp_canvas,
    webp_frames,
)
from attack.picture_corpus import corpus, spoilt
from attack.tally import Tally

from suresam.errors import ImageTooLarge, InvalidImage
from suresam.pb import segmentation_pb2 as pb
from suresam.pb.segmentation_pb2_grpc import SegmentationStub
from suresam.segmentation.images import ImageLimits, read_header, read_pixels

_CODES = frozenset({"invalid_image", "image_too_large"})
"""What a picture may be refused for. The click lies in all that are none smaller than a pixel."""

_PROMPT = {"points": [[0, 0]]}
_REQUEST = json.dumps({"prompts": [_PROMPT], "output": {"masks": "none"}})
_OPTIONS = pb.SegmentOptions(output=pb.OutputRequest(masks=pb.MASK_FORMAT_NONE))
_PROTO = pb.Prompt(points=[pb.Point(x=0, y=0)])

_MB = 10**6
_SMALL = {
    "png_chunks": lambda: png_chunks(_MB),
    "png_chunks_behind": lambda: png_chunks_behind(_MB),
    "png_profiles": lambda: png_profiles(_MB // 10),
    "png_texts": lambda: png_texts(_MB // 10),
    "png_empty_data": lambda: png_empty_data(_MB),
    "png_stored_blocks": lambda: png_stored_blocks(_MB),
    "png_tables": lambda: png_tables(_MB // 10),
    "png_400_megapixels": lambda: png(20_000, 20_000, rows(8, 8, 3)),
    "png_51_megapixels": lambda: png(10_000, 5_100, rows(10_000, 100, 3)),
    "png_12_megapixels_that_are_missing": lambda: png(4_000, 3_000, rows(8, 8, 3)),
    "jpeg_segments": lambda: jpeg_segments(_MB),
    "jpeg_padding": lambda: jpeg_padding(_MB),
    "jpeg_junk": lambda: jpeg_junk(_MB),
    "jpeg_exif": lambda: jpeg_exif(_MB),
    "jpeg_scans": lambda: jpeg_scans(1000, 1),
    "jpeg_400_megapixels": lambda: jpeg_scans(1, 300),
    "gif_comments": lambda: gif_comments(_MB),
    "gif_extensions": lambda: gif_extensions(_MB),
    "gif_blocks": lambda: gif_blocks(_MB // 2),
    "gif_frames": lambda: gif_frames(_MB),
    "webp_268_megapixels": lambda: webp_canvas(16383),
    "webp_281_terapixels": lambda: webp_canvas(2**24),
    "webp_frames": lambda: webp_frames(_MB),
    "tiff_strips": lambda: tiff_strips(4 * _MB),
    "tiff_tile": lambda: tiff_tile(8000),
    "tiff_values": lambda: tiff_values(_MB),
    "bmp_runs": lambda: bmp_runs(_MB // 2),
}
_LARGE = {
    "png_tables": lambda: png_tables(7 * _MB),
    "png_profiles": lambda: png_profiles(7 * _MB),
    "png_rgba_12_megapixels": lambda: png_pixels(12, colour=6),
    "png_16_bits_12_megapixels": lambda: png_pixels(12, bits=16, colour=0),
    "png_palette_12_megapixels": lambda: png_pixels(12, colour=3),
    "jpeg_padding": lambda: jpeg_padding(7 * _MB),
    "jpeg_exif": lambda: jpeg_exif(7 * _MB),
    "jpeg_99_scans": lambda: jpeg_scans(99, 12),
    "gif_comments": lambda: gif_comments(7 * _MB),
    "gif_extensions": lambda: gif_extensions(7 * _MB),
    "webp_12_megapixels": lambda: webp_canvas(3400),
    "webp_frames": lambda: webp_frames(7 * _MB),
    "bmp_runs": lambda: bmp_runs(7 * _MB),
}


class Attacker:
    """Sends a picture over each way there is, and sees that the answer is one of the contract."""

    def __init__(self, service: AttackedService, tally: Tally) -> None:
        self._tally = tally
        self._http = httpx.Client(base_url=service.url, headers=service.headers, timeout=PATIENCE_S)
        self._channel = grpc.insecure_channel(service.address)
        self._stub = SegmentationStub(self._channel)
        self._metadata = [("authorization", service.headers["authorization"])]

    def close(self) -> None:
        self._http.close()
        self._channel.close()

    def by_rest(self, data: bytes, about: str) -> None:
        files = {"image": data}
        self._look(self._http.post("/v1/segment", files=files, data={"request": _REQUEST}), about)

    def as_session(self, data: bytes, about: str) -> None:
        answer = self._http.post("/v1/sessions", files={"image": data})
        self._look(answer, about)
        if answer.status_code == 201:
            session = answer.json()["session_id"]
            answer = self._http.post(f"/v1/sessions/{session}/segment", json={"prompts": [_PROMPT]})
            self._look(answer, about)
            self._http.delete(f"/v1/sessions/{session}")

    def by_grpc(self, data: bytes, about: str) -> None:
        request = pb.SegmentRequest(image=data, prompts=[_PROTO], options=_OPTIONS)
        self._call(self._stub.Segment, request, about)

    def in_chunks(self, data: bytes, about: str) -> None:
        self._call(self._stub.UploadAndSegment, self._messages(data), about)

    def every_way(self, data: bytes, about: str) -> None:
        for send in (self.by_rest, self.as_session, self.by_grpc, self.in_chunks):
            send(data, about)

    def _messages(self, data: bytes) -> Iterator[pb.UploadAndSegmentRequest]:
        yield pb.UploadAndSegmentRequest(header=pb.UploadAndSegmentHeader(options=_OPTIONS))
        for at in range(0, len(data), 64 * 1024):
            yield pb.UploadAndSegmentRequest(chunk=data[at : at + 64 * 1024])
        yield pb.UploadAndSegmentRequest(prompt=_PROTO)

    def _look(self, answer: httpx.Response, about: str) -> None:
        self._tally.answered(answer.status_code, about)
        if answer.is_success:
            return
        error = answer.json()["error"]
        if error["code"] not in _CODES or not error["message"] or not error["request_id"]:
            self._tally.fault(f"{answer.text[:300]} for {about}")

    def _call(self, method, sent, about: str) -> None:
        try:
            method(sent, metadata=self._metadata, timeout=PATIENCE_S)
        except grpc.RpcError as error:
            self._tally.answered(error.code(), about)
            code = dict(error.trailing_metadata() or ()).get("suresam-error-code")
            if code not in _CODES or not error.details():
                self._tally.fault(f"{error.code()} {code} {error.details()} for {about}")
        else:
            self._tally.answered(grpc.StatusCode.OK)


@pytest.fixture
def attacker(service: AttackedService, tally: Tally) -> Iterator[Attacker]:
    sending = Attacker(service, tally)
    yield sending
    sending.close()


def test_good_pictures_of_every_kind(attacker: Attacker, tally: Tally):
    for name, data in corpus().items():
        attacker.by_rest(data, name)
    refused = tally.answers["4xx"]
    assert (tally.num_tried - refused, refused) == (42, 3)  # facsimiles


def test_spoilt_pictures(attacker: Attacker, rounds: Rounds):
    files = list(corpus().values())
    ways = (attacker.by_rest, attacker.by_grpc, attacker.in_chunks, attacker.as_session)
    for number, random in enumerate(rounds(200)):
        ways[number % 4](spoilt(files, random), f"spoilt picture {number}")


def test_spoilt_pictures_read_without_a_server(tally: Tally, rounds: Rounds):
    files = list(corpus().values())
    limits = ImageLimits(max_pixels=4_000_000)
    for random in rounds(300):
        data = spoilt(files, random)
        tally.sent(1)
        try:
            size, pixels = read_header(data, limits).size, read_pixels(data, limits)
        except (InvalidImage, ImageTooLarge):
            continue
        assert pixels.shape == (size.height, size.width, 3)


def test_bombs(attacker: Attacker, is_long: bool):
    for name, make in _SMALL.items():
        data = make()
        if is_long:
            attacker.every_way(data, name)
        else:
            attacker.by_rest(data, name)
            attacker.in_chunks(data, name)


def test_large_bombs(attacker: Attacker, is_long: bool):
    if not is_long:
        pytest.skip("`make attack` sends these: they are 7 MB, or 12 million pixels, each")
    for name, make in _LARGE.items():
        attacker.every_way(make(), name)


def test_spoilt_bombs(attacker: Attacker, rounds: Rounds):
    bombs = [make() for make in _SMALL.values()]
    for number, random in enumerate(rounds(10)):
        data = bytearray(random.choice(bombs))
        for _ in range(random.choice((1, 3, 10))):
            data[random.randrange(min(len(data), 2000))] = random.randrange(256)
        attacker.in_chunks(bytes(data), f"spoilt bomb {number}")
