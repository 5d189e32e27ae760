import numpy as np
import pytest
import torch

from suresam.domain import ImageSize, Prompt
from suresam.prediction import Wanted, predict
from suresam.segmentation.checkpoints import load_model
from suresam.segmentation.manifests import load_family
from suresam.segmentation.prompts import prompt_row
from suresam.segmentation.sam2 import Sam2Backbone, choose_dtype

SIZE = ImageSize(64, 48)
IMAGE = np.linspace(0, 255, 48 * 64 * 3).astype(np.uint8).reshape(48, 64, 3)
PROMPT = Prompt(points=[(20.0, 30.0)])


@pytest.fixture(scope="module")
def model():
    return load_model(load_family("demo").member("demo-small"))


@pytest.mark.parametrize(
    ("wanted", "chosen"),
    [("auto", "float32"), ("float32", "float32"), ("bfloat16", "bfloat16")],
)
def test_a_cpu_computes_in_float32_unless_told_otherwise(wanted, chosen):
    assert choose_dtype(wanted, "cpu") == chosen


def test_eager_float32_has_no_reference_but_itself(model):
    assert Sam2Backbone("demo-small", model, "cpu").reference is None
    for other in ({"dtype": "bfloat16"}, {"is_compiled": True}):
        reference = Sam2Backbone("demo-small", model, "cpu", **other).reference
        assert (reference.dtype, reference.is_compiled) == ("float32", False)


def test_in_bfloat16_embeddings_take_half_the_memory_and_results_are_float32(model):
    backbone = Sam2Backbone("demo-small", model, "cpu", dtype="bfloat16")
    [embedding] = backbone.encode([IMAGE])
    [full] = backbone.reference.encode([IMAGE])
    assert 2 * embedding.size_bytes == full.size_bytes
    decoded = backbone.decode([prompt_row(PROMPT, SIZE, embedding, backbone)])
    for name in decoded.__slots__:
        assert getattr(decoded, name).dtype == torch.float32
    # Not rounded to bfloat16: candidates are ranked by it.
    assert (decoded.predicted_iou != decoded.predicted_iou.bfloat16().float()).any()


@pytest.mark.gpu
@pytest.mark.parametrize("dtype", ["float32", "bfloat16"])
def test_a_gpu_gives_the_masks_of_the_cpu(model, dtype):
    answers = []
    for device in ("cpu", "cuda"):
        own = load_model(load_family("demo").member("demo-small"))
        backbone = Sam2Backbone("demo-small", own, device, dtype=dtype)
        [embedding] = backbone.encode([IMAGE])
        row = prompt_row(PROMPT, SIZE, embedding, backbone)
        [answer] = predict(backbone, [row], [Wanted(SIZE)])
        answers.append(np.stack([answer.mask(i) for i in range(3)]))
    on_cpu, on_gpu = answers
    assert (on_cpu & on_gpu).sum() >= 0.97 * (on_cpu | on_gpu).sum()
