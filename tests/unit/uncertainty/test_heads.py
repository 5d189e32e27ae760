"""The heads against plain modules, one by one, and against the published golden vectors."""

import itertools
import re
from pathlib import Path

import pytest
import torch
from heads import info_of, random_heads, random_weights
from torch import nn

from suresam.errors import CheckpointError
from suresam.segmentation.tensor_files import write_safetensors
from suresam.uncertainty.heads import PARAMETERS, UsamHeads, load_heads, save_heads
from suresam.uncertainty.published_heads import read_published_heads

PUBLISHED = Path(__file__).parents[4] / "shared" / "reference" / "usam_heads"


def one_by_one(heads: UsamHeads, pairs: torch.Tensor) -> torch.Tensor:
    """Every head as a module of its own: (N, 2 C) to (N, H), without the shift of the gaps."""
    columns = []
    for index in range(len(heads.info.names)):
        layers: list[nn.Module] = []
        for i in range(3):
            weight = heads.weights[f"layers.{i}.weight"][index]
            layer = nn.Linear(weight.shape[1], weight.shape[0])
            layer.weight.data, layer.bias.data = weight, heads.weights[f"layers.{i}.bias"][index]
            layers += [layer, nn.ReLU()]
        columns.append(nn.Sequential(*layers[:-1], nn.Sigmoid())(pairs))
    return torch.cat(columns, 1)


def test_all_heads_at_once_are_each_head_alone():
    heads = random_heads(width=5)
    pairs = torch.randn(7, 10)
    expected = one_by_one(heads, pairs)
    for column, name in enumerate(heads.info.names):
        expected[:, column] -= 0.5 * name.endswith("_gap")
    torch.testing.assert_close(heads.score_pairs(pairs), expected, atol=1e-6, rtol=0)


@pytest.mark.parametrize(
    ("pairing", "read"), [("maker", (0, 1, 2, 3)), ("one_before", (0, 0, 1, 2))]
)
def test_each_mask_is_judged_by_the_token_that_the_pairing_says(pairing, read):
    heads = random_heads(width=5, pairing=pairing)
    iou_token, mask_tokens = torch.randn(3, 5), torch.randn(3, 4, 5)
    scores = heads.score(iou_token, mask_tokens)
    assert scores.shape == (3, 4, len(heads.info.names))
    for row, token in itertools.product(range(3), range(4)):
        pair = torch.cat([iou_token[row], mask_tokens[row, read[token]]])
        torch.testing.assert_close(scores[row, token], heads.score_pairs(pair[None])[0])


def test_a_row_scores_the_same_alone_and_among_64():
    heads = random_heads(width=96)
    iou_token, mask_tokens = torch.randn(64, 96), torch.randn(64, 4, 96)
    together = heads.score(iou_token, mask_tokens)
    for row in range(64):
        alone = heads.score(iou_token[row : row + 1], mask_tokens[row : row + 1])
        assert (together[row] - alone[0]).abs().max() < 1e-5


def test_heads_compute_in_float32_inside_a_bfloat16_autocast():
    heads = random_heads(width=16)
    pairs = torch.randn(9, 32)
    with torch.autocast("cpu", dtype=torch.bfloat16):
        inside = heads.score_pairs(pairs)
    assert inside.dtype == torch.float32
    torch.testing.assert_close(inside, heads.score_pairs(pairs), atol=0, rtol=0)


def test_a_head_file_gives_back_heads_and_what_they_are(tmp_path):
    heads = random_heads(width=3, pairing="one_before")
    save_heads(heads, tmp_path / "h.safetensors")
    found = load_heads(tmp_path / "h.safetensors")
    assert found.info == heads.info
    assert found.token_width == 3
    for name in PARAMETERS:
        assert torch.equal(found.weights[name], heads.weights[name])


