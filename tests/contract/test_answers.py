"""What both transports answer, and that they answer the same."""

import io
import math
from dataclasses import replace

import numpy as np
import pytest
import torch
from heads import calibration_of, expecting, heads_of
from PIL import Image

from suresam.domain import Box, OutputRequest, Point, Prompt, RouteRequest, UncertaintyRequest
from suresam.errors import DeadlineExceeded
from suresam.masks.png import decode_png
from suresam.masks.rle import decode_rle
from suresam.uncertainty.member_heads import MemberHeads

CLICK = Prompt(points=(Point(320, 240),), prompt_id="a")
# The fake's discs for tokens 1 to 3, of radius 0.1, 0.2 and 0.3 of the input.
PREDICTED_IOU = pytest.approx([0.41, 0.71, 0.61])


@pytest.fixture
async def client(serving, connect, transport):
    async with serving() as running, connect(running, transport) as client:
        yield client


async def test_a_click_gives_three_masks_of_the_images_size(client, photo_640x480):
    answer = await client.segment(photo_640x480, CLICK)
    assert (answer.image.width, answer.image.height) == (640, 480)
    assert answer.session_id is None
    [result] = answer.results
    assert result.prompt_id == "a"
    assert [mask.token for mask in result.masks] == [1, 2, 3]
    assert [mask.predicted_iou for mask in result.masks] == PREDICTED_IOU
    assert result.best == 1
    assert result.advice is None
    assert result.error is None
    for mask in result.masks:
        pixels = decode_rle(mask.rle)
        assert pixels.shape == (480, 640)
        assert pixels[240, 320]
        assert mask.area == pixels.sum()
        columns, rows = np.flatnonzero(pixels.any(0)), np.flatnonzero(pixels.any(1))
        assert mask.bbox == (columns[0], rows[0], len(columns), len(rows))
        assert 0 <= mask.stability <= 1
        assert 0 < mask.uncertainty.entropy <= 1


async def test_what_is_not_computed_is_null(client, photo_640x480):
    answer = await client.segment(photo_640x480, CLICK)
    for mask in answer.results[0].masks:
        uncertainty = mask.uncertainty
        assert uncertainty.entropy is not None
        for name in ("score", "expected_iou", "expected_iou_interval", "model_gap", "prompt_gap"):
            assert getattr(uncertainty, name) is None
        assert (uncertainty.task_gap, uncertainty.heads, uncertainty.maps) == (None, None, None)
    usam_only = UncertaintyRequest(methods=("usam",))
    answer = await client.segment(photo_640x480, CLICK, uncertainty=usam_only)
    assert answer.results[0].masks[0].uncertainty.entropy is None


def by_hand(heads: MemberHeads, red: int, token: int) -> list[float]:
    """What the fake's tokens give: its IoU token is red / 1000, its mask token the number."""
    iou_token, mask_token = torch.tensor([[red / 1000]]), torch.tensor([[[float(token)]]])
    return heads.heads.score(iou_token, mask_token)[0, 0].tolist()


async def test_heads_say_of_every_mask_what_they_read_from_its_own_token(
    serving, connect, transport, photo_640x480
):
    heads = {name: heads_of(name) for name in ("fake-small", "fake-large")}
    box = Prompt(box=Box(100, 100, 300, 300))
    two = Prompt(points=(Point(9, 9), Point(300, 200)))
    async with serving(heads=heads) as running, connect(running, transport) as client:
        answer = await client.segment(photo_640x480, (CLICK, box, two))
        for result, in_regime in zip(answer.results, (True, True, False), strict=True):
            for mask in result.masks:
                doubt, names = mask.uncertainty, heads["fake-small"].heads.info.names
                expected = by_hand(heads["fake-small"], 10, mask.token)
                assert [doubt.heads[name] for name in names] == pytest.approx(expected, abs=1e-6)
                assert doubt.model_gap == doubt.heads["model_gap"]
                assert doubt.prompt_gap == doubt.heads["prompt_gap"]
                assert doubt.task_gap == doubt.heads["task_gap"]
                assert doubt.in_regime is in_regime
                assert doubt.entropy is not None
                # Nobody calibrated these heads, so nothing is expected.
                assert (doubt.method, doubt.calibration) == ("usam", None)
                assert (doubt.score, doubt.expected_iou) == (None, None)
        of_masks = [tuple(mask.uncertainty.heads.values()) for mask in answer.results[0].masks]
        assert len(set(of_masks)) == 3

        large = await client.segment(photo_640x480, CLICK, route=RouteRequest(mode="large"))
        for mask in large.results[0].masks:
            assert mask.uncertainty.model_gap is None
            assert mask.uncertainty.task_gap is not None
        only_entropy = UncertaintyRequest(methods=("entropy",))
        answer = await client.segment(photo_640x480, CLICK, uncertainty=only_entropy)
        doubt = answer.results[0].masks[0].uncertainty
        assert (doubt.heads, doubt.task_gap, doubt.in_regime, doubt.method) == (None,) * 4


