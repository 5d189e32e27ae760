import pytest
from heads import info_of

from suresam.errors import CheckpointError
from suresam.uncertainty.head_info import HeadInfo


def test_there_is_an_iou_head_for_each_model_then_the_common_ones():
    assert info_of().names == (
        "iou_small", "iou_large", "iou_dense_prompt", "iou_unsupervised",
        "model_gap", "prompt_gap", "task_gap",
    )  # fmt: skip
    three = info_of(models={"a": "iou_a", "b": "iou_b", "c": "iou_c"})
    assert len(three.names) == 8


def test_a_header_gives_back_what_was_written():
    info = info_of(pairing="one_before", prompts=("box", "clicks"))
    assert HeadInfo.from_header(info.to_header() | {"format": "pt"}) == info


def test_a_header_that_says_nothing_of_tokens_means_both_and_one_token_is_declared():
    header = info_of().to_header()
    assert "tokens" not in header["suresam_heads"]  # as in files from before the field
    assert HeadInfo.from_header(header).tokens == "both"
    one = info_of(tokens="mask")
    assert HeadInfo.from_header(one.to_header()) == one
    with pytest.raises(CheckpointError, match="tokens: Input should be 'both', 'iou' or 'mask'"):
        HeadInfo.from_header(info_of(tokens="none").to_header())


@pytest.mark.parametrize(
    "models", [{}, {"a": "iou", "b": "iou"}, {"a": "model_gap"}, {"a": "iou_unsupervised"}]
)
def test_every_model_needs_a_head_of_its_own(models):
    with pytest.raises(CheckpointError, match="IoU head of its own"):
        info_of(models=models)


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("", "Invalid JSON"),
        ("[]", "Input should be an object"),
        ('{"prompts": []}', "models: Field required"),
        (
            '{"prompts": ["shout"], "models": {"a": "iou_a"}, "pairing": "maker", '
            '"targets": "best_mask", "source": "", "licence": ""}',
            "prompts.0: Input should be 'one_click'",
        ),
        (
            '{"prompts": [], "models": {"a": "iou_a"}, "pairing": "next", '
            '"targets": "best_mask", "source": "", "licence": "", "heads": 9}',
            "pairing: Input should be 'maker' or 'one_before'.*heads: Unexpected",
        ),
    ],
)
def test_a_malformed_header_is_refused(text, message):
    with pytest.raises(CheckpointError, match=message):
        HeadInfo.from_header({"suresam_heads": text})
