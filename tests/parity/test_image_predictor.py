"""Our functional, batched path against upstream's predictor, prompt kind by prompt kind.

Tolerance: 1e-5 on logits and predicted IoU (float32, CPU). The arithmetic is the same; only the
order of sums may differ between a batch of one and of many.
"""

import numpy as np
import pytest
import torch
from parity import upstream

from suresam.domain import Box, ImageSize, Point, Prompt
from suresam.prediction import Wanted, predict
from suresam.segmentation.architecture import Architecture
from suresam.segmentation.box_convention import OFFICIAL
from suresam.segmentation.box_mask import draw_box_mask
from suresam.segmentation.checkpoints import load_model
from suresam.segmentation.manifests import load_family
from suresam.segmentation.prompts import prompt_row
from suresam.segmentation.sam2 import Sam2Backbone
from suresam.segmentation.weights import find_weights

TOLERANCE = 1e-5
SIZE = ImageSize(150, 100)

PROMPTS = {
    "one point": Prompt(points=(Point(60, 40),)),
    "points of both kinds": Prompt(
        points=(Point(60, 40), Point(10.5, 90.25), Point(140, 3)), labels=(1, 0, 1)
    ),
    "box": Prompt(box=Box(20, 10, 110, 80)),
    "box and points": Prompt(
        points=(Point(60, 40), Point(30, 70)), labels=(1, 0), box=Box(20, 10, 110, 80)
    ),
}


def photo(seed: int, size: ImageSize = SIZE) -> np.ndarray:
    """Smooth colours with edges: something that an encoder reacts to."""
    rng = np.random.default_rng(seed)
    coarse = torch.from_numpy(rng.uniform(0, 255, (1, 3, 5, 7)).astype(np.float32))
    smooth = torch.nn.functional.interpolate(coarse, (size.height, size.width), mode="bicubic")
    image = smooth[0].permute(1, 2, 0).numpy() + rng.normal(0, 12, (size.height, size.width, 1))
    return image.clip(0, 255).astype(np.uint8)


class Pair:
    """The same weights behind upstream's predictor and behind our backbone."""

    def __init__(self, name: str) -> None:
        if name.startswith("demo"):
            manifest = load_family("demo").member(name)
            if find_weights(manifest) is None:
                pytest.skip(f"the weights of {name} are not here")
            model = load_model(manifest)
            self.predictor = upstream.predictor_of_ours(model)
            self.box = manifest.box
        else:
            official = upstream.build_official(name, seed=3)
            self.predictor = upstream.SAM2ImagePredictor(official)
            model = Architecture().build()
            wanted = model.state_dict()
            model.load_state_dict({k: v for k, v in official.state_dict().items() if k in wanted})
            self.box = OFFICIAL
        self.backbone = Sam2Backbone(name, model, "cpu", box=self.box)
        self.image = photo(1)
        self.predictor.set_image(self.image)
        [self.embedding] = self.backbone.encode([self.image])

    def upstream(
        self, prompt: Prompt, multimask: bool
    ) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
        is_settled = prompt.box is not None and self.box.by_token_0
        decoder = self.predictor.model.sam_mask_decoder
        decoder.dynamic_multimask_via_stability = not is_settled
        mask_input = prompt.mask_input
        if mask_input is None and prompt.box is not None and self.box.as_mask_input:
            scale = self.backbone.input_size / np.array([SIZE.width, SIZE.height] * 2)
            box = torch.from_numpy(np.array(prompt.box) * scale).float()[None]
            size = self.backbone.low_res_size
            mask_input = draw_box_mask(box, self.backbone.input_size, size)[0, 0].numpy()
        return self.predictor.predict(
            point_coords=np.array(prompt.points) if prompt.points else None,
            point_labels=np.array(prompt.point_labels) if prompt.points else None,
            box=None if prompt.box is None else np.array(prompt.box),
            mask_input=None if mask_input is None else mask_input[None],
            multimask_output=multimask,
        )

    def ours(self, prompt: Prompt, multimask: bool) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
        row = prompt_row(prompt, SIZE, self.embedding, self.backbone)
        [prediction] = predict(self.backbone, [row], [Wanted(SIZE, multimask, low_res_logits=True)])
        decoded = self.backbone.decode([row])
        logits = decoded.low_res_logits[0, list(prediction.tokens)].clamp(-32, 32).numpy()
        masks = np.stack([prediction.mask(i) for i in range(len(prediction.tokens))])
        return masks, np.array(prediction.predicted_iou), logits


