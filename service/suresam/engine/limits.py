"""All bounds of an engine."""

from dataclasses import dataclass

from suresam.engine.cache import CacheLimits
from suresam.engine.scheduler import BatchLimits
from suresam.segmentation.images import ImageLimits


@dataclass(frozen=True, slots=True)
class EngineLimits:
    """All bounds of an engine.

    Attributes:
        images: of an upload.
        cache: of what is remembered.
        batches: of one launch.
        max_in_flight: requests at a time.
        decode_threads: of a decode on a CPU; None is all cores but one.
        launch_timeout_s: seconds after which a launch is taken to hang; it has twenty times what
            it is expected to take in any case.
        cpu_threads: beside each device, for decoding images and the like.
        max_pixels: of the images that are decoded or wait for their encode, of each device.
    """

    images: ImageLimits
    cache: CacheLimits
    batches: BatchLimits
    max_in_flight: int = 512
    decode_threads: int | None = None
    launch_timeout_s: float = 60.0
    cpu_threads: int = 2
    max_pixels: int = 100_000_000
