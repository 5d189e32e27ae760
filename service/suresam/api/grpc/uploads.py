"""Client streams read to the end: header, chunks and prompts in their order."""

from collections.abc import AsyncIterator

from suresam.api.grpc.chunks import ChunkedImage
from suresam.domain import Prompt, SegmentRequest
from suresam.errors import InvalidRequest
from suresam.pb import segmentation_pb2 as pb
from suresam.wire.grpc import options_from_proto, prompt_from_proto


async def read_upload(
    stream: AsyncIterator[pb.UploadAndSegmentRequest], max_image_bytes: int
) -> SegmentRequest:
    """The request that an `UploadAndSegment` stream amounts to.

    Raises:
        InvalidRequest: messages out of order, or an image that ends early.
        ImageTooLarge: as soon as the chunks are over the limit.
    """
    header: pb.UploadAndSegmentHeader | None = None
    image: ChunkedImage | None = None
    prompts: list[Prompt] = []
    async for message in stream:
        kind = message.WhichOneof("message")
        if header is None or image is None:
            if kind != "header":
                raise InvalidRequest(f"the first message must be the header, not {kind}")
            header = message.header
            image = ChunkedImage(max_image_bytes, _announced_bytes(header))
        elif kind == "chunk" and not prompts:
            image.add(message.chunk)
        elif kind == "prompt":
            prompts.append(prompt_from_proto(message.prompt, f"prompts[{len(prompts)}]"))
        else:
            raise InvalidRequest(f"a {kind} message after {'prompts' if prompts else 'the header'}")
    if header is None or image is None:
        raise InvalidRequest("the stream ended before its header")
    return SegmentRequest(
        prompts=tuple(prompts),
        options=options_from_proto(header.options),
        image=image.finish(),
        deadline_ms=header.deadline_ms if header.HasField("deadline_ms") else None,
    )


async def read_images(
    stream: AsyncIterator[pb.CreateSessionRequest], max_image_bytes: int
) -> tuple[str | None, list[bytes]]:
    """The chosen session id (or None) and the images of a `CreateSession` stream.

    Raises:
        InvalidRequest: a chunk before its header, a second session id, or an early end.
        ImageTooLarge: as soon as an image's chunks are over the limit.
    """
    session_id: str | None = None
    images: list[ChunkedImage] = []
    async for message in stream:
        if message.WhichOneof("message") == "header":
            header = message.header
            if header.HasField("session_id"):
                if images:
                    raise InvalidRequest("session_id may stand in the first header only")
                session_id = header.session_id
            images.append(ChunkedImage(max_image_bytes, _announced_bytes(header)))
        elif not images:
            raise InvalidRequest("the first message must be a header")
        else:
            images[-1].add(message.chunk)
    return session_id, [image.finish() for image in images]


def _announced_bytes(header: pb.UploadAndSegmentHeader | pb.CreateSessionHeader) -> int | None:
    return header.image_bytes if header.HasField("image_bytes") else None
