"""Client streams read to the end: header, chunks and prompts in their order."""

from collections.abc import AsyncIterator
from dataclasses import dataclass, field

from suresam.api.grpc.chunks import ChunkedImage
from suresam.api.grpc.pace import paced
from suresam.api.prompt_stream import MAX_RUNNING_PROMPTS
from suresam.api.upload_times import UploadTimes
from suresam.domain import Prompt, SegmentRequest
from suresam.errors import ImageTooLarge, InvalidRequest
from suresam.pb import segmentation_pb2 as pb
from suresam.segmentation.images import ImageLimits
from suresam.validation import check_num_images, check_num_prompts
from suresam.wire.grpc import options_from_proto, prompt_from_proto


@dataclass(frozen=True, slots=True)
class StreamLimits:
    """Bounds on what one client stream may pile up, and on how long an upload may take.

    Attributes:
        images: of one image.
        max_images: in a session.
        max_bytes: of all images together.
        max_prompts: in an upload.
        max_running_prompts: of one `Interact` stream, in progress at a time.
        times: of an upload, whose pieces are messages.
    """

    images: ImageLimits
    max_images: int
    max_bytes: int
    max_prompts: int
    max_running_prompts: int = MAX_RUNNING_PROMPTS
    times: UploadTimes = field(default_factory=UploadTimes)


async def read_upload(
    stream: AsyncIterator[pb.UploadAndSegmentRequest], limits: StreamLimits
) -> SegmentRequest:
    """The request that an `UploadAndSegment` stream amounts to.

    Raises:
        InvalidRequest: messages out of order, or an image that ends early.
        InvalidPrompt: no prompt or too many.
        ImageTooLarge: as soon as the chunks, or the size in their header, are over the limit.
        DeadlineExceeded: the messages do not come in time.
    """
    header: pb.UploadAndSegmentHeader | None = None
    image: ChunkedImage | None = None
    prompts: list[Prompt] = []
    num_prompts = 0
    async for message in paced(stream, limits.times):
        kind = message.WhichOneof("message")
        if header is None or image is None:
            if kind != "header":
                raise InvalidRequest(f"the first message must be the header, not {kind}")
            header = message.header
            image = ChunkedImage(limits.images, _announced_bytes(header))
        elif kind == "chunk" and not num_prompts:
            await image.add(message.chunk)
        elif kind == "prompt":
            if num_prompts < limits.max_prompts:  # what is over the limit is counted, not kept
                prompts.append(prompt_from_proto(message.prompt, f"prompts[{num_prompts}]"))
            num_prompts += 1
        else:
            raise InvalidRequest(
                f"a {kind} message after {'prompts' if num_prompts else 'the header'}"
            )
    if header is None or image is None:
        raise InvalidRequest("the stream ended before its header")
    check_num_prompts(num_prompts, limits.max_prompts)
    return SegmentRequest(
        prompts=tuple(prompts),
        options=options_from_proto(header.options),
        image=image.finish(),
        deadline_ms=header.deadline_ms if header.HasField("deadline_ms") else None,
    )


async def read_images(
    stream: AsyncIterator[pb.CreateSessionRequest], limits: StreamLimits
) -> tuple[str | None, list[bytes]]:
    """The chosen session id (or None) and the images of a `CreateSession` stream.

    Raises:
        InvalidRequest: a chunk before its header, a second session id, too many images, or an
            early end.
        ImageTooLarge: as soon as an image's chunks, or the size in its header, are over the limit.
        DeadlineExceeded: the messages do not come in time.
    """
    session_id: str | None = None
    images: list[ChunkedImage] = []
    num_images = size_bytes = 0
    async for message in paced(stream, limits.times):
        if message.WhichOneof("message") == "header":
            header = message.header
            if header.HasField("session_id"):
                if num_images:
                    raise InvalidRequest("session_id may stand in the first header only")
                session_id = header.session_id
            num_images += 1
            if num_images > limits.max_images:  # what is over the limit is counted, not kept
                continue
            images.append(ChunkedImage(limits.images, _announced_bytes(header)))
        elif not num_images:
            raise InvalidRequest("the first message must be a header")
        elif num_images <= limits.max_images:
            size_bytes += len(message.chunk)
            if size_bytes > limits.max_bytes:
                raise ImageTooLarge(
                    f"the images have over {limits.max_bytes} bytes "
                    f"(limit {limits.max_bytes} bytes)"
                )
            await images[-1].add(message.chunk)
    check_num_images(num_images, limits.max_images)
    return session_id, [image.finish() for image in images]


def _announced_bytes(header: pb.UploadAndSegmentHeader | pb.CreateSessionHeader) -> int | None:
    return header.image_bytes if header.HasField("image_bytes") else None
