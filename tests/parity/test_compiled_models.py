"""Compiled by inductor, the bundled model gives its own masks: on a CPU, and as CUDA graphs.

Tolerance: 1e-4 on logits of some tens (float32): fused loops sum in another order.
"""

import numpy as np
import pytest
import torch
from parity.test_image_predictor import PROMPTS, SIZE, photo

from suresam.domain import Prompt
from suresam.engine.costs import CostTable
from suresam.engine.warm_up import warm_up
from suresam.segmentation.checkpoints import load_model
from suresam.segmentation.manifests import load_family
from suresam.segmentation.prompts import prompt_row
from suresam.segmentation.sam2 import Sam2Backbone

TOLERANCE = 1e-4


@pytest.mark.slow  # inductor and g++ take half a minute for each stage and number of rows
@pytest.mark.timeout(900)
@pytest.mark.filterwarnings("default")  # inductor imports parts of torch that are deprecated
@pytest.mark.parametrize("device", ["cpu", pytest.param("cuda", marks=pytest.mark.gpu)])
def test_a_compiled_model_gives_its_own_masks(device, monkeypatch):
    manifest = load_family("demo").member("demo-small")
    backbone = Sam2Backbone(
        manifest.name, load_model(manifest), device, box=manifest.box, dtype="float32",
        is_compiled=True,
    )  # fmt: skip
    # Ends with the golden check.
    warm_up(backbone, None, CostTable(), lambda stage, _: 4 if stage == "decode" else 1, print)
    set_stance = torch.compiler.set_stance
    monkeypatch.setattr(torch.compiler, "set_stance", lambda _: set_stance("fail_on_recompile"))
    eager = backbone.reference
    images = [photo(seed) for seed in range(3)]
    embeddings = [backbone.encode([image])[0] for image in images]
    for image, embedding in zip(images, embeddings, strict=True):
        [wanted] = eager.encode([image])
        torch.testing.assert_close(
            embedding.image_embed, wanted.image_embed, atol=TOLERANCE, rtol=TOLERANCE
        )
    many = Prompt(points=[(x, 40) for x in range(10, 100, 10)])
    kept = []
    for prompt in (*PROMPTS.values(), many):
        rows = [prompt_row(prompt, SIZE, embedding, backbone) for embedding in embeddings]
        told, wanted = backbone.decode(rows), eager.decode(rows)
        for name in told.__slots__:
            torch.testing.assert_close(
                getattr(told, name), getattr(wanted, name), atol=TOLERANCE, rtol=TOLERANCE
            )
        kept.append((told.low_res_logits, told.low_res_logits.cpu().numpy().copy()))
    # Nobody's results are overwritten by a later launch.
    for logits, as_told in kept:
        np.testing.assert_array_equal(logits.cpu().numpy(), as_told)
