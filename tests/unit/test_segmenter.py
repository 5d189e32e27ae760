import io
from types import SimpleNamespace

import numpy as np
import pytest
from heads import heads_of
from PIL import Image

from suresam import segmenter
from suresam.domain import ImageSize
from suresam.errors import ImageTooLarge, InvalidImage, InvalidPrompt, NonFiniteOutput
from suresam.segmentation.box_convention import OFFICIAL
from suresam.segmentation.fake import FakeBackbone
from suresam.segmenter import Segmenter


@pytest.fixture
def backbone():
    return FakeBackbone()


@pytest.fixture
def model(monkeypatch, backbone):
    """A `Segmenter` round the fake device."""
    manifest = SimpleNamespace(name="fake-small", box=OFFICIAL, heads=None)
    family = SimpleNamespace(member=lambda _: manifest)
    monkeypatch.setattr(segmenter, "load_family", lambda *_: family)
    monkeypatch.setattr(segmenter, "load_model", lambda *_: None)
    monkeypatch.setattr(segmenter, "Sam2Backbone", lambda *_, **__: backbone)
    return Segmenter()


@pytest.fixture
def knowing(monkeypatch, model):
    """The same with heads."""
    heads = heads_of("fake-small")
    monkeypatch.setattr(segmenter, "load_member_heads", lambda *_: heads)
    return Segmenter(), heads


PICTURE = Image.new("RGB", (8, 6), (10, 20, 30))


def png(image=PICTURE):
    buffer = io.BytesIO()
    image.save(buffer, "PNG")
    return buffer.getvalue()


def test_every_kind_of_image_source_gives_the_same_answer(model, tmp_path):
    path = tmp_path / "photo.png"
    path.write_bytes(png())
    sources = [path, str(path), png(), PICTURE, np.asarray(PICTURE), np.asarray(PICTURE)[:, ::1]]
    answers = [model.segment(source, points=[(4, 3)]) for source in sources]
    for answer in answers:
        np.testing.assert_array_equal(answer.masks, answers[0].masks)
        np.testing.assert_array_equal(answer.predicted_iou, answers[0].predicted_iou)


def test_an_answer_with_three_candidates(model):
    answer = model.segment(PICTURE, points=[(4, 3)])
    assert answer.masks.shape == (3, 6, 8)
    assert answer.masks.dtype == np.bool_
    assert answer.tokens.tolist() == [1, 2, 3]
    assert answer.predicted_iou == pytest.approx([0.41, 0.71, 0.61])
    assert answer.best == 1
    assert answer.low_res_logits.shape == (3, 16, 16)
    assert answer.low_res_logits.dtype == np.float32
    assert answer.stability.shape == answer.entropy.shape == (3,)


def test_an_answer_with_one_mask(model):
    answer = model.segment(PICTURE, points=[(4, 3)], multimask=False)
    assert answer.masks.shape == (1, 6, 8)
    assert answer.best == 0


def test_heads_come_with_the_masks(model, knowing):
    segmenter, heads = knowing
    answer = segmenter.segment(PICTURE, points=[(4, 3)], box=(1, 1, 7, 5))
    assert len(answer.heads) == 3
    assert set(answer.heads[0].values) >= set(heads.heads.info.names)
    assert not answer.heads[0].in_regime
    assert segmenter.segment(PICTURE, points=[(4, 3)]).heads[1].in_regime
    assert model.segment(PICTURE, points=[(4, 3)]).heads is None


def test_an_embedded_image_is_encoded_once(model, backbone):
    embedded = model.embed(PICTURE)
    assert embedded.size == ImageSize(8, 6)
    model.segment(embedded, points=[(4, 3)])
    model.segment(embedded, box=(1, 1, 5, 5))
    assert backbone.launches == [("encode", 1), ("decode", 1), ("decode", 1)]


def test_low_res_logits_may_come_back_in_any_precision(model):
    answer = model.segment(PICTURE, points=[(4, 3)])
    logits = answer.low_res_logits[0].astype(np.float64)
    assert model.segment(PICTURE, points=[(4, 3)], mask_input=logits).best == 1


@pytest.mark.parametrize("mode", ["CMYK", "LA", "P", "YCbCr", "I;16", "1"])
def test_a_pillow_image_may_have_any_mode(model, mode):
    assert model.embed(Image.new(mode, (3, 2))).size == ImageSize(3, 2)


def test_a_pillow_image_is_turned_as_it_is_displayed(model):
    exif = Image.Exif()
    exif[0x0112] = 6
    buffer = io.BytesIO()
    PICTURE.save(buffer, "JPEG", exif=exif)
    with Image.open(buffer) as opened:
        assert model.embed(opened).size == model.embed(buffer.getvalue()).size == ImageSize(6, 8)


@pytest.mark.parametrize(
    "array",
    [
        np.zeros((2, 2), np.uint8),
        np.zeros((2, 2, 4), np.uint8),
        np.zeros((2, 2, 3), np.float32),
        np.zeros((0, 2, 3), np.uint8),
    ],
)
def test_an_array_that_is_not_rgb_bytes_is_refused(model, array):
    with pytest.raises(InvalidImage, match=r"it must be RGB uint8 \(H, W, 3\)"):
        model.embed(array)


def test_wrong_input_is_refused_before_the_device(model, backbone):
    with pytest.raises(InvalidPrompt, match="neither points nor a box"):
        model.segment(PICTURE)
    with pytest.raises(InvalidImage):
        model.embed(b"text")
    with pytest.raises(ImageTooLarge):
        model.embed(png(Image.new("1", (20_001, 1))))
    assert backbone.launches == []


def test_a_point_outside_the_image_is_refused(model):
    with pytest.raises(InvalidPrompt, match=r"point x=8 lies outside the image \(width 8 px\)"):
        model.segment(PICTURE, points=[(8, 0)])


def test_an_answer_that_is_not_finite_is_an_error(model, backbone):
    with pytest.raises(NonFiniteOutput):
        model.segment(Image.new("RGB", (8, 6), (backbone.nan, 0, 0)), points=[(4, 3)])