async def test_a_calibration_makes_expectations_of_the_heads(
    serving, connect, transport, photo_640x480
):
    calibration = calibration_of("fake-small")
    heads = {"fake-small": heads_of("fake-small", calibration=calibration)}
    async with serving(heads=heads) as running, connect(running, transport) as client:
        [result] = (await client.segment(photo_640x480, CLICK)).results
        [info, _] = (await client.models()).members
    assert info.calibration == "fitted"
    for mask in result.masks:
        doubt = mask.uncertainty
        combined = doubt.heads["iou_small"] + 0.5 * mask.predicted_iou
        assert doubt.expected_iou == pytest.approx(0.1 + 0.8 * combined / 1.5)
        assert doubt.score == pytest.approx(1 - doubt.expected_iou)
        low, high = doubt.expected_iou_interval
        assert 0 <= low < doubt.expected_iou < high <= 1
        assert doubt.model_gap == pytest.approx(doubt.heads["model_gap"] / 2)
        assert doubt.task_gap is None
        assert (doubt.method, doubt.calibration) == ("usam", "fitted")


async def test_the_advice_is_the_action_of_greatest_expected_gain(
    serving, connect, transport, photo_640x480
):
    heads = expecting(task_gap=0.1, model_gap=0.06, next_click_gain=0.2)
    async with serving(heads=heads) as running, connect(running, transport) as client:
        [result] = (await client.segment(photo_640x480, CLICK)).results
        advice = result.advice
        assert (advice.action, advice.label) == ("add_point", 0)
        assert "0.20" in advice.reason
        # The fake's discs differ in their radius, so the doubt is a ring round the click.
        distance = math.hypot(advice.point.x - 320, advice.point.y - 240)
        assert 30 < distance < 250
        further = Prompt(points=(*CLICK.points, advice.point), labels=(1, advice.label))
        [again] = (await client.segment(photo_640x480, further, multimask=False)).results
        assert again.advice.action == "add_point"
        assert again.advice.point != advice.point
        only_entropy = UncertaintyRequest(methods=("entropy",))
        [plain] = (await client.segment(photo_640x480, CLICK, uncertainty=only_entropy)).results
        assert plain.advice is None


async def test_a_mask_that_nothing_improves_is_accepted_or_for_review(
    serving, connect, transport, photo_640x480
):
    async with (
        serving(heads=expecting(task_gap=0.2)) as running,
        connect(running, transport) as client,
    ):
        three = await client.segment(photo_640x480, CLICK)
        one = await client.segment(photo_640x480, CLICK, multimask=False)
    assert three.results[0].advice.action == "choose_mask"
    [result] = one.results
    expected = result.masks[0].uncertainty.expected_iou
    assert result.advice.action == ("accept" if expected >= 0.5 else "review")
    assert result.advice.point is None


async def test_installed_heads_and_calibration_are_told_with_their_hash(
    serving, connect, transport
):
    own = heads_of("fake-small", calibration=calibration_of("fake-small"))
    heads = {"fake-small": replace(own, calibration_sha256="2" * 64)}
    async with serving(heads=heads) as running, connect(running, transport) as client:
        small, large = (await client.models()).members
    assert (small.heads, small.heads_sha256) == ("usam-fake", "1" * 64)
    assert (small.calibration, small.calibration_sha256) == ("fitted", "2" * 64)
    assert (large.heads, large.heads_sha256) == (None, None)
    assert (large.calibration, large.calibration_sha256) == (None, None)


async def test_single_mask_states_the_token_that_made_it(client, photo_640x480):
    answer = await client.segment(photo_640x480, CLICK, multimask=False)
    [mask] = answer.results[0].masks
    # Token 0's disc is blurred by 4 pixels' steps, so the stability rule takes the best candidate.
    assert mask.token in (0, 2)
    assert answer.results[0].best == 0