MODELS = (
    "configs/sam2.1/sam2.1_hiera_t.yaml",
    "configs/sam2/sam2_hiera_t.yaml",
    "demo-small",
    "demo-large",
)


@pytest.fixture(scope="module", params=MODELS)
def pair(request: pytest.FixtureRequest) -> Pair:
    return Pair(request.param)


@pytest.mark.parametrize("multimask", [True, False], ids=["multimask", "single"])
@pytest.mark.parametrize("kind", PROMPTS)
def test_every_prompt_kind_gives_upstreams_answer(pair: Pair, kind: str, multimask: bool):
    masks, predicted_iou, logits = pair.ours(PROMPTS[kind], multimask)
    their_masks, their_iou, their_logits = pair.upstream(PROMPTS[kind], multimask)
    np.testing.assert_allclose(logits, their_logits, atol=TOLERANCE, rtol=0)
    np.testing.assert_allclose(predicted_iou, their_iou, atol=TOLERANCE, rtol=0)
    # Interpolation rounds in another order: where the logit is 0 to seven digits either is right.
    num_other = (masks != their_masks.astype(bool)).sum()
    assert num_other <= 1e-4 * masks.size, f"{num_other} of {masks.size} pixels"


def test_mask_input_gives_upstreams_answer(pair: Pair):
    first = PROMPTS["one point"]
    _, _, logits = pair.ours(first, multimask=True)
    again = Prompt(
        points=(*first.points, Point(100, 70)), labels=(1, 0), mask_input=logits[1].copy()
    )
    for multimask in (True, False):
        masks, predicted_iou, low = pair.ours(again, multimask)
        their_masks, their_iou, their_low = pair.upstream(again, multimask)
        np.testing.assert_allclose(low, their_low, atol=TOLERANCE, rtol=0)
        np.testing.assert_allclose(predicted_iou, their_iou, atol=TOLERANCE, rtol=0)
        np.testing.assert_array_equal(masks, their_masks.astype(bool))


def test_a_row_alone_equals_the_same_row_in_a_mixed_batch(pair: Pair):
    sizes = [SIZE, ImageSize(64, 120), ImageSize(200, 90)]
    images = [photo(seed, size) for seed, size in enumerate(sizes)]
    together = pair.backbone.encode(images)
    rows, alone = [], []
    for image, size, embedding in zip(images, sizes, together, strict=True):
        [single] = pair.backbone.encode([image])
        for point in (Point(5, 5), Point(40.5, 60)):
            prompt = Prompt(points=(point,))
            rows.append(prompt_row(prompt, size, embedding, pair.backbone))
            alone.append(pair.backbone.decode([prompt_row(prompt, size, single, pair.backbone)]))
    batch = pair.backbone.decode(rows)
    for i, single in enumerate(alone):
        for name in ("low_res_logits", "predicted_iou", "iou_token", "mask_tokens"):
            torch.testing.assert_close(
                getattr(batch, name)[i], getattr(single, name)[0], atol=2e-5, rtol=1e-5, msg=name
            )


def test_the_iou_token_is_what_the_iou_head_reads(pair: Pair):
    decoded = pair.backbone.decode(
        [prompt_row(PROMPTS["one point"], SIZE, pair.embedding, pair.backbone)]
    )
    with torch.inference_mode():
        head = pair.predictor.model.sam_mask_decoder.iou_prediction_head
        torch.testing.assert_close(head(decoded.iou_token), decoded.predicted_iou)
        makers = pair.predictor.model.sam_mask_decoder.output_hypernetworks_mlps
        assert decoded.mask_tokens.shape[1] == len(makers) == 4
