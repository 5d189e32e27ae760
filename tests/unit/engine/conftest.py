import itertools
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor

import numpy as np
import pytest
from device import wait_for

from suresam.domain import ImageSize, Prompt
from suresam.engine.cache import CacheLimits, EmbeddingCache
from suresam.engine.costs import CostTable
from suresam.engine.job import DecodeJob, EncodeJob
from suresam.engine.scheduler import BatchLimits
from suresam.engine.worker import Worker
from suresam.prediction import Wanted
from suresam.segmentation.fake import FakeBackbone
from suresam.segmentation.prompts import prompt_row
from suresam.telemetry import Telemetry

SIZE = ImageSize(8, 8)


@pytest.fixture
def telemetry():
    return Telemetry()


@pytest.fixture
def pool() -> Iterator[ThreadPoolExecutor]:
    with ThreadPoolExecutor(2) as executor:
        yield executor


@pytest.fixture
def count(telemetry):
    """The value of a metric: `count("rejected_total", reason="in_flight")`."""

    def value(name, **labels):
        return telemetry.registry.get_sample_value(f"suresam_{name}", labels) or 0.0

    return value


@pytest.fixture
def cache(clock, telemetry):
    return EmbeddingCache(CacheLimits(embedding_bytes=2**20), clock, telemetry)


@pytest.fixture
def encode_job():
    keys = itertools.count()

    def make(red=1, model="fake-small"):
        return EncodeJob(model, np.full((8, 8, 3), red, np.uint8), f"image-{next(keys)}")

    return make


@pytest.fixture
def decode_job():
    def make(red=1, model="fake-small", num_points=1):
        backbone = FakeBackbone(model)
        [embedding] = backbone.encode([np.full((8, 8, 3), red, np.uint8)])
        prompt = Prompt(points=[(4.0, 4.0)] * num_points)
        row = prompt_row(prompt, SIZE, embedding, backbone)
        return DecodeJob(model, row, Wanted(SIZE), f"image-{red}")

    return make


@pytest.fixture
def start_worker(telemetry, cache):
    """Starts a warm worker round fake devices and stops it in the end."""
    started = []

    def start(*backbones, limits=None, cache=cache):
        by_name = {b.name: b for b in backbones}
        worker = Worker(by_name, {}, limits or BatchLimits(), CostTable(), cache, telemetry)
        started.append((worker, backbones))
        worker.start()
        warm_up = worker._thread
        # A job that passes through says that warming up is over.
        probe = EncodeJob(backbones[0].name, np.zeros((8, 8, 3), np.uint8), "probe")
        worker.submit(probe)
        probe.reply.result(timeout=30)
        wait_for(lambda: worker.running() is None)  # it is answered before its launch is over
        assert worker._thread is warm_up
        for backbone in backbones:
            backbone.launches.clear()
        return worker

    yield start
    for worker, backbones in started:
        for backbone in backbones:
            backbone.gate.set()
        worker.stop()


@pytest.fixture
def backbone():
    return FakeBackbone()


@pytest.fixture
def hold(encode_job):
    """Closes a device's gate with an upload in front of it; what is submitted then must wait."""

    def held(worker, backbone):
        backbone.gate.clear()
        job = encode_job()
        worker.submit(job)
        wait_for(job.reply.running)
        return job

    return held


@pytest.fixture
def submit_together(hold):
    """Has jobs wait behind an upload on the device, so that one look finds all of them."""

    def submit(worker, backbone, jobs):
        hold(worker, backbone)
        for job in jobs:
            worker.submit(job)
        backbone.gate.set()

    return submit
