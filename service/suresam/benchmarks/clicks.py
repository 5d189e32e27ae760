"""How long a person waits for a mask: through the service, and from the model alone."""

import io
import statistics
import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from PIL import Image
from tqdm import tqdm

from suresam.client import Client, GrpcClient
from suresam.domain import Point, Prompt, RouteRequest
from suresam.segmenter import Segmenter


@dataclass(frozen=True, slots=True)
class Timing:
    """Milliseconds of repeated runs of one thing."""

    name: str
    runs_ms: tuple[float, ...]

    @property
    def median_ms(self) -> float:
        """Half of the runs took longer."""
        return statistics.median(self.runs_ms)

    @property
    def slowest_ms(self) -> float:
        """The longest run."""
        return max(self.runs_ms)


def measure_clicks(
    photo: Path, url: str, address: str, member: str, repeats: int
) -> tuple[Timing, ...]:
    """Time uploads and clicks on a photograph, through both transports and without a server.

    Uploads are of images never seen before (one pixel differs), so each is encoded. Clicks fall on
    a diagonal of the image.

    Args:
        photo: an image file.
        url, address: of a running service.
        member: whom to ask, a role or a name.
        repeats: runs of each thing, after one that is not counted.
    """
    image = Image.open(photo).convert("RGB")
    data = photo.read_bytes()
    prompts = [
        Prompt(points=(Point(image.width * t, image.height * t),))
        for t in ((i + 1) / (repeats + 2) for i in range(repeats + 1))
    ]
    uploads = [_variant(image, i) for i in range(repeats + 1)]
    route = RouteRequest(mode=member)
    segmenter = Segmenter("demo", member)
    embedded = segmenter.embed(data)
    with Client(url) as rest, GrpcClient(address) as grpc:
        session = rest.create_session([data]).session_id
        ways: dict[str, Callable[[int], object]] = {
            "upload and click, REST": lambda i: rest.segment(uploads[i], prompts[i], route=route),
            "click on a session, REST": lambda i: rest.segment_session(
                session, prompts[i], route=route
            ),
            "click on a session, gRPC": lambda i: grpc.segment_session(
                session, prompts[i], route=route
            ),
            "model alone: encode": lambda i: segmenter.embed(data),
            "model alone: click": lambda i: segmenter.segment(embedded, points=prompts[i].points),
        }
        return tuple(_measure(name, way, repeats) for name, way in ways.items())


def _variant(image: Image.Image, index: int) -> bytes:
    changed = image.copy()
    changed.putpixel((index % image.width, 0), (index % 256, 1, 2))
    buffer = io.BytesIO()
    changed.save(buffer, "JPEG", quality=95)
    return buffer.getvalue()


def _measure(name: str, way: Callable[[int], object], repeats: int) -> Timing:
    runs_ms = []
    for index in tqdm(range(repeats + 1), desc=name, leave=False, disable=None):
        started = time.perf_counter()
        way(index)
        runs_ms.append((time.perf_counter() - started) * 1000)
    return Timing(name, tuple(runs_ms[1:]))