async def test_routes_are_honoured_and_have_a_receipt(client, photo_640x480):
    for mode, model, role, reason in (
        ("auto", "fake-small", "small", "no_gain_estimate"),
        ("small", "fake-small", "small", "requested"),
        ("large", "fake-large", "large", "requested"),
        ("fake-large", "fake-large", "large", "requested"),
    ):
        answer = await client.segment(photo_640x480, CLICK, route=RouteRequest(mode=mode))
        route = answer.results[0].route
        assert (route.model, route.role, route.reason) == (model, role, reason)
        assert not route.escalated
        assert route.expected_gain is None
        assert set(route.cost) == {"fake-small", "fake-large", "spent"}


async def test_mask_encodings_agree(client, photo_640x480):
    masks = {}
    for encoding in ("rle", "png", "polygon", "none"):
        answer = await client.segment(photo_640x480, CLICK, output=OutputRequest(masks=encoding))
        masks[encoding] = answer.results[0].masks[1]
    expected = decode_rle(masks["rle"].rle)
    np.testing.assert_array_equal(decode_png(masks["png"].png), expected)
    assert len(masks["polygon"].polygons) == 1
    none = masks["none"]
    assert (none.rle, none.png, none.polygons) == (None, None, None)
    assert {mask.area for mask in masks.values()} == {expected.sum()}


async def test_low_res_logits_come_back_and_go_in_again(client, photo_640x480):
    output = OutputRequest(low_res_logits=True)
    answer = await client.segment(photo_640x480, CLICK, output=output)
    logits = answer.results[0].masks[1].low_res_logits
    assert logits.shape == (16, 16)
    assert logits.dtype == np.float16
    assert np.abs(logits).max() <= 32
    again = Prompt(points=CLICK.points, mask_input=logits.astype(np.float32))
    answer = await client.segment(photo_640x480, again)
    assert answer.results[0].masks[1].area > 0


async def test_uncertainty_maps_come_when_asked_for(client, photo_640x480):
    wanted = UncertaintyRequest(methods=("entropy",), maps=True)
    answer = await client.segment(photo_640x480, CLICK, uncertainty=wanted)
    values = answer.results[0].masks[0].uncertainty.maps["entropy"].values
    assert values.shape == (16, 16)
    assert 0 <= values.min() < values.max() <= 1


async def test_results_keep_the_order_of_their_prompts(client, photo_640x480):
    prompts = [
        Prompt(points=(Point(100, 100),), prompt_id="left"),
        Prompt(box=Box(300, 200, 500, 400), prompt_id="box"),
        Prompt(points=(Point(500, 100), Point(10, 10)), labels=(1, 0), prompt_id="right"),
    ]
    answer = await client.segment(photo_640x480, prompts)
    assert [result.prompt_id for result in answer.results] == ["left", "box", "right"]
    lefts = [result.masks[0].bbox[0] for result in answer.results]
    assert lefts == sorted(lefts)


async def test_a_session_answers_again_and_again_until_it_is_deleted(client, photo, photo_640x480):
    session = await client.create_session([photo_640x480, photo(32, 16, red=50)], "mine")
    assert session.session_id == "mine"
    assert [(i.width, i.height) for i in session.images] == [(640, 480), (32, 16)]
    first = await client.segment_session("mine", CLICK)
    assert (first.image.width, first.session_id) == (640, "mine")
    second_image = session.images[1].image_id
    click = Prompt(points=(Point(16, 8),))
    second = await client.segment_session("mine", click, image_id=second_image)
    assert second.image.width == 32
    assert second.results[0].masks[0].predicted_iou == pytest.approx(0.45)
    seen = await client.get_session("mine")
    assert seen.images == session.images
    assert seen.expires_at >= session.expires_at
    await client.delete_session("mine")
    await client.create_session([photo_640x480], "mine")


async def test_models_are_told_with_cost_and_limits(client):
    info = await client.models()
    assert info.family == "fake"
    assert [(m.name, m.roles) for m in info.members] == [
        ("fake-small", ("small",)),
        ("fake-large", ("large",)),
    ]
    assert all(set(m.cost_ms) == {"encode", "decode"} for m in info.members)
    assert info.limits["max_prompts"] == 256


async def test_a_deadline_that_has_passed_is_told_at_once(client, photo_640x480):
    with pytest.raises(DeadlineExceeded):
        await client.segment(photo_640x480, CLICK, deadline_ms=0.0)


async def test_exif_orientation_is_applied(client):
    image = Image.new("RGB", (40, 30), (10, 0, 0))
    exif = Image.Exif()
    exif[0x0112] = 6
    buffer = io.BytesIO()
    image.save(buffer, "JPEG", exif=exif)
    answer = await client.segment(buffer.getvalue(), Prompt(points=(Point(29, 39),)))
    assert (answer.image.width, answer.image.height) == (30, 40)
    assert answer.results[0].masks[0].rle.size == (40, 30)
