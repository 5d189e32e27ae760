"""What stands behind the front: a device with its models, here or in a process of its own."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Literal, Protocol

from suresam.domain import ImageSize, ModelInfo
from suresam.engine.client import SegmentCall, SegmentReply
from suresam.engine.quarantine import Quarantine
from suresam.tracing.passage import Passage

if TYPE_CHECKING:
    from prometheus_client import Metric


@dataclass(frozen=True, slots=True, eq=False)
class DeviceImage:
    """An uploaded image, as a device is told of it.

    Attributes:
        key: of the image and its tenant, under which its embeddings are cached.
        size: pixels, as displayed.
        data: the file, or None where the device is thought to have the embedding already.
    """

    key: str
    size: ImageSize
    data: bytes | None


Prepared = Literal["made", "there", "given_up"]
"""What became of an embedding that was to be made in idle time: it was; it, or somebody who makes
it, was there already; or there was no idle time or no free slot."""


Charge = Callable[[str, float], None]
"""Is told a tenant, and device milliseconds that it owes."""


class FileWanted(Exception):
    """The embedding is not there: ask again, with the image's file."""


class Device(Protocol):
    """A device that answers calls. Its own methods raise `ServiceError`s, and `FileWanted`."""

    def start(self) -> None:
        """Begin to load and warm the models."""

    def is_ready(self) -> bool:
        """Whether every model is warm and somebody works."""

    async def wait_ready(self) -> None:
        """Wait until every model is warm.

        Raises:
            NotReady, ConfigurationError: it will not be.
        """

    async def wait_lost(self) -> None:
        """Return when the device is gone for good, as far as this process is concerned."""

    async def close(self) -> None:
        """Refuse what waits and let everything go."""

    async def segment(self, call: SegmentCall, image: DeviceImage) -> SegmentReply:
        """Answer the prompts of a call on an image.

        Args:
            call: whose own image and image_id do not count any more; its session_id tells which
                clicks are newer than others.
            image: which.
        """

    async def embed(
        self,
        tenant: str,
        model: str,
        images: Sequence[DeviceImage],
        remaining_ms: float,
        trace: str | None = None,
    ) -> Passage | None:
        """See to it that images are embedded.

        Args:
            tenant: whose they are.
            model: for which member.
            images: with their files.
            remaining_ms: until the caller's deadline.
            trace: `traceparent` of whoever is traced, or None.

        Returns:
            What became of it, where that is traced.
        """

    async def prepare(self, tenant: str, model: str, image: DeviceImage) -> Prepared:
        """Embed an image in idle time, if that drives no other embedding out.

        Args:
            tenant: whose it is.
            model: for which member.
            image: with its file.
        """

    async def learn(self, quarantine: Quarantine) -> None:
        """Suspect whom another device's worker died of."""

    def backlog_ms(self) -> float:
        """Device milliseconds of the work in progress, as far as it is known here."""

    async def models(self) -> tuple[ModelInfo, ...]:
        """The members, cheapest first, with their measured cost."""

    async def metrics(self) -> "tuple[Metric, ...]":
        """What was counted elsewhere than in this process's own metrics."""
