"""One request answered without a server, by the same router and engine."""

import asyncio
from collections.abc import Mapping
from typing import Any

from suresam.access.caller import ANONYMOUS
from suresam.app.compose import compose
from suresam.app.devices import choose_models
from suresam.domain import SegmentRequest, SegmentResponse
from suresam.settings import read_settings


def segment_in_process(overrides: Mapping[str, Any], request: SegmentRequest) -> SegmentResponse:
    """Load the models, answer one request, let them go.

    Args:
        overrides: settings by name, over the environment.
        request: with its image.

    Raises:
        ConfigurationError: wrong settings or missing weights.
        ServiceError: what a server would answer.
    """
    settings = read_settings(overrides)
    models = choose_models(settings)

    async def answer() -> SegmentResponse:
        service = compose(settings, models)
        service.engine.start()
        try:
            await service.engine.wait_ready()
            return await service.router.segment(request, ANONYMOUS)
        finally:
            await service.router.close()
            await service.engine.close(drain_s=0.0)
            service.pool.shutdown()
            service.uploads.shutdown()
            if service.decision_log is not None:
                service.decision_log.close()

    return asyncio.run(answer())
