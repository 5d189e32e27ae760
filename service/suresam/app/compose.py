"""One service put together: engine, router and what they share."""

from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path

from suresam.access.door import Door
from suresam.app.devices import Models
from suresam.app.keys import open_door
from suresam.engine.cache import CacheLimits
from suresam.engine.client import EngineClient
from suresam.engine.frontend import Frontend
from suresam.engine.limits import EngineLimits
from suresam.engine.scheduler import BatchLimits
from suresam.routing.budget import BudgetTerms
from suresam.routing.caps import Caps
from suresam.routing.decision_log import DecisionLog
from suresam.routing.escalation import Escalation
from suresam.routing.judge import Judge
from suresam.routing.policy import Bounds
from suresam.routing.router import Router, RouterLimits
from suresam.routing.shadow.record import RecordFile
from suresam.routing.shadow.sampler import Sampler
from suresam.routing.shadow.shadow import Shadow
from suresam.routing.shadow.watched import WatchedEngine
from suresam.segmentation.images import ImageLimits
from suresam.settings import Settings
from suresam.telemetry import Telemetry
from suresam.validation import PromptLimits
from suresam.version import __version__


@dataclass(frozen=True, slots=True)
class Composition:
    """What servers and commands need.

    Attributes:
        door: lets requests in.
        pool: for masks and JSON, off the event loop.
        uploads: for pictures that come in. One of its own, so that no answer waits behind a row of
            pictures that are still to be decoded.
        decision_log: that is being written, or None.
    """

    settings: Settings
    family: str
    door: Door
    engine: Frontend
    router: Router
    pool: ThreadPoolExecutor
    uploads: ThreadPoolExecutor
    telemetry: Telemetry
    image_limits: ImageLimits
    decision_log: DecisionLog | None


def compose(settings: Settings, models: Models) -> Composition:
    """Put a service together. The engine is not started yet.

    Raises:
        ConfigurationError: API keys that cannot be read, or a record of shadow mode that cannot be
            written.
    """
    telemetry = Telemetry()
    telemetry.watch_process()
    door = open_door(settings, telemetry)
    pool = ThreadPoolExecutor(settings.cpu_threads, thread_name_prefix="answers")
    uploads = ThreadPoolExecutor(settings.cpu_threads, thread_name_prefix="uploads")
    image_limits = ImageLimits(
        settings.max_image_bytes,
        settings.max_image_pixels,
        settings.max_image_side,
        settings.max_image_cpu_s,
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
        max_pixels=settings.max_decoded_pixels,
    )
    charge = door.charge if door.needs_key else None
    devices = models.devices(limits, uploads, telemetry, charge)
    engine = Frontend(devices, limits, uploads, telemetry)
    escalation, log = None, None
    if settings.route == "auto":
        log = None if settings.decision_log is None else DecisionLog(Path(settings.decision_log))
        bounds, budget = Bounds(settings.max_escalation_backlog_ms), _budget(settings)
        judge = Judge(models.names, bounds, budget, log)
        escalation = Escalation(engine, models.names, judge, pool, Caps(door.large_share))
    asked: EngineClient = engine
    shadow = None
    if settings.route == "shadow":
        asked = watched = WatchedEngine(engine)
        record = settings.shadow_file and RecordFile(
            Path(settings.shadow_file), settings.shadow_file_bytes
        )
        sampler = Sampler(settings.shadow_share)
        shadow = Shadow(watched, models.names, sampler, record or None, pool, telemetry)
    router = Router(
        asked,
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
        shadow,
    )
    telemetry.build_info.labels(__version__, models.family, models.device).set(1)
    return Composition(
        settings, models.family, door, engine, router, pool, uploads, telemetry, image_limits, log
    )


def _budget(settings: Settings) -> BudgetTerms:
    if settings.large_time_share is not None:
        return BudgetTerms(settings.large_time_share, "device_time")
    return BudgetTerms(1.0 if settings.large_share is None else settings.large_share)