def changed(**tensors: torch.Tensor | None) -> dict[str, torch.Tensor]:
    weights = random_weights(7) | {k.replace("__", "."): v for k, v in tensors.items()}
    return {name: value for name, value in weights.items() if value is not None}


@pytest.mark.parametrize(
    ("weights", "message"),
    [
        (changed(layers__1__bias=None), r"heads lack layers\.1\.bias"),
        (changed(more=torch.zeros(1)), "unknown more"),
        (random_weights(6), r"\(6, 8, 2\), not \(7, 8, 2\) \(7 heads: iou_small, "),
        (changed(layers__2__bias=torch.zeros(7, 2)), r"layers\.2\.bias.*\(7, 2\), not \(7, 1\)"),
        (changed(layers__0__weight=torch.zeros(7, 8, 3)), "even number of inputs"),
        (changed(layers__0__bias=torch.full((7, 8), torch.nan)), "not finite"),
    ],
)
def test_weights_that_do_not_fit_are_named(weights, message):
    with pytest.raises(CheckpointError, match=message):
        UsamHeads(info_of(), weights)


@pytest.mark.parametrize(("tokens", "absent"), [("iou", slice(2, 4)), ("mask", slice(0, 2))])
def test_heads_of_one_token_must_not_read_the_other(tmp_path, tokens, absent):
    weights = random_weights(7, width=2)
    with pytest.raises(CheckpointError, match=f"said to read the {tokens} token alone"):
        UsamHeads(info_of(tokens=tokens), weights)
    weights["layers.0.weight"][..., absent] = 0
    path = tmp_path / "one.safetensors"
    save_heads(UsamHeads(info_of(tokens=tokens), weights), path)
    assert load_heads(path).info.tokens == tokens


def test_a_file_that_is_no_head_file_is_named(tmp_path):
    path = tmp_path / "h.safetensors"
    with pytest.raises(CheckpointError, match=r"h\.safetensors"):
        load_heads(path)
    path.write_bytes(b"no")
    with pytest.raises(CheckpointError, match=r"h\.safetensors"):
        load_heads(path)
    write_safetensors(random_weights(7), path)
    with pytest.raises(CheckpointError, match=r"h\.safetensors: this is no head file"):
        load_heads(path)
    write_safetensors(random_weights(7), path, {"suresam_heads": '{"models": {}}'})
    with pytest.raises(CheckpointError, match="pairing: Field required"):
        load_heads(path)
    write_safetensors(random_weights(7), path, info_of().to_header() | {"x": "y"})
    load_heads(path)


def golden() -> dict[tuple[str, str], list[float]]:
    """The table of the published heads' read-me: outputs before the shift of the gaps."""
    text = (PUBLISHED / "README.md").read_text()
    rows = re.findall(r"^\| (sam2\.\d) \| (\w+) \|((?: [\d.]+ \|){6})$", text, re.MULTILINE)
    return {
        (family, head): [float(value) for value in values.replace("|", " ").split()]
        for family, head, values in rows
    }


@pytest.mark.parametrize("family", ["sam2.0", "sam2.1"])
def test_published_heads_give_their_golden_vectors(family):
    if not PUBLISHED.is_dir():
        pytest.skip("the published heads are not here")
    heads = read_published_heads(PUBLISHED / family, family)
    steps = torch.arange(512, dtype=torch.float64)
    first = steps < 256
    inputs = torch.stack(
        [
            torch.zeros(512, dtype=torch.float64),
            torch.ones(512, dtype=torch.float64),
            steps.sin(),
            steps.sin() * first,
            steps.sin() * ~first,
            10 * (0.1 * steps).cos(),
        ]
    ).float()
    scores = heads.score_pairs(inputs)
    table = golden()
    assert len(table) == 18
    for column, name in enumerate(heads.info.names):
        shift = 0.5 if name.endswith("_gap") else 0.0
        expected = torch.tensor(table[family, name])
        torch.testing.assert_close(scores[:, column] + shift, expected, atol=1e-5, rtol=0)
