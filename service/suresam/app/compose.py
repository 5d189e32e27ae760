"""One service put together: engine, router and what they share."""

from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass

from suresam.app.devices import Models
from suresam.engine.cache import CacheLimits
from suresam.engine.frontend import Frontend
from suresam.engine.limits import EngineLimits
from suresam.engine.scheduler import BatchLimits
from suresam.routing.budget import ShareBudget
from suresam.routing.escalation import Escalation
from suresam.routing.policy import Bounds
from suresam.routing.router import Router, RouterLimits
from suresam.segmentation.images import ImageLimits
from suresam.settings import Settings
from suresam.telemetry import Telemetry
from suresam.validation import PromptLimits
from suresam.version import __version__


@dataclass(frozen=True, slots=True)
class Composition:
    """What servers and commands need.

    Attributes:
        pool: for masks and JSON, off the event loop.
        uploads: for pictures that come in. One of its own, so that no answer waits behind a row of
            pictures that are still to be decoded.
    """

    settings: Settings
    family: str
    engine: Frontend
    router: Router
    pool: ThreadPoolExecutor
    uploads: ThreadPoolExecutor
    telemetry: Telemetry
    image_limits: ImageLimits


def compose(settings: Settings, models: Models) -> Composition:
    """Put a service together. The engine is not started yet."""
    telemetry = Telemetry()
    telemetry.watch_process()
    pool = ThreadPoolExecutor(settings.cpu_threads, thread_name_prefix="answers")
    uploads = ThreadPoolExecutor(settings.cpu_threads, thread_name_prefix="uploads")
    image_limits = ImageLimits(
        settings.max_image_bytes, settings.max_image_pixels, settings.max_image_side
    )
    limits = EngineLimits(
        images=image_limits,
        cache=CacheLimits(
            embedding_bytes=settings.cache_bytes,
            host_bytes=settings.host_cache_bytes,
            session_bytes=settings.session_bytes,
            ttl_s=settings.session_ttl_s,
            max_session_images=settings.max_session_images,
        ),
        batches=BatchLimits(
            max_encode=settings.max_encode_batch,
            max_decode=settings.max_decode_batch,
            max_encode_ms=settings.max_encode_ms,
            encode_share=settings.encode_share,
        ),
        max_in_flight=settings.max_in_flight,
        decode_threads=settings.decode_threads,
        launch_timeout_s=settings.launch_timeout_s,
        cpu_threads=settings.cpu_threads,
    )
    engine = Frontend(models.devices(limits, uploads, telemetry), limits, uploads, telemetry)
    escalation = None
    if settings.route == "auto":
        escalation = Escalation(
            engine,
            models.names,
            Bounds(settings.max_escalation_backlog_ms),
            ShareBudget(settings.large_share),
            pool,
        )
    router = Router(
        engine,
        models.family,
        models.names,
        RouterLimits(
            PromptLimits(settings.max_prompts, settings.max_points),
            settings.default_deadline_ms,
            settings.max_deadline_ms,
        ),
        settings.stated_limits(),
        pool,
        telemetry,
        escalation,
    )
    telemetry.build_info.labels(__version__, models.family, models.device).set(1)
    return Composition(
        settings, models.family, engine, router, pool, uploads, telemetry, image_limits
    )
