import pytest
import torch
from torch import Tensor

from suresam.segmentation.architecture import Architecture, ImageModel
from suresam.training.forward import decode, encode, set_input_size
from suresam.training.initialisation import align_decoder

SIZE = 256


def small_model(heads: int) -> ImageModel:
    torch.manual_seed(1)
    return Architecture(
        input_size=SIZE,
        embed_dim=16,
        stages=(1, 1, 2, 1),
        global_att_blocks=(3,),
        window_spec=(8, 4, 8, 4),
        d_model=96,
        fpn_top_down_levels=(0, 1, 2, 3),
        decoder_num_heads=heads,
        decoder_mlp_dim=64,
        iou_head_hidden_dim=32,
    ).build()


def weight_near_the_click(model: ImageModel, pixels: Tensor, points: Tensor) -> Tensor:
    """Attention of the tokens to the 3x3 cells round the click, first cross-attention."""
    found: list[Tensor] = []

    def look(module, args, kwargs):
        q = module._separate_heads(module.q_proj(kwargs["q"]), module.num_heads)
        k = module._separate_heads(module.k_proj(kwargs["k"]), module.num_heads)
        found.append(torch.softmax(q @ k.mT / q.shape[-1] ** 0.5, dim=-1).mean(1))

    attention = model.sam_mask_decoder.transformer.layers[0].cross_attn_token_to_image
    handle = attention.register_forward_pre_hook(look, with_kwargs=True)
    count = len(points)
    with torch.no_grad():
        image = torch.zeros(count, dtype=torch.int64)
        decode(model, encode(model, pixels), image, points[:, None], torch.ones(count, 1))
    handle.remove()
    cells = SIZE // 16
    weights = found[0].reshape(count, -1, cells, cells)
    near = []
    for row, (x, y) in zip(weights, (points // 16).long().tolist(), strict=True):
        near.append(row[:, max(y - 1, 0) : y + 2, max(x - 1, 0) : x + 2].sum((-2, -1)))
    return torch.stack(near).mean(0)


# More heads have fewer frequencies each, so their peaks are less sharp.
@pytest.mark.parametrize(("heads", "least"), [(2, 0.95), (4, 0.8)])
def test_after_it_a_click_finds_its_own_place_and_before_it_does_not(heads, least):
    model = small_model(heads)
    pixels = torch.randn(2, 3, SIZE, SIZE, generator=torch.Generator().manual_seed(0))
    points = torch.tensor([[40.0, 200.0], [130.0, 90.0], [250.0, 5.0], [77.0, 77.0]])
    point_token, mask_token = 6, 3
    assert weight_near_the_click(model, pixels, points)[point_token] < 0.3
    align_decoder(model, pixels, torch.Generator().manual_seed(0))
    weights = weight_near_the_click(model, pixels, points)
    assert weights[point_token] > least
    assert weights[mask_token] > least - 0.1


def test_it_keeps_what_the_encoder_says_about_likeness():
    model = small_model(2)
    pixels = torch.randn(2, 3, SIZE, SIZE, generator=torch.Generator().manual_seed(0))
    with torch.no_grad():
        before = encode(model, pixels).fine.flatten(2)[0]
        align_decoder(model, pixels, torch.Generator().manual_seed(0))
        features = encode(model, pixels)
    after = features.fine.flatten(2)[0]
    pairs = torch.nn.functional.cosine_similarity

    def likeness(x: Tensor) -> Tensor:
        return pairs(x[:, :-7], x[:, 7:], dim=0)

    assert (likeness(before) - likeness(after)).abs().mean() < 0.02
    assert abs(features.coarse.norm(dim=1).mean().item() - 4.0) < 0.1


def test_the_model_can_change_its_input_size():
    model = small_model(2)
    set_input_size(model, 128)
    with torch.no_grad():
        features = encode(model, torch.zeros(1, 3, 128, 128))
        decoded = decode(
            model,
            features,
            torch.zeros(1, dtype=torch.int64),
            torch.tensor([[[64.0, 64.0]]]),
            torch.ones(1, 1),
            torch.zeros(1, 1, 32, 32),
        )
    assert decoded.logits.shape == (1, 4, 32, 32)
