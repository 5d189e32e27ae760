"""From served clicks to a service that expects other gains: shadow, calibrate route, serve."""

import asyncio
import io
from dataclasses import replace
from pathlib import Path

import pytest
from device import until
from PIL import Image

from suresam.app import segment_in_process
from suresam.app.compose import compose
from suresam.app.devices import choose_models
from suresam.cli import main
from suresam.domain import Box, Point, Prompt, RouteRequest, SegmentOptions, SegmentRequest
from suresam.masks.rle import decode_rle
from suresam.routing.shadow.record import RecordFile, read_record
from suresam.settings import read_settings

COFFEE = Path(__file__).parents[2] / "docs" / "coffee.jpg"
CLICK = Prompt(points=(Point(140, 80),), prompt_id="cup")
BOX = Prompt(box=Box(75, 30, 240, 165), prompt_id="box")
GAIN = 0.3


@pytest.fixture(scope="module")
def photo() -> bytes:
    buffer = io.BytesIO()
    Image.open(COFFEE).resize((300, 200)).save(buffer, "PNG")
    return buffer.getvalue()


@pytest.fixture(scope="module")
def recorded(photo, tmp_path_factory):
    """A record of the bundled pair's, and what both members answered."""
    path = tmp_path_factory.mktemp("record") / "shadow.jsonl"
    overrides = {"device": "cpu", "route": "shadow", "shadow_share": 1.0, "shadow_file": str(path)}
    settings = read_settings(overrides)
    models = choose_models(settings)

    async def serve():
        service = compose(settings, models)
        service.engine.start()
        try:
            await service.engine.wait_ready()
            small = await service.router.segment(request("auto", photo), "t")
            metrics = service.telemetry.registry.get_sample_value
            counted = ("suresam_shadow_total", {"outcome": "compared"})
            await until(lambda: metrics(*counted) == 2)
            large = await service.router.segment(request("large", photo), "t")
            assert metrics("suresam_shadow_gain_count") == 2
            return small, large
        finally:
            await service.router.close()
            await service.engine.close(drain_s=0.0)
            service.pool.shutdown()
            service.uploads.shutdown()

    return path, *asyncio.run(serve())


def request(mode, photo, *prompts):
    options = SegmentOptions(route=RouteRequest(mode=mode))
    return SegmentRequest(prompts or (CLICK, BOX), options, image=photo, deadline_ms=60_000)


def test_both_members_are_recorded_as_they_answer(recorded):
    path, small, large = recorded
    assert {result.route.model for result in small.results} == {"demo-small"}
    by_prompt = {told.prompt: told for told in read_record([path]).comparisons}
    for kind, first, second in zip(("one_click", "box"), small.results, large.results, strict=True):
        told, mine, other = by_prompt[kind], first.masks[first.best], second.masks[second.best]
        one, two = decode_rle(mine.rle), decode_rle(other.rle)
        # Rows share launches as it happens, and sums in float32 differ by that in the last digits.
        assert told.expected_gain == pytest.approx(mine.uncertainty.model_gap, abs=1e-3)
        assert told.small_expected_iou == pytest.approx(mine.uncertainty.expected_iou, abs=1e-3)
        assert told.large_expected_iou == pytest.approx(other.uncertainty.expected_iou, abs=1e-3)
        assert told.iou == pytest.approx((one & two).sum() / (one | two).sum(), abs=1e-2)
        assert told.large_ms > told.small_ms / 10 > 0


def test_what_was_recorded_is_expected_from_then_on(recorded, photo, tmp_path, capsys):
    path, *_ = recorded
    record = read_record([path])
    [models] = record.models
    # As if the same click had been served a hundred times more, and had gained so much.
    [told] = [c for c in record.comparisons if c.prompt == "one_click"]
    more = RecordFile(tmp_path / "more.jsonl", 2**20)
    for number in range(120):
        near = told.expected_gain + 0.0001 * (number % 3)
        assert more.append(models, replace(told, expected_gain=near, gain=GAIN))
    folder = tmp_path / "models"
    folder.mkdir()
    words = (str(path), str(more.path), "--models-dir", str(folder), "--name", "mine")
    assert main(["calibrate", "route", *words]) == 0
    assert "one click" in capsys.readouterr().out

    again = request("auto", photo, CLICK)
    overrides = {"models_dir": str(folder), "calibration": "mine", "device": "cpu"}
    [result] = segment_in_process(overrides, again).results
    best = result.masks[result.best].uncertainty
    assert best.model_gap == pytest.approx(GAIN, abs=0.02)
    assert best.calibration == "mine"
    assert best.expected_iou == pytest.approx(told.small_expected_iou, abs=1e-3)
    # And it is followed: in auto mode such a click goes to the large member now.
    [routed] = segment_in_process(overrides | {"route": "auto"}, again).results
    assert routed.route.model == "demo-large"
    assert routed.route.expected_gain == pytest.approx(GAIN, abs=0.02)
